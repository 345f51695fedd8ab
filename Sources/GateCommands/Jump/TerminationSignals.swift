import GateProcess
import Glibc

/// The write end of the pipe that the signal handler reports to. A handler may touch nothing that needs a lock.
nonisolated(unsafe) private var reportDescriptor: Int32 = -1

/// SIGINT, SIGTERM, SIGHUP and SIGQUIT as calls instead of a sudden end, so that a key is taken back and files go.
enum TerminationSignals {
    /// Calls the closure with each signal's number from now on. For one caller in the life of the process.
    static func observe(_ observer: @escaping @Sendable (Int32) -> Void) throws {
        let pipe = try DescriptorPair.pipe()
        _ = fcntl(pipe.second, F_SETFL, fcntl(pipe.second, F_GETFL) | O_NONBLOCK)
        _ = try FileDescriptorLines(descriptor: pipe.first) { line in
            guard let byte = line.utf8.first else { return }
            observer(Int32(byte) - offset)
        }
        reportDescriptor = pipe.second
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { number in
            let before = errno
            var report: (UInt8, UInt8) = (UInt8(truncatingIfNeeded: number + offset), 0x0A)
            _ = write(reportDescriptor, &report, 2)
            errno = before
        }
        action.sa_flags = Int32(SA_RESTART)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] { sigaction(number, &action, nil) }
        // Somebody else's closed pipe must not keep us from taking the key back.
        signal(SIGPIPE, SIG_IGN)
    }
}

/// Keeps a signal's number apart from the line break behind it.
private let offset: Int32 = 0x40
