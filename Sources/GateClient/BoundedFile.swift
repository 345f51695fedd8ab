import Glibc

/// Small files read whole.
public enum BoundedFile {
    /// Why a file gave nothing.
    public struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        public let path: String
        public let code: Int32

        public init(path: String, code: Int32) {
            self.path = path
            self.code = code
        }

        public var isMissing: Bool { code == ENOENT || code == ENOTDIR }
        public var description: String {
            "\(path): \(code == EFBIG ? "is too large" : String(cString: strerror(code)))"
        }
    }

    /// The text of a file of at most `limit` bytes, malformed UTF-8 repaired.
    public static func text(_ path: String, limit: Int = 1 << 20) throws(Fault) -> String {
        // O_NONBLOCK: a FIFO left in the place of a file must not hold us up.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard file >= 0 else { throw Fault(path: path, code: errno) }
        defer { close(file) }
        return try text(of: file, named: path, limit: limit)
    }

    /// What is left to read of a descriptor, such as the standard input.
    public static func text(of file: Int32, named path: String, limit: Int = 1 << 20) throws(Fault) -> String {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Fault(path: path, code: errno) }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk.prefix(count)
            guard bytes.count <= limit else { throw Fault(path: path, code: EFBIG) }
        }
    }

    /// The one line of a file that holds a secret; nil when it is empty or holds more than one word.
    public static func secret(_ path: String) throws(Fault) -> String? { word(try text(path, limit: 4_096)) }

    /// The one word of a text, blanks and line breaks around it dropped; nil when there is none, or more than one.
    public static func word(_ text: String) -> String? {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "\t" || $0.isNewline })
        guard words.count == 1, let word = words.first else { return nil }
        return String(word)
    }
}
