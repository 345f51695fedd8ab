/// Why the agent can't do what it was asked, in words for whoever started it.
public enum AgentError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A setting is missing or malformed.
    case configuration(String)
    /// The state directory can't be used.
    case state(String)
    /// Another agent holds the state directory.
    case busy(String)
    /// The way to the gateway fails: an ssh connection, an alias, a tool.
    case unreachable(String)
    /// The gateway said no.
    case refused(String)

    public var description: String {
        switch self {
        case .configuration(let text), .state(let text), .busy(let text), .unreachable(let text), .refused(let text):
            text
        }
    }

    /// sysexits(3) as the other programs use them: 1 refused, 64 usage, 69 unreachable, 75 try again.
    public var exitCode: Int32 {
        switch self {
        case .configuration: 64
        case .state, .refused: 1
        case .unreachable: 69
        case .busy: 75
        }
    }
}
