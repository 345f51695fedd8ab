import GateClient
import GateModel
import Glibc
import Logging

/// One line per event on the standard error. For the journal without a time, which it has itself, and with the level
/// as it wants it (sd-daemon(3)).
struct AgentLogger: LogHandler {
    private let isService: Bool
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level

    static func make(isService: Bool, verbosity: Int) -> Logger {
        let level: Logger.Level = verbosity > 1 ? .trace : verbosity == 1 ? .debug : .info
        return Logger(label: "tidegate-agent") { _ in AgentLogger(isService: isService, logLevel: level) }
    }

    init(isService: Bool, logLevel: Logger.Level) {
        self.isService = isService
        self.logLevel = logLevel
    }

    subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        // A value with a blank is quoted, so that a line can be split again.
        let pairs = all.sorted { $0.key < $1.key }.map { key, value in
            let text = TerminalText.neutralised("\(value)")
            return text.contains(" ") || text.contains("\"") ? " \(key)=\"\(text)\"" : " \(key)=\(text)"
        }
        let prefix = isService ? "<\(Self.priority(event.level))>" : "\(Timestamp.now().rfc3339) \(event.level): "
        say(prefix + TerminalText.neutralised("\(event.message)") + pairs.joined())
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
