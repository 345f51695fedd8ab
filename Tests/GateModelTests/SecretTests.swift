import GateModel
import Testing

@Suite struct SecretTests {
    struct Holder {
        let name = "holder"
        let secret: Secret<String>
    }

    @Test func `no way of printing shows it`() {
        let text = "tgp_hunter2"
        let secret = Secret(text)
        var dumped = ""
        dump(secret, to: &dumped)
        dump(Holder(secret: secret), to: &dumped)
        dump([secret], to: &dumped)
        let shown = [
            "\(secret)", String(describing: secret), String(reflecting: secret), secret.description,
            secret.debugDescription, "\(Holder(secret: secret))", String(reflecting: Holder(secret: secret)),
            "\([secret])", "\(Optional(secret) as Any)", "\((1, secret))", dumped,
            Mirror(reflecting: secret).children.map { "\($0)" }.joined(), Mirror(reflecting: secret).description,
        ]
        for line in shown { #expect(!line.contains("hunter2")) }
        #expect(secret.reveal() == text)
    }
}
