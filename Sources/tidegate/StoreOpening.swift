import GateControl
import GateModel
import GateStore
import GateStoreSQLite

/// Opens the store, brings its schema up to date and finds out which gateway this is.
enum StoreOpening {
    static func open(_ settings: ServeSettings, now: Timestamp) async throws -> SQLiteDatabase {
        do {
            let database = try SQLiteDatabase(path: settings.databasePath)
            try await Migrator(Migration.all(for: database.dialect)).migrate(database, now: now)
            return database
        } catch let error as StoreError {
            throw StartFault("store: \(words(error, path: settings.databasePath))")
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

    private static func words(_ error: StoreError, path: String) -> String {
        switch error {
        case .newerSchema(let found, let known):
            "\(path) was written by a newer tidegate (schema \(found), this one knows \(known)): run that version, or restore a backup"
        case .migrationChanged(let number):
            "\(path) was made by another build of migration \(number): run the version that made it"
        case .corrupt(let reason): "\(path) is damaged or not a database (\(reason)): restore a backup"
        case .full(let reason): "\(path) can't be written (\(reason))"
        case .transient(let reason): "\(path) is in use (\(reason))"
        case .conflict, .corruptRow, .engine: "\(path): \(error)"
        }
    }
}
