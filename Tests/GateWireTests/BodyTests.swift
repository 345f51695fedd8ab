import Foundation
import GateModel
import GateWire
import Testing

@Suite struct BodyTests {
    private func decoded<Body: Decodable>(_ type: Body.Type, _ text: String) throws -> Body {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }

    @Test func `a patch tells absent from null from a value`() throws {
        let absent = try decoded(PatchMachineRequest.self, "{}")
        #expect(absent.organization == nil)
        let null = try decoded(PatchMachineRequest.self, #"{"organization":null}"#)
        #expect(null.organization == .some(nil))
        let value = try decoded(PatchMachineRequest.self, #"{"organization":"x"}"#)
        #expect(value.organization == "x")
    }

    @Test(arguments: [#"{"name":null}"#, #"{"tags":null}"#, #"{"tags":"a"}"#, #"{"site":1}"#])
    func `a patch that can't be meant is refused`(text: String) {
        #expect(throws: DecodingError.self) { try decoded(PatchMachineRequest.self, text) }
    }

    @Test func `a patch encodes what it names and nothing else`() throws {
        let patch = PatchMachineRequest(name: "web", organization: .some(nil))
        let members = try #require(
            try JSONSerialization.jsonObject(with: JSONEncoder().encode(patch)) as? [String: Any])
        #expect(Set(members.keys) == ["name", "organization"])
        #expect(members["organization"] is NSNull)
    }

    @Test func `a machine without facts shows them as null, not as absent`() throws {
        let now = Timestamp(seconds: 0)
        let machine = MachineBody(
            id: "i", agentID: "a", name: "n", organization: "", site: "", tags: [], createdAt: now, updatedAt: now,
            enrolledAt: nil, lastSeenAt: nil, connected: false, transport: "ssh", operatingSystem: "",
            agentVersion: "", source: "", hostKeys: [], lease: nil)
        let members = try #require(
            try JSONSerialization.jsonObject(with: JSONEncoder().encode(machine)) as? [String: Any])
        #expect(members.count == 17)
        for name in ["enrolled_at", "last_seen_at", "lease"] { #expect(members[name] is NSNull) }
        #expect(members["created_at"] as? String == "1970-01-01T00:00:00Z")
    }

    @Test(arguments: [
        SetupRequest.fieldNames, AddTokenRequest.fieldNames, AddMachineRequest.fieldNames,
        PatchMachineRequest.fieldNames, AddEnrolmentRequest.fieldNames, EnrolRequest.fieldNames,
        RegisterRequest.fieldNames, HeartbeatRequest.fieldNames, AddTunnelKeyRequest.fieldNames,
    ])
    func `field names are snake case and different`(names: [String]) {
        #expect(!names.isEmpty)
        #expect(Set(names).count == names.count)
        for name in names {
            #expect(name.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == UInt8(ascii: "_") })
        }
    }
}
