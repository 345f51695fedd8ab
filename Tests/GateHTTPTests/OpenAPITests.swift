import GateHTTP
import GateTesting
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Testing

@Suite struct OpenAPITests {
    @Test func `the description has every route of the current version, and no other`() async throws {
        let api = try await TestAPI.make()
        let response = try await api.withClient { client in
            try await client.execute(uri: "/openapi.yaml", method: .get, headers: [:], body: nil)
        }
        #expect(response.headers[.contentType] == "application/yaml")
        var described: Set<String> = []
        var path = ""
        for line in String(buffer: response.body).split(separator: "\n") {
            if let match = line.firstMatch(of: /^  (\/[^:]*):$/) { path = String(match.output.1) }
            if let match = line.firstMatch(of: /^    (get|post|put|patch|delete):$/) {
                described.insert("\(match.output.1.uppercased()) \(path)")
            }
        }
        // A dialect's, which this target doesn't know.
        described.remove("POST /")
        // Pages are for people; what they do, the API does too.
        let entries = api.entries.filter { $0.access != .page && $0.access != .personPage }
        let routes = entries.filter { !$0.path.hasPrefix("/api/") || $0.path.hasPrefix("/api/v1/") }.map { entry in
            let parts = entry.path.split(separator: "/").map { $0.hasPrefix(":") ? "{\($0.dropFirst())}" : String($0) }
            return "\(entry.method) /\(parts.joined(separator: "/"))"
        }
        #expect(Set(routes) == described)
    }
}
