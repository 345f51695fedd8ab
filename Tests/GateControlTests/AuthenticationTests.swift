import Dispatch
import GateControl
import GateModel
import GateStore
import GateTesting
import Synchronization
import Testing

@Suite struct AuthenticationTests {
    @Test func `a token acts for its user, an agent key for its machine`() async throws {
        let gateway = try await TestGateway.make()
        let token = try await gateway.administratorToken()
        let web = try await gateway.enrol("web", controlKey: 1)
        let authentication = Authentication(gateway.dependencies)
        guard case .user(let user, _, _) = try await authentication.principal(bearer: token, source: "s") else {
            Issue.record("not a user")
            return
        }
        #expect(user.name == "admin")
        #expect(
            try await authentication.principal(bearer: web.key, source: "s")
                == .machine(web.machine.id, tenant: web.machine.tenant, by: .agentKey(web.keyID)))
    }

    @Test(arguments: [
        "", "x", "tgp_short", "tgp_" + String(repeating: "é", count: 43), String(repeating: "a", count: 10_000),
        "tge_" + CredentialText.body, "tga_" + CredentialText.body,
        "tgi_" + CredentialText.body, "TGP_" + CredentialText.body, "tgp_" + CredentialText.body + "\u{0}",
    ])
    func `what can't be a token or an agent key never reaches the store`(bearer: String) async throws {
        let gateway = try await TestGateway.make()
        let reads = gateway.database.reads
        #expect(try await Authentication(gateway.dependencies).principal(bearer: bearer, source: "s") == nil)
        #expect(gateway.database.reads == reads)
        #expect(gateway.dependencies.refusals.total == 1)
    }

    @Test func `unknown credentials are refused and counted`() async throws {
        let gateway = try await TestGateway.make()
        let authentication = Authentication(gateway.dependencies)
        for prefix in ["tgp_", "cak_"] {
            #expect(try await authentication.principal(bearer: prefix + CredentialText.body, source: "s") == nil)
        }
        #expect(gateway.dependencies.refusals.total == 2)
    }

    @Test func `a known credential is read once`() async throws {
        let gateway = try await TestGateway.make()
        let token = try await gateway.administratorToken()
        let authentication = Authentication(gateway.dependencies)
        let reads = gateway.database.reads
        for _ in 0..<10 { #expect(try await authentication.principal(bearer: token, source: "s") != nil) }
        #expect(gateway.database.reads == reads + 1)
    }

    @Test func `a revoked token is refused at once, and its refusal names it`() async throws {
        let gateway = try await TestGateway.make()
        let token = try await gateway.administratorToken()
        let authentication = Authentication(gateway.dependencies)
        guard let principal = try await authentication.principal(bearer: token, source: "s"),
            case .user(_, .token(let id), _) = principal
        else {
            Issue.record("not a user")
            return
        }
        let caller = Caller(principal: principal, source: "s")
        try await TokenService(gateway.dependencies).revoke(id, by: caller)
        #expect(try await authentication.principal(bearer: token, source: "192.0.2.4") == nil)
        try await gateway.dependencies.refusals.flush(
            to: gateway.database, identity: gateway.dependencies.identity, at: gateway.clock.now)
        let events = try await AuditService(gateway.dependencies).events(
            AuditFilter(action: "access.refused"), limit: 10, by: gateway.admin)
        #expect(events.map(\.event.credential) == ["token:\(id)"])
        #expect(events.map(\.event.source) == ["192.0.2.4"])
    }

    @Test func `a token ends with its time, also when it is remembered`() async throws {
        let gateway = try await TestGateway.make()
        let token = try await gateway.administratorToken()
        let authentication = Authentication(gateway.dependencies)
        gateway.clock.advance(by: SetupService.bootstrapLifetime - .seconds(1))
        #expect(try await authentication.principal(bearer: token, source: "s") != nil)
        gateway.clock.advance(by: .seconds(1))
        #expect(try await authentication.principal(bearer: token, source: "s") == nil)
        #expect(try await Authentication(gateway.dependencies).principal(bearer: token, source: "s") == nil)
    }

    @Test func `a store that can't be asked is an error, not a refusal`() async throws {
        let gateway = try await TestGateway.make()
        let token = try await gateway.administratorToken()
        gateway.database.failReads(.transient("busy"))
        await #expect(throws: ProviderUnavailable.self) {
            try await Authentication(gateway.dependencies).principal(bearer: token, source: "s")
        }
        #expect(gateway.dependencies.refusals.total == 0)
        gateway.database.failReads(nil)
        #expect(try await Authentication(gateway.dependencies).principal(bearer: token, source: "s") != nil)
    }

    @Test func `a storm of other revocations never makes a good credential look bad`() async throws {
        let gateway = try await TestGateway.make()
        let token = try await gateway.administratorToken()
        let credentials = gateway.dependencies.credentials
        gateway.database.afterEachBlockingRead { credentials.drop { _ in false } }
        await #expect(throws: ProviderUnavailable.self) {
            try await Authentication(gateway.dependencies).principal(bearer: token, source: "s")
        }
        #expect(gateway.dependencies.refusals.total == 0)
    }

    @Test func `the first provider that recognises a credential decides, and faults of others don't matter`()
        async throws
    {
        let gateway = try await TestGateway.make()
        func who(_ providers: [ProviderStandIn], _ bearer: String = "good") async throws -> Principal? {
            try await Authentication(gateway.dependencies, providers: providers).principal(bearer: bearer, source: "s")
        }
        let (good, away, broken) = (
            ProviderStandIn(name: "p", answer: .knows("good")), ProviderStandIn(name: "away", answer: .unavailable),
            ProviderStandIn(name: "broken", answer: .fails)
        )
        #expect(try await who([good]) == ProviderStandIn.principal)
        #expect(try await who([away, good]) == ProviderStandIn.principal)
        #expect(try await who([good, away]) == ProviderStandIn.principal)
        #expect(try await who([broken, good]) == ProviderStandIn.principal)
        #expect(try await who([]) == nil)
        #expect(try await who([good], "bad") == nil)
        #expect(try await who([broken], "bad") == nil)
        #expect(try await who([broken, good], "bad") == nil)
        // Not known is never told as not recognised; the first that can't be asked is named.
        for providers in [[away], [away, good], [broken, away, good]] {
            let error = await #expect(throws: ProviderUnavailable.self) { try await who(providers, "bad") }
            #expect(error?.provider == "away")
        }
    }

    @Test func `a provider that refuses its own credential is the last one asked`() async throws {
        let gateway = try await TestGateway.make()
        let providers = [
            ProviderStandIn(name: "refuses", answer: .refuses), ProviderStandIn(name: "p", answer: .knows("good")),
        ]
        let authentication = Authentication(gateway.dependencies, providers: providers)
        #expect(try await authentication.principal(bearer: "good", source: "s") == nil)
    }

    @Test func `a removed machine's key is refused, remembered or not`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let authentication = Authentication(gateway.dependencies)
        #expect(try await authentication.principal(bearer: web.key, source: "s") != nil)
        try await MachineService(gateway.dependencies).remove("web", by: gateway.admin)
        #expect(try await authentication.principal(bearer: web.key, source: "s") == nil)
    }

    @Test func `uses reach the store with the next flush, once a minute`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let authentication = Authentication(gateway.dependencies)
        _ = try await authentication.principal(bearer: web.key, source: "s")
        let first = gateway.clock.now
        gateway.clock.advance(by: .seconds(59))
        _ = try await authentication.principal(bearer: web.key, source: "s")
        try await gateway.flush()
        let keys = AgentKeyService(gateway.dependencies)
        #expect(try await keys.list(of: "web", by: gateway.admin).map(\.lastUsedAt) == [first])
        gateway.clock.advance(by: .seconds(1))
        _ = try await authentication.principal(bearer: web.key, source: "s")
        try await gateway.flush()
        #expect(try await keys.list(of: "web", by: gateway.admin).map(\.lastUsedAt) == [gateway.clock.now])
    }

    @Test func `minted credentials have their kind's shape, differ, and are kept as a digest`() throws {
        for kind in CredentialKind.allCases {
            let minted = (0..<50).map { _ in MintedCredential(kind) }
            #expect(Set(minted.map { $0.text.reveal() }).count == 50)
            for one in minted {
                #expect(CredentialKind(shapeOf: one.text.reveal()) == kind)
                #expect(one.digest == CredentialDigest(of: one.text.reveal()))
                #expect(one.digest.bytes.count == 32)
                #expect(!"\(one)".contains(one.text.reveal()))
            }
        }
    }
}

enum CredentialText {
    static let body = String(repeating: "A", count: CredentialKind.bodyLength)
}

/// A provider that answers as the test says.
private struct ProviderStandIn: TokenProvider {
    enum Answer { case knows(String), refuses, unavailable, fails }
    struct Fault: Error {}

    static let principal = Principal.localAdministrator(tenant: ID<Tenant>.fixed)

    let name: String
    let answer: Answer

    func verify(_ credential: PresentedCredential) async throws -> TokenVerdict? {
        switch answer {
        case .knows(let text): credential.text.reveal() == text ? .principal(Self.principal) : nil
        case .refuses: .refused
        case .unavailable: throw ProviderUnavailable(provider: name)
        case .fails: throw Fault()
        }
    }
}

extension ID<Tenant> {
    fileprivate static let fixed = Self.random()
}
