import GateStore

/// A store's errors in an operator's words, with what to do next.
enum StoreWords {
    static func text(_ error: StoreError) -> String {
        switch error {
        case .newerSchema(let found, let known):
            "the store was written by a newer tidegate (schema \(found), this one knows \(known)): run that version, or restore an older backup"
        case .migrationChanged(let number):
            "the store was made by another build of migration \(number): run the version that made it"
        case .corrupt(let reason):
            "the store is damaged or not a database: \(reason). See 'tidegate store check', then 'tidegate store restore BACKUP'"
        case .full(let reason): "the store can't be used: \(reason)"
        case .transient(let reason): "the store is in use: \(reason)"
        case .engine(let code): "the store can't be used: \(code)"
        case .conflict, .corruptRow: "the store: \(error)"
        }
    }
}
