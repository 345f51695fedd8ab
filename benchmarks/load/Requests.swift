import Glibc

/// The requests of a file, ready to be sent.
struct Requests {
    static let help = """
        The file has a request a line, its fields divided by tabs: METHOD, PATH, BODY, and any number of 'Name: value'.
        The body may be empty; one that isn't is sent as JSON. In it, {key} becomes an ssh-ed25519 public key that nobody
        has seen before. A line whose METHOD has a + before it is the next step of the line above: the same client sends
        it after that one was answered with 2xx, with {id} in its path replaced by the "id" of that answer.
        """
    private static let limit = 1_000_000

    /// Each a list of steps.
    let sequences: [[Request]]

    /// Reads FILE, or standard input for `-`. `headers` go with every request.
    init(path: String, endpoint: Endpoint, headers: [String]) throws {
        guard let file = path == "-" ? fdopen(0, "r") : fopen(path, "r") else { throw Fault(errno: path) }
        defer { fclose(file) }
        var sequences: [[Request]] = []
        var line: UnsafeMutablePointer<CChar>?
        var (capacity, number) = (0, 0)
        defer { free(line) }
        while true {
            let length = getline(&line, &capacity, file)
            guard length > 0, let line else { break }
            number += 1
            guard number <= Self.limit else { throw UsageError(text: "\(path) has more than \(Self.limit) lines") }
            var text = String(decoding: UnsafeRawBufferPointer(start: line, count: length), as: UTF8.self)
            if text.last == "\n" { text.removeLast() }
            let isStep = text.hasPrefix("+")
            guard let request = Request(isStep ? String(text.dropFirst()) : text, endpoint: endpoint, headers: headers),
                isStep ? !sequences.isEmpty : !request.needsID
            else { throw UsageError(text: "line \(number) of \(path) is no request") }
            if isStep { sequences[sequences.count - 1].append(request) } else { sequences.append([request]) }
        }
        guard !sequences.isEmpty else { throw UsageError(text: "\(path) holds no request") }
        self.sequences = sequences
    }
}

/// One request as bytes, with places for what is new each time it is sent.
struct Request {
    private enum Piece {
        case bytes([UInt8])
        case key, id
    }

    private let pieces: [Piece]

    var needsID: Bool { pieces.contains { if case .id = $0 { true } else { false } } }

    init?(_ line: String, endpoint: Endpoint, headers: [String]) {
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        guard fields.count >= 3, !fields[0].isEmpty, fields[0].allSatisfy(\.isUppercase), fields[1].hasPrefix("/")
        else {
            return nil
        }
        let body = Self.split(fields[2])
        var head = "\(fields[0]) \(fields[1]) HTTP/1.1\r\nHost: \(endpoint.host):\(endpoint.port)\r\n"
        for header in headers + fields.dropFirst(3) {
            guard header.contains(":") else { return nil }
            head += header + "\r\n"
        }
        if !fields[2].isEmpty { head += "Content-Type: application/json\r\n" }
        let length = body.reduce(0) { $0 + ($1.isEmpty ? PublicKey.length : $1.utf8.count) }
        if fields[0] != "GET" { head += "Content-Length: \(length)\r\n" }
        var pieces: [Piece] = []
        for (index, part) in Self.split(head + "\r\n", at: "{id}").enumerated() {
            if index > 0 { pieces.append(.id) }
            pieces.append(.bytes(Array(part.utf8)))
        }
        pieces += body.map { $0.isEmpty ? .key : .bytes(Array($0.utf8)) }
        self.pieces = pieces
    }

    /// Writes the request over `bytes`.
    func write(to bytes: inout [UInt8], id: [UInt8], keys: inout PublicKey) {
        bytes.removeAll(keepingCapacity: true)
        for piece in pieces {
            switch piece {
            case .bytes(let fixed): bytes += fixed
            case .key: keys.append(to: &bytes)
            case .id: bytes += id
            }
        }
    }

    /// A body's parts; an empty one stands for a key.
    private static func split(_ body: String) -> [String] {
        var parts: [String] = []
        for (index, part) in split(body, at: "{key}").enumerated() {
            if index > 0 { parts.append("") }
            if !part.isEmpty { parts.append(part) }
        }
        return parts
    }

    private static func split(_ text: String, at mark: String) -> [String] {
        var (parts, rest) = ([String](), text[...])
        while let found = rest.firstRange(of: mark) {
            parts.append(String(rest[..<found.lowerBound]))
            rest = rest[found.upperBound...]
        }
        return parts + [String(rest)]
    }
}

/// Public keys without private ones: what is measured stores and looks them up, and never asks who can sign.
struct PublicKey {
    /// `ssh-ed25519`, a blank, and 51 bytes in base64.
    static let length = 80
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let start: [UInt8] = [0, 0, 0, 11] + Array("ssh-ed25519".utf8) + [0, 0, 0, 32]

    private var generator = SystemRandomNumberGenerator()

    mutating func append(to bytes: inout [UInt8]) {
        bytes += "ssh-ed25519 ".utf8
        var blob = Self.start
        for _ in 0..<4 { withUnsafeBytes(of: generator.next() as UInt64) { blob.append(contentsOf: $0) } }
        for index in stride(from: 0, to: blob.count, by: 3) {
            let three = Int(blob[index]) << 16 | Int(blob[index + 1]) << 8 | Int(blob[index + 2])
            for shift in [18, 12, 6, 0] { bytes.append(Self.alphabet[three >> shift & 63]) }
        }
    }
}
