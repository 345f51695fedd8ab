import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

@Suite struct ConnectionQueryTests {
    @Test func `a process that holds a key is kept once and forgotten with its end`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await gateway.add("web")
        let key = try await gateway.addJump(1, to: ["web"]).key
        let (identity, now) = (gateway.dependencies.identity, gateway.clock.now)
        func connection(_ pid: Int32, _ startTime: UInt64) -> LiveConnection {
            LiveConnection(
                id: .random(), gateway: identity.gateway, key: key.id, pid: pid, startTime: startTime, bootID: "boot",
                source: "192.0.2.5", startedAt: now)
        }
        func kept() async throws -> Set<UInt64> {
            try await gateway.database.read { tx in
                Set(try tx.connections(on: identity.gateway).map(\.startTime))
            }
        }
        let (first, reused) = (connection(7, 100), connection(7, 200))
        try await gateway.database.write { tx in
            for one in [first, first, reused] {
                var again = one
                again.id = .random()
                try tx.insertConnection(again, tenant: identity.tenant)
            }
        }
        #expect(try await kept() == [100, 200])
        // The same pid, another process: only the one that ended is forgotten.
        try await gateway.database.write { tx in
            try tx.deleteConnection(pid: 7, startTime: 100, on: identity.gateway)
        }
        #expect(try await kept() == [200])
    }
}
