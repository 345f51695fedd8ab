import GateStoreSQLite
import Logging
import ServiceLifecycle

/// Reads a store once that is too large to be read before the start. Damage shows in /readyz; it doesn't stop the gateway,
/// since sessions are open by then and what is whole is still answered.
struct StoreReading: Service {
    let database: SQLiteDatabase
    let health: GatewayHealth
    let logger: Logger

    func run() async throws {
        do {
            if let finding = try await database.quickCheck() {
                health.damaged(finding)
                logger.critical("the store is damaged", metadata: ["gate.finding": "\(finding)"])
            }
        } catch {
            logger.error("the store could not be read as a whole", metadata: ["error": "\(error)"])
        }
        // A service that returns ends the whole group.
        try? await gracefulShutdown()
    }
}
