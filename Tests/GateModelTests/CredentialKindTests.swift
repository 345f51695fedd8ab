import GateModel
import Testing

@Suite struct CredentialKindTests {
    static let body = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijk0129-_"

    @Test(arguments: CredentialKind.allCases)
    func `a credential of each kind is known by its shape`(kind: CredentialKind) {
        #expect(Self.body.utf8.count == CredentialKind.bodyLength)
        #expect(CredentialKind(shapeOf: kind.rawValue + Self.body) == kind)
    }

    @Test(arguments: [
        "", "tgp_", body, "tgp_" + body + "A", "tgp_" + body.dropLast(), "TGP_" + body, "tgx_" + body, "tgp-" + body,
        "tgp_" + body.dropLast() + "=", "tgp_" + body.dropLast() + "+", "tgp_" + body.dropLast() + "/",
        "tgp_" + body.dropLast() + " ", "tgp_" + body.dropLast() + "\u{0}", "tgp_" + body.dropLast(2) + "é",
        " tgp_" + body.dropLast(),
    ])
    func `other text is no credential`(text: String) {
        #expect(CredentialKind(shapeOf: text) == nil)
    }
}
