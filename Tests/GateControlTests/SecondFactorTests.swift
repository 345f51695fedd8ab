import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

@Suite struct SecondFactorTests {
    /// RFC 6238, appendix B, the SHA-1 rows, cut to six digits.
    @Test(
        arguments: [
            (59, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"), (1_234_567_890, "005924"),
            (2_000_000_000, "279037"), (20_000_000_000, "353130"),
        ] as [(Int64, String)])
    func `codes are those of the RFC`(time: Int64, code: String) {
        let seed = Array("12345678901234567890".utf8)
        #expect(OneTimeCode.code(seed: seed, step: OneTimeCode.step(at: Timestamp(seconds: time))) == code)
        #expect(BaseEncoding.base32(seed) == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
    }

    @Test func `a code of the step before or after is good, one of two steps away is not`() {
        let seed = Array("12345678901234567890".utf8)
        let now = Timestamp(seconds: 1_234_567_890)
        let step = OneTimeCode.step(at: now)
        for distance in -3...3 {
            let code = OneTimeCode.code(seed: seed, step: step + Int64(distance))
            #expect(
                OneTimeCode.step(of: code, seed: seed, at: now) == (abs(distance) <= 1 ? step + Int64(distance) : nil))
        }
    }

    private func enabled(_ site: SignInSite) async throws -> (SecondFactorService.Offer, [String]) {
        let caller = site.caller(try await site.signIn())
        let offer = try await site.signIn.secondFactor.offer(password: "correct horse battery", by: caller)
        let codes = try await site.signIn.secondFactor.confirm(code: site.gateway.code(offer), by: caller)
        // The step of the confirmation is used up.
        site.gateway.clock.advance(by: .seconds(30))
        return (offer, codes.map { $0.reveal() })
    }

