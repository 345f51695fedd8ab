import GateModel
import Logging
import Synchronization

/// Asks the Fleet about one node token. Says what it heard, never keeps it.
struct FleetVerifier: Sendable {
    private let url: OutboundURL
    private let outbound: any OutboundSender
    private let logger: Logger
    private let standing = Standing()

    /// So that an outage is two log lines, however many tokens come in meanwhile.
    private final class Standing: Sendable {
        let fault = Mutex<String?>(nil)
    }

    init(base: OutboundURL, outbound: any OutboundSender, logger: Logger) {
        url = base.appending("/api/v1/pat/verify")
        self.outbound = outbound
        self.logger = logger
    }

    /// `token` is well-formed, so its text needs no escaping. Nil: the Fleet couldn't be asked, or said nothing of use.
    func ask(_ token: Secret<String>) async throws(CancellationError) -> FleetAnswer? {
        let request = OutboundRequest(
            .fleet, .post, url, headers: [("Content-Type", "application/json"), ("Accept", "application/json")],
            body: Array(#"{"token":"\#(token.reveal())"}"#.utf8))
        do throws(OutboundError) {
            let answer = FleetAnswer(try await outbound.send(request))
            if case .unusable(let fault) = answer {
                note(fault.rawValue)
                return nil
            }
            note(nil)
            return answer
        } catch .cancelled {
            throw CancellationError()
        } catch {
            note(error.description)
            return nil
        }
    }

    private func note(_ fault: String?) {
        let before = standing.fault.withLock { known in
            defer { known = fault }
            return known
        }
        guard before != fault else { return }
        if let fault {
            logger.warning(
                "the Fleet can't say whether node tokens are good; those it vouched for a minute ago still are",
                metadata: ["gate.fleet": "\(url.origin)", "gate.reason": "\(fault)"])
        } else {
            logger.notice("the Fleet answers again", metadata: ["gate.fleet": "\(url.origin)"])
        }
    }
}
