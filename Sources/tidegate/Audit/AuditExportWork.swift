import GateControl
import Logging
import ServiceLifecycle

/// Sends the trail to one destination until the gateway stops; after a failure it waits longer each time.
struct AuditExportWork: Service {
    static let interval = Duration.seconds(1)
    /// What a stop may take: the rest is sent after the next start.
    static let lastPass = Duration.seconds(3)

    let exporter: AuditExporter
    let part: AuditHealth.Part
    let health: AuditHealth
    let logger: Logger

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            var generator = SystemRandomNumberGenerator()
            var failures = 0
            while !Task.isCancelled {
                failures = await attempt() ? 0 : failures + 1
                try await Task.sleep(
                    for: failures == 0
                        ? Self.interval : AuditRetry.pause(afterFailures: failures, using: &generator))
            }
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = await attempt() }
            group.addTask { try? await Task.sleep(for: Self.lastPass) }
            await group.next()
            group.cancelAll()
        }
    }

    private func attempt() async -> Bool {
        await health.attempt(
            part, logger, fails: "the audit trail can't be sent; it is tried again, and nothing of it is lost",
            isWellAgain: "the audit trail is sent again"
        ) { try await exporter.pass() }
    }
}
