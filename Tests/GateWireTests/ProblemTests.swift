import Foundation
import GateWire
import Testing

@Suite struct ProblemTests {
    @Test func `codes are spelt in capitals and have a status of refusal or fault`() {
        for code in ProblemCode.allCases {
            #expect(code.rawValue.utf8.allSatisfy { (0x41...0x5A).contains($0) || $0 == UInt8(ascii: "_") })
            #expect((400...599).contains(code.status))
            #expect(code.status == 500 || code.title != ProblemCode.internalError.title)
        }
        #expect(Set(ProblemCode.allCases.map(\.rawValue)).count == ProblemCode.allCases.count)
    }

    @Test func `a problem has the members of RFC 9457 and ours beside them`() throws {
        let body = ProblemBody(code: .machineNotFound, title: "Not Found", detail: "No such machine.", requestID: "r1")
        let members = try #require(
            try JSONSerialization.jsonObject(with: JSONEncoder().encode(body)) as? [String: Any])
        #expect(
            Set(members.keys) == [
                "type", "title", "status", "detail", "error_code", "status_code", "request_id",
            ])
        #expect(members["type"] as? String == "urn:tidegate:problem:MACHINE_NOT_FOUND")
        #expect(members["status"] as? Int == 404)
        #expect(members["status_code"] as? Int == 404)
    }
}
