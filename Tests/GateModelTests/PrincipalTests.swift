import GateModel
import Testing

@Suite struct PrincipalTests {
    let tenant = ID<Tenant>.random()

    @Test func `an administrator who is disabled is none`() {
        var user = User(id: .random(), tenant: tenant, name: "admin", role: .admin)
        #expect(Principal.user(user, token: .random()).isAdministrator)
        user.disabledAt = Timestamp(seconds: 1)
        #expect(!Principal.user(user, token: .random()).isAdministrator)
    }

    @Test func `a machine is never an administrator, the operator always`() {
        #expect(!Principal.machine(.random(), tenant: tenant, key: .random()).isAdministrator)
        #expect(Principal.localAdministrator(tenant: tenant).isAdministrator)
    }
}
