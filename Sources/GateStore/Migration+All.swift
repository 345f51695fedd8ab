extension Migration {
    /// All migrations for an engine, in order.
    ///
    /// Each step is a pair of files, `Migrations/NNNN-name.sqlite.sql` and `Migrations/NNNN-name.postgresql.sql`,
    /// named as an embedded resource in Package.swift and here: the program carries its schema inside, so there is no
    /// file to lose or to mix up at run time. A released file is never edited; `Migrator` refuses it then.
    public static func all(for dialect: SQLDialect) throws(StoreError) -> [Migration] {
        switch dialect {
        case .sqlite:
            [
                Migration(number: 1, name: "initial", embedded: PackageResources._001_initial_sqlite_sql),
                Migration(
                    number: 2, name: "shared-key-agents", embedded: PackageResources._002_shared_key_agents_sqlite_sql),
                Migration(
                    number: 3, name: "tunnel-key-owner", embedded: PackageResources._003_tunnel_key_owner_sqlite_sql),
                Migration(number: 4, name: "access", embedded: PackageResources._004_access_sqlite_sql),
                Migration(number: 5, name: "ws-ticket", embedded: PackageResources._005_ws_ticket_sqlite_sql),
                Migration(number: 6, name: "audit-seals", embedded: PackageResources._006_audit_seals_sqlite_sql),
                Migration(number: 7, name: "sign-in", embedded: PackageResources._007_sign_in_sqlite_sql),
                Migration(
                    number: 8, name: "outside-identities",
                    embedded: PackageResources._008_outside_identities_sqlite_sql),
                Migration(number: 9, name: "proxies", embedded: PackageResources._009_proxies_sqlite_sql),
            ]
        case .postgresql:
            throw .engine(code: "there are no migrations for PostgreSQL yet")
        }
    }

    private init(number: Int, name: String, embedded bytes: [UInt8]) {
        self.init(number: number, name: name, script: String(decoding: bytes, as: UTF8.self))
    }
}
