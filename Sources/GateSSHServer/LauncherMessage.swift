package import GateControl

/// What the gateway asks the process that kept root. Numbers are little endian; each message has exactly one length.
package enum LauncherRequest: Hashable, Sendable {
    /// With two descriptors: the connection and the log's writing end.
    case start(id: UInt64)
    case end(id: UInt64, SSHProcess)
    case publishToken(id: UInt64)
    case discardToken(id: UInt64)

    /// Nil for everything that isn't exactly one request with the right number of descriptors.
    package init?(bytes: [UInt8], descriptors: Int) {
        var reader = MessageReader(bytes)
        guard let kind: UInt8 = reader.next(), let id: UInt64 = reader.next() else { return nil }
        switch kind {
        case 1 where descriptors == 2: self = .start(id: id)
        case 2 where descriptors == 0:
            guard let pid: Int32 = reader.next(), let startTime: UInt64 = reader.next(), pid > 1 else { return nil }
            self = .end(id: id, SSHProcess(pid: pid, startTime: startTime))
        case 3 where descriptors == 0: self = .publishToken(id: id)
        case 4 where descriptors == 0: self = .discardToken(id: id)
        default: return nil
        }
        guard reader.isAtEnd else { return nil }
    }

    package var bytes: [UInt8] {
        switch self {
        case .start(let id): [1] + raw(id)
        case .end(let id, let process): [2] + raw(id) + raw(process.pid) + raw(process.startTime)
        case .publishToken(let id): [3] + raw(id)
        case .discardToken(let id): [4] + raw(id)
        }
    }
}

/// What it says back, and the ends of sshd processes, which it tells unasked.
package enum LauncherAnswer: Hashable, Sendable {
    case started(id: UInt64, SSHProcess)
    /// An errno(3).
    case failed(id: UInt64, code: Int32)
    case done(id: UInt64, isGone: Bool)
    case exited(SSHProcess)

    package init?(bytes: [UInt8]) {
        var reader = MessageReader(bytes)
        guard let kind: UInt8 = reader.next() else { return nil }
        func process() -> SSHProcess? {
            guard let pid: Int32 = reader.next(), let startTime: UInt64 = reader.next() else { return nil }
            return SSHProcess(pid: pid, startTime: startTime)
        }
        switch kind {
        case 1:
            guard let id: UInt64 = reader.next(), let process = process() else { return nil }
            self = .started(id: id, process)
        case 2:
            guard let id: UInt64 = reader.next(), let code: Int32 = reader.next() else { return nil }
            self = .failed(id: id, code: code)
        case 3:
            guard let id: UInt64 = reader.next(), let word: UInt8 = reader.next(), word <= 1 else { return nil }
            self = .done(id: id, isGone: word == 1)
        case 4:
            guard let process = process() else { return nil }
            self = .exited(process)
        default: return nil
        }
        guard reader.isAtEnd else { return nil }
    }

    package var bytes: [UInt8] {
        switch self {
        case .started(let id, let process): [1] + raw(id) + raw(process.pid) + raw(process.startTime)
        case .failed(let id, let code): [2] + raw(id) + raw(code)
        case .done(let id, let isGone): [3] + raw(id) + [isGone ? 1 : 0]
        case .exited(let process): [4] + raw(process.pid) + raw(process.startTime)
        }
    }
}

private func raw(_ number: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: number.littleEndian) { Array($0) } }

private struct MessageReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func next<Number: FixedWidthInteger>() -> Number? {
        let size = MemoryLayout<Number>.size
        guard rest.count >= size else { return nil }
        var number: Number = 0
        for (place, byte) in rest.prefix(size).enumerated() {
            number |= Number(truncatingIfNeeded: UInt64(byte) << UInt64(8 * place))
        }
        rest = rest.dropFirst(size)
        return number
    }
}
