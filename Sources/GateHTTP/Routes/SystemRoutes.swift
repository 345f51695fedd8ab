import GateModel
import GateWire
import HTTPTypes
import Hummingbird
import NIOCore

/// Liveness, readiness, metrics and the description of the API; open to anybody, and telling nothing about anybody.
struct SystemRoutes {
    let services: GateServices
    let metrics: HTTPMetrics

    private struct Status: Encodable {
        let status: String
        var faults: [String]?
        var warnings: [String]?
    }

    func add(to book: RouteBook) {
        let (services, metrics) = (services, metrics)
        book.open(.get, "/healthz", access: .probe) { _, _ in JSONAnswer(.ok, Status(status: "ok")) }
        book.open(.get, "/readyz", access: .probe) { _, _ in
            let readiness = await services.readiness()
            let isReady = readiness.faults.isEmpty
            return JSONAnswer(
                isReady ? .ok : .serviceUnavailable,
                Status(
                    status: isReady ? "ready" : "not ready", faults: isReady ? nil : readiness.faults,
                    warnings: readiness.warnings.isEmpty ? nil : readiness.warnings))
        }
        book.open(.get, "/metrics") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: metrics.text(gauges: services.gauges()))))
        }
        book.open(.get, "/openapi.yaml") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/yaml"],
                body: .init(byteBuffer: ByteBuffer(bytes: PackageResources.openapi_yaml)))
        }
    }
}
