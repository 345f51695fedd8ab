import Crypto
import GateControl
import GateModel
import GateStore
import GateTesting

extension TestAPI {
    /// The administrator before their browser.
    var caller: Caller {
        Caller(
            principal: .user(administrator, by: .session(session.id), scopes: administrator.role.scopes),
            source: "192.0.2.9")
    }

    /// The same in a session that has just begun: one before may have ended.
    func freshCaller() async throws -> Caller {
        let (_, session) = try await gateway.openSession(administrator)
        return Caller(principal: .user(administrator, in: session.id), source: "192.0.2.9")
    }

    func beginDevice(_ verifier: String) async throws -> DeviceService.Begun {
        try await forgetSignIn()
        guard let client = Label(rawValue: "tidegate on box") else { throw BadSample() }
        return try await signIn.devices.begin(
            client: client, scopes: nil, challenge: base64URL(Array(SHA256.hash(data: Array(verifier.utf8)))),
            source: "192.0.2.3")
    }

    func addEve() async throws {
        let tenant = administrator.tenant
        guard try await gateway.database.read({ tx in try tx.user(named: "eve", in: tenant) }) == nil else { return }
        _ = try await gateway.addUser("eve")
    }

    /// The administrator has no password and no second factor again.
    func forgetSignIn() async throws {
        try await gateway.database.write { tx in
            _ = try tx.deleteTOTP(of: administrator.id)
            try tx.execute("DELETE FROM user_password")
        }
    }

    /// Switches the administrator's second factor on and answers one of its recovery codes.
    func recoveryCode() async throws -> String {
        try await forgetSignIn()
        let offer = try await signIn.secondFactor.offer(password: nil, by: caller)
        let codes = try await signIn.secondFactor.confirm(code: gateway.code(offer), by: caller)
        return codes[0].reveal()
    }
}

func base64URL(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    var bits = bytes.flatMap { byte in (0..<8).map { byte >> UInt8(7 - $0) & 1 } }
    while bits.count % 6 != 0 { bits.append(0) }
    return String(
        stride(from: 0, to: bits.count, by: 6).map { start in
            alphabet[bits[start..<(start + 6)].reduce(0) { $0 << 1 | Int($1) }]
        })
}
