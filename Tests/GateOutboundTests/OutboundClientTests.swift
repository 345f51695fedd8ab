import Dispatch
import GateControl
import GateModel
import GateOutbound
import Synchronization
import Testing

/// An address of this host that isn't loopback, if it has one.
private let ownAddress = InterfaceAddresses.current()?.first { $0.isIPv4 && $0.kind == .ordinary }
    .flatMap { ResolvedAddress($0) }

private final class Lookups: Sendable {
    private let state = Mutex(0)
    var count: Int { state.withLock { $0 } }

    func next() -> Int {
        state.withLock {
            $0 += 1
            return $0
        }
    }
}

@Suite struct OutboundClientTests {
    private func client(
        ownPorts: [ClosedRange<Int>] = [], trustRoots: String? = nil, connectTime: Duration = .seconds(2),
        lookup: @escaping NameResolver.Lookup = { _ in [] }
    ) throws -> OutboundClient {
        OutboundClient(
            policy: OutboundPolicy(ownPorts: ownPorts), resolver: NameResolver(lookup: lookup),
            ownAddresses: InterfaceAddresses.current,
            targets: try TargetClients(trustRoots: trustRoots, connectTime: connectTime))
    }

    private func url(_ text: String) throws -> OutboundURL { try OutboundURL(text, loopback: .literal) }

    private func limits(time: Duration = .seconds(60), response: Int = 65_536) -> OutboundPurpose.Limits {
        OutboundPurpose.Limits(time: time, requestBytes: 64, responseBytes: response, concurrent: 1, waiting: 1)
    }

