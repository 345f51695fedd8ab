import GateModel
import GateTesting
import Testing

@Suite struct AccessPolicyTests {
    /// A small world, in which random grants often fit.
    struct World {
        var generator: SeededGenerator
        let tenants: [ID<Tenant>]
        let users: [User]
        let machines: [Machine]
        let now = Timestamp(seconds: 1_000)

        init(seed: UInt64) throws {
            var generator = SeededGenerator(seed)
            let tenants = (0..<2).map { _ in ID<Tenant>.random(using: &generator) }
            let (first, second) = (try #require(Tag(rawValue: "a")), try #require(Tag(rawValue: "b")))
            users = Role.allCases.flatMap { role in
                tenants.map { tenant in
                    User(
                        id: .random(using: &generator), tenant: tenant, name: "u",
                        kind: role.isForServicesOnly ? .service : .person, role: role, createdAt: Timestamp(seconds: 0),
                        disabledAt: Bool.random(using: &generator) ? nil : Timestamp(seconds: 1))
                }
            }
            machines = try (0..<6).map { number in
                Machine(
                    id: .random(using: &generator), tenant: tenants[number % 2],
                    agentID: try #require(AgentID(rawValue: "m\(number)")),
                    name: try #require(MachineName(rawValue: "m\(number)")), organization: ["", "acme"][number / 3],
                    site: ["", "kiel", ""][number % 3], tags: [[], [first], [first, second]][number % 3],
                    createdAt: Timestamp(seconds: 0), updatedAt: Timestamp(seconds: 0))
            }
            self.tenants = tenants
            self.generator = generator
        }

        mutating func grant() throws -> Grant {
            let user = try #require(users.randomElement(using: &generator))
            let machine = try #require(machines.randomElement(using: &generator))
            let selectors: [Grant.Selector] = [
                .all, .machine(machine.id), .organization("acme"), .organization(""), .site("kiel"), .site(""),
                .tag(try #require(Tag(rawValue: "a"))),
            ]
            return Grant(
                id: .random(using: &generator), tenant: try #require(tenants.randomElement(using: &generator)),
                subject: Bool.random(using: &generator) ? .user(user.id) : .role(user.role),
                selector: try #require(selectors.randomElement(using: &generator)),
                modes: Set(Grant.Mode.allCases.filter { _ in Bool.random(using: &generator) }),
                logins: Bool.random(using: &generator) ? [] : [try #require(LoginName(rawValue: "deploy"))],
                createdAt: Timestamp(seconds: 0),
                expiresAt: [nil, Timestamp(seconds: 999), Timestamp(seconds: 1_000), Timestamp(seconds: 1_001)]
                    .randomElement(using: &generator) ?? nil,
                endedAt: Int.random(in: 0..<4, using: &generator) == 0 ? Timestamp(seconds: 500) : nil)
        }
    }

    @Test(arguments: 0..<12)
    func `what the policy promises holds for random grants`(seed: UInt64) throws {
        var world = try World(seed: seed)
        let login = try #require(LoginName(rawValue: "root"))
        var grants: [Grant] = []
        for _ in 0..<12 {
            let added = try world.grant()
            for user in world.users {
                for machine in world.machines {
                    for mode in Grant.Mode.allCases {
                        func decide(_ grants: [Grant], login: LoginName? = nil) -> AccessPolicy.Decision {
                            AccessPolicy.decide(user, mode, on: machine, login: login, by: grants, at: world.now)
                        }
                        let (before, after) = (decide(grants), decide(grants + [added]))
                        // A further grant takes nothing away, and the order of grants tells nothing.
                        #expect(!before.isAllowed || after.isAllowed)
                        #expect(decide([added] + grants).isAllowed == after.isAllowed)
                        // A login that isn't named is never wider than any login.
                        #expect(!decide(grants + [added], login: login).isAllowed || after.isAllowed)
                        if after.isAllowed {
                            #expect(user.disabledAt == nil && user.tenant == machine.tenant)
                            #expect(user.role == .admin || !after.grants.isEmpty)
                            #expect(after.until.map { $0 > world.now } ?? true)
                            #expect(AccessPolicy.maySee(machine, user, by: grants + [added], at: world.now))
                        }
                        // Those it names are enough, and each of them is in force.
                        if after.reason == .granted {
                            let named = (grants + [added]).filter { after.grants.contains($0.id) }
                            #expect(decide(named).isAllowed)
                            #expect(named.allSatisfy { $0.isLive(at: world.now) && $0.selector.selects(machine) })
                            #expect(
                                !AccessPolicy.decide(
                                    user, mode, on: machine, by: named, at: after.until ?? Timestamp(seconds: 0)
                                ).isAllowed || after.until == nil)
                        }
                    }
                }
            }
            grants.append(added)
        }
    }

    @Test func `each reason is given where it is the first that holds`() throws {
        var world = try World(seed: 1)
        let machine = world.machines[1]
        var user = User(
            id: .random(), tenant: machine.tenant, name: "ada", role: .viewer, createdAt: Timestamp(seconds: 0))
        func reason(_ grants: [Grant], mode: Grant.Mode = .ssh, login: String? = nil) -> AccessPolicy.Decision.Reason {
            AccessPolicy.decide(
                user, mode, on: machine, login: login.flatMap { LoginName(rawValue: $0) }, by: grants, at: world.now
            ).reason
        }
        var grant = try world.grant()
        grant.tenant = machine.tenant
        grant.subject = .user(user.id)
        grant.selector = .machine(machine.id)
        grant.modes = [.ssh]
        grant.logins = [try #require(LoginName(rawValue: "deploy"))]
        (grant.expiresAt, grant.endedAt) = (nil, nil)
        #expect(reason([]) == .noGrant)
        #expect(reason([grant]) == .granted)
        #expect(reason([grant], login: "deploy") == .granted)
        #expect(reason([grant], login: "root") == .otherLogin)
        #expect(reason([grant], mode: .terminal) == .otherMode)
        grant.expiresAt = world.now
        #expect(reason([grant]) == .expired)
        user.role = .admin
        #expect(reason([grant]) == .administrator)
        user.disabledAt = world.now
        #expect(reason([grant]) == .userDisabled)
        user = User(
            id: .random(), tenant: .random(), name: "eve", role: .admin, createdAt: Timestamp(seconds: 0))
        #expect(reason([grant]) == .otherTenant)
    }
}
