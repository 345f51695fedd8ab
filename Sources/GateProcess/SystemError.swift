import Glibc

/// A system call that failed: which one, and its errno(3).
public struct SystemError: Error, Hashable, CustomStringConvertible {
    public let operation: String
    public let code: Int32

    public init(_ operation: String, code: Int32 = errno) {
        self.operation = operation
        self.code = code
    }

    public var description: String {
        var text = [CChar](repeating: 0, count: 128)
        guard strerror_r(code, &text, text.count) == 0 else { return "\(operation): error \(code)" }
        return "\(operation): \(String(cString: text))"
    }
}

extension String {
    /// The text of a NUL-terminated buffer, malformed UTF-8 repaired.
    init(cString buffer: [CChar]) {
        self.init(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
