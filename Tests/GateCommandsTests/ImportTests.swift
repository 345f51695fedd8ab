import GateCommands
import GateModel
import GateWire
import Testing

@Suite struct ImportTests {
    private let key = Samples.hostKey

    private func state(_ entries: String...) -> String { "{\"allocations\":[\(entries.joined(separator: ","))]}" }

    private func entry(_ id: String = "box", port: String = "20001", seen: String = "2026-03-01T12:00:00.5+00:00")
        -> String
    {
        #"{"agent_id":"\#(id)","port_b":\#(port),"public_key":"\#(key)","created_at":"x","last_seen":"\#(seen)"}"#
    }

    @Test func `an agent's lease ends as many days after its last word as that server gave it`() throws {
        let agents = try AllocationsFile.agents(in: state(entry()), named: "f", leaseDays: 3)
        #expect(agents.count == 1 && agents[0].agentID == "box" && agents[0].port == 20_001)
        #expect(agents[0].leaseExpiresAt.rfc3339 == "2026-03-04T12:00:00.500000Z")
        #expect(try AllocationsFile.agents(in: #"{"allocations":[]}"#, named: "f", leaseDays: 3).isEmpty)
    }

    @Test func `a damaged state is refused whole, with its place`() throws {
        let bad: [(text: String, words: String)] = [
            ("", "is empty"), (" \n", "is empty"), ("{\"allocations\":[{\"agent", "not whole JSON"),
            ("[]", "not an object"), ("{}", "allocations is missing"), (#"{"allocations":null}"#, "another type"),
            (state("null"), "another type"), (state(#"{"agent_id":"a"}"#), "is missing"),
            (state(entry("a b")), "agent_id"), (state(entry(port: "70000")), "port_b"),
            (state(entry(port: "\"20001\"")), "another type"), (state(entry(seen: "yesterday")), "last_seen"),
            (state(entry(), entry()), "twice"), (state(entry(), entry("other")), "twice"),
        ]
        for (text, words) in bad {
            #expect {
                try AllocationsFile.agents(in: text, named: "f", leaseDays: 7)
            } throws: { error in
                let failure = error as? CommandFailure
                return failure?.words.contains(words) == true
                    && failure?.words.hasSuffix("nothing was imported") == true
                    || failure?.words.contains("is empty") == true
            }
        }
    }

    @Test func `every setting is accounted for`() throws {
        let settings = try ForeignSettings(
            text: """
                # comment
                API_KEY=secret-text
                export SSH_USER='gw-tunnel'
                PORT_RANGE_START=21000
                PORT_RANGE_END="22000"
                AGENT_REVERSE_BIND_HOST=127.0.0.1
                LEASE_TTL_DAYS=2
                TUNNEL_KEY_RESTRICTIONS=0
                ELSE=1
                """, named: "env")
        let notes = Dictionary(uniqueKeysWithValues: settings.notes.map { ($0.name, $0) })
        #expect(settings.leaseDays == 2)
        #expect(notes["PORT_RANGE_START PORT_RANGE_END"]?.becomes == "--lease-ports 21000-22000")
        #expect(notes["AGENT_REVERSE_BIND_HOST"]?.becomes == "--lease-bind 127.0.0.1")
        #expect(notes["LEASE_TTL_DAYS"]?.becomes == "--lease-ttl 2d")
        #expect(notes["SSH_USER"]?.becomes == "--ssh-user gw-tunnel")
        #expect(notes["API_KEY"]?.becomes == "API_KEY" && notes["API_KEY"]?.value == "(secret)")
        #expect(notes["TUNNEL_KEY_RESTRICTIONS"] != nil && notes["TUNNEL_KEY_RESTRICTIONS"]?.becomes == nil)
        #expect(notes["ELSE"]?.becomes == nil)
        #expect(try ForeignSettings(text: "", named: "").notes.contains { $0.becomes == "--lease-bind 0.0.0.0" })
        for text in ["NOVALUE", "=x", "LEASE_TTL_DAYS=0", "PORT_RANGE_START=90000", "A B=1"] {
            #expect(throws: CommandFailure.self) { try ForeignSettings(text: text, named: "env") }
        }
    }
}
