import GateControl
import GateModel
import GateStore
import GateTesting
import Synchronization
import Testing

/// A destination that takes what it is sent, or fails when told to.
final class Destination: Sendable {
    struct Down: Error {}

    private let state = Mutex<(batches: [AuditBatch], failures: Int)>(([], 0))

    var batches: [AuditBatch] { state.withLock { $0.batches } }
    var sequences: [Int64] { batches.flatMap { $0.events.compactMap(\.sequence) } }

    func fail(_ count: Int) { state.withLock { $0.failures = count } }

    func take(_ batch: AuditBatch) throws {
        try state.withLock { state in
            if state.failures > 0 {
                state.failures -= 1
                throw Down()
            }
            state.batches.append(batch)
        }
    }
}

@Suite struct AuditExportTests {
    private func exporter(_ trail: SealedTrail, _ destination: Destination) -> AuditExporter {
        AuditExporter(trail.gateway.dependencies, destination: "d", part: .syslog) { try destination.take($0) }
    }

    @Test func `a new destination is sent what comes from now on, in order and with the seals`() async throws {
        let trail = try await SealedTrail.make(batches: [3])
        let destination = Destination()
        let exporter = exporter(trail, destination)
        try await exporter.pass()
        #expect(destination.batches.isEmpty)
        let sealer = trail.sealer()
        for count in [2, 1] {
            try await trail.write(count)
            _ = try await sealer.pass()
        }
        try await exporter.pass()
        #expect(destination.sequences == [4, 5, 6])
        #expect(destination.batches.map(\.seal) == Array(try await trail.seals.dropFirst()))
        try await exporter.pass()
        #expect(destination.batches.count == 2)
        #expect(trail.gateway.dependencies.auditing.health.waiting(.syslog) == 0)
    }

