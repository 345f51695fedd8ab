import GateControl
import GateModel
import GateSSH
import GateTesting
import Testing

/// Keys for hours, through proxies to a target.
@Suite struct ForwardKeyTests {
    @Test func `a key is good on every active proxy, and its line names the target and the end`() async throws {
        let world = try await ProxyWorld.make()
        let own = try await world.addOwn("own", "10.0.0.5", 8080)
        let registered = try await world.register(key: 1)
        #expect(registered.isNew && registered.proxies.map(\.id) == [own.id])
        let grant = try #require(try world.grant(key: 1))
        #expect(grant.reach == .forward([try SSHTarget(host: "10.0.0.5", port: 8080)]))
        #expect(grant.loginUntil == world.gateway.clock.now + .seconds(7_200))
    }

    @Test func `registering again keeps the end`() async throws {
        let world = try await ProxyWorld.make()
        try await world.addOwn("own", "10.0.0.5", 8080)
        let first = try await world.register(key: 1)
        world.gateway.clock.advance(by: .seconds(1_800))
        let again = try await world.register(key: 1)
        #expect(!again.isNew && again.key == first.key)
        #expect(again.key.loginUntil == first.key.createdAt + .seconds(7_200))
    }

    @Test func `a key that is over is registered anew`() async throws {
        let world = try await ProxyWorld.make()
        try await world.addOwn("own", "10.0.0.5", 8080)
        let first = try await world.register(key: 1)
        world.gateway.clock.advance(by: .seconds(7_200))
        #expect(try world.grant(key: 1) == nil)
        let again = try await world.register(key: 1)
        #expect(again.isNew && again.key.id != first.key.id)
    }

    @Test func `no active proxy, no key`() async throws {
        let world = try await ProxyWorld.make()
        await #expect(throws: ControlError.self) { try await world.register(key: 1) }
        let own = try await world.addOwn("own", "10.0.0.5", 8080)
        _ = try await world.proxies.deactivate(own.name.rawValue, by: world.gateway.admin)
        await #expect(throws: ControlError.self) { try await world.register(key: 1) }
        await #expect(throws: ControlError.proxyNotFound) { try await world.register(key: 1, for: "nowhere") }
    }

    @Test func `somebody else's key, and one for another proxy, are refused`() async throws {
        let world = try await ProxyWorld.make()
        try await world.addOwn("own", "10.0.0.5", 8080)
        try await world.addOwn("second", "10.0.0.6", 8080)
        _ = try await world.register(key: 1)
        await #expect(throws: ControlError.keyTaken) { try await world.register(key: 1, for: "second") }
        let ci = try await world.gateway.add(user: "ci", role: .viewer).caller
        await #expect(throws: ControlError.keyTaken) { try await world.register(key: 1, by: ci) }
    }

    @Test func `a key for one proxy is good on that one alone`() async throws {
        let world = try await ProxyWorld.make()
        try await world.addOwn("own", "10.0.0.5", 8080)
        try await world.addOwn("second", "10.0.0.6", 8080)
        _ = try await world.register(key: 1, for: "second")
        #expect(try world.grant(key: 1)?.reach == .forward([try SSHTarget(host: "10.0.0.6", port: 8080)]))
    }

