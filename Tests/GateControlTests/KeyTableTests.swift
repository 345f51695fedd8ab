import GateControl
import GateModel
import GateTesting
import Testing

@Suite struct KeyTableTests {
    static let now = Timestamp(seconds: 1_000)
    let table = KeyTable()

    static func grant(
        _ fingerprint: String, reach: KeyGrant.Reach = .control, machines: [ID<Machine>] = [],
        awaited: Set<ID<Machine>> = [], until: Timestamp = Timestamp(seconds: 9_000)
    ) -> KeyGrant {
        KeyGrant(
            key: .random(), tenant: .random(), fingerprint: fingerprint, publicKey: "ssh-ed25519 AAAA", reach: reach,
            machines: machines, awaited: awaited, loginUntil: until)
    }

    static func process(_ pid: Int32) -> SSHProcess { SSHProcess(pid: pid, startTime: 1) }

    /// Asks and, on a miss, keeps `grant`; the grant the process was told.
    @discardableResult
    private func lookUp(_ grant: KeyGrant, by pid: Int32) -> KeyGrant? {
        switch table.ask(grant.fingerprint, by: Self.process(pid), source: "s", at: Self.now) {
        case .grant(let kept): return kept
        case .miss(let epoch): return table.fill(grant, by: Self.process(pid), epoch: epoch) ? grant : nil
        }
    }

    private func remembers(_ fingerprint: String, at now: Timestamp = now) -> Bool {
        if case .grant = table.ask(fingerprint, by: nil, source: "s", at: now) { true } else { false }
    }

    @Test func `a grant is remembered until its end`() {
        lookUp(Self.grant("f", until: Timestamp(seconds: 2_000)), by: 1)
        #expect(remembers("f", at: Timestamp(seconds: 1_999)))
        #expect(!remembers("f", at: Timestamp(seconds: 2_000)))
    }

    @Test func `an answer read before a revoke is not kept`() {
        guard case .miss(let epoch) = table.ask("f", by: Self.process(1), source: "s", at: Self.now) else {
            Issue.record("an empty table remembers")
            return
        }
        #expect(table.revoke(fingerprints: ["f"], machines: []) == [Self.process(1)])
        #expect(!table.fill(Self.grant("f"), by: Self.process(1), epoch: epoch))
        #expect(!remembers("f"))
    }

    @Test func `everybody who asked for a revoked key is ended, and nobody else`() {
        let (revoked, other) = (Self.grant("f"), Self.grant("g"))
        for pid: Int32 in 1...3 { lookUp(revoked, by: pid) }
        lookUp(other, by: 4)
        #expect(Set(table.revoke(fingerprints: ["f"], machines: [])) == Set((1...3).map(Self.process)))
        #expect(remembers("g"))
    }

    @Test func `probing for other keys shields nobody`() {
        lookUp(Self.grant("mine"), by: 1)
        lookUp(Self.grant("theirs"), by: 1)
        #expect(table.revoke(fingerprints: ["mine"], machines: []) == [Self.process(1)])
    }

    @Test func `after a login only the key that logged in binds the process`() {
        lookUp(Self.grant("tried"), by: 1)
        lookUp(Self.grant("used"), by: 1)
        table.loggedIn(Self.process(1), with: "used")
        #expect(table.revoke(fingerprints: ["tried"], machines: []).isEmpty)
        #expect(table.connections.count == 1)
        #expect(table.revoke(fingerprints: ["used"], machines: []) == [Self.process(1)])
    }

    @Test func `a login with a key nobody asked for changes nothing`() {
        lookUp(Self.grant("asked"), by: 1)
        table.loggedIn(Self.process(1), with: "never-asked")
        table.loggedIn(Self.process(2), with: "asked")
        #expect(table.revoke(fingerprints: ["asked"], machines: []) == [Self.process(1)])
    }

    @Test func `a process forgotten for one key is still bound by another`() {
        lookUp(Self.grant("good"), by: 1)
        _ = table.ask("unknown", by: Self.process(1), source: "s", at: Self.now)
        table.forget("unknown", by: Self.process(1))
        #expect(table.contains(Self.process(1)))
        #expect(table.revoke(fingerprints: ["unknown"], machines: []).isEmpty)
        #expect(table.revoke(fingerprints: ["good"], machines: []) == [Self.process(1)])
    }

