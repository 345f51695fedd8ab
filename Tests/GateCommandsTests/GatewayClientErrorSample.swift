import GateClient
import GateWire

/// Errors as `GatewayClient` throws them.
enum GatewayClientErrorSample {
    static func problem(_ body: ProblemBody) -> GatewayClientError { .problem(body, retryAfter: nil) }
    static let unreachable = GatewayClientError.unreachable("https://gateway.example.org can't be reached")
}
