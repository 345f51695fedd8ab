import GateControl
import GateModel
import GateTesting
import Testing

@Suite struct LiveStreamsTests {
    private let cache = CredentialCache()
    private var streams: LiveStreams { cache.streams }
    private let alice = LiveStreamsTests.somebody()
    private let operatorHere = Principal.localAdministrator(tenant: .random())

    private static func somebody() -> Principal {
        let user = User(
            id: .random(), tenant: .random(), name: "alice", role: .admin, createdAt: Timestamp(seconds: 0))
        return .user(user, by: .token(.random()), scopes: user.role.scopes)
    }

    private func open(_ principal: Principal, until: Timestamp? = nil) throws -> LiveStream {
        try #require(try streams.open(principal, until: until, epoch: streams.epoch))
    }

    @Test func `forgetting a credential ends its streams and no others`() async throws {
        let (lost, kept) = (try open(alice), try open(operatorHere))
        cache.drop { $0 == alice }
        var ends = lost.ends.makeAsyncIterator()
        #expect(await ends.next() == .revoked)
        streams.end(expiredAt: Timestamp(microseconds: .max))
        cache.drop { $0 == operatorHere }
        var others = kept.ends.makeAsyncIterator()
        #expect(await others.next() == .revoked)
    }

    @Test func `a commit of unknown outcome ends them all`() async throws {
        let stream = try open(alice)
        cache.dropAll()
        var ends = stream.ends.makeAsyncIterator()
        #expect(await ends.next() == .revoked)
    }

    @Test func `a stream ends with its credential's time`() async throws {
        let stream = try open(alice, until: Timestamp(seconds: 100))
        streams.end(expiredAt: Timestamp(seconds: 99))
        streams.end(expiredAt: Timestamp(seconds: 100))
        var ends = stream.ends.makeAsyncIterator()
        #expect(await ends.next() == .expired)
    }

    @Test func `nobody opens on what was read before something was taken away`() throws {
        let epoch = streams.epoch
        cache.drop { _ in false }
        #expect(try streams.open(alice, until: nil, epoch: epoch) == nil)
        #expect(streams.count == 0)
    }

    @Test func `there are so many of one principal, and so many in all; a closed one makes room`() throws {
        var held = try (0..<LiveStreams.limitOfPrincipal).map { _ in try open(alice) }
        #expect(throws: ControlError.self) { try open(alice) }
        _ = try open(operatorHere)
        held.removeLast()
        held.append(try open(alice))
        while streams.count < LiveStreams.limit {
            held.append(try open(Self.somebody()))
        }
        #expect(throws: ControlError.self) { try open(operatorHere) }
        held.removeAll()
        #expect(streams.count == 0)
    }
}