    @Test func `a process that asked for nothing real leaves no trace`() {
        _ = table.ask("unknown", by: Self.process(1), source: "s", at: Self.now)
        table.forget("unknown", by: Self.process(1))
        #expect(table.processes.isEmpty)
    }

    @Test func `a process that ended is gone from every list`() {
        lookUp(Self.grant("f"), by: 1)
        lookUp(Self.grant("g"), by: 1)
        table.ended(Self.process(1))
        #expect(!table.contains(Self.process(1)))
        #expect(table.connections.isEmpty)
        #expect(table.revoke(fingerprints: ["f", "g"], machines: []).isEmpty)
    }

    @Test func `a pid that comes back is another process`() {
        lookUp(Self.grant("f"), by: 1)
        let later = SSHProcess(pid: 1, startTime: 2)
        #expect(!table.contains(later))
        table.ended(later)
        #expect(table.contains(Self.process(1)))
    }

    @Test func `ending a machine ends the processes whose line names it`() {
        let (machine, other) = (ID<Machine>.random(), ID<Machine>.random())
        let port = GatePort(address: "127.0.0.1", port: 20_000)
        lookUp(Self.grant("tunnel", reach: .reverse(port), machines: [machine]), by: 1)
        lookUp(Self.grant("jump", reach: .jump([port]), machines: [machine, other]), by: 2)
        lookUp(Self.grant("elsewhere", reach: .jump([port]), machines: [other]), by: 3)
        lookUp(Self.grant("waiting", reach: .jump([port]), machines: [other], awaited: [machine]), by: 4)
        #expect(table.machinesWithTunnel == [machine])
        #expect(Set(table.revoke(fingerprints: [], machines: [machine])) == [Self.process(1), Self.process(2)])
        #expect(!remembers("jump"))
        #expect(remembers("elsewhere"))
    }

    @Test func `a machine's new port makes new lines, for those who wait for it too, and ends nobody`() {
        let (machine, other) = (ID<Machine>.random(), ID<Machine>.random())
        lookUp(Self.grant("names", machines: [machine]), by: 1)
        lookUp(Self.grant("awaits", machines: [other], awaited: [machine]), by: 2)
        lookUp(Self.grant("neither", machines: [other]), by: 3)
        table.refresh(machines: [machine])
        #expect(!remembers("names"))
        #expect(!remembers("awaits"))
        #expect(remembers("neither"))
        #expect(table.processes.count == 3)
    }

    @Test func `when a commit's outcome is unknown nothing is remembered and an open read is void`() {
        lookUp(Self.grant("f"), by: 1)
        guard case .miss(let epoch) = table.ask("g", by: nil, source: "s", at: Self.now) else { return }
        table.dropAll()
        #expect(!remembers("f"))
        #expect(!table.fill(Self.grant("g"), by: nil, epoch: epoch))
        #expect(table.revoke(fingerprints: ["f"], machines: []) == [Self.process(1)])
    }

    @Test func `a full table starts anew and still knows whom to end`() {
        let small = KeyTable(limit: 2)
        for (number, name) in ["a", "b", "c"].enumerated() {
            guard
                case .miss(let epoch) = small.ask(
                    name, by: Self.process(Int32(number)), source: "s", at: Self.now)
            else { continue }
            #expect(small.fill(Self.grant(name), by: Self.process(Int32(number)), epoch: epoch))
        }
        #expect(small.revoke(fingerprints: ["a"], machines: []) == [Self.process(0)])
    }

    @Test func `an adopted process is bound by its key and its machines`() {
        let machine = ID<Machine>.random()
        table.adopt(
            Self.process(5), grant: Self.grant("f", machines: [machine]), source: "s", startedAt: Self.now)
        #expect(table.revoke(fingerprints: [], machines: [machine]) == [Self.process(5)])
        #expect(table.revoke(fingerprints: ["f"], machines: []) == [Self.process(5)])
    }
}
