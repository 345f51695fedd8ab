import AsyncHTTPClient
import GateControl
import GateModel
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization

/// Why the certificates of a private authority can't be used.
public struct TrustRootsFault: Error, CustomStringConvertible {
    public let description: String
}

/// One AsyncHTTPClient for each (URL's host, checked address), because its only way to connect to an address under
/// another name is a setting of the whole client. The least recently used one goes when there are too many.
package final class TargetClients: Sendable {
    private struct Target: Hashable {
        let origin: String
        let address: String
    }

    private struct State {
        var clients: [Target: (client: TargetClient, lastUse: UInt64)] = [:]
        var uses: UInt64 = 0
    }

    static let limit = 64

    private let tls: TLSConfiguration
    private let connectTime: Duration
    private let state = Mutex(State())

    /// `connectTime`: how long an address may take to connect, TLS handshake and all, before the next one is tried.
    package init(trustRoots: String? = nil, connectTime: Duration = .seconds(2)) throws {
        self.connectTime = connectTime
        var tls = TLSConfiguration.makeClientConfiguration()
        if let trustRoots {
            guard let certificates = try? NIOSSLCertificate.fromPEMFile(trustRoots), !certificates.isEmpty else {
                throw TrustRootsFault(description: "\(trustRoots) can't be read or holds no PEM certificate")
            }
            tls.additionalTrustRoots = [.certificates(certificates)]
        }
        self.tls = tls
    }

    func exchange(
        _ request: OutboundRequest, _ limits: OutboundPurpose.Limits, at address: ResolvedAddress
    ) async throws(ExchangeFailure) -> OutboundResponse {
        let client = client(for: request.url, at: address)
        var message = HTTPClientRequest(url: request.url.text)
        message.method = HTTPMethod(rawValue: request.method.rawValue)
        for (name, value) in request.headers { message.headers.add(name: name, value: value) }
        message.headers.add(name: "User-Agent", value: "tidegate/\(TidegateVersion.text)")
        if let body = request.body { message.body = .bytes(ByteBuffer(bytes: body.reveal())) }
        do {
            let response = try await client.http.execute(
                message, timeout: .nanoseconds(limits.time.wholeMicroseconds * 1_000))
            let status = Int(response.status.code)
            if (300..<400).contains(status), status != 304 { throw OutboundError.redirected(status: status) }
            let body = try await response.body.collect(upTo: limits.responseBytes)
            return OutboundResponse(
                status: status, headers: response.headers.map { ($0.name, $0.value) },
                body: Array(body.readableBytesView))
        } catch {
            throw ExchangeFailure(error)
        }
    }

    private func client(for url: OutboundURL, at address: ResolvedAddress) -> TargetClient {
        let target = Target(origin: url.origin, address: address.text)
        return state.withLock { state in
            state.uses += 1
            if let known = state.clients[target] {
                state.clients[target]?.lastUse = state.uses
                return known.client
            }
            if state.clients.count >= Self.limit,
                let oldest = state.clients.min(by: { $0.value.lastUse < $1.value.lastUse })
            {
                state.clients[oldest.key] = nil
            }
            let client = TargetClient(
                host: url.isLiteral ? nil : url.host, address: address.text, tls: tls, connectTime: connectTime)
            state.clients[target] = (client, state.uses)
            return client
        }
    }
}

/// A client that can reach one address only. It ends when the last call that uses it has.
private final class TargetClient: Sendable {
    let http: HTTPClient

    init(host: String?, address: String, tls: TLSConfiguration, connectTime: Duration) {
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls,
            // A redirect would carry the request to an address that nobody checked.
            redirectConfiguration: .disallow,
            timeout: .init(connect: .nanoseconds(connectTime.wholeMicroseconds * 1_000)), proxy: nil,
            decompression: .disabled)
        // The name's certificate is asked for and verified, and the Host header is the name; the connection goes there.
        if let host { configuration.dnsOverride = [host: address] }
        configuration.httpVersion = .http1Only
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        // Shorter than servers keep an idle connection: one that they close just when we write would fail the call.
        configuration.connectionPool.idleTimeout = .seconds(1)
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    deinit {
        let http = self.http
        http.shutdown { _ in withExtendedLifetime(http) {} }
    }
}
