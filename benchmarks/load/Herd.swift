/// Agents that have all lost their server at once: what they meet is each other.
struct Herd {
    static let help = """
        tidegate-load herd --requests FILE|- --url http://127.0.0.1:PORT (--retry S | --back-off) [options]

        Each line of the file is an agent's request. All are sent at once, each on a connection of its own; who isn't
        answered with 2xx asks again, until all are served. Printed: attempts, how they failed, and after how many seconds
        50, 90, 99 and 100 in a hundred agents were served (null: not within the cap).

          --retry S              ask again S seconds after a failure, whatever the server says
          --back-off             or as tidegate-agent does: at random within 1, 2, 4 … 60 s, after what Retry-After asks for
          --timeout S            give up an attempt after so long (20)
          --connect-timeout S    or when it isn't connected after so long (as --timeout)
          --keep-connections     leave an agent's connection open after its answer, as a client with a pool does
          --cap S                stop after so long (120, up to 3600)
          --header 'Name: value' sent with every request; may be given more than once

        \(Requests.help)

        Examples:
          tidegate-load herd --requests agents.tsv --url http://127.0.0.1:12000 --retry 5 --header 'X-API-Key: secret'
          tidegate-load herd --requests agents.tsv --url http://127.0.0.1:12000 --back-off --connect-timeout 5

        """
    private static let limit = 30_000

    private struct Agent {
        var attempts = 0
        /// When it asks again; nil while an answer is awaited, and once it was served.
        var due: Int64?
    }

    private let requests: Requests
    private let exchanges: Exchanges
    /// Nil for tidegate-agent's back-off.
    private let retry: Int64?
    private let cap: Int64
    private var agents: [Agent]
    private var keys = PublicKey()
    private var generator = SystemRandomNumberGenerator()
    private var attempts = 0

    static func main(_ words: [String]) throws {
        let arguments = try Arguments(
            words, options: ["--requests", "--url", "--retry", "--timeout", "--connect-timeout", "--cap", "--header"],
            switches: ["--back-off", "--keep-connections"])
        guard arguments.has("--retry") != arguments.has("--back-off") else {
            throw UsageError(text: "one of --retry and --back-off is needed")
        }
        let endpoint = try Endpoint(url: arguments.text("--url"))
        let retry = arguments.has("--retry") ? try arguments.seconds("--retry", upTo: 600) : nil
        let timeout = try arguments.seconds("--timeout", upTo: 600, default: 20)
        let connect = try arguments.seconds("--connect-timeout", upTo: 600, default: Double(timeout) / 1_000_000)
        let cap = try arguments.seconds("--cap", upTo: 3_600, default: 120)
        let requests = try Requests(
            path: arguments.text("--requests"), endpoint: endpoint, headers: arguments.all("--header"))
        guard requests.sequences.count <= limit, requests.sequences.allSatisfy({ $0.count == 1 }) else {
            throw UsageError(text: "a herd has up to \(limit) agents with one request each")
        }
        let exchanges = try Exchanges(
            endpoint, slots: requests.sequences.count, limits: .init(connect: connect, total: timeout),
            keepsConnections: arguments.has("--keep-connections"))
        var herd = Herd(requests: requests, exchanges: exchanges, retry: retry, cap: cap)
        try herd.play().print()
    }

    private init(requests: Requests, exchanges: Exchanges, retry: Int64?, cap: Int64) {
        self.requests = requests
        self.exchanges = exchanges
        self.retry = retry
        self.cap = cap
        agents = Array(repeating: Agent(), count: requests.sequences.count)
    }

    private mutating func play() throws -> JSON {
        var (tally, latencies, served) = (Tally(), Latencies(), [Int64]())
        let start = Clock.now()
        for slot in agents.indices { agents[slot].due = start }
        var lastLook: Int64 = 0
        while served.count < agents.count, Clock.now() - start < cap {
            let now = Clock.now()
            // In hundredths of a second, like the limits on time: thousands of agents are looked at each time.
            if now - lastLook >= 10_000 {
                lastLook = now
                var begun = 0
                for slot in agents.indices where agents[slot].due.map({ $0 <= now }) == true {
                    try ask(slot)
                    begun += 1
                    if begun % 64 == 0 { try exchanges.settle() }
                }
            }
            for ending in try exchanges.wait(milliseconds: 10) {
                tally.note(ending)
                if ending.isSuccess {
                    served.append(ending.at - start)
                    try latencies.add(ending.microseconds)
                } else {
                    agents[ending.slot].due = ending.at + pause(after: ending)
                }
            }
        }
        return .object(
            [
                ("agents", .number(agents.count)), ("served", .number(served.count)), ("attempts", .number(attempts)),
                ("seconds", .fraction(Double(Clock.now() - start) / 1_000_000)), ("latency", latencies.json),
                ("served_after", times(served.sorted())), ("cpu_seconds", .fraction(Clock.cpuSeconds())),
            ] + tally.members)
    }

    private mutating func ask(_ slot: Int) throws {
        agents[slot].due = nil
        agents[slot].attempts += 1
        attempts += 1
        try exchanges.begin(slot) { bytes in requests.sequences[slot][0].write(to: &bytes, id: [], keys: &keys) }
    }

    private mutating func pause(after ending: Ending) -> Int64 {
        if let retry { return retry }
        var floor = 0
        if case .answered(_, let asked?) = ending.result { floor = min(max(asked, 0), 3_600) }
        let ceiling = min(1 << min(agents[ending.slot].attempts - 1, 6), 60)
        return Int64.random(in: Int64(floor) * 1_000_000...Int64(floor + ceiling) * 1_000_000, using: &generator)
    }

    private func times(_ served: [Int64]) -> JSON {
        .object(
            [50, 90, 99, 100].map { percent in
                let count = (agents.count * percent + 99) / 100
                return ("\(percent)", count <= served.count ? .fraction(Double(served[count - 1]) / 1_000_000) : .null)
            })
    }
}
