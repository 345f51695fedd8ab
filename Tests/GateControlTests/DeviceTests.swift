import Crypto
import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

private let verifier = String(repeating: "v", count: 43)
private let phrase = "correct horse battery"

@Suite struct DeviceTests {
    private func begin(
        _ site: SignInSite, source: String = "203.0.113.5", scopes: Scopes? = nil
    ) async throws -> DeviceService.Begun {
        try await site.signIn.devices.begin(
            client: named("tidegate on laptop"), scopes: scopes, challenge: challenge(of: verifier), source: source)
    }

    private func redeem(
        _ site: SignInSite, _ begun: DeviceService.Begun, verifier text: String = verifier
    ) async throws -> (token: AccessToken, text: Secret<String>, user: User) {
        try await site.signIn.devices.redeem(
            deviceCode: begun.deviceCode.reveal(), verifier: text, source: "203.0.113.5")
    }

    @Test func `a person approves, and the program gets a token of theirs, once`() async throws {
        let site = try await SignInSite.make()
        let caller = site.caller(try await site.signIn())
        let begun = try await begin(site)
        await #expect(throws: ControlError.authorizationPending) { try await redeem(site, begun) }
        let seen = try await site.signIn.devices.look(userCode: begun.userCode.lowercased(), by: caller)
        #expect(seen.device.client == "tidegate on laptop" && seen.device.source == "203.0.113.5")
        #expect(seen.device.createdAt == site.gateway.clock.now && seen.scopes == .usual && seen.needsProof)
        _ = try await site.signIn.devices.decide(
            userCode: begun.userCode, approves: true, proof: .init(password: phrase), by: caller)
        site.gateway.clock.advance(by: .seconds(5))
        let (token, text, user) = try await redeem(site, begun)
        #expect(user == site.user && token.label == "tidegate on laptop")
        #expect(token.expiresAt == site.gateway.clock.now + DeviceService.tokenLifetime)
        let authentication = Authentication(site.gateway.dependencies)
        #expect(
            try await authentication.principal(bearer: text.reveal(), source: "s")
                == .user(user, by: .token(token.id), scopes: .usual))
        site.gateway.clock.advance(by: .seconds(5))
        await #expect(throws: ControlError.deviceExpired) { try await redeem(site, begun) }
        let actions = try await site.gateway.auditedActions()
        #expect(actions.contains("device.approved") && actions.contains("token.added"))
    }

    @Test func `an administrator proves who they are once more, and a wrong proof approves nothing`() async throws {
        let site = try await SignInSite.make()
        let caller = site.caller(try await site.signIn())
        let begun = try await begin(site)
        for proof in [DeviceService.Proof(), .init(password: "wrong horse battery"), .init(code: "123456")] {
            await #expect(throws: ControlError.self) {
                try await site.signIn.devices.decide(userCode: begun.userCode, approves: true, proof: proof, by: caller)
            }
        }
        await #expect(throws: ControlError.authorizationPending) { try await redeem(site, begun) }
        let offer = try await site.signIn.secondFactor.offer(password: phrase, by: caller)
        _ = try await site.signIn.secondFactor.confirm(code: site.gateway.code(offer), by: caller)
        await #expect(throws: ControlError.secondFactorRequired) {
            try await site.signIn.devices.decide(
                userCode: begun.userCode, approves: true, proof: .init(password: phrase), by: caller)
        }
        _ = try await site.signIn.devices.decide(
            userCode: begun.userCode, approves: true, proof: .init(code: site.gateway.code(offer, steps: 1)), by: caller
        )
        site.gateway.clock.advance(by: .seconds(5))
        _ = try await redeem(site, begun)
    }

    @Test func `a program gets what it asked for and the person may do, and no scope of access by default`()
        async throws
    {
        let site = try await SignInSite.make()
        let caller = site.caller(try await site.signIn())
        #expect(Scopes.usual.isDisjoint(with: [.accessRead, .accessWrite, .auditRead, .drain, .tenants]))
        let begun = try await begin(site, scopes: [.auditRead, .tenants])
        #expect(try await site.signIn.devices.look(userCode: begun.userCode, by: caller).scopes == .auditRead)
        _ = try await site.signIn.devices.decide(
            userCode: begun.userCode, approves: true, proof: .init(password: phrase), by: caller)
        #expect(try await redeem(site, begun).token.scopes == .auditRead)
    }

    @Test func `who has the device code alone gets nothing`() async throws {
        let site = try await SignInSite.make()
        let caller = site.caller(try await site.signIn())
        let begun = try await begin(site)
        _ = try await site.signIn.devices.decide(
            userCode: begun.userCode, approves: true, proof: .init(password: phrase), by: caller)
        await #expect(throws: ControlError.deviceExpired) {
            try await redeem(site, begun, verifier: String(repeating: "w", count: 43))
        }
        _ = try await redeem(site, begun)
    }

    @Test func `only a browser's session answers: no token, no machine, no operator`() async throws {
        let site = try await SignInSite.make()
        let begun = try await begin(site)
        for caller in [try await site.gateway.userCaller(), site.gateway.admin] {
            await #expect(throws: ControlError.forbidden) {
                try await site.signIn.devices.look(userCode: begun.userCode, by: caller)
            }
            await #expect(throws: ControlError.forbidden) {
                try await site.signIn.devices.decide(
                    userCode: begun.userCode, approves: true, proof: .init(password: phrase), by: caller)
            }
        }
    }

    @Test func `five wrong codes and a user looks at no more for a while`() async throws {
        let site = try await SignInSite.make()
        let caller = site.caller(try await site.signIn())
        let begun = try await begin(site)
        for _ in 0..<5 {
            await #expect(throws: ControlError.userCodeUnknown) {
                try await site.signIn.devices.look(userCode: "BBBB-BBBB", by: caller)
            }
        }
        await #expect(throws: ControlError.self) {
            try await site.signIn.devices.look(userCode: begun.userCode, by: caller)
        }
        site.gateway.clock.advance(by: .seconds(120))
        _ = try await site.signIn.devices.look(userCode: begun.userCode, by: caller)
    }

    @Test func `a code that was denied, or is too old, stays so`() async throws {
        let site = try await SignInSite.make()
        let caller = site.caller(try await site.signIn())
        let denied = try await begin(site)
        _ = try await site.signIn.devices.decide(userCode: denied.userCode, approves: false, proof: .init(), by: caller)
        await #expect(throws: ControlError.userCodeUnknown) {
            try await site.signIn.devices.decide(
                userCode: denied.userCode, approves: true, proof: .init(password: phrase), by: caller)
        }
        await #expect(throws: ControlError.deviceDenied) { try await redeem(site, denied) }
        let old = try await begin(site)
        site.gateway.clock.advance(by: DeviceService.lifetime)
        await #expect(throws: ControlError.userCodeUnknown) {
            try await site.signIn.devices.look(userCode: old.userCode, by: caller)
        }
        await #expect(throws: ControlError.deviceExpired) { try await redeem(site, old) }
    }

    @Test func `asking too soon is told so, and a stranger can't have everybody's places`() async throws {
        let site = try await SignInSite.make()
        let begun = try await begin(site)
        await #expect(throws: ControlError.authorizationPending) { try await redeem(site, begun) }
        await #expect(throws: ControlError.slowDown) { try await redeem(site, begun) }
        site.gateway.clock.advance(by: .seconds(10))
        await #expect(throws: ControlError.authorizationPending) { try await redeem(site, begun) }
        for _ in 1..<20 { _ = try await begin(site) }
        await #expect(throws: ControlError.tooManyAttempts(retryAfter: .seconds(60))) { _ = try await begin(site) }
        _ = try await begin(site, source: "203.0.113.6")
    }

    @Test func `the store holds neither code`() async throws {
        let site = try await SignInSite.make()
        let begun = try await begin(site)
        let contents = try await site.gateway.storeContents()
        #expect(!contents.contains(begun.deviceCode.reveal()))
        #expect(!contents.contains(begun.userCode) && !contents.contains(begun.userCode.replacing("-", with: "")))
    }
}

private func challenge(of verifier: String) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    var bits = SHA256.hash(data: Array(verifier.utf8)).flatMap { byte in (0..<8).map { byte >> UInt8(7 - $0) & 1 } }
    while bits.count % 6 != 0 { bits.append(0) }
    return String(
        stride(from: 0, to: bits.count, by: 6).map { start in
            alphabet[bits[start..<(start + 6)].reduce(0) { $0 << 1 | Int($1) }]
        })
}
