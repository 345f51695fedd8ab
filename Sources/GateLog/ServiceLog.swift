import GateModel
import Glibc
public import Logging

/// One line per event on the standard error: for a terminal with time and level, for the journal with the level as
/// sd-daemon(3) wants it and without a time, which the journal has itself.
public struct ServiceLog: LogHandler {
    private let isService: Bool
    public var metadata: Logger.Metadata = [:]
    public var logLevel: Logger.Level

    /// A logger of that label. `isService` chooses the journal's form.
    public static func make(_ label: String, isService: Bool, level: Logger.Level) -> Logger {
        Logger(label: label) { _ in ServiceLog(isService: isService, logLevel: level) }
    }

    private init(isService: Bool, logLevel: Logger.Level) {
        self.isService = isService
        self.logLevel = logLevel
    }

    public subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        // A value with a blank is quoted, so that a line can be split again.
        let pairs = all.sorted { $0.key < $1.key }.map { key, value in
            let text = escaped("\(value)")
            return text.contains(" ") || text.contains("\"") ? " \(key)=\"\(text)\"" : " \(key)=\(text)"
        }
        let prefix = isService ? "<\(Self.priority(event.level))>" : "\(Self.now()) \(event.level): "
        let bytes = Array((prefix + escaped("\(event.message)") + pairs.joined() + "\n").utf8)
        // One write, so that lines of several threads don't mix; a full or closed standard error loses the line.
        _ = bytes.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
    }

    private static func now() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000).rfc3339
    }

    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}

/// Text from outside can't end a line or steer a terminal.
private func escaped(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isUnprintable) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
        if isUnprintable(scalar) {
            result += "\\u{\(String(scalar.value, radix: 16))}"
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
    return result
}
