public import GateControl
public import GateModel
import GateProcess
public import GateStore
public import Logging
public import ServiceLifecycle
import Synchronization

/// Which process holds which key, written to the store in batches for the gateway that comes after this one.
public final class ConnectionJournal: Service {
    private enum Entry: Sendable {
        case opened(LiveConnection, tenant: ID<Tenant>)
        case ended(SSHProcess)
    }

    private let database: any Database
    private let identity: GatewayIdentity
    private let now: @Sendable () -> Timestamp
    private let logger: Logger
    private let entries: AsyncStream<Entry>
    private let writer: AsyncStream<Entry>.Continuation

    public init(
        database: any Database, identity: GatewayIdentity, now: @escaping @Sendable () -> Timestamp, logger: Logger
    ) {
        self.database = database
        self.identity = identity
        self.now = now
        self.logger = logger
        (entries, writer) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(65_536))
    }

    /// The process logged in with the key.
    public func opened(_ process: SSHProcess, grant: KeyGrant, source: String) {
        writer.yield(
            .opened(
                LiveConnection(
                    id: .random(), gateway: identity.gateway, key: grant.key, pid: process.pid,
                    startTime: process.startTime, bootID: ProcessIdentity.bootID, source: source, startedAt: now()),
                tenant: grant.tenant))
    }

    public func ended(_ process: SSHProcess) { writer.yield(.ended(process)) }

    public func run() async throws {
        await withGracefulShutdownHandler {
            for await entry in entries {
                do {
                    try await write(entry)
                } catch {
                    // A login goes on without its row: should the gateway die now, the next one ends the session.
                    logger.warning("a connection could not be journaled", metadata: ["error": "\(error)"])
                }
            }
        } onGracefulShutdown: {
            self.writer.finish()
        }
    }

    private func write(_ entry: Entry) async throws {
        let gateway = identity.gateway
        switch entry {
        case .opened(let connection, let tenant):
            try await database.write { tx in try tx.insertConnection(connection, tenant: tenant) }
        case .ended(let process):
            try await database.write { tx in
                try tx.deleteConnection(pid: process.pid, startTime: process.startTime, on: gateway)
            }
        }
    }
}
