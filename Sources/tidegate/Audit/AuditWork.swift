import GateControl
import GateModel
import Logging
import ServiceLifecycle

/// Seals what was committed and writes it to the log file, again and again until the gateway stops, and once more then.
struct AuditWork: Service {
    /// At least once a second; each time costs a commit and two syncs, which changes wait for.
    static let interval = Duration.milliseconds(750)

    let sealer: AuditSealer
    let trail: AuditTrail
    let log: AuditLogFile
    let health: AuditHealth
    let logger: Logger

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await step()
                try await Task.sleep(for: Self.interval)
            }
        }
        await step()
        if let exported = await log.exported {
            try? await trail.noteExported(to: AuditLogFile.destination, upTo: exported)
        }
    }

    private func step() async {
        await attempt(.seal) {
            let exports = await log.exported.map { [AuditLogFile.destination: $0] } ?? [:]
            while try await sealer.pass(exports: exports) {}
        }
        await attempt(.log) { try await log.pass() }
    }

    private func attempt(_ part: AuditHealth.Part, _ work: () async throws -> Void) async {
        _ = await health.attempt(
            part, logger, fails: "the audit trail can't be written down; it is tried again",
            isWellAgain: "the audit trail is whole again", work)
    }
}
