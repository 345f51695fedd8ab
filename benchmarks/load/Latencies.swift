/// Every measured time, so that percentiles are values that occurred. At four bytes each a run of minutes fits.
struct Latencies {
    static let limit = 20_000_000

    private var values: [UInt32] = []

    mutating func add(_ microseconds: Int64) throws {
        guard values.count < Self.limit else { throw Fault("more than \(Self.limit) answers: make the run shorter") }
        values.append(UInt32(clamping: microseconds))
    }

    var json: JSON {
        let sorted = values.sorted()
        func percentile(_ percent: Double) -> JSON {
            guard !sorted.isEmpty else { return .null }
            let index = Int((Double(sorted.count) * percent / 100).rounded(.up)) - 1
            return .number(Int(sorted[min(max(index, 0), sorted.count - 1)]))
        }
        let sum = sorted.reduce(0) { $0 + Int($1) }
        return .object([
            ("count", .number(sorted.count)), ("mean_us", sorted.isEmpty ? .null : .number(sum / sorted.count)),
            ("p50_us", percentile(50)), ("p90_us", percentile(90)), ("p99_us", percentile(99)),
            ("max_us", percentile(100)),
        ])
    }
}
