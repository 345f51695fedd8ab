import Glibc

/// Why there is no answer, in words for the log.
struct NoAnswer: Error {
    let reason: String
}

/// One question and one answer on the gateway's Unix socket, all before one deadline.
struct Conversation {
    /// Jump lines may name many ports.
    static let maxAnswer = 8192

    private let socketPath: String
    private let deadline: Int64

    init(socketPath: String, milliseconds: Int64) {
        self.socketPath = socketPath
        deadline = Self.now() + milliseconds
    }

    /// The authorized_keys line, or nil when the gateway says no.
    func ask(_ request: String) throws(NoAnswer) -> String? {
        let descriptor = try connected()
        defer { close(descriptor) }
        try send(Array(request.utf8), on: descriptor)
        return try Self.parse(try receiveLine(on: descriptor))
    }

    /// `+LINE` gives the line, `-` nothing. Only what begins with `restrict,` and holds nothing but printable ASCII
    /// may reach sshd: a line break would be a second key, and a line without `restrict` a shell.
    static func parse(_ answer: [UInt8]) throws(NoAnswer) -> String? {
        if answer == [UInt8(ascii: "-")] { return nil }
        guard answer.first == UInt8(ascii: "+"), answer.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else {
            throw NoAnswer(reason: "the answer is malformed")
        }
        let line = answer.dropFirst()
        guard line.starts(with: "restrict,".utf8) else { throw NoAnswer(reason: "the answer is not confined") }
        return String(decoding: line, as: UTF8.self)
    }

    private func connected() throws(NoAnswer) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { throw NoAnswer(reason: "no socket, error \(errno)") }
        var address = UnixAddress.make(socketPath)
        while true {
            let result = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            if result == 0 { return descriptor }
            let reason = errno
            // A full accept queue says so at once; a blocking connect would wait in it without any bound.
            guard reason == EAGAIN || reason == EINTR, remaining > 0 else {
                close(descriptor)
                throw NoAnswer(reason: reason == EAGAIN ? "the gateway is busy" : "cannot connect, error \(reason)")
            }
            poll(nil, 0, 10)
        }
    }

    private func send(_ bytes: [UInt8], on descriptor: Int32) throws(NoAnswer) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                try wait(for: POLLOUT, on: descriptor)
            } else if errno != EINTR {
                throw NoAnswer(reason: "cannot ask, error \(errno)")
            }
        }
    }

    /// Without its line break. Bytes after it are refused too: one answer is one line.
    private func receiveLine(on descriptor: Int32) throws(NoAnswer) -> [UInt8] {
        var line: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: Self.maxAnswer + 1)
        while true {
            try wait(for: POLLIN, on: descriptor)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count < 0, errno == EAGAIN || errno == EINTR { continue }
            guard count > 0 else { throw NoAnswer(reason: "the gateway hung up") }
            line += chunk.prefix(count)
            guard line.count <= Self.maxAnswer else { throw NoAnswer(reason: "the answer is too long") }
            guard let end = line.firstIndex(of: UInt8(ascii: "\n")) else { continue }
            guard end == line.count - 1 else { throw NoAnswer(reason: "the answer has more than one line") }
            return line.dropLast()
        }
    }

    private func wait(for events: Int32, on descriptor: Int32) throws(NoAnswer) {
        var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        while true {
            // Checked before each read, or a byte at a time could keep us for ever.
            guard remaining > 0 else { throw NoAnswer(reason: "the gateway is too slow") }
            if poll(&entry, 1, Int32(remaining)) > 0 { return }
        }
    }

    private var remaining: Int64 { deadline - Self.now() }

    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}

enum UnixAddress {
    /// The path has been checked to fit.
    static func make(_ path: String) -> sockaddr_un {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        return address
    }
}
