/// Clients that each send their next request when the one before was answered.
struct Run {
    static let help = """
        tidegate-load run --requests FILE|- --url http://127.0.0.1:PORT --clients C (--seconds S | --count N) [options]

        The clients take the requests of the file in turn and begin again at its top. Printed: answers with 2xx per
        second, and times from the moment a request was ready to be sent, connecting included, of every answer.

          --clients C            1 to 10000
          --seconds S            begin requests for so long (up to 3600)
          --count N              or so many requests (up to 20000000), and the steps that belong to the last of them
          --header 'Name: value' sent with every request; may be given more than once
          --fresh-connections    a new connection for each request, closed with a reset; else one per client
          --timeout S            give up a request after so long (30)

        \(Requests.help)

        Examples:
          printf 'GET\\t/healthz\\t\\n' | tidegate-load run --requests - --url http://127.0.0.1:12000 --clients 8 --seconds 5
          tidegate-load run --requests register.tsv --url http://127.0.0.1:12000 --clients 32 --count 5000 \\
              --header 'X-API-Key: secret' --fresh-connections

        """

    private struct Client {
        var sequence = 0
        var step = 0
        var id: [UInt8] = []
    }

    private let requests: Requests
    private let exchanges: Exchanges
    private let count: Int
    private let until: Int64
    private var clients: [Client]
    private var keys = PublicKey()
    private var taken = 0
    private var begun = 0

    static func main(_ words: [String]) throws {
        let arguments = try Arguments(
            words, options: ["--requests", "--url", "--clients", "--seconds", "--count", "--header", "--timeout"],
            switches: ["--fresh-connections"])
        guard arguments.has("--seconds") != arguments.has("--count") else {
            throw UsageError(text: "one of --seconds and --count is needed")
        }
        let endpoint = try Endpoint(url: arguments.text("--url"))
        let timeout = try arguments.seconds("--timeout", upTo: 600, default: 30)
        let clients = try arguments.number("--clients", 1...10_000)
        let count = try arguments.number("--count", 1...Latencies.limit, default: Latencies.limit)
        let seconds = try arguments.seconds("--seconds", upTo: 3_600, default: 3_600)
        let requests = try Requests(
            path: arguments.text("--requests"), endpoint: endpoint, headers: arguments.all("--header"))
        let exchanges = try Exchanges(
            endpoint, slots: min(clients, count), limits: .init(connect: timeout, total: timeout),
            keepsConnections: !arguments.has("--fresh-connections"))
        var run = Run(requests: requests, exchanges: exchanges, count: count, until: Clock.now() + seconds)
        try run.play().print()
    }

    private init(requests: Requests, exchanges: Exchanges, count: Int, until: Int64) {
        self.requests = requests
        self.exchanges = exchanges
        self.count = count
        self.until = until
        clients = Array(repeating: Client(), count: exchanges.slotCount)
    }

    private mutating func play() throws -> JSON {
        var (tally, latencies) = (Tally(), Latencies())
        let start = Clock.now()
        var last = start
        for slot in clients.indices {
            try takeNext(slot)
            if slot % 64 == 63 { try exchanges.settle() }
        }
        while exchanges.isBusy {
            for ending in try exchanges.wait(milliseconds: 10) {
                tally.note(ending)
                if case .answered = ending.result { try latencies.add(ending.microseconds) }
                last = ending.at
                try goOn(ending)
            }
        }
        let seconds = Double(max(last - start, 1)) / 1_000_000
        return .object(
            [
                ("requests", .number(begun)), ("seconds", .fraction(seconds)),
                ("rate", .fraction(Double(tally.successes) / seconds)), ("latency", latencies.json),
                ("cpu_seconds", .fraction(Clock.cpuSeconds())),
            ] + tally.members)
    }

    private mutating func goOn(_ ending: Ending) throws {
        let (slot, client) = (ending.slot, clients[ending.slot])
        guard ending.isSuccess, client.step + 1 < requests.sequences[client.sequence].count else {
            return try takeNext(slot)
        }
        clients[slot].step += 1
        if requests.sequences[client.sequence][client.step + 1].needsID { clients[slot].id = exchanges.id(slot) }
        try begin(slot)
    }

    private mutating func takeNext(_ slot: Int) throws {
        // Only here: steps that were begun are finished, so that what one adds the next can take away.
        guard begun < count, Clock.now() < until else { return }
        clients[slot].sequence = taken % requests.sequences.count
        clients[slot].step = 0
        taken += 1
        try begin(slot)
    }

    private mutating func begin(_ slot: Int) throws {
        begun += 1
        let client = clients[slot]
        try exchanges.begin(slot) { bytes in
            requests.sequences[client.sequence][client.step].write(to: &bytes, id: client.id, keys: &keys)
        }
    }
}
