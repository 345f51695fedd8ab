import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

@Suite struct OutsideAccountsTests {
    @Test func `somebody new has the strongest role of their groups, and is the same user ever after`() async throws {
        let world = try await OutsideWorld.make()
        world.provider.with { $0.groups = ["staff", "admins", "other"] }
        let first = try await world.enter()
        #expect(first.user.role == .admin && first.user.name == "ada-lovelace")
        world.provider.with { $0.claims = ["preferred_username": .text("renamed"), "email": .text("new@example.org")] }
        #expect(try await world.enter().user.id == first.user.id)
        world.provider.with { $0.subject = "subject-2" }
        #expect(try await world.enter().user.id != first.user.id)
    }

    @Test func `who is called like an existing user is somebody else`() async throws {
        let world = try await OutsideWorld.make()
        let ada = try await world.gateway.addUser("ada")
        world.provider.with { $0.claims = ["preferred_username": .text("ada"), "email": .text("ada@example.org")] }
        let user = try await world.enter().user
        #expect(user.id != ada.id && user.name == "ada-2" && user.role == .operator)
        world.provider.with { $0.subject = "subject-2" }
        #expect(try await world.enter().user.name == "ada-3")
    }

    @Test(arguments: [
        (["Ada Lovelace"], "ada-lovelace"), (["ada@example.org"], "ada"), (["ÄÖ", "grace@navy.mil"], "grace"),
        (["../../etc"], "etc"), (["\u{202E}admin"], "admin"), (["a\nb"], "a-b"), (["", "  ", "-"], "user"),
        ([String(repeating: "x", count: 300)], String(repeating: "x", count: 48)), (["x"], "user"),
    ])
    func `a name is made of what a name may have`(texts: [String], name: String) async throws {
        let world = try await OutsideWorld.make()
        world.provider.with { state in
            state.claims = ["preferred_username": .text(texts[0]), "email": .null]
            if texts.count > 1 { state.claims["email"] = .text(texts[1]) }
        }
        #expect(try await world.enter().user.name == name)
    }

    @Test(arguments: [
        TestClaim.list([]), .list(["visitors"]), .null, .number(1), .text("staff,admins"), .list(["Staff"]),
    ])
    func `nobody comes in without a group that has a role`(groups: TestClaim) async throws {
        let world = try await OutsideWorld.make()
        world.provider.with { $0.claims = ["groups": groups] }
        let before = try await world.gateway.storeContents()
        await #expect(throws: ControlError.noRole) { try await world.enter() }
        #expect(try await world.gateway.storeContents() == before)
        #expect(try await world.refusals() == ["no-role"])
    }

    @Test func `one group may be a text by itself, and there may be a role for everybody`() async throws {
        let world = try await OutsideWorld.make(standard: .viewer)
        world.provider.with { $0.claims = ["groups": .text("staff")] }
        #expect(try await world.enter().user.role == .operator)
        world.provider.with { $0.claims = ["groups": .null] }
        #expect(try await world.enter().user.role == .viewer)
    }

