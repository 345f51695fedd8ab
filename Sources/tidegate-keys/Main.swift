import Glibc

/// sshd's AuthorizedKeysCommand: asks the gateway for the one line that this key may log in with.
///
/// Prints that line, or nothing; whatever the gateway does, it ends within a second or so, and a doubt is a refusal.
@main
struct Main {
    static func main() {
        // First of all, and with the default action: nothing below can make sshd wait, a bug of ours included.
        alarm(1)
        signal(SIGALRM, SIG_DFL)
        var alarms = sigset_t()
        sigemptyset(&alarms)
        sigaddset(&alarms, SIGALRM)
        sigprocmask(SIG_UNBLOCK, &alarms, nil)

        switch Arguments.parse(CommandLine.arguments.dropFirst()) {
        case .version:
            finish(printing: tidegateVersion)
        case .help:
            finish(printing: Arguments.usage)
        case .invalid(let reason):
            Syslog.warn("refused: \(reason)")
            Output.write("tidegate-keys: \(reason)\n", to: STDERR_FILENO)
            exit(EX_USAGE)
        case .lookup(let lookup):
            answer(lookup)
        }
    }

    private static func answer(_ lookup: Lookup) -> Never {
        // A little before the alarm, so that there is time to say why.
        let conversation = Conversation(socketPath: lookup.socketPath, milliseconds: 900)
        do {
            guard let line = try conversation.ask(lookup.request(parentPID: getppid())) else { exit(EXIT_SUCCESS) }
            finish(printing: line)
        } catch {
            Syslog.warn("no answer for \(lookup.user) \(lookup.fingerprint): \(error.reason)")
            exit(EX_TEMPFAIL)
        }
    }

    private static func finish(printing text: String) -> Never {
        exit(Output.write(text + "\n", to: STDOUT_FILENO) ? EXIT_SUCCESS : EX_IOERR)
    }
}

private let EX_USAGE: Int32 = 64
private let EX_IOERR: Int32 = 74
private let EX_TEMPFAIL: Int32 = 75
