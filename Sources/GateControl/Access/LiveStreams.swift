public import GateModel
import Synchronization

/// Why a stream has to end.
public enum LiveStreamEnd: Sendable, Hashable {
    /// The credential, the user or the session it was opened with was taken away, or may have been.
    case revoked
    /// That credential's time is over.
    case expired
}

/// What goes on longer than a request, each with whom it acts for, so that taking a credential away ends it.
///
/// The rule is that of `CredentialCache`: note the epoch before the read that judges, open only if it is unchanged. A revoke
/// commits first, then raises the epoch and ends what is open: either the read saw the revoke, or the revoke sees the stream.
public final class LiveStreams: Sendable {
    /// Of the whole gateway.
    public static let limit = 1_024
    public static let limitOfPrincipal = 64

    private struct Entry {
        let principal: Principal
        let until: Timestamp?
        let ends: AsyncStream<LiveStreamEnd>.Continuation
    }

    private struct State {
        var epoch: UInt64 = 0
        var next: UInt64 = 0
        var entries: [UInt64: Entry] = [:]
        var counts: [String: Int] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    public var count: Int { state.withLock { $0.entries.count } }

    package var epoch: UInt64 { state.withLock { $0.epoch } }

    /// Throws `limitReached` when the gateway, or this principal, has as many as may be.
    package func requireRoom(for principal: Principal? = nil) throws(ControlError) {
        let (all, own) = state.withLock { state in
            (state.entries.count, principal.flatMap { state.counts[$0.text] } ?? 0)
        }
        guard all < Self.limit else { throw .limitReached("The gateway has \(Self.limit) streams open; try later.") }
        guard own < Self.limitOfPrincipal else {
            throw .limitReached("You have \(Self.limitOfPrincipal) streams open; close one first.")
        }
    }

    /// Nil when something was taken away since `epoch`: then whoever asks must be judged again.
    package func open(_ principal: Principal, until: Timestamp?, epoch: UInt64) throws(ControlError) -> LiveStream? {
        try requireRoom(for: principal)
        let (stream, ends) = AsyncStream.makeStream(of: LiveStreamEnd.self, bufferingPolicy: .bufferingOldest(1))
        let number: UInt64? = state.withLock { state in
            guard state.epoch == epoch else { return nil }
            state.next += 1
            state.entries[state.next] = Entry(principal: principal, until: until, ends: ends)
            state.counts[principal.text, default: 0] += 1
            return state.next
        }
        return number.map { LiveStream(principal: principal, ends: stream, number: $0, streams: self) }
    }

    /// Ends the streams of every principal `matching` says lost something. Call it after the commit.
    package func end(where matching: (Principal) -> Bool) {
        let ended = state.withLock { state in
            state.epoch += 1
            return state.entries.values.filter { matching($0.principal) }.map(\.ends)
        }
        for ends in ended { ends.yield(.revoked) }
    }

    /// Ends the streams whose credential's time is over.
    public func end(expiredAt now: Timestamp) {
        let ended = state.withLock { state in
            state.entries.values.filter { entry in entry.until.map { $0 <= now } ?? false }.map(\.ends)
        }
        for ends in ended { ends.yield(.expired) }
    }

    fileprivate func close(_ number: UInt64) {
        state.withLock { state in
            guard let entry = state.entries.removeValue(forKey: number) else { return }
            let left = (state.counts[entry.principal.text] ?? 1) - 1
            state.counts[entry.principal.text] = left > 0 ? left : nil
        }
    }
}

/// One open stream; it counts for as long as somebody holds it.
public final class LiveStream: Sendable {
    public let principal: Principal
    /// Yields once, when the stream has to end.
    public let ends: AsyncStream<LiveStreamEnd>
    private let number: UInt64
    private let streams: LiveStreams

    fileprivate init(
        principal: Principal, ends: AsyncStream<LiveStreamEnd>, number: UInt64, streams: LiveStreams
    ) {
        self.principal = principal
        self.ends = ends
        self.number = number
        self.streams = streams
    }

    deinit { streams.close(number) }
}