    @Test func `a group that is gone shuts the account, and one that is back opens it`() async throws {
        let world = try await OutsideWorld.make()
        let first = try await world.enter()
        let stream = try #require(
            try world.gateway.dependencies.credentials.streams.open(
                .user(first.user, in: first.session.id), until: nil,
                epoch: world.gateway.dependencies.credentials.streams.epoch))
        world.provider.with { $0.groups = [] }
        await #expect(throws: ControlError.noRole) { try await world.enter() }
        #expect(try await world.user(first.user.id).disabledAt != nil)
        #expect(try await !world.isLive(first))
        var ends = stream.ends.makeAsyncIterator()
        #expect(await ends.next() == .revoked)
        world.provider.with { $0.groups = ["admins"] }
        let back = try await world.enter()
        #expect(back.user.id == first.user.id && back.user.role == .admin && back.user.disabledAt == nil)
    }

    @Test func `an account that an administrator shut stays shut, also one that the provider had shut before`()
        async throws
    {
        let world = try await OutsideWorld.make()
        let user = try await world.enter().user
        let (users, name) = (UserService(world.gateway.dependencies), try #require(UserName(rawValue: user.name)))
        _ = try await users.patch(name, .init(isDisabled: true), by: world.gateway.admin)
        await #expect(throws: ControlError.accountDisabled) { try await world.enter() }
        _ = try await users.patch(name, .init(isDisabled: false), by: world.gateway.admin)
        world.provider.with { $0.groups = [] }
        await #expect(throws: ControlError.noRole) { try await world.enter() }
        _ = try await users.patch(name, .init(isDisabled: true), by: world.gateway.admin)
        world.provider.with { $0.groups = ["staff"] }
        await #expect(throws: ControlError.accountDisabled) { try await world.enter() }
        #expect(try await world.user(user.id).disabledAt != nil)
    }

    @Test func `a role that went down counts at once for what was made with the old one`() async throws {
        let world = try await OutsideWorld.make()
        world.provider.with { $0.groups = ["admins"] }
        let first = try await world.enter()
        let tokens = TokenService(world.gateway.dependencies)
        let caller = Caller(principal: .user(first.user, in: first.session.id), source: "s")
        let text = try await tokens.add(
            .init(label: named("ci"), lifetime: .seconds(900), owner: nil, scopes: nil, allowFrom: []), by: caller
        ).text.reveal()
        let authentication = Authentication(world.gateway.dependencies)
        let before = try await authentication.principal(bearer: text, source: "s")
        #expect(before?.scopes.contains(.accessWrite) == true)
        world.provider.with { $0.groups = ["staff"] }
        _ = try await world.enter()
        let after = try await authentication.principal(bearer: text, source: "s")
        #expect(after?.scopes == Role.operator.scopes)
    }

    @Test func `the last administrator's role goes too, and that is a critical event`() async throws {
        let world = try await OutsideWorld.make()
        world.provider.with { $0.groups = ["admins"] }
        let user = try await world.enter().user
        world.provider.with { $0.groups = ["staff"] }
        #expect(try await world.enter().user.role == .operator)
        let event = try #require(
            try await world.gateway.auditEvents().first { $0.event.action == "user.changed" })
        #expect(event.event.severity == .critical && event.event.subject == "user:\(user.id)")
        #expect(event.detailsJSON.contains("last_administrator"))
    }

    @Test func `an account may be kept to addresses`() async throws {
        let world = try await OutsideWorld.make()
        let user = try await world.enter().user
        let name = try #require(UserName(rawValue: user.name))
        let block = try #require(AddressBlock("198.51.100.0/24"))
        _ = try await UserService(world.gateway.dependencies).patch(
            name, .init(allowFrom: [block]), by: world.gateway.admin)
        await #expect(throws: ControlError.addressNotAllowed) { try await world.enter() }
        try await world.enter(source: "198.51.100.7")
    }

    @Test func `a linked user comes in without a group and keeps the role; unlinked, their sessions end`() async throws
    {
        let world = try await OutsideWorld.make()
        let ada = try await world.gateway.addUser("ada")
        let users = UserService(world.gateway.dependencies)
        let name = try #require(UserName(rawValue: "ada"))
        let (issuer, subject) = (
            try #require(OutsideIssuer(rawValue: TestProvider.issuer)),
            try #require(OutsideSubject(rawValue: "subject-1"))
        )
        let identity = try await users.link(name, issuer: issuer, subject: subject, by: world.gateway.admin)
        await #expect(throws: ControlError.self) {
            try await users.link(name, issuer: issuer, subject: subject, by: world.gateway.admin)
        }
        world.provider.with { $0.groups = [] }
        let signedIn = try await world.enter()
        #expect(signedIn.user.id == ada.id && signedIn.user.role == .admin)
        world.provider.with { $0.groups = ["staff"] }
        #expect(try await world.enter().user.role == .admin)
        #expect(try await users.identities(of: name, by: world.gateway.admin).map(\.id) == [identity.id])
        try await users.unlink(identity.id, from: name, sessions: world.signIn.sessions, by: world.gateway.admin)
        #expect(try await !world.isLive(signedIn))
        await #expect(throws: ControlError.identityNotFound) {
            try await users.unlink(identity.id, from: name, sessions: world.signIn.sessions, by: world.gateway.admin)
        }
        #expect(try await world.enter().user.id != ada.id)
        let actions = try await world.gateway.auditedActions()
        #expect(actions.contains("identity.linked") && actions.contains("identity.unlinked"))
    }

    @Test func `whom the provider gives a role sets no password to come in by without it`() async throws {
        let world = try await OutsideWorld.make()
        let signedIn = try await world.enter()
        let caller = Caller(principal: .user(signedIn.user, in: signedIn.session.id), source: "s")
        let error = await #expect(throws: ControlError.self) {
            try await world.signIn.passwords.setPassword(
                ofUserNamed: nil, current: nil, new: "a long pass phrase", by: caller)
        }
        guard case .notPossible? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        // An administrator may give one, and its owner may change it then.
        try await world.signIn.passwords.setPassword(
            ofUserNamed: signedIn.user.name, current: nil, new: "a long pass phrase", by: world.gateway.admin)
        let again = try await world.enter()
        try await world.signIn.passwords.setPassword(
            ofUserNamed: nil, current: "a long pass phrase", new: "another long phrase",
            by: Caller(principal: .user(again.user, in: again.session.id), source: "s"))
    }

    @Test
    func `who has nothing else to prove themselves with lets a program in as administrator right after signing in`()
        async throws
    {
        let world = try await OutsideWorld.make()
        world.provider.with { ($0.groups, $0.refreshToken) = (["admins"], "r") }
        let signedIn = try await world.enter()
        let caller = Caller(principal: .user(signedIn.user, in: signedIn.session.id), source: "192.0.2.50")
        func begin() async throws -> String {
            try await world.signIn.devices.begin(
                client: named("tidegate on box"), scopes: nil, challenge: String(repeating: "A", count: 43),
                source: "192.0.2.3"
            ).userCode
        }
        world.advance(by: .seconds(300))
        _ = try await world.signIn.devices.decide(userCode: begin(), approves: true, proof: .init(), by: caller)
        world.advance(by: .seconds(1))
        let code = try await begin()
        let error = await #expect(throws: ControlError.self) {
            try await world.signIn.devices.decide(userCode: code, approves: true, proof: .init(), by: caller)
        }
        guard case .notPossible? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        _ = try await world.signIn.devices.decide(userCode: code, approves: false, proof: .init(), by: caller)
    }

    @Test func `a store that fails in the middle leaves no account behind`() async throws {
        let world = try await OutsideWorld.make()
        let begun = try await world.begin()
        try await world.gateway.edit(
            "CREATE TRIGGER stop BEFORE INSERT ON user_session BEGIN SELECT RAISE(ABORT, 'x'); END")
        await #expect(throws: StoreError.self) { try await world.complete(begun) }
        let identity = try await world.gateway.database.read { tx in
            try tx.identity(issuer: TestProvider.issuer, subject: "subject-1")
        }
        #expect(identity == nil)
    }
}
