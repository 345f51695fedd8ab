import Crypto
public import GateModel
import GateStore

/// The trail as an HTTP POST: a JSON body of events and their seal, signed so that the receiver knows from whom it is and
/// that nobody replays it later.
public struct AuditWebhook: Sendable {
    public static let signatureHeader = "Tidegate-Signature"
    public static let deliveryHeader = "Tidegate-Delivery"
    /// Bytes a secret has at least.
    public static let secretLength = 16

    /// The receiver said no.
    public struct Refused: Error, CustomStringConvertible {
        public let status: Int
        public var description: String { "it answers \(status)" }
    }

    private let url: OutboundURL
    private let secret: Secret<[UInt8]>
    private let sender: any OutboundSender
    private let now: @Sendable () -> Timestamp

    public init(
        url: OutboundURL, secret: Secret<[UInt8]>, sender: any OutboundSender, now: @escaping @Sendable () -> Timestamp
    ) {
        self.url = url
        self.secret = secret
        self.sender = sender
        self.now = now
    }

    /// Returns when the receiver answered 2xx; only then does the exporter go on.
    public func deliver(_ batch: AuditBatch) async throws {
        let body = Self.body(batch)
        let time = now().wholeSeconds
        let (first, last) = (batch.events.first?.sequence ?? 0, batch.events.last?.sequence ?? 0)
        let answer = try await sender.send(
            OutboundRequest(
                .webhook, .post, url,
                headers: [
                    ("Content-Type", "application/json"),
                    (Self.signatureHeader, "t=\(time),v1=\(Self.signature(of: body, at: time, secret))"),
                    (Self.deliveryHeader, "\(batch.gateway) \(first)-\(last)"),
                ], body: body))
        guard (200..<300).contains(answer.status) else { throw Refused(status: answer.status) }
    }

    /// `{"anchor":"SEQ:DIGEST"|null,"events":[…],"gateway":"…","seal":{…}|null}`, the lines as `audit.jsonl` has them.
    static func body(_ batch: AuditBatch) -> [UInt8] {
        let events = batch.events.map { AuditLine.event($0, sequence: $0.sequence ?? 0) }.joined(separator: ",")
        let anchor = batch.seal.map { JSONTree.quoted($0.anchor.description) } ?? "null"
        let seal = batch.seal.map { AuditLine.seal($0) } ?? "null"
        return Array(
            "{\"anchor\":\(anchor),\"events\":[\(events)],\"gateway\":\(JSONTree.quoted(batch.gateway.text)),\"seal\":\(seal)}"
                .utf8)
    }

    /// HMAC-SHA256 (RFC 2104) over `TIME.BODY`, in hexadecimal; TIME in Unix seconds.
    package static func signature(of body: [UInt8], at time: Int64, _ secret: Secret<[UInt8]>) -> String {
        let code = HMAC<SHA256>.authenticationCode(
            for: Array("\(time).".utf8) + body, using: SymmetricKey(data: secret.reveal()))
        return Hex.text(code)
    }
}
