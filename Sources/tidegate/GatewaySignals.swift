import GateHTTP
import GateProcess
import Glibc
import Logging
import ServiceLifecycle
import UnixSignals

/// SIGTERM and SIGINT stop gracefully, a second one at once; SIGHUP reads the certificate again.
struct GatewaySignals {
    let group: ServiceGroup
    let health: GatewayHealth
    let tls: TLSIdentity?
    let files: (certificate: String, key: String)?
    let logger: Logger

    func run(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        try await withThrowingTaskGroup(of: Bool.self) { tasks in
            tasks.addTask {
                try await body()
                return true
            }
            tasks.addTask {
                var isStopping = false
                for await signal in signals {
                    switch signal {
                    case .sighup: reload()
                    default:
                        if isStopping {
                            logger.warning("stopping at once")
                            exit(1)
                        }
                        isStopping = true
                        health.stopping()
                        _ = SystemdNotify()?.stopping()
                        logger.notice("stopping; live ssh sessions go on", metadata: ["gate.signal": "\(signal)"])
                        await group.triggerGracefulShutdown()
                    }
                }
                return false
            }
            for try await hasEnded in tasks where hasEnded {
                tasks.cancelAll()
                return
            }
        }
    }

    private func reload() {
        guard let tls, let files else { return logger.notice("nothing to reload") }
        _ = SystemdNotify()?.reloading()
        do {
            try tls.replace(certificate: files.certificate, key: files.key)
            logger.notice("the certificate was read again", metadata: ["gate.file": "\(files.certificate)"])
        } catch {
            // The old one goes on: a half-written file must not take the gateway down.
            logger.error("the certificate can't be used; the one before stays", metadata: ["error": "\(error)"])
        }
        _ = SystemdNotify()?.ready()
    }
}
