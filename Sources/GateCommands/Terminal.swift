import GateClient
import Glibc

/// The three standard streams, written whole and unbuffered.
enum Terminal {
    static var isOutputTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
    static var isInputTerminal: Bool { isatty(STDIN_FILENO) == 1 }

    /// Writes text as it stands; what came from elsewhere was neutralised before. False when nobody reads it.
    @discardableResult
    static func print(_ text: String, end: String = "\n") -> Bool { write(text + end, to: STDOUT_FILENO) }

    static func printError(_ text: String, end: String = "\n") { _ = write(text + end, to: STDERR_FILENO) }

    /// A remark for a person: `tidegate: ` and words without a capital or a full stop.
    static func note(_ text: String) { printError("tidegate: \(text)") }

    /// Shows a table, its header bold where that can be seen and is not unwanted (no-color.org).
    static func print(_ table: Table) {
        print(table.text(bold: isOutputTerminal && getenv("NO_COLOR") == nil), end: "")
    }

    /// Asks a question that only `y` or `yes` affirms; false without a terminal to ask on.
    static func confirms(_ question: String) -> Bool {
        guard isInputTerminal else { return false }
        printError("\(question) [y/N] ", end: "")
        return ["y", "yes"].contains(readLine(strippingNewline: true)?.lowercased() ?? "")
    }

    /// Reads one line; on a terminal with a prompt and without echo, so that a secret is never shown.
    static func readSecret(prompt: String) -> String? {
        guard isInputTerminal else { return readLine(strippingNewline: true) }
        var before = termios()
        guard tcgetattr(STDIN_FILENO, &before) == 0 else { return readLine(strippingNewline: true) }
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO)
        silent.c_lflag |= tcflag_t(ECHONL)
        printError(prompt, end: "")
        guard tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0 else { return nil }
        // A signal while we wait would leave the terminal mute: they are held back until the echo is on again.
        var interrupts = sigset_t()
        var mask = sigset_t()
        sigemptyset(&interrupts)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP] { sigaddset(&interrupts, number) }
        silent.c_lflag &= ~tcflag_t(ISIG)
        pthread_sigmask(SIG_BLOCK, &interrupts, &mask)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
            pthread_sigmask(SIG_SETMASK, &mask, nil)
        }
        return readLine(strippingNewline: true)
    }

    private static func write(_ text: String, to descriptor: Int32) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            // Nobody reads any more (`tidegate machine list | head -1`): there is nothing left to say.
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