    @Test func `once it is on, the password alone doesn't do, and a code does once`() async throws {
        let site = try await SignInSite.make()
        let (offer, _) = try await enabled(site)
        await #expect(throws: ControlError.secondFactorRequired) { try await site.signIn() }
        let code = try site.gateway.code(offer)
        let signedIn = try await site.signIn(code: code)
        #expect(signedIn.session.secondFactorAt == site.gateway.clock.now)
        await #expect(throws: ControlError.secondFactorRefused) { try await site.signIn(code: code) }
        await #expect(throws: ControlError.secondFactorRefused) {
            try await site.signIn(code: site.gateway.code(offer, steps: -1))
        }
    }

    @Test func `of many who present one code at once, one gets in`() async throws {
        let site = try await SignInSite.make()
        let (offer, codes) = try await enabled(site)
        for code in [try site.gateway.code(offer), codes[0]] {
            let winners = await withTaskGroup(of: Bool.self) { group in
                for number in 0..<8 {
                    group.addTask { (try? await site.signIn(code: code, source: "192.0.2.\(number)")) != nil }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(winners == 1)
            site.gateway.clock.advance(by: .seconds(600))
        }
    }

    @Test func `a recovery code works once, typed with or without its dashes`() async throws {
        let site = try await SignInSite.make()
        let (_, codes) = try await enabled(site)
        #expect(codes.count == 10 && Set(codes).count == 10)
        _ = try await site.signIn(code: codes[0].lowercased().replacing("-", with: " "))
        await #expect(throws: ControlError.secondFactorRefused) { try await site.signIn(code: codes[0]) }
        let caller = site.caller(try await site.signIn(code: codes[1]))
        #expect(try await site.signIn.secondFactor.status(by: caller).recoveryCodesLeft == 8)
        let fresh = try await site.signIn.secondFactor.replaceRecoveryCodes(code: codes[2], by: caller)
        await #expect(throws: ControlError.secondFactorRefused) { try await site.signIn(code: codes[3]) }
        _ = try await site.signIn(code: fresh[0].reveal())
    }

    @Test func `the two steps of a page: five wrong codes and the first step is void`() async throws {
        let site = try await SignInSite.make()
        let (offer, _) = try await enabled(site)
        func first() async throws -> String {
            let outcome = try await site.signIn.passwords.signIn(
                name: "admin", password: "correct horse battery", source: "192.0.2.1", client: named("x"))
            guard case .secondFactor(let pending) = outcome else { throw BadSample() }
            return pending.reveal()
        }
        func second(_ pending: String, _ code: String) async throws -> SignedIn {
            try await site.signIn.passwords.complete(
                pending: pending, code: code, source: "192.0.2.1", client: named("x"))
        }
        let pending = try await first()
        _ = try await second(pending, site.gateway.code(offer))
        await #expect(throws: ControlError.signInRefused) {
            try await second(pending, site.gateway.code(offer, steps: 1))
        }
        let guessed = try await first()
        for _ in 0..<5 {
            await #expect(throws: ControlError.secondFactorRefused) { try await second(guessed, "not one") }
        }
        await #expect(throws: ControlError.signInRefused) {
            try await second(guessed, site.gateway.code(offer, steps: 1))
        }
        let late = try await first()
        site.gateway.clock.advance(by: .seconds(300))
        await #expect(throws: ControlError.signInRefused) { try await second(late, site.gateway.code(offer)) }
    }

    @Test func `guessing codes is slowed down whichever way it goes`() async throws {
        let site = try await SignInSite.make()
        _ = try await enabled(site)
        var refused = 0
        for number in 0..<20 {
            do {
                _ = try await site.signIn(code: "000000", source: "192.0.2.\(number)")
            } catch ControlError.tooManyAttempts { refused += 1 } catch ControlError.secondFactorRefused {}
        }
        #expect(refused == 10)
    }

    @Test func `setting up asks for the password, switching off for a code, and another's reset for an administrator`()
        async throws
    {
        let site = try await SignInSite.make()
        let caller = site.caller(try await site.signIn())
        await #expect(throws: ControlError.self) { try await site.signIn.secondFactor.offer(password: nil, by: caller) }
        await #expect(throws: ControlError.signInRefused) {
            try await site.signIn.secondFactor.offer(password: "wrong horse battery", by: caller)
        }
        let (_, codes) = try await enabled(site)
        await #expect(throws: ControlError.secondFactorRefused) {
            try await site.signIn.secondFactor.disable(code: "123456", by: caller)
        }
        // Not one's own: a stolen token would take it away.
        await #expect(throws: ControlError.forbidden) {
            try await site.signIn.secondFactor.reset(userNamed: "admin", by: caller)
        }
        try await site.signIn.secondFactor.disable(code: codes[0], by: caller)
        _ = try await site.signIn()
        _ = try await enabled(site)
        try await site.signIn.secondFactor.reset(userNamed: "admin", by: site.gateway.admin)
        _ = try await site.signIn()
    }

    @Test func `the store alone shows no seed, and another master key is an outage and no wrong code`() async throws {
        let site = try await SignInSite.make()
        let (offer, codes) = try await enabled(site)
        let seed = try TestGateway.base32(offer.seed.reveal())
        let kept = try await site.gateway.database.read { tx in
            try #require(try tx.totp(of: site.user.id)).seed
        }
        #expect(!kept.indices.dropLast(seed.count - 1).contains { Array(kept[$0..<($0 + seed.count)]) == seed })
        #expect(!(try await site.gateway.storeContents()).contains(codes[0].replacing("-", with: "")))
        let other = try site.gateway.makeSignIn(keySeed: 9)
        await #expect(throws: ControlError.secretsUnreadable) {
            try await other.passwords.signIn(
                name: "admin", password: "correct horse battery", code: site.gateway.code(offer), source: "s",
                client: named("x"))
        }
    }

    @Test func `a sealed seed opens in its own row alone`() async throws {
        let site = try await SignInSite.make()
        let (offer, _) = try await enabled(site)
        let other = try await site.gateway.addUser("ada")
        try await site.signIn.passwords.setPassword(
            ofUserNamed: "ada", current: nil, new: "correct horse battery", by: site.gateway.admin)
        // Somebody who can write to the store gives ada the seed they know.
        try await site.gateway.database.write { tx in
            _ = try tx.execute(
                """
                INSERT INTO user_totp (user_id, tenant_id, seed, last_step, created_at, confirmed_at)
                SELECT \(other.id), tenant_id, seed, 0, 1, 1 FROM user_totp
                """)
        }
        await #expect(throws: ControlError.secretsUnreadable) {
            try await site.signIn(name: "ada", code: site.gateway.code(offer))
        }
    }
}