    @Test func `sends what it is given and reads the answer`() async throws {
        let server = try await TestServer(answer("201 Created", #"{"valid":true}"#, headers: "Retry-After: 7\r\n"))
        let response = try await client().send(
            OutboundRequest(
                .fleet, .post, url("http://127.0.0.1:\(server.port)/api/v1/pat/verify"),
                headers: [("Content-Type", "application/json")], body: Array(#"{"token":"x"}"#.utf8)),
            limits: limits())
        #expect(response.status == 201)
        #expect(String(decoding: response.body, as: UTF8.self) == #"{"valid":true}"#)
        #expect(response.header("retry-after") == "7")
        let sent = server.seen.text
        #expect(sent.hasPrefix("POST /api/v1/pat/verify HTTP/1.1\r\n"))
        #expect(sent.contains("Content-Type: application/json\r\n"))
        #expect(sent.lowercased().contains("content-length: 13\r\n"))
        #expect(sent.hasSuffix(#"{"token":"x"}"#))
    }

    @Test(arguments: ["127.0.0.1", "169.254.169.254", "::1", "fe80::1", "0.0.0.0", "::ffff:127.0.0.1", "fd00:ec2::254"])
    func `a name that leads to a refused address is refused, also behind good ones`(bad: String) async throws {
        let server = try await TestServer(answer("200 OK"))
        let good = try #require(ResolvedAddress(literal: "192.0.2.77"))
        let refused = try #require(ResolvedAddress(literal: bad))
        for addresses in [[refused], [good, refused], [refused, good]] {
            let client = try client(lookup: { _ in addresses })
            let error = await #expect(throws: OutboundError.self) {
                _ = try await client.send(
                    OutboundRequest(.webhook, .post, url("https://evil.example:\(server.port)/"), body: []),
                    limits: limits())
            }
            guard case .refusedAddress = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
        #expect(server.seen.connections == 0)
    }

    @Test func `the gateway's own ports are never called, not even where loopback is meant`() async throws {
        let server = try await TestServer(answer("200 OK"))
        let client = try client(ownPorts: [server.port...server.port])
        await #expect(throws: OutboundError.refusedAddress(.ownPort)) {
            _ = try await client.send(
                OutboundRequest(.fleet, .get, url("http://127.0.0.1:\(server.port)/")),
                limits: limits())
        }
        #expect(server.seen.connections == 0)
    }

    @Test(arguments: ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"])
    func `a redirect is not followed`(status: String) async throws {
        let target = try await TestServer(answer("200 OK"))
        let server = try await TestServer(
            answer(status, headers: "Location: http://127.0.0.1:\(target.port)/\r\n"))
        let error = await #expect(throws: OutboundError.self) {
            _ = try await client().send(
                OutboundRequest(.fleet, .post, url("http://127.0.0.1:\(server.port)/"), body: Array("secret".utf8)),
                limits: limits())
        }
        #expect(error == .redirected(status: Int(status.prefix(3)) ?? 0))
        #expect(target.seen.connections == 0)
    }

    enum Oversize: String, CaseIterable, Sendable {
        case declared, declaredAndNeverSent, chunked

        var text: String {
            switch self {
            case .declared: answer("200 OK", String(repeating: "x", count: 65_537))
            case .declaredAndNeverSent: "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n"
            case .chunked:
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11000\r\n"
                    + String(repeating: "x", count: 0x11000) + "\r\n"
            }
        }
    }

    @Test(arguments: Oversize.allCases) func `too large an answer is cut`(size: Oversize) async throws {
        let server = try await TestServer(size.text)
        await #expect(throws: OutboundError.answerTooLarge) {
            _ = try await client().send(
                OutboundRequest(.fleet, .get, url("http://127.0.0.1:\(server.port)/")),
                limits: limits())
        }
    }

    // Without an end of its own it would wait for what never comes.
    @Test(
        .timeLimit(.minutes(2)),
        arguments: [
            (nil, false), ("HTTP/1.1 200 OK\r\n", false), ("HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nX-Slow: ", true),
        ] as [(String?, Bool)])
    func `silence and drops end in time`(text: String?, drips: Bool) async throws {
        let server = try await TestServer(text, drips: drips)
        await #expect(throws: OutboundError.timedOut) {
            _ = try await client().send(
                OutboundRequest(.fleet, .get, url("http://127.0.0.1:\(server.port)/")),
                limits: limits(time: .milliseconds(300)))
        }
    }

    @Test func `a name server that never answers ends in time, and webhooks' don't hold up the Fleet's`() async throws {
        let held = DispatchSemaphore(value: 0)
        let client = try client { host in
            if host == "tar.pit" { held.wait() }
            return []
        }
        defer { for _ in 0..<3 { held.signal() } }
        for _ in 0..<3 {
            await #expect(throws: OutboundError.timedOut) {
                _ = try await client.send(
                    OutboundRequest(.webhook, .get, url("https://tar.pit/")), limits: limits(time: .milliseconds(100)))
            }
        }
        await #expect(throws: OutboundError.unresolvable) {
            _ = try await client.send(OutboundRequest(.fleet, .get, url("https://fleet.example/")), limits: limits())
        }
    }

    @Test func `a call that is given up ends at once`() async throws {
        let server = try await TestServer(nil)
        let client = try client()
        let call = Task {
            try await client.send(
                OutboundRequest(.webhook, .get, url("http://127.0.0.1:\(server.port)/")),
                limits: limits())
        }
        while server.seen.text.isEmpty { await Task.yield() }
        call.cancel()
        await #expect(throws: OutboundError.cancelled) { _ = try await call.value }
    }

    @Test func `nobody there and no HTTP are told apart`() async throws {
        let gone = try await TestServer("")
        try await gone.close()
        await #expect(throws: OutboundError.unreachable) {
            _ = try await client().send(
                OutboundRequest(.fleet, .get, url("http://127.0.0.1:\(gone.port)/")), limits: limits())
        }
        let other = try await TestServer("SSH-2.0-OpenSSH_9.9\r\n")
        await #expect(throws: OutboundError.malformedAnswer) {
            _ = try await client().send(
                OutboundRequest(.fleet, .get, url("http://127.0.0.1:\(other.port)/")), limits: limits())
        }
    }

    @Test(arguments: [
        ("X-A", "a\r\nX-B: b"), ("X-A", "a\u{0}"), ("X-A\r\nX-B", "b"), ("X A", "b"), ("", "b"), ("Host", "other"),
        ("host", "other"), ("Content-Length", "1"), ("Transfer-Encoding", "chunked"), ("Connection", "upgrade"),
        ("X-A", String(repeating: "a", count: 8_193)),
    ])
    func `a header can't begin another one, nor take the client's own place`(name: String, value: String) async throws {
        let server = try await TestServer(answer("200 OK"))
        let error = await #expect(throws: OutboundError.self) {
            _ = try await client().send(
                OutboundRequest(.webhook, .get, url("http://127.0.0.1:\(server.port)/"), headers: [(name, value)]),
                limits: limits())
        }
        guard case .invalidRequest = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(server.seen.connections == 0)
    }

    @Test func `too large a request isn't sent`() async throws {
        let error = await #expect(throws: OutboundError.self) {
            _ = try await client().send(
                OutboundRequest(.fleet, .post, url("http://127.0.0.1:9/"), body: [UInt8](repeating: 1, count: 4_097)))
        }
        #expect(error == .invalidRequest("its body is larger than 4096 bytes"))
    }

    @Test(.enabled(if: ownAddress != nil, "this host has loopback addresses only"))
    func `the connection goes to the checked address, under the name, after one resolution`() async throws {
        let address = try #require(ownAddress)
        let files = try await TestCertificate.make(for: "fleet.example.org")
        let server = try await TestServer(answer("200 OK", "hello"), host: address.text, tls: files.context())
        let lookups = Lookups()
        let client = try client(trustRoots: files.certificate, connectTime: .seconds(30)) { host in
            #expect(host == "fleet.example.org")
            // A name that answers otherwise the second time (DNS rebinding) has no second time.
            return [lookups.next() == 1 ? address : ResolvedAddress(literal: "127.0.0.1")].compactMap { $0 }
        }
        let response = try await client.send(
            OutboundRequest(.fleet, .get, url("https://fleet.example.org:\(server.port)/x")), limits: limits())
        #expect(String(decoding: response.body, as: UTF8.self) == "hello")
        #expect(server.seen.text.lowercased().contains("host: fleet.example.org:\(server.port)\r\n"))
        #expect(lookups.count == 1)
        // It is asked again for the next call, which the address it gives now ends.
        await #expect(throws: OutboundError.refusedAddress(.loopback)) {
            _ = try await client.send(
                OutboundRequest(.fleet, .get, url("https://fleet.example.org:\(server.port)/x")), limits: limits())
        }
        #expect(server.seen.connections == 1)
    }

    @Test(.enabled(if: ownAddress != nil, "this host has loopback addresses only"))
    func `a certificate of another name is not trusted, nor one of a stranger`() async throws {
        let address = try #require(ownAddress)
        let files = try await TestCertificate.make(for: "other.example.org")
        let server = try await TestServer(answer("200 OK"), host: address.text, tls: files.context())
        for trustRoots in [files.certificate, nil] {
            // Reading the system's certificates and a handshake take their time on a busy host.
            let client = try client(trustRoots: trustRoots, connectTime: .seconds(30)) { _ in [address] }
            await #expect(throws: OutboundError.untrusted) {
                _ = try await client.send(
                    OutboundRequest(.fleet, .get, url("https://fleet.example.org:\(server.port)/")), limits: limits())
            }
        }
        #expect(server.seen.text.isEmpty)
    }

    @Test(.enabled(if: ownAddress != nil, "this host has loopback addresses only"))
    func `the next address is tried where nobody listens`() async throws {
        let address = try #require(ownAddress)
        let files = try await TestCertificate.make(for: "fleet.example.org")
        let server = try await TestServer(answer("200 OK"), host: address.text, tls: files.context())
        // An address of this host's subnet or of nobody's: refused, unreachable or silent.
        let gone = try #require(ResolvedAddress(literal: "192.0.2.253"))
        let client = try client(trustRoots: files.certificate, connectTime: .seconds(10)) { _ in [gone, address] }
        let response = try await client.send(
            OutboundRequest(.webhook, .get, url("https://fleet.example.org:\(server.port)/")), limits: limits())
        #expect(response.status == 200)
    }

    @Test func `certificates that can't be read are refused`() {
        #expect(throws: TrustRootsFault.self) { try client(trustRoots: "/nonexistent.pem") }
        #expect(throws: TrustRootsFault.self) { try client(trustRoots: "/etc/passwd") }
    }

    @Test func `the system's resolver finds names and says when there is none`() async throws {
        let resolver = NameResolver()
        let found = try await resolver.addresses(
            of: "localhost", isTenantChosen: false, until: .now + .seconds(10))
        #expect(!found.isEmpty && found.allSatisfy { $0.address.kind == .loopback })
        let none = try await resolver.addresses(
            of: "no-such-name.invalid", isTenantChosen: false, until: .now + .seconds(20))
        #expect(none.isEmpty)
    }
}
