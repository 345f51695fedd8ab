import GateModel
import Testing

@Suite struct PrincipalTests {
    let tenant = ID<Tenant>.random()

    private func principal(_ user: User, _ scopes: Scopes) -> Principal {
        .user(user, by: .token(.random()), scopes: scopes)
    }

    @Test func `a user may do what both the token and the role allow, and nothing when disabled`() {
        var user = User(id: .random(), tenant: tenant, name: "ada", role: .viewer, createdAt: Timestamp(seconds: 0))
        #expect(principal(user, Role.admin.scopes).scopes == Role.viewer.scopes)
        #expect(principal(user, .machinesRead).scopes == .machinesRead)
        user.disabledAt = Timestamp(seconds: 1)
        #expect(principal(user, Role.admin.scopes).scopes == [])
    }

    @Test func `a machine has no scopes, the operator on the host has all`() {
        #expect(Principal.machine(.random(), tenant: tenant, by: .agentKey(.random())).scopes == [])
        #expect(Set(Principal.localAdministrator(tenant: tenant).scopes.names) == Set(Scopes.names))
    }

    @Test(arguments: Role.allCases) func `a node token may look and do nothing else, whatever its owner may`(role: Role)
    {
        let user = User(id: .random(), tenant: tenant, name: "ada", role: role, createdAt: Timestamp(seconds: 0))
        let scopes = Principal.user(user, by: .node(instance: nil), scopes: .node).scopes
        #expect(scopes.isSubset(of: [.machinesRead, .connectionsRead]))
        #expect(scopes.isSubset(of: role.scopes))
    }

    @Test func `a secret of the environment is for one thing`() {
        #expect(Principal.environment(.drain, tenant: tenant).scopes == .drain)
        #expect(Principal.environment(.agent, tenant: tenant).scopes == [])
    }

    @Test(arguments: Role.allCases) func `no role has what belongs to the host's operator`(role: Role) {
        #expect(!role.scopes.contains(.tenants))
        #expect(Scopes(text: role.scopes.text) == role.scopes)
    }

    @Test func `a program's own roles do one thing`() {
        #expect(Role.tunnelHost.scopes == .keyLookup)
        #expect(Role.drain.scopes == .drain)
    }
}
