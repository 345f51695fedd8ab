import Logging
import ServiceLifecycle

/// Something done again and again until the gateway stops, and once more then if `runsAtEnd`.
struct PeriodicWork: Service {
    let name: String
    let interval: Duration
    var runsAtEnd = false
    let logger: Logger
    let work: @Sendable () async throws -> Void

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try await Task.sleep(for: interval)
                await attempt()
            }
        }
        if runsAtEnd { await attempt() }
    }

    private func attempt() async {
        do {
            try await work()
        } catch is CancellationError {
            return
        } catch {
            logger.warning(
                "periodic work failed; it is tried again", metadata: ["gate.work": "\(name)", "error": "\(error)"])
        }
    }
}
