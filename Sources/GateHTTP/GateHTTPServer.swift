public import Hummingbird
import HummingbirdCore
public import Logging
public import NIOCore
import NIOSSL
import Synchronization

/// The certificate a listener shows; `replace` serves the next handshakes, connections that stand keep theirs.
public final class TLSIdentity: Sendable {
    private let context: Mutex<NIOSSLContext>

    /// Reads PEM files. Throws what NIOSSL says of a file it can't use.
    public init(certificate: String, key: String) throws {
        context = Mutex(try Self.load(certificate: certificate, key: key))
    }

    public func replace(certificate: String, key: String) throws {
        let fresh = try Self.load(certificate: certificate, key: key)
        context.withLock { $0 = fresh }
    }

    var current: NIOSSLContext { context.withLock { $0 } }

    private static func load(certificate: String, key: String) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        return try NIOSSLContext(configuration: configuration)
    }
}

/// One listener of the API: HTTP/1.1 with limits on time, headers and connections, over TLS when an identity is given.
public enum GateHTTPServer {
    public static let maximumConnections = 8_192

    public static func application(
        _ router: Router<GateContext>, address: BindAddress, tls: TLSIdentity?, logger: Logger,
        onServerRunning: @escaping @Sendable (any Channel) async -> Void
    ) -> some ApplicationProtocol {
        let connections = OpenConnections(limit: maximumConnections)
        return Application(
            router: router,
            server: HTTPServerBuilder { responder in
                ConnectionChannel(responder: responder, connections: connections, tls: tls)
            },
            configuration: ApplicationConfiguration(
                address: address, serverName: nil, backlog: 1_024,
                availableConnectionsDelegate: MaximumAvailableConnections(maximumConnections)),
            onServerRunning: onServerRunning, logger: logger)
    }
}
