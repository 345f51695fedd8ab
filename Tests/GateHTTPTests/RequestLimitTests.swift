import GateControl
import GateTesting
import GateWire
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

@Suite struct RequestLimitTests {
    private func rules(_ change: (inout RequestLimits.Rules) -> Void) -> RequestLimits.Rules {
        var rules = RequestLimits.Rules.ample
        change(&rules)
        return rules
    }

    @Test func `past its limit a source is told to wait for what would be 401, and good credentials are served`()
        async throws
    {
        let api = try await TestAPI.make(limits: rules { $0.refused = (burst: 3, interval: .seconds(3_600)) })
        try await api.withClient { client in
            for sender in [Sender.unknown, .nobody, .revoked] {
                let response = try await client.execute(
                    uri: "/api/v1/whoami", method: .get, headers: api.headers(sender), body: nil)
                #expect(response.status == .unauthorized)
            }
            for path in ["/api/v1/whoami", "/api/v1/agent/heartbeat"] {
                let response = try await client.execute(
                    uri: path, method: path.hasSuffix("heartbeat") ? .post : .get, headers: api.headers(.unknown),
                    body: nil)
                #expect(expectProblem(response, status: 429, path) == .tooManyRequests)
                #expect(response.headers[.retryAfter].flatMap { Int($0) }.map { (3_000...3_600).contains($0) } == true)
            }
            for sender in [Sender.administrator, .viewer, .agentKey, .browser] {
                let response = try await client.execute(
                    uri: sender == .browser ? "/api/v1/auth/status" : "/api/v1/whoami", method: .get,
                    headers: api.headers(sender), body: nil)
                #expect(response.status == .ok, "\(sender)")
            }
        }
    }

    @Test func `a credential past its rate waits, by a token and by a cookie, and its neighbours don't`() async throws {
        let api = try await TestAPI.make(limits: rules { $0.work = 1 })
        for (sender, path) in [(Sender.administrator, "/api/v1/whoami"), (.browser, "/api/v1/auth/status")] {
            try await api.withClient { client in
                var statuses: [Int] = []
                for _ in 0..<8 {
                    statuses.append(
                        try await client.execute(uri: path, method: .get, headers: api.headers(sender), body: nil)
                            .status.code)
                }
                #expect(statuses.prefix(2) == [200, 200], "\(sender)")
                #expect(statuses.contains(429), "\(sender)")
                let other = try await client.execute(
                    uri: "/api/v1/whoami", method: .get, headers: api.headers(.viewer), body: nil)
                #expect(other.status != .tooManyRequests)
            }
        }
    }

    @Test func `what needs no credential is limited before it is done, and probes never are`() async throws {
        let api = try await TestAPI.make(limits: rules { $0.anonymous = (burst: 2, interval: .seconds(3_600)) })
        try await api.withClient { client in
            var statuses: [Int] = []
            for _ in 0..<4 {
                statuses.append(try await client.execute(uri: "/openapi.yaml", method: .get).status.code)
            }
            #expect(statuses == [200, 200, 429, 429])
            let reads = api.gateway.database.reads
            let response = try await client.execute(
                uri: "/api/v1/auth/password-login", method: .post, headers: [.contentType: "application/json"],
                body: .init(string: #"{"username":"admin","password":"correct horse"}"#))
            #expect(response.status == .tooManyRequests)
            #expect(api.gateway.database.reads == reads)
            for _ in 0..<10 {
                #expect(try await client.execute(uri: "/healthz", method: .get).status == .ok)
                #expect(try await client.execute(uri: "/readyz", method: .get).status == .ok)
            }
        }
    }
}
