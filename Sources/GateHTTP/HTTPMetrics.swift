import GateModel
import Synchronization

/// Counts requests by route pattern and status: both come from our own tables, so their number is bounded.
public final class HTTPMetrics: Sendable {
    private struct Key: Hashable {
        let route: String
        let status: Int
    }

    private struct State {
        var counts: [Key: UInt64] = [:]
        var buckets: [UInt64] = Array(repeating: 0, count: HTTPMetrics.bounds.count)
        var sum: Double = 0
        var total: UInt64 = 0
    }

    /// Upper bounds of the duration histogram, seconds.
    static let bounds: [Double] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

    private let state = Mutex(State())

    public init() {}

    func note(route: String, status: Int, elapsed: Duration) {
        let seconds = Double(elapsed.wholeMicroseconds) / 1_000_000
        state.withLock { state in
            state.counts[Key(route: route, status: status), default: 0] += 1
            state.sum += seconds
            state.total += 1
            for (index, bound) in Self.bounds.enumerated() where seconds <= bound { state.buckets[index] += 1 }
        }
    }

    /// Prometheus text exposition format, version 0.0.4.
    func text(gauges: [(name: String, help: String, value: Double)]) -> String {
        state.withLock { state in
            var lines = [
                "# HELP tidegate_http_requests_total Requests answered.", "# TYPE tidegate_http_requests_total counter",
            ]
            for (key, count) in state.counts.sorted(by: {
                ($0.key.route, $0.key.status) < ($1.key.route, $1.key.status)
            }) {
                lines.append("tidegate_http_requests_total{route=\"\(key.route)\",status=\"\(key.status)\"} \(count)")
            }
            lines += [
                "# HELP tidegate_http_request_duration_seconds Time to answer.",
                "# TYPE tidegate_http_request_duration_seconds histogram",
            ]
            for (bound, count) in zip(Self.bounds, state.buckets) {
                lines.append("tidegate_http_request_duration_seconds_bucket{le=\"\(bound)\"} \(count)")
            }
            lines.append("tidegate_http_request_duration_seconds_bucket{le=\"+Inf\"} \(state.total)")
            lines.append("tidegate_http_request_duration_seconds_sum \(state.sum)")
            lines.append("tidegate_http_request_duration_seconds_count \(state.total)")
            var described = ""
            for gauge in gauges {
                // Samples of one metric that differ in their labels come one after the other and are described once.
                let metric = String(gauge.name.prefix { $0 != "{" })
                if metric != described {
                    let kind = metric.hasSuffix("_total") ? "counter" : "gauge"
                    lines += ["# HELP \(metric) \(gauge.help)", "# TYPE \(metric) \(kind)"]
                    described = metric
                }
                lines.append("\(gauge.name) \(gauge.value)")
            }
            return lines.joined(separator: "\n") + "\n"
        }
    }
}
