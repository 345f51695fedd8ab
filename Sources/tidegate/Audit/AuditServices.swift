import GateControl
import Logging
import ServiceLifecycle

/// What writes the trail down and sends it away, put together from the settings.
struct AuditServices {
    let settings: ServeSettings
    let dependencies: ControlDependencies
    let tail: AuditTail
    let outbound: any OutboundSender
    let logger: Logger

    func all() -> [any Service] {
        let trail = AuditTrail(dependencies)
        let health = dependencies.auditing.health
        var services: [any Service] = [
            AuditWork(
                sealer: AuditSealer(
                    dependencies, keys: AuditKeyFile(path: "\(settings.stateDirectory)/audit.key").store, tail: tail),
                trail: trail,
                log: AuditLogFile(trail: trail, folder: "\(settings.stateDirectory)/audit", logger: logger),
                health: health, logger: logger)
        ]
        if let address = settings.audit.syslog {
            let sender = SyslogSender(address, trustRoots: settings.outboundCAFile)
            services.append(export(.syslog, to: address.text) { try await sender.deliver($0) })
        }
        if let webhook = settings.audit.webhook {
            let client = AuditWebhook(
                url: webhook.url, secret: webhook.secret, sender: outbound, now: dependencies.now)
            services.append(export(.webhook, to: webhook.url.text) { try await client.deliver($0) })
        }
        return services
    }

    private func export(
        _ part: AuditHealth.Part, to destination: String, _ deliver: @escaping AuditExporter.Deliver
    ) -> AuditExportWork {
        AuditExportWork(
            exporter: AuditExporter(
                dependencies,
                // A webhook's path may be a secret: the store knows the place by a digest.
                destination: "\(part.rawValue):\(Hex.text(MerkleTree.leaf(destination.utf8).prefix(16)))", part: part,
                deliver: deliver),
            part: part, health: dependencies.auditing.health, logger: logger)
    }
}
