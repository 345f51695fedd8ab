import GateControl
import GateModel
import GateSSH
import GateStore
import GateStoreSQLite
import Logging

/// The use cases over a real store in a folder of its own, with a clock and effects the test holds.
package struct TestGateway: Sendable {
    package let clock: ManualClock
    package let database: ObservedDatabase
    private let store: SQLiteDatabase
    package let effects: RecordedEffects
    package let dependencies: ControlDependencies
    /// The operator on the gateway's own host.
    package let admin: Caller
    private let folder: TemporaryFolder

    /// An empty store with one tenant and one gateway, leasing `ports`.
    package static func make(ports: ClosedRange<Int> = 20_000...20_099) async throws -> TestGateway {
        let folder = try TemporaryFolder()
        let clock = ManualClock()
        let store = try SQLiteDatabase(path: "\(folder.path)/store.sqlite")
        try await Migrator(Migration.all(for: .sqlite)).migrate(store, now: clock.now)
        let identity = GatewayIdentity(gateway: .random(), tenant: .random())
        try await store.write { [now = clock.now] tx in
            try tx.insertTenant(identity.tenant, name: "default", at: now)
            try tx.insertGateway(identity.gateway, tenant: identity.tenant, at: now)
        }
        return try await TestGateway(
            folder: folder, clock: clock, store: store, database: ObservedDatabase(store), identity: identity,
            ports: ports)
    }

    /// The same store and clock after a restart: empty caches, ports read anew, perhaps another range.
    package func restarted(ports: ClosedRange<Int>) async throws -> TestGateway {
        try await TestGateway(
            folder: folder, clock: clock, store: store, database: database, identity: dependencies.identity,
            ports: ports)
    }

    /// Another process on the same store: it shares the file, the clock and nothing else.
    package func secondProcess() async throws -> TestGateway {
        let store = try SQLiteDatabase(path: "\(folder.path)/store.sqlite")
        return try await TestGateway(
            folder: folder, clock: clock, store: store, database: ObservedDatabase(store),
            identity: dependencies.identity, ports: 20_000...20_099)
    }

    private init(
        folder: TemporaryFolder, clock: ManualClock, store: SQLiteDatabase, database: ObservedDatabase,
        identity: GatewayIdentity, ports: ClosedRange<Int>
    ) async throws {
        let address = "127.0.0.1"
        let (held, rests) = try await database.read { [now = clock.now] tx in
            (
                try tx.leasedPorts(on: identity.gateway, address: address),
                try tx.restingPorts(on: identity.gateway, address: address, at: now)
            )
        }
        let keys = KeyTable()
        self.folder = folder
        self.clock = clock
        self.store = store
        self.database = database
        effects = RecordedEffects(keys: keys)
        dependencies = ControlDependencies(
            database: database, identity: identity, now: { clock.now }, keys: keys, credentials: CredentialCache(),
            ports: PortPool(address: address, range: ports, held: held, rests: rests), hotState: HotState(),
            refusals: RefusalLog(), effects: effects.effects,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        admin = Caller(principal: .localAdministrator(tenant: identity.tenant), source: "192.0.2.1")
    }

    /// Writes what gathered in memory.
    package func flush() async throws {
        try await dependencies.hotState.flush(to: database, gateway: dependencies.identity.gateway)
    }

    /// Every row of every table that a use case writes, as one text.
    package func storeContents() async throws -> String {
        try await database.read { tx in
            let tables: [[SQLRow]] = [
                try tx.rows("SELECT * FROM machine ORDER BY id"), try tx.rows("SELECT * FROM machine_tag"),
                try tx.rows("SELECT * FROM agent_key ORDER BY id"),
                try tx.rows("SELECT * FROM enrolment_token ORDER BY id"), try tx.rows("SELECT * FROM lease"),
                try tx.rows("SELECT * FROM port_rest"), try tx.rows("SELECT * FROM tunnel_key ORDER BY id"),
                try tx.rows("SELECT * FROM tunnel_key_reach"), try tx.rows("SELECT * FROM gate_user"),
                try tx.rows("SELECT * FROM access_grant ORDER BY id"), try tx.rows("SELECT * FROM tenant ORDER BY id"),
                try tx.rows("SELECT * FROM user_password"), try tx.rows("SELECT * FROM user_session ORDER BY id"),
                try tx.rows("SELECT * FROM pending_sign_in ORDER BY digest"), try tx.rows("SELECT * FROM user_totp"),
                try tx.rows("SELECT * FROM recovery_code ORDER BY digest"),
                try tx.rows("SELECT * FROM device_authorization ORDER BY id"),
                try tx.rows("SELECT * FROM access_token ORDER BY id"), try tx.rows("SELECT * FROM setup_secret"),
                try tx.rows("SELECT * FROM outside_identity ORDER BY id"), try tx.rows("SELECT * FROM spent_sign_in"),
                try tx.rows("SELECT * FROM audit_event ORDER BY id"),
            ]
            return String(describing: tables)
        }
    }

    /// The names of the audit events so far, oldest first; those of one moment come in any order.
    package func auditedActions() async throws -> [String] {
        try await auditEvents().map(\.event.action)
    }
}

extension TestGateway {
    /// A machine with the agent key its enrolment bought.
    package struct Enrolled: Sendable {
        package let machine: Machine
        package let keyID: ID<AgentKey>
        package let key: String
        package let caller: Caller
    }

    /// Adds a machine; the enrolment token's text.
    package func add(_ name: String) async throws -> (machine: Machine, token: String) {
        guard let name = MachineName(rawValue: name), let empty = Label(rawValue: "") else { throw BadSample() }
        let (described, _, text) = try await MachineService(dependencies).add(
            name: name, agentID: nil, organization: empty, site: empty, tags: [], enrolmentLifetime: .seconds(3_600),
            by: admin)
        return (described.machine, text.reveal())
    }

    /// Adds and enrols a machine; `controlKey` numbers its control key.
    package func enrol(_ name: String, controlKey: UInt64) async throws -> Enrolled {
        let (_, token) = try await add(name)
        let (machine, key, text) = try await EnrolmentService(dependencies).enrol(
            bearer: token, publicKey: SampleKeys.publicKey(controlKey), agentID: nil, source: "198.51.100.7")
        return Enrolled(
            machine: machine, keyID: key.id, key: text.reveal(),
            caller: Caller(
                principal: .machine(machine.id, tenant: machine.tenant, by: .agentKey(key.id)), source: "198.51.100.7"))
    }

    /// The audit events that aren't sealed, oldest first: in a test that seals none, all of them.
    package func auditEvents() async throws -> [StoredAuditEvent] {
        let gateway = dependencies.identity.gateway
        return try await database.read { tx in try tx.unsealedAuditEvents(on: gateway, limit: 10_000) }
    }

    /// Changes the store behind the gateway's back.
    package func edit(_ script: String) async throws {
        try await store.migrate { tx in try tx.executeScript(script) }
    }

    /// What an agent with this key reports.
    package func report(key: UInt64) throws -> RegistrationService.Report {
        guard let system = Label(rawValue: "Linux"), let version = Label(rawValue: "0.1.0") else { throw BadSample() }
        return RegistrationService.Report(
            publicKey: try SampleKeys.publicKey(key), hostKeys: [try SampleKeys.hostKey(9_000)],
            operatingSystem: system, agentVersion: version)
    }

    /// The first administrator with a token.
    package func administratorToken() async throws -> String {
        let setup = SetupService(dependencies)
        _ = try await setup.needsAdministrator()
        return try await setup.makeBootstrapToken().reveal()
    }
}

/// A sample the tests themselves hold is wrong.
package struct BadSample: Error {
    package init() {}
}
