/// How a process ended.
public enum ExitStatus: Hashable, Sendable {
    /// It called exit(3); 0…255.
    case exited(Int32)
    /// A signal ended it.
    case signaled(Int32)
    /// Somebody else reaped it, so nobody can say.
    case unknown

    /// Whether the process exited with 0.
    public var isSuccess: Bool { self == .exited(0) }

    /// From the status word of waitpid(2).
    init(waitStatus: Int32) {
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .exited((waitStatus >> 8) & 0xff) : .signaled(signal)
    }
}
