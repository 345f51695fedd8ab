import GateControl
import GateModel
import GateStore
import GateTesting
import Logging
import Synchronization
import Testing

@Suite struct FleetNodesTests {
    @Test func `one answer of the Fleet is good for a minute, counted from the question`() async throws {
        let world = try await World.make()
        let owner = try await world.user()
        world.fleet.answer = .good(owner.id)
        #expect(try await world.principal()?.user?.id == owner.id)
        world.advance(by: .seconds(59))
        #expect(try await world.principal() != nil)
        #expect(world.fleet.calls == 1)
        world.advance(by: .seconds(1))
        world.fleet.answer = .refused
        #expect(try await world.principal() == nil)
        #expect(world.fleet.calls == 2)
    }

    @Test func `an outage is bridged for that minute and then nobody knows`() async throws {
        let world = try await World.make()
        world.fleet.answer = .good(try await world.user().id)
        _ = try await world.principal()
        world.fleet.answer = .away
        #expect(try await world.principal() != nil)
        world.advance(by: .seconds(60))
        let error = await #expect(throws: ProviderUnavailable.self) { try await world.principal() }
        #expect(error?.isStore == false)
    }

    @Test func `M6: a remembered token with a remembered owner needs no store`() async throws {
        let world = try await World.make()
        world.fleet.answer = .good(try await world.user().id)
        _ = try await world.principal()
        world.gateway.database.failReads(.transient("away"))
        #expect(try await world.principal() != nil)
    }

    @Test func `M12: an owner who isn't here is refused and nothing is kept of it`() async throws {
        let world = try await World.make()
        let id = ID<User>.random()
        world.fleet.answer = .good(id)
        #expect(try await world.principal() == nil)
        _ = try await world.user(id)
        #expect(try await world.principal()?.user?.id == id)
        #expect(world.fleet.calls == 2)
    }

    @Test func `M13: an owner who can't be looked up is no refusal`() async throws {
        let world = try await World.make()
        world.fleet.answer = .good(try await world.user().id)
        world.gateway.database.failReads(.transient("away"))
        let error = await #expect(throws: ProviderUnavailable.self) { try await world.principal() }
        #expect(error?.isStore == true)
        #expect(world.gateway.dependencies.refusals.total == 0)
    }

    @Test func `a disabled owner is named as such, on a remembered token too, and comes back when enabled`()
        async throws
    {
        let world = try await World.make()
        let owner = try await world.user()
        world.fleet.answer = .good(owner.id)
        _ = try await world.principal()
        let (users, name) = (UserService(world.gateway.dependencies), try #require(UserName(rawValue: owner.name)))
        _ = try await users.patch(name, .init(isDisabled: true), by: world.gateway.admin)
        await #expect(throws: ControlError.accountDisabled) { try await world.principal() }
        _ = try await users.patch(name, .init(isDisabled: false), by: world.gateway.admin)
        #expect(try await world.principal() != nil)
        #expect(world.fleet.calls == 1)
    }

    @Test func `an owner changed while they are read is read again`() async throws {
        let world = try await World.make()
        let owner = try await world.user(role: .admin)
        world.fleet.answer = .good(owner.id)
        let once = Mutex(true)
        let credentials = world.gateway.dependencies.credentials
        world.gateway.database.afterEachBlockingRead {
            if once.withLock({ first in
                defer { first = false }; return first
            }) {
                credentials.dropAll()
            }
        }
        _ = try await world.principal()
        #expect(world.gateway.database.reads >= 2)
        // Changed all the time: nobody knows.
        world.gateway.database.afterEachBlockingRead { credentials.dropAll() }
        credentials.dropAll()
        await #expect(throws: ProviderUnavailable.self) { try await world.principal() }
    }

    @Test func `an answer from before a forgetting is asked for again`() async throws {
        let world = try await World.make()
        let owner = try await world.user()
        world.fleet.answer = .good(owner.id)
        let (memory, tenant, fleet) = (world.memory, owner.tenant, world.fleet)
        fleet.whenAsked = {
            fleet.whenAsked = nil
            memory.forgetAll(of: tenant)
            fleet.answer = .refused
        }
        #expect(try await world.principal() == nil)
        #expect(fleet.calls == 2)
        // Forgotten each time: nobody knows.
        fleet.answer = .good(owner.id)
        fleet.whenAsked = { memory.forgetAll(of: tenant) }
        await #expect(throws: ProviderUnavailable.self) { try await world.principal() }
        #expect(fleet.calls == 5)
    }

    @Test func `one tenant's forgetting costs another's tokens nothing`() async throws {
        let world = try await World.make()
        world.fleet.answer = .good(try await world.user().id)
        _ = try await world.principal()
        world.memory.forgetAll(of: .random())
        _ = try await world.principal()
        #expect(world.fleet.calls == 1)
        try await NodeTokenService(world.gateway.dependencies, memory: world.memory).forget(by: world.gateway.admin)
        _ = try await world.principal()
        #expect(world.fleet.calls == 2)
    }

    @Test func `fifty who come at once are one question, and the next one asks when the first gives up`() async throws {
        let world = try await World.make()
        world.fleet.answer = .good(try await world.user().id)
        world.fleet.holds = true
        let first = Task { try? await world.principal() }
        await world.fleet.waitForCalls(1)
        let results = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<50 { group.addTask { (try? await world.principal()) != nil } }
            first.cancel()
            _ = await first.value
            await world.fleet.waitForCalls(2)
            world.fleet.release()
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results == Array(repeating: true, count: 50))
        #expect(world.fleet.calls == 2)
    }

