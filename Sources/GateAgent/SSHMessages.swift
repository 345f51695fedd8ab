import GateClient
import Synchronization

/// What an ssh child wrote to its standard error under `-v`: the last few lines that are not for debugging, and which
/// of the events we wait for have happened.
///
/// The lines are data of the far side: kept in bounded number and length, neutralised, and never a fact.
public final class SSHMessages: Sendable {
    private struct State {
        var lines: [String] = []
        var hasForward = false
        var isInteractive = false
        var hasEnded = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    public init() {}

    /// Takes one line.
    public func take(_ line: String) {
        let isDebug = line.hasPrefix("debug")
        let waiters: [CheckedContinuation<Void, Never>] = state.withLock { state in
            if isDebug {
                // OpenSSH's client_input_global_request reply and client_loop, unchanged since 2013.
                if line.contains("remote forward success for: ") { state.hasForward = true }
                if line.contains("Entering interactive session.") { state.isInteractive = true }
            } else if !Self.isChatter(line) {
                state.lines.append(Self.shortened(line))
                if state.lines.count > 8 { state.lines.removeFirst() }
            }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// The child has gone; nobody waits any longer.
    public func end() {
        let waiters = state.withLock { state in
            state.hasEnded = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    public var lines: [String] { state.withLock { $0.lines } }

    /// Waits for the confirmed `-R`; false when the child ended first.
    public func waitForForward() async -> Bool { await wait { $0.hasForward } }

    /// Waits until the login is through and local forwardings listen; false when the child ended first.
    public func waitForLogin() async -> Bool { await wait { $0.isInteractive } }

    /// Waits until nothing more will be said.
    public func waitForEnd() async { _ = await wait { _ in false } }

    private func wait(_ isThere: @Sendable @escaping (borrowing State) -> Bool) async -> Bool {
        while true {
            let verdict: Bool? = state.withLock { isThere($0) ? true : $0.hasEnded ? false : nil }
            if let verdict { return verdict }
            await withCheckedContinuation { continuation in
                let isLate = state.withLock { state in
                    let isLate = isThere(state) || state.hasEnded
                    if !isLate { state.waiters.append(continuation) }
                    return isLate
                }
                if isLate { continuation.resume() }
            }
        }
    }

    /// The last line of a text that means something, safe to show.
    static func last(of text: String) -> String? {
        text.split(whereSeparator: \.isNewline).map(String.init).last { !$0.hasPrefix("debug") && !isChatter($0) }
            .map(shortened)
    }

    private static func shortened(_ line: String) -> String { TerminalText.neutralised(String(line.prefix(300))) }

    /// What `-v` says at every connection.
    private static func isChatter(_ line: String) -> Bool {
        line.isEmpty || line.hasPrefix("OpenSSH_") || line.hasPrefix("Authenticated to ")
            || line.hasPrefix("Transferred: ") || line.hasPrefix("Bytes per second: ")
            || line.hasPrefix("Pseudo-terminal ") || line.hasPrefix("Warning: Permanently added ")
    }
}
