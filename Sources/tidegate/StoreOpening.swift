import GateControl
import GateModel
import GateStore
import GateStoreSQLite
import Glibc

/// Opens the store, brings its schema up to date and finds out which gateway this is.
enum StoreOpening {
    static func open(_ settings: ServeSettings, now: Timestamp) async throws -> SQLiteDatabase {
        do {
            let migrations = try Migrator(Migration.all(for: .sqlite))
            if access(settings.databasePath, F_OK) != 0, errno == ENOENT { try requireNewcomer(settings) }
            let database = try SQLiteDatabase(path: settings.databasePath, migrations: migrations)
            try await migrations.migrate(database, now: now)
            return database
        } catch let error as StoreError {
            throw StartFault("\(settings.databasePath): \(StoreWords.text(error))")
        }
    }

    /// A store that went missing must not pass for a gateway that begins: it would offer itself to the next administrator,
    /// and every machine would be a stranger. The audit log tells the two apart.
    private static func requireNewcomer(_ settings: ServeSettings) throws {
        for name in ["audit.jsonl", "audit.jsonl.1"] {
            let log = "\(settings.stateDirectory)/audit/\(name)"
            var status = stat()
            guard stat(log, &status) == 0, status.st_size > 0 else { continue }
            throw StartFault(
                "\(settings.databasePath) is gone, and \(log) shows that a gateway has run here: 'tidegate store restore BACKUP', or move the state directory away to begin anew"
            )
        }
    }

    static func identity(_ database: SQLiteDatabase, now: Timestamp) async throws -> GatewayIdentity {
        try await database.write { tx in
            if let known = try tx.firstGateway() {
                return GatewayIdentity(gateway: known.gateway, tenant: known.tenant)
            }
            let identity = GatewayIdentity(gateway: .random(), tenant: .random())
            try tx.insertTenant(identity.tenant, name: "default", at: now)
            try tx.insertGateway(identity.gateway, tenant: identity.tenant, at: now)
            return identity
        }
    }
}