    @Test func `what isn't a node token is left to others, and what can't be one costs no call`() async throws {
        let world = try await World.make()
        for text in ["x", "mul_aaaaaaaaaaaaaaaaaaaa", "MCN_aaaaaaaaaaaaaaaaaaaaaaaa"] {
            #expect(try await world.provider.verify(PresentedCredential(text, source: "192.0.2.1")) == nil)
        }
        for text in ["mcn_", "mcn_\"}aaaaaaaaaaaaaaaaaaaa"] {
            let verdict = try await world.provider.verify(PresentedCredential(text, source: "192.0.2.1"))
            guard case .refused? = verdict else {
                Issue.record("\(text) was not refused")
                continue
            }
        }
        #expect(world.fleet.calls == 0)
    }
}

/// A gateway whose Fleet is a stand-in, and one token.
private struct World: Sendable {
    let gateway: TestGateway
    let fleet = FleetStandIn()
    let memory = NodeTokenMemory()
    let provider: FleetNodes
    private let time: Elapsed

    private final class Elapsed: Sendable {
        let now = Mutex(ContinuousClock.now)
    }

    static func make() async throws -> World { try await World(gateway: .make()) }

    private init(gateway: TestGateway) throws {
        self.gateway = gateway
        let time = Elapsed()
        self.time = time
        provider = FleetNodes(
            gateway.dependencies, fleet: try OutboundURL("https://fleet.example/"), outbound: fleet, memory: memory,
            logger: gateway.dependencies.logger, elapsed: { time.now.withLock { $0 } })
    }

    func advance(by duration: Duration) { time.now.withLock { $0 += duration } }

    func principal() async throws -> Principal? {
        try await Authentication(gateway.dependencies, others: [provider])
            .principal(bearer: "mcn_" + String(repeating: "a", count: 40), source: "192.0.2.1")
    }

    func user(_ id: ID<User> = .random(), role: Role = .operator) async throws -> User {
        let user = User(
            id: id, tenant: gateway.dependencies.identity.tenant, name: "u-\(id.text.prefix(8))", role: role,
            createdAt: gateway.clock.now)
        try await gateway.database.write { tx in try tx.insertUser(user) }
        return user
    }
}

/// Answers as the test says.
private final class FleetStandIn: OutboundSender {
    enum Answer: Sendable { case good(ID<User>), refused, away }

    private struct State {
        var answer = Answer.refused
        var calls = 0
        var holds = false
        var whenAsked: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    var answer: Answer {
        get { state.withLock { $0.answer } }
        set { state.withLock { $0.answer = newValue } }
    }
    var calls: Int { state.withLock { $0.calls } }
    /// Questions stay without an answer until `release`, or until whoever asks gives up.
    var holds: Bool {
        get { state.withLock { $0.holds } }
        set { state.withLock { $0.holds = newValue } }
    }
    /// Runs after the answer is made and before it arrives.
    var whenAsked: (@Sendable () -> Void)? {
        get { state.withLock { $0.whenAsked } }
        set { state.withLock { $0.whenAsked = newValue } }
    }

    func release() { holds = false }

    func waitForCalls(_ count: Int) async {
        for _ in 0..<2_000 where calls < count { try? await Task.sleep(for: .milliseconds(5)) }
        #expect(calls >= count)
    }

    func send(_ request: OutboundRequest) async throws(OutboundError) -> OutboundResponse {
        #expect(request.purpose == .fleet && request.method == .post)
        #expect(request.url.text == "https://fleet.example/api/v1/pat/verify")
        let (answer, action) = state.withLock { state in
            state.calls += 1
            return (state.answer, state.whenAsked)
        }
        action?()
        while holds {
            do { try await Task.sleep(for: .milliseconds(2)) } catch { throw .cancelled }
        }
        switch answer {
        case .good(let owner):
            return OutboundResponse(status: 200, body: Array(#"{"valid":true,"owner_id":"\#(owner)"}"#.utf8))
        case .refused: return OutboundResponse(status: 200, body: Array(#"{"valid":false}"#.utf8))
        case .away: throw .unreachable
        }
    }
}
