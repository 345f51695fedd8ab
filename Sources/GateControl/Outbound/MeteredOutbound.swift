import Synchronization

/// Counts calls to others by what they were for and how they ended; both come from our own tables, so their number is
/// bounded.
public final class MeteredOutbound: OutboundSender {
    public enum Outcome: String, Sendable, CaseIterable {
        case answered, refused, unreachable, untrusted, timedOut = "timed-out", malformed, busy, cancelled

        init(_ error: OutboundError) {
            self =
                switch error {
                case .invalidRequest, .refusedAddress: .refused
                case .unresolvable, .unreachable: .unreachable
                case .untrusted: .untrusted
                case .timedOut: .timedOut
                case .redirected, .answerTooLarge, .malformedAnswer: .malformed
                case .busy: .busy
                case .cancelled: .cancelled
                }
        }
    }

    public struct Count: Sendable, Hashable {
        public let purpose: OutboundPurpose
        public let outcome: Outcome
        public let calls: UInt64
    }

    private struct Key: Hashable {
        let purpose: OutboundPurpose
        let outcome: Outcome
    }

    private let base: any OutboundSender
    private let calls = Mutex<[Key: UInt64]>([:])

    public init(_ base: any OutboundSender) { self.base = base }

    public func send(_ request: OutboundRequest) async throws(OutboundError) -> OutboundResponse {
        do throws(OutboundError) {
            let response = try await base.send(request)
            note(.init(purpose: request.purpose, outcome: .answered))
            return response
        } catch {
            note(.init(purpose: request.purpose, outcome: Outcome(error)))
            throw error
        }
    }

    private func note(_ key: Key) { calls.withLock { $0[key, default: 0] += 1 } }

    /// What happened so far, in a fixed order; what never did isn't there.
    public var counts: [Count] {
        let calls = calls.withLock { $0 }
        return OutboundPurpose.allCases.flatMap { purpose in
            Outcome.allCases.compactMap { outcome in
                calls[.init(purpose: purpose, outcome: outcome)].map {
                    Count(purpose: purpose, outcome: outcome, calls: $0)
                }
            }
        }
    }
}
