/// How requests ended, counted.
struct Tally {
    private var statuses: [Int: Int] = [:]
    private var failures: [Ending.Failure: Int] = [:]
    private(set) var successes = 0

    mutating func note(_ ending: Ending) {
        switch ending.result {
        case .answered(let status, _): statuses[status, default: 0] += 1
        case .failed(let failure): failures[failure, default: 0] += 1
        }
        if ending.isSuccess { successes += 1 }
    }

    /// Every kind of failure is there, so that its absence shows as a zero.
    var members: [(String, JSON)] {
        [
            ("statuses", .object(statuses.sorted { $0.key < $1.key }.map { ("\($0.key)", .number($0.value)) })),
            ("failures", .object(Ending.Failure.allCases.map { ($0.rawValue, .number(failures[$0] ?? 0)) })),
        ]
    }
}
