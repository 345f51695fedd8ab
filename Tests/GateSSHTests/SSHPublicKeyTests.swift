import GateSSH
import Testing

@Suite struct SSHPublicKeyTests {
    @Test func aKeyKeepsItsTypeAndBase64AndLosesItsComment() throws {
        let key = try SSHPublicKey(parsing: KeySamples.ed25519 + " ada@example with blanks and ünïcode")
        #expect(key.kind == .ed25519)
        #expect(key.line == KeySamples.ed25519)
        #expect(try SSHPublicKey(parsing: "  " + KeySamples.ed25519.replacing(" ", with: "   ")) == key)
    }

    @Test func aPubFileWithItsLineBreakIsOneLine() throws {
        let key = try SSHPublicKey(parsing: KeySamples.securityKey + "\n")
        #expect(key.kind == .skEd25519)
        #expect(try SSHPublicKey(parsing: KeySamples.securityKey + " c\r\n") == key)
    }

    @Test(arguments: [KeySamples.ed25519, KeySamples.securityKey])
    func aFingerprintIsTheOneThatSSHKeygenPrints(_ line: String) throws {
        let key = try SSHPublicKey(parsing: line)
        #expect(try keygenFingerprint(line) == key.fingerprint)
        #expect(SSHFingerprint(key.fingerprint)?.rawValue == key.fingerprint)
    }

    @Test func aKeyThatSSHKeygenMadeIsTaken() throws {
        let line = try keygenLine("ed25519")
        #expect(try SSHPublicKey(parsing: line).fingerprint == keygenFingerprint(line))
    }

    struct Refusal: Sendable {
        let text: String
        let error: SSHPublicKeyError
    }

    static let body = String(KeySamples.ed25519.dropFirst(12))
    static let type = Array("ssh-ed25519".utf8)

    static let refusals: [Refusal] = [
        Refusal(text: "", error: .empty),
        Refusal(text: " \n", error: .empty),
        Refusal(text: "ssh-ed25519", error: .noKey),
        Refusal(text: "hello world", error: .unknownType),
        Refusal(text: "SSH-ED25519 \(body)", error: .unknownType),
        Refusal(text: body, error: .unknownType),
        Refusal(text: "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END", error: .privateKey),
        Refusal(text: "-----BEGIN RSA PRIVATE KEY----- x", error: .privateKey),
        Refusal(text: "PuTTY-User-Key-File-3: ssh-ed25519", error: .privateKey),
        Refusal(text: "---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n", error: .foreignFormat),
        Refusal(text: "\(KeySamples.ed25519)\n\(KeySamples.ed25519)", error: .severalLines),
        Refusal(text: "\(KeySamples.ed25519)\n\n", error: .severalLines),
        Refusal(text: "\(KeySamples.ed25519) a\rb", error: .severalLines),
        Refusal(text: "\(KeySamples.ed25519) a\u{2028}b", error: .severalLines),
        Refusal(text: "\(KeySamples.ed25519) a\u{0}b", error: .controlCharacter),
        Refusal(text: "\(KeySamples.ed25519) \u{1B}[2J", error: .controlCharacter),
        Refusal(text: "ssh-ed25519\t\(body)", error: .controlCharacter),
        Refusal(text: "command=\"x\" \(KeySamples.ed25519)", error: .options),
        Refusal(text: "command=\"x y\",restrict \(KeySamples.ed25519)", error: .options),
        Refusal(text: "@cert-authority * \(KeySamples.ed25519)", error: .options),
        Refusal(text: "ssh-ed25519-cert-v01@openssh.com \(body)", error: .certificate),
        Refusal(text: "ssh-rsa AAAAB3NzaC1yc2E=", error: .oldType),
        Refusal(text: "ssh-dss AAAA", error: .oldType),
        Refusal(text: "ecdsa-sha2-nistp256 AAAA", error: .oldType),
        Refusal(text: "sk-ecdsa-sha2-nistp256@openssh.com AAAA", error: .oldType),
        Refusal(text: "ssh-ed25519 \(body.dropLast())", error: .notBase64),
        Refusal(text: "ssh-ed25519 \(body)=", error: .notBase64),
        Refusal(text: "ssh-ed25519 \(body)!", error: .notBase64),
        Refusal(text: "ssh-ed25519 AAAAB-_3", error: .notBase64),
        Refusal(text: "ssh-ed25519 AB==", error: .notBase64),
        Refusal(text: KeySamples.ed25519 + " " + String(repeating: "x", count: 8_192), error: .tooLong),
    ]

    @Test(arguments: refusals)
    func whatIsNoKeyIsRefusedInWords(_ refusal: Refusal) {
        #expect(throws: refusal.error) { try SSHPublicKey(parsing: refusal.text) }
        #expect(refusal.error.description.contains(where: { $0.isLetter }))
        #expect(!refusal.error.description.contains(Self.body))
    }

    static let damaged: [String] = [
        "ssh-ed25519 " + KeySamples.encoded([type, KeySamples.point], and: [0]),
        "ssh-ed25519 " + KeySamples.encoded([type, KeySamples.point, []]),
        "ssh-ed25519 " + KeySamples.encoded([type, Array(KeySamples.point.dropLast())]),
        "ssh-ed25519 " + KeySamples.encoded([type, KeySamples.point + [0]]),
        "ssh-ed25519 " + KeySamples.encoded([type]),
        "ssh-ed25519 " + KeySamples.encoded([]) + "AAAA",
        "ssh-ed25519 /////wAA",
        "ssh-ed25519 " + KeySamples.encoded([Array("ssh-rsa".utf8), KeySamples.point]),
        "ssh-ed25519 " + KeySamples.securityKey.split(separator: " ")[1],
        "sk-ssh-ed25519@openssh.com " + body,
        "sk-ssh-ed25519@openssh.com " + KeySamples.encoded([KeySamples.skType, KeySamples.point]),
        "sk-ssh-ed25519@openssh.com " + KeySamples.encoded([KeySamples.skType, KeySamples.point, []]),
        "sk-ssh-ed25519@openssh.com "
            + KeySamples.encoded([KeySamples.skType, KeySamples.point, [UInt8](repeating: 0x61, count: 257)]),
        "sk-ssh-ed25519@openssh.com "
            + KeySamples.encoded([KeySamples.skType, KeySamples.point, Array("ssh:".utf8)], and: [1]),
    ]

    @Test(arguments: damaged)
    func aBlobIsExactlyOneKeyOfItsLinesType(_ line: String) {
        #expect {
            try SSHPublicKey(parsing: line)
        } throws: { error in
            guard case SSHPublicKeyError.malformed = error else { return false }
            return true
        }
    }

    @Test func aFingerprintHasOneText() throws {
        let good = try SSHPublicKey(parsing: KeySamples.ed25519).fingerprint
        #expect(SSHFingerprint(rawValue: good) != nil)
        for bad in [
            "", good + "=", String(good.dropLast()), good + "A", "MD5:" + good.dropFirst(4), String(good.dropFirst(7)),
            good.dropLast() + "B", good.replacing("SHA256", with: "sha256"), good.dropLast() + "\n", " " + good,
        ] {
            #expect(SSHFingerprint(bad) == nil, "\(bad)")
        }
    }
}
