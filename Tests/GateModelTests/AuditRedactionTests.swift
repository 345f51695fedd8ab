import GateModel
import GateTesting
import Testing

@Suite struct AuditRedactionTests {
    private static let body = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE"

    @Test(arguments: [
        // The names of the Hermes dashboard's list, and what passes there.
        "access_token", "refresh_token", "code", "code_verifier", "state", "ticket", "cookie", "Authorization",
        "authorization", "token", "secret", "password", "client_secret", "API-Key", "apiKey", "Set-Cookie", "PASSWORD",
        "private_key", "otp", "totp", "bearer", "credentials",
    ])
    func `a secret's name hides whatever stands beside it`(name: String) {
        #expect(AuditRedaction.value("hunter2", named: name) == "[redacted]")
        #expect(!AuditRedaction.value("{\"a\":[{\"\(name)\":\"hunter2\"}]}", named: "body").contains("hunter2"))
        #expect(!AuditRedaction.value("x?\(name)=hunter2&y=1", named: "uri").contains("hunter2"))
        #expect(!AuditRedaction.value("{\"\(name)\": \"hunter2\", broken", named: "body").contains("hunter2"))
    }

    @Test(arguments: [
        ("label", "laptop"), ("token_id", "7f9fbcb0-0000-4000-8000-000000000000"), ("port", "20001"),
        ("fingerprint", "SHA256:uNiVztksCsDhcc0u9e8BgrXFURjWgsLlpXlXqjRrQxA"), ("agent_id", "attic-pi"),
        ("expires_at", "2026-03-01T12:00:00Z"), ("reason", "token expired"), ("token_kind", "personal"),
        ("machines", "web db"), ("holder", "stranger(uid: 1000)"),
        ("used", "token:7f9fbcb0-0000-4000-8000-000000000000"),
        ("by", "access-token:7f9fbcb0-0000-4000-8000-000000000000"), ("state_change", "a"),
    ])
    func `what is no secret stays as it is`(name: String, value: String) {
        #expect(AuditRedaction.value(value, named: name) == value)
        #expect(AuditRedaction.name(value) == value)
    }

    @Test(arguments: [
        "tgp_\(body)", "seen cak_\(body) twice", "mcn_0123456789abcdef0123456789abcdef01234567",
        "mul_0123456789abcdef0123456789abcdef01234567", "xtge_\(body)", "Bearer abcdefgh", "basic dXNlcjpodW50ZXIy",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "https://user:hunter2@example.org/x",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----",
        "Authorization: Bearer abcdefgh", "Cookie: a=b; session=c", "password: correct horse battery",
        "abc_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    ])
    func `a secret's shape is found wherever it stands`(text: String) {
        for secret in [
            Self.body, "0123456789abcdef", "abcdefgh", "dXNlcjpodW50ZXIy", "c2ln", "hunter2", "b3BlbnNzaC1rZXk",
            "session=c", "battery", "0123456789ABC",
        ] {
            #expect(!AuditRedaction.value(text, named: "note").contains(secret), "\(text)")
        }
    }

    /// Random documents with secrets under secret names or of secret shapes, at any depth, as JSON in strings of JSON too.
    @Test func `no secret at any depth of any document comes out`() {
        var chance = SeededGenerator(20)
        for round in 0..<3_000 {
            let secret = "S3cr3t\(round)xyz"
            let (text, isClean) = document(depth: 0, secret: secret, &chance)
            let redacted = AuditRedaction.value(text, named: "body")
            #expect(!redacted.contains(secret), "\(text)\n\(redacted)")
            if isClean, text.utf8.count < 2_000 { #expect(!redacted.contains("[redacted]"), "\(text)\n\(redacted)") }
        }
    }

    private func document(
        depth: Int, secret: String, _ chance: inout SeededGenerator
    ) -> (text: String, isClean: Bool) {
        switch Int.random(in: 0..<8, using: &chance) {
        case 0 where depth > 0: return ("\"plain\"", true)
        case 1 where depth > 0: return (String(Int.random(in: -9...9_999, using: &chance)), true)
        case 2 where depth > 0: return ("\"tgp_\(secret)\(Self.body)\"", false)
        case 3 where depth < 6:
            let (inner, isClean) = document(depth: depth + 1, secret: secret, &chance)
            let escaped = inner.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            return ("{\"raw\":\"\(escaped)\"}", isClean)
        case 4 where depth < 12:
            let (first, isFirstClean) = document(depth: depth + 1, secret: secret, &chance)
            let (second, isSecondClean) = document(depth: depth + 1, secret: secret, &chance)
            return ("[\(first), \(second)]", isFirstClean && isSecondClean)
        case 5 where depth < 12:
            let (inner, isClean) = document(depth: depth + 1, secret: secret, &chance)
            return ("{ \"a\" : \(inner),\"b\":null}", isClean)
        case 6:
            return ("{\"x\":{\"client_secret\":{\"deep\":[\"\(secret)\"]}}}", false)
        default:
            let name =
                ["password", "token", "Code", "refresh_token", "pass\\u0077ord"].randomElement(using: &chance) ?? ""
            return ("{\"n\":1,\"\(name)\":\"\(secret)\"}", false)
        }
    }

    @Test func `every text is bounded and loses what would break a line`() {
        let event = AuditEvent(
            id: .random(), tenant: .random(), gateway: .random(), at: Timestamp(seconds: 0), action: .tokenAdded,
            actor: "user\u{0}\n\u{202E}x", source: String(repeating: "é", count: 1_000), subject: "token:1",
            details: (0..<100).map { ("n\($0)", String(repeating: "x", count: 10_000)) } + [("n1", "again")]
        ).redacted
        #expect(event.actor == "user\u{FFFD}\u{FFFD}\u{FFFD}x")
        #expect(event.source.utf8.count <= 256)
        #expect(event.details.count == 32)
        #expect(event.details.allSatisfy { $0.value.utf8.count <= 2_048 })
        #expect(event.subject == "token:1")
    }

    @Test func `a Secret in a detail prints nothing of itself`() {
        let secret = Secret("hunter2")
        #expect(AuditRedaction.value("\(secret) \(String(reflecting: secret))", named: "x") == "[redacted] [redacted]")
    }
}