    @Test func `large seals go out in bounded pieces, the seal with the last`() async throws {
        let trail = try await SealedTrail.make(batches: [1])
        let destination = Destination()
        let exporter = exporter(trail, destination)
        try await exporter.pass()
        try await trail.write(AuditExporter.limit + 30)
        _ = try await trail.sealer().pass()
        try await exporter.pass()
        #expect(destination.batches.count >= 2)
        #expect(destination.batches.allSatisfy { $0.events.count <= AuditExporter.limit })
        #expect(
            destination.batches.map { $0.seal != nil }
                == Array(repeating: false, count: destination.batches.count - 1) + [true])
        #expect(destination.sequences == Array(2...Int64(AuditExporter.limit + 31)))
    }

    @Test func `what fails is sent again, and nothing is left out, by this process or the next`() async throws {
        let trail = try await SealedTrail.make(batches: [1])
        let destination = Destination()
        let first = exporter(trail, destination)
        try await first.pass()
        let sealer = trail.sealer()
        for _ in 0..<5 {
            try await trail.write(2)
            _ = try await sealer.pass()
        }
        destination.fail(1)
        await #expect(throws: Destination.Down.self) { try await first.pass() }
        #expect(trail.gateway.dependencies.auditing.health.waiting(.syslog) == 10)
        destination.fail(0)
        // A restart: the next process begins where this one was known to have got to.
        let second = exporter(trail, destination)
        try await second.pass()
        #expect(destination.sequences == Array(2...11))
        // A store that takes no place: what was delivered comes again, and nothing is lost.
        try await trail.write(2)
        _ = try await sealer.pass()
        trail.gateway.database.failWrites(.full("disk"))
        await #expect(throws: StoreError.self) { try await second.pass() }
        trail.gateway.database.failWrites(nil)
        try await exporter(trail, destination).pass()
        #expect(destination.sequences == Array(2...11) + [12, 13, 12, 13])
    }

    @Test func `pauses grow, are random and bounded`() {
        var chance = SeededGenerator(1)
        for count in [0, 1, 2, 5, 9, 100, .max] {
            for _ in 0..<200 {
                let pause = AuditRetry.pause(afterFailures: count, using: &chance)
                #expect(pause >= .milliseconds(500) && pause <= AuditRetry.longest)
                if count <= 1 { #expect(pause <= .seconds(1)) }
            }
        }
    }

    @Test func `a webhook's body is signed with its time`() async throws {
        final class Box: OutboundSender {
            let requests = Mutex<[OutboundRequest]>([])
            let status: Int
            init(_ status: Int) { self.status = status }
            func send(_ request: OutboundRequest) async throws(OutboundError) -> OutboundResponse {
                requests.withLock { $0.append(request) }
                return OutboundResponse(status: status)
            }
        }
        let trail = try await SealedTrail.make(batches: [2])
        let dependencies = trail.gateway.dependencies
        let seal = try #require(try await trail.seals.first)
        let batch = AuditBatch(
            gateway: dependencies.identity.gateway,
            events: try await AuditTrail(dependencies).events(from: 1, to: 2), seal: seal)
        let secret = Secret(Array("a secret of some length".utf8))
        let url = try OutboundURL("https://hooks.example/audit")
        let box = Box(204)
        try await AuditWebhook(url: url, secret: secret, sender: box, now: dependencies.now).deliver(batch)
        let request = try #require(box.requests.withLock { $0.first })
        let body = try #require(request.body?.reveal())
        let lines = try await trail.lines
        #expect(
            String(decoding: body, as: UTF8.self)
                == "{\"anchor\":\"\(seal.anchor)\",\"events\":[\(lines[0]),\(lines[1])],\"gateway\":\"\(batch.gateway)\",\"seal\":\(lines[2])}"
        )
        let headers = Dictionary(request.headers.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        let time = dependencies.now().wholeSeconds
        #expect(
            headers["Tidegate-Signature"] == "t=\(time),v1=\(AuditWebhook.signature(of: body, at: time, secret))")
        #expect(headers["Tidegate-Delivery"] == "\(batch.gateway) 1-2")
        for status in [199, 300, 400, 401, 404, 500, 503] {
            await #expect(throws: AuditWebhook.Refused.self) {
                try await AuditWebhook(url: url, secret: secret, sender: Box(status), now: dependencies.now)
                    .deliver(batch)
            }
        }
    }

    @Test func `a signature is HMAC-SHA256 over time and body`() {
        // printf '1772366400.{}' | openssl dgst -sha256 -hmac key
        #expect(
            AuditWebhook.signature(of: Array("{}".utf8), at: 1_772_366_400, Secret(Array("key".utf8)))
                == "e0903b0a13ae309147ad9c0d5610f91b4dc2a68d24c5283b9348c3208ad1291a")
    }

    @Test func `a syslog message is what RFC 5424 says, and its values can't break out`() throws {
        let event = AuditEvent(
            id: try #require(ID<AuditEvent>("0195a1b2-0000-7000-8000-000000000001")),
            tenant: try #require(ID<Tenant>("0195a1b2-0000-4000-8000-000000000002")), gateway: .random(),
            at: Timestamp(microseconds: 1_772_366_400_000_250), storedAction: "access.refused", severity: .critical,
            outcome: .refused, actor: "a\"b\\c]d\ne\u{1B}", source: "192.0.2.1", subject: "é")
        let message = SyslogMessage.event(
            StoredAuditEvent(event: event, detailsJSON: "{}", sequence: 7), host: "gate one.example")
        #expect(
            message
                == #"<106>1 2026-03-01T12:00:00.000250Z gateone.example tidegate - access.refused [tidegate@32473 seq="7" id="0195a1b2-0000-7000-8000-000000000001" severity="critical" outcome="refused" actor="a\"b\\c\]d?e?" source="192.0.2.1" subject="é"] {"action":"access.refused","actor":"a\"b\\c]d\u000ae\u001b","at":"2026-03-01T12:00:00.000250Z","credential":"","details":{},"id":"0195a1b2-0000-7000-8000-000000000001","outcome":"refused","seq":7,"severity":"critical","source":"192.0.2.1","subject":"é","tenant":"0195a1b2-0000-4000-8000-000000000002"}"#
        )
        let short = SyslogMessage.shortened(message, to: 300)
        #expect(short.hasSuffix(#"subject="é"]"#))
        #expect(SyslogMessage.shortened(message, to: 4_096) == message)
        #expect(SyslogMessage.framed("é") == Array("2 é".utf8))
    }

    @Test(arguments: [(AuditEvent.Severity.info, 110), (.warning, 108), (.error, 107), (.critical, 106)])
    func `severities have their numbers`(severity: AuditEvent.Severity, number: Int) {
        let event = AuditEvent(
            id: .random(), tenant: .random(), gateway: .random(), at: Timestamp(seconds: 0), action: .tokenAdded,
            severity: severity, actor: "a", subject: "s")
        #expect(
            SyslogMessage.event(StoredAuditEvent(event: event, detailsJSON: "{}", sequence: 1), host: "")
                .hasPrefix("<\(number)>1 1970-01-01T00:00:00Z - tidegate - token.added ["))
    }
}
