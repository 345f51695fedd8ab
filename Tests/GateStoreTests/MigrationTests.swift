import GateStore
import Testing

@Suite struct MigrationTests {
    /// Vectors of FNV-1a, 64 bits: draft-eastlake-fnv, appendix C.
    @Test(arguments: [("", "cbf29ce484222325"), ("a", "af63dc4c8601ec8c"), ("foobar", "85944171f73967e8")])
    func `the checksum is FNV-1a`(script: String, checksum: String) {
        #expect(Migration(number: 1, name: "initial", script: script).checksum == checksum)
    }

    @Test func `numbers run from 1 without gaps`() {
        let second = Migration(number: 2, name: "second", script: "")
        #expect(throws: StoreError.migrationChanged(number: 2)) { try Migrator([second]) }
        let first = Migration(number: 1, name: "initial", script: "")
        #expect(throws: StoreError.migrationChanged(number: 1)) { try Migrator([first, first]) }
        #expect(throws: Never.self) { try Migrator([second, first]) }
    }

    @Test func `the embedded scripts aren't empty`() throws {
        for migration in try Migration.all(for: .sqlite) { #expect(migration.script.contains("CREATE ")) }
    }
}
