import Glibc

/// Answers whatever is asked: against it the load program meets its own limit and no other's.
final class TrivialServer {
    static let help = """
        tidegate-load serve --port PORT [--latency-ms N]

        Answers every request with 200 and the same short body, until it is ended. With --latency-ms each answer is held
        back for so long, to see that a run measures it.

        Example:
          tidegate-load serve --port 12999 & printf 'GET\\t/\\t\\n' |
              tidegate-load run --requests - --url http://127.0.0.1:12999 --clients 32 --seconds 5; kill $!

        """
    private static let requestLimit = 64 << 10

    private let listener: Int32
    private let latency: Int64
    private let poll: Poll
    private let answer = Array(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"status\":\"ok\"}".utf8)
    /// What each open connection, by its descriptor, has sent of its request.
    private var received: [[UInt8]?] = []
    /// In the order in which they are due, because each waits equally long.
    private var waiting: [(descriptor: Int32, due: Int64)] = []
    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 8)

    static func main(_ words: [String]) throws {
        let arguments = try Arguments(words, options: ["--port", "--latency-ms"])
        let port = try arguments.number("--port", 1...65_535)
        try TrivialServer(port: port, latency: arguments.number("--latency-ms", 0...10_000, default: 0)).serve()
    }

    private init(port: Int, latency milliseconds: Int) throws {
        try Socket.allowDescriptors(1_024)
        latency = Int64(milliseconds) * 1_000
        listener = try Socket.listen(on: Endpoint(host: "127.0.0.1", port: port))
        poll = try Poll()
        try poll.add(listener, tag: Int(listener), events: Poll.readable)
    }

    private func serve() throws -> Never {
        while true {
            for (tag, _) in try poll.ready(milliseconds: waiting.isEmpty ? 1_000 : 1) {
                if tag == Int(listener) { try accept() } else { receive(Int32(tag)) }
            }
            let now = Clock.now()
            let due = waiting.prefix { $0.due <= now }.map(\.descriptor)
            waiting.removeFirst(due.count)
            for descriptor in due { send(descriptor) }
        }
    }

    private func accept() throws {
        while true {
            let descriptor = Glibc.accept(listener, nil, nil)
            guard descriptor >= 0 else {
                if errno == EAGAIN || errno == ECONNABORTED || errno == EINTR { return }
                throw Fault(errno: "accept")
            }
            _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
            Socket.set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
            while received.count <= Int(descriptor) { received.append(nil) }
            received[Int(descriptor)] = []
            try poll.add(descriptor, tag: Int(descriptor), events: Poll.readable)
        }
    }

    private func receive(_ descriptor: Int32) {
        let count = recv(descriptor, input.baseAddress, input.count, 0)
        guard count > 0 else {
            if count < 0, errno == EAGAIN { return }
            return drop(descriptor)
        }
        received[Int(descriptor)]?.append(contentsOf: input[..<count])
        guard let request = received[Int(descriptor)], request.count <= Self.requestLimit else {
            return drop(descriptor)
        }
        guard Self.isWhole(request) else { return }
        received[Int(descriptor)]?.removeAll(keepingCapacity: true)
        if latency > 0 { waiting.append((descriptor, Clock.now() + latency)) } else { send(descriptor) }
    }

    /// A head, and as much of a body as it announces.
    private static func isWhole(_ request: [UInt8]) -> Bool {
        let text = String(decoding: request, as: UTF8.self)
        guard let end = text.firstRange(of: "\r\n\r\n") else { return false }
        let head = text[..<end.lowerBound].lowercased()
        guard let name = head.firstRange(of: "content-length: ") else { return true }
        let digits = head[name.upperBound...].prefix { $0.isNumber }
        return text[end.upperBound...].utf8.count >= Int(digits) ?? 0
    }

    private func send(_ descriptor: Int32) {
        guard received[Int(descriptor)] != nil else { return }
        let count = answer.withUnsafeBytes {
            Glibc.send(descriptor, $0.baseAddress, $0.count, 0)
        }
        if count != answer.count { drop(descriptor) }
    }

    private func drop(_ descriptor: Int32) {
        received[Int(descriptor)] = nil
        close(descriptor)
    }
}
