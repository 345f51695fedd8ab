import AsyncHTTPClient
import FoundationEssentials
public import GateModel
import GateWire
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Speaks the gateway's native API. Never follows a redirect, reads at most 4 MiB of an answer, waits at most
/// `timeout`.
public final class GatewayClient: Sendable {
    /// The methods the API knows.
    public enum Method: String, Sendable { case get, post, patch, delete }

    /// How long a call may take.
    public struct Timeout: Sendable {
        public var connect: Duration
        public var total: Duration

        public init(connect: Duration = .seconds(5), total: Duration = .seconds(20)) {
            self.connect = connect
            self.total = total
        }
    }

    static let answerLimit = 4 << 20

    public let endpoint: GatewayEndpoint
    let credential: Secret<String>?
    let timeout: Timeout
    let tls: TLSConfiguration
    private let http: HTTPClient

    /// A client for one gateway. `trustRoots` is a PEM file of certificates that replace the system's; throws
    /// `GatewayClientError.refusedURL` when it can't be read.
    public init(
        endpoint: GatewayEndpoint, credential: Secret<String>? = nil, trustRoots: String? = nil,
        timeout: Timeout = Timeout()
    ) throws(GatewayClientError) {
        self.endpoint = endpoint
        self.credential = credential
        self.timeout = timeout
        var tls = TLSConfiguration.makeClientConfiguration()
        if let trustRoots {
            guard let certificates = try? NIOSSLCertificate.fromPEMFile(trustRoots), !certificates.isEmpty else {
                throw .refusedURL("the certificate file \(trustRoots) can't be read or holds no PEM certificate")
            }
            tls.trustRoots = .certificates(certificates)
        }
        if case .unixSocket = endpoint.transport {
            // A Unix socket has no host name to compare. Where one leads through ssh, the far end was named one layer
            // below, by its pinned host key; the chain is still verified.
            tls.certificateVerification = .noHostnameVerification
        }
        self.tls = tls
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls,
            // A redirect would carry the bearer token to whatever host it names.
            redirectConfiguration: .disallow,
            timeout: .init(connect: .nanoseconds(timeout.connect.wholeMicroseconds * 1_000)),
            ignoreUncleanSSLShutdown: false)
        configuration.httpVersion = .http1Only
        // Somebody who waits for an answer wants to hear at once that nobody listens.
        configuration.connectionPool.retryConnectionEstablishment = false
        // An agent asks once a minute: kept open meanwhile, the connections of a large fleet would shut everybody else out.
        configuration.connectionPool.idleTimeout = .seconds(1)
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    deinit {
        let http = self.http
        http.shutdown { _ in withExtendedLifetime(http) {} }
    }

    /// The same gateway with another credential.
    public func with(credential: Secret<String>?, trustRoots: String? = nil) throws(GatewayClientError) -> GatewayClient
    {
        try GatewayClient(endpoint: endpoint, credential: credential, trustRoots: trustRoots, timeout: timeout)
    }

    /// Sends one request and decodes the answer. `path` begins with a slash and is already percent-encoded.
    public func send<Answer: Decodable>(
        _ method: Method, _ path: String, body: (any Encodable & Sendable)? = nil, query: [(String, String)] = [],
        as type: Answer.Type = Answer.self
    ) async throws(GatewayClientError) -> Answer {
        try await exchange(method, path, body: body, query: query).decoded()
    }

    /// Sends one request whose answer has no body to read.
    public func send(
        _ method: Method, _ path: String, body: (any Encodable & Sendable)? = nil, query: [(String, String)] = []
    ) async throws(GatewayClientError) {
        _ = try await exchange(method, path, body: body, query: query)
    }

    struct Answer {
        let status: Int
        let body: ByteBuffer
        /// Path and query of `Link: <…>; rel="next"`.
        let next: String?

        func decoded<Value: Decodable>() throws(GatewayClientError) -> Value {
            do {
                return try JSONDecoder().decode(Value.self, from: Data(body.readableBytesView))
            } catch {
                throw .malformedAnswer(
                    status: status, "the answer is not what this version expects: is this URL a tidegate gateway's?")
            }
        }
    }

    func exchange(
        _ method: Method, _ path: String, body: (any Encodable & Sendable)? = nil, query: [(String, String)] = []
    ) async throws(GatewayClientError) -> Answer {
        let pairs = query.map { "\(percentEncoded($0.0))=\(percentEncoded($0.1))" }.joined(separator: "&")
        var request = HTTPClientRequest(url: endpoint.base + path + (pairs.isEmpty ? "" : "?" + pairs))
        request.method = HTTPMethod(rawValue: method.rawValue.uppercased())
        request.headers.add(name: "Accept", value: "application/json, application/problem+json")
        request.headers.add(name: "User-Agent", value: "tidegate/\(TidegateVersion.text)")
        // Without it AsyncHTTPClient would send the socket's path as the host.
        if case .unixSocket = endpoint.transport { request.headers.replaceOrAdd(name: "Host", value: "localhost") }
        if let credential { request.headers.add(name: "Authorization", value: "Bearer \(credential.reveal())") }
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            do {
                request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(body)))
            } catch {
                throw .malformedAnswer(status: 0, "the request can't be written as JSON")
            }
        }
        do {
            let (prepared, http, time) = (request, http, timeout.total)
            // AsyncHTTPClient's own deadline ends with the answer's head.
            let (response, bytes) = try await finishing(by: .now + time) {
                let response = try await http.execute(prepared, timeout: .nanoseconds(time.wholeMicroseconds * 1_000))
                return (response, try await response.body.collect(upTo: Self.answerLimit))
            }
            return try AnswerReading.read(status: Int(response.status.code), headers: response.headers, body: bytes)
        } catch let error as GatewayClientError {
            throw error
        } catch is NIOTooManyBytesError {
            throw .malformedAnswer(status: 0, "the answer is larger than 4 MiB")
        } catch {
            throw .unreachable("\(endpoint) \(Self.reason(error))")
        }
    }

    static func reason(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError where error == .connectTimeout: "did not answer in time (connecting)"
        case let error as HTTPClientError where error == .deadlineExceeded: "did not answer in time"
        case let error as HTTPClientError where error == .remoteConnectionClosed: "closed the connection"
        case let error as HTTPClientError: "can't be asked: \(error.shortDescription)"
        case let error as IOError: "can't be reached: \(errorText(error.errnoCode))"
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first?.error as? IOError {
                "can't be reached: \(errorText(first.errnoCode))"
            } else {
                "has no address that can be found"
            }
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError:
            "shows no certificate this computer trusts (for a private authority give its PEM file as the CA file)"
        case is DeadlinePassed: "did not answer in time"
        case is CancellationError: "was not asked: cancelled"
        default: "can't be reached"
        }
    }
}

private func errorText(_ code: CInt) -> String { String(cString: strerror(code)) }
