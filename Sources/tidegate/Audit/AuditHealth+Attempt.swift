import GateControl
import Logging

extension AuditHealth {
    /// Runs `work`, notes how it went, and logs when a failure begins and when it is over. False when it failed.
    func attempt(
        _ part: Part, _ logger: Logger, fails: Logger.Message, isWellAgain: Logger.Message,
        _ work: () async throws -> Void
    ) async -> Bool {
        do {
            try await work()
            if succeeded(part) { logger.notice(isWellAgain, metadata: ["gate.part": "\(part)"]) }
        } catch is CancellationError {
            // The gateway stops.
        } catch {
            if failed(part, "\(error)") {
                logger.warning(fails, metadata: ["gate.part": "\(part)", "error": "\(error)"])
            }
            return false
        }
        return true
    }
}