    @Test func `a proxy's host is told of its own proxy alone`() async throws {
        let world = try await ProxyWorld.make()
        try await world.addOwn("own", "10.0.0.5", 8080)
        let (one, host) = try await world.addHost("one", "10.0.0.6", 8080)
        let (_, second) = try await world.addHost("two", "10.0.0.7", 8080)
        let key = try await world.register(key: 1).key
        let line = try #require(try await world.lines(key, by: host).first)
        #expect(
            line.hasPrefix(
                #"restrict,port-forwarding,permitopen="10.0.0.6:8080",permitlisten="127.0.0.1:1",command="/usr/sbin/nologin",expiry-time=""#
            ))
        #expect(line.hasSuffix(key.publicKey))
        #expect(try await world.lines(key, by: second).first?.contains(#"permitopen="10.0.0.7:8080""#) == true)
        #expect(try await world.lines(key, on: "two", by: host).isEmpty)
        // For one proxy alone, the other host learns nothing of it.
        let narrow = try await world.register(key: 2, for: "two").key
        #expect(try await world.lines(narrow, by: host).isEmpty)
        _ = try await world.proxies.deactivate(one.name.rawValue, by: world.gateway.admin)
        #expect(try await world.lines(key, by: host).isEmpty)
    }

    @Test func `a person may not look keys up, and a proxy's host may do nothing else`() async throws {
        let world = try await ProxyWorld.make()
        let (_, host) = try await world.addHost("one", "10.0.0.6", 8080)
        let key = try await world.register(key: 1).key
        let ci = try await world.gateway.add(user: "ci", role: .viewer).caller
        await #expect(throws: ControlError.forbidden) { try await world.lines(key, by: ci) }
        await #expect(throws: ControlError.forbidden) { try await world.register(key: 2, by: host) }
        await #expect(throws: ControlError.forbidden) { try await world.proxies.list(by: host) }
    }

    @Test func `a disabled owner's key lets nobody in`() async throws {
        let world = try await ProxyWorld.make()
        try await world.addOwn("own", "10.0.0.5", 8080)
        let (_, host) = try await world.addHost("one", "10.0.0.6", 8080)
        let ci = try await world.gateway.add(user: "ci", role: .viewer).caller
        let key = try await world.register(key: 1, by: ci).key
        #expect(try world.grant(key: 1) != nil)
        _ = try await UserService(world.gateway.dependencies).patch(
            try #require(UserName(rawValue: "ci")), .init(isDisabled: true), by: world.gateway.admin)
        #expect(try world.grant(key: 1) == nil)
        #expect(try await world.lines(key, by: host).isEmpty)
    }

    @Test func `what takes a target away ends the connections that hold it, and no others`() async throws {
        let world = try await ProxyWorld.make()
        let own = try await world.addOwn("own", "10.0.0.5", 8080)
        try await world.addOwn("second", "10.0.0.6", 8080)
        _ = try await world.register(key: 1, for: "own")
        _ = try await world.register(key: 2, for: "second")
        let (first, other) = (SSHProcess(pid: 101, startTime: 1), SSHProcess(pid: 102, startTime: 1))
        #expect(try world.grant(key: 1, process: first) != nil)
        #expect(try world.grant(key: 2, process: other) != nil)
        _ = try await world.proxies.patch(own.name.rawValue, .init(targetPort: 9090), by: world.gateway.admin)
        #expect(world.gateway.effects.ended.contains(first) && !world.gateway.effects.ended.contains(other))
        _ = try await world.proxies.deactivate("second", by: world.gateway.admin)
        #expect(world.gateway.effects.ended.contains(other))
    }

    @Test func `activating exclusively switches the others off`() async throws {
        let world = try await ProxyWorld.make()
        try await world.addOwn("own", "10.0.0.5", 8080)
        try await world.addOwn("second", "10.0.0.6", 8080)
        _ = try await world.proxies.activate("second", exclusively: true, by: world.gateway.admin)
        let active = try await world.proxies.list(by: world.gateway.admin).filter(\.isActive)
        #expect(active.map(\.name.rawValue) == ["second"])
    }

    @Test func `who tries which proxy first is stable, spread, and moves few when one leaves`() async throws {
        let world = try await ProxyWorld.make()
        for number in 1...5 { try await world.addOwn("p\(number)", "10.0.0.\(number)", 8080) }
        var firsts: [String: String] = [:]
        var callers: [String: Caller] = [:]
        for number in 1...40 {
            let caller = try await world.gateway.add(user: "ci\(number)", role: .viewer).caller
            callers["ci\(number)"] = caller
            let order = try await world.proxies.reachable(by: caller).map(\.name.rawValue)
            #expect(order.sorted() == ["p1", "p2", "p3", "p4", "p5"])
            #expect(try await world.proxies.reachable(by: caller).map(\.name.rawValue) == order)
            firsts["ci\(number)"] = order[0]
        }
        #expect(Set(firsts.values).count == 5)
        _ = try await world.proxies.deactivate("p1", by: world.gateway.admin)
        for (name, caller) in callers where firsts[name] != "p1" {
            #expect(try await world.proxies.reachable(by: caller).first?.name.rawValue == firsts[name])
        }
    }

    @Test func `the whole list is that proxy's, and is written down`() async throws {
        let world = try await ProxyWorld.make()
        let (_, host) = try await world.addHost("one", "10.0.0.6", 8080)
        try await world.addHost("two", "10.0.0.7", 8080)
        for key in 1...3 { _ = try await world.register(key: UInt64(key)) }
        _ = try await world.register(key: 4, for: "two")
        let lines = try await world.keys.allLines(for: .oldestWithUTCExpiry, by: host)
        #expect(lines.count == 3)
        #expect(try await world.gateway.auditedActions().contains("tunnel-keys.listed"))
    }

    @Test(arguments: [
        "127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1", "localhost",
        "a.localhost", "metadata.google.internal", "100.100.100.200",
    ])
    func `no target where none should be`(host: String) async throws {
        let world = try await ProxyWorld.make()
        await #expect(throws: ControlError.self) { try await world.addOwn("own", host, 8080) }
        #expect(try await world.proxies.list(by: world.gateway.admin).isEmpty)
    }

    @Test func `with loopback allowed, leased ports are still no target`() async throws {
        let world = try await ProxyWorld.make(allowsLoopback: true)
        try await world.addOwn("own", "127.0.0.1", 8080)
        await #expect(throws: ControlError.self) { try await world.addOwn("leased", "127.0.0.1", 20_050) }
        await #expect(throws: ControlError.self) { try await world.addOwn("mapped", "::ffff:127.0.0.1", 20_050) }
    }

    @Test func `a scanned host key is unconfirmed until somebody gives it, and the one before overlaps`() async throws {
        let world = try await ProxyWorld.make()
        let added = try await world.proxies.add(
            named("one"), world.wish("10.0.0.6", 8080, hostKey: .scanned), by: world.gateway.admin)
        let scanned = try SampleKeys.hostKey(9).line
        #expect(added.proxy.hostKeyConfirmedAt == nil && added.proxy.hostKey == scanned)
        let given = try await world.proxies.setHostKey(
            SampleKeys.hostKey(7), of: "one", overlap: .seconds(60), by: world.gateway.admin)
        #expect(given.hostKeyConfirmedAt != nil && given.previousHostKey == added.proxy.hostKey)
        #expect(given.previousHostKeyUntil == world.gateway.clock.now + .seconds(60))
    }

    @Test func `a rotated token overlaps with the one before it`() async throws {
        let world = try await ProxyWorld.make()
        let added = try await world.proxies.add(
            named("one"), world.wish("10.0.0.6", 8080), by: world.gateway.admin)
        let first = try #require(added.token).reveal()
        let second = try await world.proxies.rotateToken(
            of: "one", overlap: .seconds(60), by: world.gateway.admin
        ).token.reveal()
        let authentication = Authentication(world.gateway.dependencies)
        for token in [first, second] {
            #expect(try await authentication.principal(bearer: token, source: "s") != nil)
        }
        world.gateway.clock.advance(by: .seconds(60))
        #expect(try await authentication.principal(bearer: first, source: "s") == nil)
        #expect(try await authentication.principal(bearer: second, source: "s") != nil)
        try await world.proxies.remove("one", by: world.gateway.admin)
        #expect(try await authentication.principal(bearer: second, source: "s") == nil)
        // The name is free again, and the next one's host is another user.
        _ = try await world.proxies.add(named("one"), world.wish("10.0.0.6", 8080), by: world.gateway.admin)
    }

    @Test func `another tenant sees no proxy and no key`() async throws {
        let world = try await ProxyWorld.make()
        let own = try await world.addOwn("own", "10.0.0.5", 8080)
        let key = try await world.register(key: 1).key
        let token = try await TenantService(world.gateway.dependencies).add(
            name: named("north"), administrator: named("ada"), by: world.gateway.admin
        ).text
        let north = try await world.gateway.caller(token.reveal())
        #expect(try await world.proxies.list(by: north).isEmpty)
        await #expect(throws: ControlError.proxyNotFound) { try await world.proxies.show(own.id.text, by: north) }
        #expect(try await world.lines(key, by: north).isEmpty)
        await #expect(throws: ControlError.keyTaken) {
            try await world.addOwn("theirs", "10.0.0.5", 8080, by: north)
            _ = try await world.register(key: 1, by: north)
        }
    }
}
