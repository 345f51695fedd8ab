import GateModel
import Testing

@Suite struct CredentialKindTests {
    static let body = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijk0129-_"

    @Test(arguments: CredentialKind.allCases)
    func `a credential of each kind is known by its shape`(kind: CredentialKind) {
        #expect(Self.body.utf8.count == CredentialKind.bodyLength)
        #expect(CredentialKind(shapeOf: kind.rawValue + Self.body) == kind)
    }

    static let short = String(body.dropLast())

    static let malformed: [String] = [
        "", "tgp_", body, "tgp_\(body)A", "tgp_\(short)", "TGP_\(body)", "tgx_\(body)", "tgp-\(body)", "tgp_\(short)=",
        "tgp_\(short)+", "tgp_\(short)/", "tgp_\(short) ", "tgp_\(short)\u{0}", "tgp_\(short.dropLast())é",
        " tgp_\(short)",
    ]

    @Test(arguments: malformed)
    func `other text is no credential`(text: String) {
        #expect(CredentialKind(shapeOf: text) == nil)
    }
}
