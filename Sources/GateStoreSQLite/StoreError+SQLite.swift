import GRDB
import GateStore

extension StoreError {
    /// Maps what SQLite or its driver threw; see sqlite.org/rescode.html.
    init(mapping error: any Error) {
        guard let error = error as? DatabaseError else {
            self = error as? StoreError ?? .engine(code: String(describing: type(of: error)))
            return
        }
        // Messages name tables, columns and files, never bound values.
        let message = error.message ?? "no message"
        switch error.resultCode {
        case .SQLITE_CONSTRAINT: self = .conflict(constraint: Self.constraint(in: message))
        case .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_INTERRUPT, .SQLITE_NOMEM, .SQLITE_PROTOCOL:
            self = .transient(message)
        case .SQLITE_FULL, .SQLITE_IOERR, .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM: self = .full(message)
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .corrupt(message)
        default: self = .engine(code: "sqlite \(error.extendedResultCode.rawValue): \(message)")
        }
    }

    /// `UNIQUE constraint failed: machine.name` names `machine.name`; a foreign key's message names nothing.
    private static func constraint(in message: String) -> String {
        guard let colon = message.firstIndex(of: ":") else { return message }
        return String(message[colon...].dropFirst(2))
    }
}
