import Foundation
import GateControl
import GateModel
import GateSSH
import GateTesting
import GateWire
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Testing

@Suite struct ConnectionListTests {
    @Test func `live connections are listed newest first with what they may do`() async throws {
        let api = try await TestAPI.make()
        let lookup = KeyLookup(api.gateway.dependencies)
        for (pid, key) in [(101, 2), (102, 3), (103, 3)] as [(Int32, UInt64)] {
            _ = try lookup.grant(
                for: SampleKeys.publicKey(key).fingerprint, process: SSHProcess(pid: pid, startTime: 5),
                source: "192.0.2.5")
            api.gateway.clock.advance(by: .seconds(1))
        }
        let response = try await api.withClient { client in
            try await client.execute(
                uri: "/api/v1/connections", method: .get, headers: api.headers(.administrator), body: nil)
        }
        let bodies = try JSONDecoder().decode([ConnectionBody].self, from: Data(String(buffer: response.body).utf8))
        #expect(bodies.map(\.id) == ["103-5", "102-5", "101-5"])
        #expect(bodies.map(\.purpose) == ["jump", "jump", "reverse"])
        #expect(bodies.allSatisfy { $0.source == "192.0.2.5" })
    }
}
