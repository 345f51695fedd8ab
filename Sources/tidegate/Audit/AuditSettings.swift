import GateControl
import GateModel
import GateSSH

/// What `serve` is told about the audit trail.
struct AuditSettings: Sendable {
    /// Whether what can't be written down is refused.
    let isRequired: Bool
    let syslog: SyslogAddress?
    let webhook: (url: OutboundURL, secret: Secret<[UInt8]>)?
    let webhookSecretFile: String?

    init(_ values: [String: String]) throws {
        switch values["audit"] ?? "best-effort" {
        case "best-effort": isRequired = false
        case "required": isRequired = true
        default: throw StartFault("audit must be required or best-effort")
        }
        syslog = try values["audit-syslog"].map { text in
            guard let address = SyslogAddress(text) else {
                throw StartFault("audit-syslog must be \(SyslogAddress.rule)")
            }
            return address
        }
        webhookSecretFile = try ServeSettings.path(values["audit-webhook-secret-file"], "audit-webhook-secret-file")
        switch (values["audit-webhook"], webhookSecretFile) {
        case (nil, nil): webhook = nil
        case (let text?, let file?):
            let url: OutboundURL
            do { url = try OutboundURL(text, loopback: .literal) } catch { throw StartFault("audit-webhook: \(error)") }
            webhook = (url, try Self.secret(file))
        default:
            throw StartFault("audit-webhook and audit-webhook-secret-file go together: give both or none")
        }
    }

    private static func secret(_ file: String) throws -> Secret<[UInt8]> {
        guard var text = try? String(contentsOf: file) else {
            throw StartFault("audit-webhook-secret-file: \(file) can't be read")
        }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        guard text.utf8.count >= AuditWebhook.secretLength else {
            throw StartFault(
                "audit-webhook-secret-file: a secret has at least \(AuditWebhook.secretLength) characters, like those of 'openssl rand -hex 32'"
            )
        }
        return Secret(Array(text.utf8))
    }
}

/// Where syslog messages go.
enum SyslogAddress: Sendable, Equatable {
    case udp(host: String, port: Int)
    case tcp(host: String, port: Int)
    case tls(host: String, port: Int)
    /// A datagram socket, such as /dev/log.
    case unix(path: String)

    static let rule = "udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT or unix:/PATH"

    init?(_ text: String) {
        if text.hasPrefix("unix:/") {
            let path = String(text.dropFirst("unix:".count))
            // The kernel's limit of a socket's name.
            guard path.utf8.count <= 107, !path.unicodeScalars.contains(where: isUnprintable) else { return nil }
            self = .unix(path: path.hasPrefix("///") ? String(path.dropFirst(2)) : path)
            return
        }
        guard let separator = text.firstRange(of: "://") else { return nil }
        let rest = text[separator.upperBound...]
        guard let colon = rest.lastIndex(of: ":"), let port = Int(rest[rest.index(after: colon)...]) else { return nil }
        var host = String(rest[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard let target = try? SSHTarget(host: host, port: port) else { return nil }
        switch text[..<separator.lowerBound] {
        case "udp": self = .udp(host: target.host, port: port)
        case "tcp": self = .tcp(host: target.host, port: port)
        case "tls": self = .tls(host: target.host, port: port)
        default: return nil
        }
    }

    /// One spelling: what the store knows the destination by.
    var text: String {
        func at(_ host: String, _ port: Int) -> String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
        return switch self {
        case .udp(let host, let port): "udp://\(at(host, port))"
        case .tcp(let host, let port): "tcp://\(at(host, port))"
        case .tls(let host, let port): "tls://\(at(host, port))"
        case .unix(let path): "unix:\(path)"
        }
    }
}
