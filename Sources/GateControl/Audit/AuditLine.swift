import Crypto
public import GateModel
public import GateStore

/// The lines of the trail, byte for byte: what `audit.jsonl` holds, what is hashed and what is signed. An event's line is
/// made anew from its row when the trail is verified, so nothing here may ever change (docs/decisions/0017).
public enum AuditLine {
    /// The leaf of the event: one JSON object, names sorted, without a line break.
    public static func event(_ stored: StoredAuditEvent, sequence: Int64) -> String {
        let event = stored.event
        let members: [(String, String)] = [
            ("action", JSONTree.quoted(event.action)), ("actor", JSONTree.quoted(event.actor)),
            ("at", JSONTree.quoted(event.at.rfc3339)), ("credential", JSONTree.quoted(event.credential)),
            ("details", details(stored.detailsJSON)), ("id", JSONTree.quoted(event.id.text)),
            ("outcome", JSONTree.quoted(event.outcome.rawValue)), ("seq", String(sequence)),
            ("severity", JSONTree.quoted(event.severity.rawValue)), ("source", JSONTree.quoted(event.source)),
            ("subject", JSONTree.quoted(event.subject)), ("tenant", JSONTree.quoted(event.tenant.text)),
        ]
        return object(members)
    }

    /// As stored. Whoever edits the store must not be able to break one line into two.
    private static func details(_ json: String) -> String {
        json.hasPrefix("{") && json.hasSuffix("}") && !json.utf8.contains { $0 < 0x20 } ? json : JSONTree.quoted(json)
    }

    /// What a seal signs, behind `signaturePrefix`.
    public static func statement(_ seal: AuditSeal) -> String {
        object([
            ("at", JSONTree.quoted(seal.at.rfc3339)), ("first", String(seal.first)),
            ("gateway", JSONTree.quoted(seal.gateway.text)), ("key", JSONTree.quoted(Hex.text(seal.key))),
            ("last", String(seal.last)), ("next", JSONTree.quoted(Hex.text(seal.nextKey))),
            ("number", String(seal.number)), ("previous", JSONTree.quoted(Hex.text(seal.previous))),
            ("restart", JSONTree.quoted(seal.restart)), ("root", JSONTree.quoted(Hex.text(seal.root))),
        ])
    }

    public static let signaturePrefix = "tidegate-audit-seal-v1:"

    /// The seal's line; its SHA-256 is the digest that the next seal and every anchor name.
    public static func seal(_ seal: AuditSeal) -> String {
        object([("seal", statement(seal)), ("signature", JSONTree.quoted(Hex.text(seal.signature)))])
    }

    public static func isSeal(_ line: some Collection<UInt8>) -> Bool { line.starts(with: "{\"seal\":".utf8) }

    /// Nil for anything but a line as `seal` writes it, to the byte.
    public static func readSeal(_ line: some StringProtocol) -> AuditSeal? {
        guard case .members(let outer)? = JSONTree(parsing: String(line)), outer.count == 2, outer[0].name == "seal",
            case .members(let members) = outer[0].value, case .text(let signature) = outer[1].value
        else { return nil }
        let values = Dictionary(members.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        func text(_ name: String) -> String? { if case .text(let text)? = values[name] { text } else { nil } }
        func number(_ name: String) -> Int64? { if case .word(let word)? = values[name] { Int64(word) } else { nil } }
        func hash(_ name: String) -> [UInt8]? { text(name).flatMap { Hex.bytes($0, count: 32) } }
        guard let gateway = text("gateway").flatMap({ ID<Gateway>($0) }), let count = number("number"),
            let previous = hash("previous"), let first = number("first"), let last = number("last"),
            let root = hash("root"), let at = text("at").flatMap({ Timestamp(rfc3339: $0) }),
            let restart = text("restart"), let key = hash("key"), let next = hash("next"),
            let signature = Hex.bytes(signature, count: 64)
        else { return nil }
        let seal = AuditSeal(
            gateway: gateway, number: count, previous: previous, first: first, last: last, root: root, at: at,
            restart: restart, key: key, nextKey: next, signature: signature)
        return self.seal(seal).utf8.elementsEqual(line.utf8) ? seal : nil
    }

    /// The sequence number an event's line states. Inside a JSON string a quotation mark is escaped, so this is the member.
    public static func sequence(of line: some Collection<UInt8>) -> Int64? {
        let bytes = Array(line)
        let mark = Array(",\"seq\":".utf8)
        guard bytes.count > mark.count else { return nil }
        for start in 0..<(bytes.count - mark.count) where bytes[start] == mark[0] {
            guard bytes[start..<(start + mark.count)].elementsEqual(mark) else { continue }
            let digits = bytes[(start + mark.count)...].prefix { (0x30...0x39).contains($0) }
            if !digits.isEmpty, digits.count < 19 { return Int64(String(decoding: digits, as: UTF8.self)) }
        }
        return nil
    }

    private static func object(_ members: [(name: String, value: String)]) -> String {
        "{" + members.map { "\"\($0.name)\":\($0.value)" }.joined(separator: ",") + "}"
    }
}

extension AuditSeal {
    /// SHA-256 of the seal's line.
    public var digest: [UInt8] { Array(SHA256.hash(data: Array(AuditLine.seal(self).utf8))) }

    /// What is kept outside: the last event's number and the digest of the seal that covers it.
    public var anchor: AuditAnchor { AuditAnchor(sequence: last, digest: digest) }

    var signedBytes: [UInt8] { Array((AuditLine.signaturePrefix + AuditLine.statement(self)).utf8) }

    var isSigned: Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: key) else { return false }
        return key.isValidSignature(signature, for: signedBytes)
    }
}

/// A head of a chain as it is kept elsewhere: `SEQUENCE:DIGEST`, a decimal number and 64 hexadecimal digits.
public struct AuditAnchor: Sendable, Hashable, CustomStringConvertible {
    public let sequence: Int64
    public let digest: [UInt8]

    public init(sequence: Int64, digest: [UInt8]) {
        self.sequence = sequence
        self.digest = digest
    }

    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let sequence = Int64(parts[0]), sequence > 0,
            let digest = Hex.bytes(parts[1].lowercased(), count: 32)
        else { return nil }
        self.init(sequence: sequence, digest: digest)
    }

    public var description: String { "\(sequence):\(Hex.text(digest))" }
}
