/// Reads one HTTP/1.1 answer as it comes. Only what a run needs of it is looked at.
struct AnswerReader {
    enum Progress {
        case more, whole, malformed
    }

    private static let limit = 1 << 20

    private(set) var status = 0
    private(set) var retryAfter: Int?
    private(set) var closes = false
    private var bytes: [UInt8] = []
    private var head = 0
    private var whole = 0

    mutating func reset() {
        bytes.removeAll(keepingCapacity: true)
        (status, retryAfter, closes, head, whole) = (0, nil, false, 0, 0)
    }

    var isEmpty: Bool { bytes.isEmpty }

    mutating func take(_ more: UnsafeRawBufferPointer) -> Progress {
        let before = bytes.count
        bytes.append(contentsOf: more)
        guard bytes.count <= Self.limit else { return .malformed }
        if head == 0 {
            guard let end = endOfHead(from: max(0, before - 3)) else { return .more }
            head = end
            guard readHead() else { return .malformed }
        }
        return bytes.count < whole ? .more : bytes.count == whole ? .whole : .malformed
    }

    /// The text of the first `"id"` in the body.
    func id() -> [UInt8]? {
        let mark = Array(#""id":""#.utf8)
        var index = head
        while index + mark.count <= bytes.count {
            if bytes[index] == mark[0], bytes[index..<index + mark.count].elementsEqual(mark) {
                let rest = bytes[(index + mark.count)...]
                return rest.firstIndex(of: UInt8(ascii: "\"")).map { Array(rest[..<$0]) }
            }
            index += 1
        }
        return nil
    }

    private func endOfHead(from start: Int) -> Int? {
        var index = start
        while index + 4 <= bytes.count {
            if bytes[index] == 13, bytes[index + 1] == 10, bytes[index + 2] == 13, bytes[index + 3] == 10 {
                return index + 4
            }
            index += 1
        }
        return nil
    }

    /// False for a head without a length: such a body would end with the connection, or come in chunks.
    private mutating func readHead() -> Bool {
        guard bytes.count >= 12, let code = number(bytes[9..<12]) else { return false }
        status = code
        var length: Int? = code == 204 || code == 304 ? 0 : nil
        for line in bytes[..<head].split(whereSeparator: { $0 == 13 || $0 == 10 }).dropFirst() {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return false }
            let value = line[(colon + 1)...].drop { $0 == 32 }
            switch line[..<colon].count {
            case 14 where matches(line, "content-length"): length = number(value)
            case 11 where matches(line, "retry-after"): retryAfter = number(value)
            case 10 where matches(line, "connection"): closes = matches(value, "close")
            default: break
            }
        }
        guard let length, length <= Self.limit else { return false }
        whole = head + length
        return true
    }

    private func number(_ digits: ArraySlice<UInt8>) -> Int? { Int(String(decoding: digits, as: UTF8.self)) }

    /// Whether it begins with `name`, in upper case or lower; `name` is in lower case.
    private func matches(_ line: ArraySlice<UInt8>, _ name: StaticString) -> Bool {
        guard line.count >= name.utf8CodeUnitCount else { return false }
        return name.withUTF8Buffer { zip($0, line).allSatisfy { $0 == $1 | 0x20 || $0 == $1 } }
    }
}
