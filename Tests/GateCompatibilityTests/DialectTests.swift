import Crypto
import CryptoExtras
import Foundation
import GateCompatibility
import GateControl
import GateHTTP
import GateModel
import GateStore
import GateTesting
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import Testing

@Suite struct DialectTests {
    private struct Answer: Decodable {
        struct Sealed: Decodable {
            let kdf: String
            let salt_b64: String
            let nonce_b64: String
            let ciphertext_b64: String
            let n: Int
            let r: Int
            let p: Int
        }

        let agent_id: String
        let port_b: Int
        let ssh_user: String
        let ssh_jump_user: String
        let ssh_jump_host: String
        let reverse_bind_host: String
        let public_key: String
        let encrypted_private_key: Sealed
    }

    private func answer(_ response: TestResponse) throws -> Answer {
        try JSONDecoder().decode(Answer.self, from: Data(response.body.readableBytesView))
    }

    private func text(_ response: TestResponse) -> String { String(buffer: response.body) }

    @Test func `a registered agent can open its key, and the key opens its port alone`() async throws {
        let api = try await DialectAPI.make()
        let response = try await api.ask(#"{"action":"register","agent_id":"box","other":1}"#)
        #expect(response.status == .ok)
        let answer = try answer(response)
        #expect(answer.agent_id == "box")
        #expect(answer.ssh_user == "tidegate" && answer.ssh_jump_user == "tidegate")
        #expect(answer.ssh_jump_host == "gate.example:2222")
        #expect(answer.reverse_bind_host == "127.0.0.1")
        let sealed = answer.encrypted_private_key
        #expect(sealed.kdf == "scrypt" && sealed.n == 16_384 && sealed.r == 8 && sealed.p == 1)
        let salt = try #require(Data(base64Encoded: sealed.salt_b64))
        let nonce = try #require(Data(base64Encoded: sealed.nonce_b64))
        let ciphertext = try #require(Data(base64Encoded: sealed.ciphertext_b64))
        #expect(salt.count == 16 && nonce.count == 12)
        let key = try KDF.Scrypt.deriveKey(
            from: Array(DialectAPI.keys[0].utf8), salt: salt, outputByteCount: 32, rounds: 16_384, blockSize: 8,
            parallelism: 1)
        let file = try AES.GCM.open(AES.GCM.SealedBox(combined: nonce + ciphertext), using: key)
        #expect(String(decoding: file, as: UTF8.self).hasPrefix("-----BEGIN OPENSSH PRIVATE KEY-----\n"))
        #expect(answer.public_key.hasPrefix("ssh-ed25519 "))
        let events = try await api.gateway.auditedActions()
        #expect(events.contains("machine.added") && events.contains("machine.registered"))
    }

    @Test func `one salt while it runs, a fresh nonce each time, another salt at the next start`() async throws {
        let api = try await DialectAPI.make()
        let first = try answer(try await api.ask(#"{"action":"register"}"#)).encrypted_private_key
        let second = try answer(try await api.ask(#"{"action":"register"}"#)).encrypted_private_key
        #expect(first.salt_b64 == second.salt_b64 && first.nonce_b64 != second.nonce_b64)
        let other = try await DialectAPI.make(ring: DialectAPI.freshRing())
        let third = try answer(try await other.ask(#"{"action":"register"}"#)).encrypted_private_key
        #expect(third.salt_b64 != first.salt_b64)
    }

    @Test func `the port of sshd is left out where it is the usual one`() async throws {
        let api = try await DialectAPI.make(sshPort: 22)
        #expect(try answer(try await api.ask(#"{"action":"register"}"#)).ssh_jump_host == "gate.example")
    }

    @Test(
        arguments: [
            (nil, 401, #"{"detail":"Missing API key"}"#), ("", 401, #"{"detail":"Missing API key"}"#),
            ("first-shared-ke", 403, #"{"detail":"Invalid API key"}"#),
            ("first-shared-keyy", 403, #"{"detail":"Invalid API key"}"#),
            ("schlüssel", 403, #"{"detail":"Invalid API key"}"#),
        ] as [(String?, Int, String)])
    func `a wrong key is refused whatever the body`(key: String?, status: Int, body: String) async throws {
        let api = try await DialectAPI.make()
        for sent in ["{", #"{"action":"register"}"#, String(repeating: " ", count: 200_000)] {
            let response = try await api.ask(sent, key: key)
            #expect(response.status.code == status)
            #expect(text(response) == body)
        }
        #expect(try await api.gateway.auditedActions().isEmpty)
    }

    @Test func `guessing is slowed down`() async throws {
        let api = try await DialectAPI.make()
        var statuses: Set<Int> = []
        // One more each two seconds is allowed: a slow host needs more of them.
        for number in 0..<500 where !statuses.contains(429) {
            statuses.insert(try await api.ask("{}", key: "guess\(number)").status.code)
        }
        #expect(statuses == [403, 429])
    }

    @Test(arguments: [
        ("", "missing"), ("{", "json_invalid"), ("[]", "dict_type"), ("7", "dict_type"),
        (#"{"action":"register","agent_id":7}"#, "string_type"),
        (#"{"action":"register","agent_id":"-x"}"#, "string_pattern_mismatch"),
        (#"{"action":"heartbeat","agent_id":"a\n"}"#, "string_pattern_mismatch"),
        (#"{"action":"heartbeat"}"#, "missing"),
    ])
    func `a wrong body is told as that server tells it`(body: String, kind: String) async throws {
        let response = try await DialectAPI.make().ask(body)
        #expect(response.status.code == 422)
        #expect(text(response).contains("\"type\":\"\(kind)\""))
    }

    @Test(arguments: ["{}", #"{"action":null}"#, #"{"action":7}"#, #"{"action":"REGISTER"}"#])
    func `an unknown action`(body: String) async throws {
        let response = try await DialectAPI.make().ask(body)
        #expect(response.status.code == 422)
        #expect(text(response) == #"{"detail":"Invalid action. Use 'register' or 'heartbeat'"}"#)
    }

    @Test func `content type, size and method`() async throws {
        let api = try await DialectAPI.make()
        for type in [nil, "text/plain", "application/x-www-form-urlencoded"] {
            #expect(try await api.ask(#"{"action":"register"}"#, contentType: type).status.code == 422)
        }
        #expect(
            try await api.ask(#"{"action":"register"}"#, contentType: "Application/JSON; charset=utf-8").status == .ok)
        #expect(try await api.ask(String(repeating: " ", count: 70_000)).status.code == 413)
        for method in [HTTPRequest.Method.get, .put, .delete, .options] {
            let response = try await api.ask("", key: nil, method: method)
            #expect(response.status.code == 405)
            #expect(text(response) == #"{"detail":"Method Not Allowed"}"#)
            #expect(response.headers[.allow] == "POST")
        }
    }

    @Test func `heartbeats`() async throws {
        let api = try await DialectAPI.make()
        let beat = #"{"action":"heartbeat","agent_id":"box"}"#
        let unknown = try await api.ask(beat)
        #expect(unknown.status == .notFound && text(unknown) == #"{"detail":"Unknown agent"}"#)
        _ = try await api.ask(#"{"action":"register","agent_id":"box"}"#)
        let known = try await api.ask(beat)
        #expect(known.status == .ok && text(known) == #"{"status":"ok"}"#)
        let foreign = try await api.ask(beat, key: DialectAPI.keys[1])
        #expect(foreign.status == .forbidden && text(foreign).contains("another API key"))
    }

    @Test func `a store that can't be written to is no permanent fault, and never an unknown agent`() async throws {
        let api = try await DialectAPI.make()
        api.gateway.database.failWrites(.full("disk"))
        let response = try await api.ask(#"{"action":"register","agent_id":"box"}"#)
        #expect(response.status.code == 503 && text(response).hasPrefix(#"{"detail":""#))
        api.gateway.database.failReads(.transient("busy"))
        #expect(try await api.ask(#"{"action":"heartbeat","agent_id":"box"}"#).status.code == 503)
        api.gateway.database.failReads(nil)
        api.gateway.database.failWrites(nil)
        #expect(try await api.ask(#"{"action":"register","agent_id":"box"}"#).status == .ok)
    }

    @Test func `the description has the dialect`() async throws {
        let api = try await DialectAPI.make()
        let application = Application(
            router: api.api.router(api.mode), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let text = try await application.test(.router) { client in
            String(buffer: try await client.execute(uri: "/openapi.yaml", method: .get, headers: [:], body: nil).body)
        }
        #expect(text.contains("\n  /:\n    post:\n"))
    }

    @Test func `the dialect is on the public listener alone, and its route is in the book`() async throws {
        let api = try await DialectAPI.make()
        let entries = api.api.routes(api.mode).filter { $0.path == "/" }
        #expect(entries.map(\.method) == ["POST"] && entries.map(\.access) == [.sharedKey])
        let admin = AuthenticationMode.adminSocket(
            secret: CredentialDigest(bytes: []), tenant: api.gateway.dependencies.identity.tenant, uid: 0)
        #expect(api.api.routes(admin).allSatisfy { $0.path != "/" })
    }
}

@Suite struct SharedKeyRingTests {
    @Test(arguments: [[], ["a b"], ["ü"], ["a\n"], [""], [String(repeating: "k", count: 1_025)]])
    func `keys that no header can carry stop the start`(keys: [String]) {
        #expect(throws: SharedKeyRing.Fault.self) {
            try SharedKeyRing(keys: keys.map { Secret($0) }, stableSalt: "s")
        }
    }

    @Test func `a key given twice counts once`() throws {
        #expect(try SharedKeyRing(keys: ["a", "a"].map { Secret($0) }, stableSalt: "s").count == 1)
    }
}
