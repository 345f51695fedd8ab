import GateStoreSQLite
import GateStoreTesting
import Testing

@Suite struct ContractTests {
    @Test(arguments: StoreContract.rules)
    func `SQLite keeps the contract`(rule: StoreContract.Rule) async throws {
        let directory = try TemporaryDirectory()
        let contract = StoreContract { try SQLiteDatabase(path: directory.file) }
        try await contract.check(rule)
    }
}
