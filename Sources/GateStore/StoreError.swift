/// What every engine may say. Drivers map their native codes here and nowhere else.
public enum StoreError: Error, Equatable {
    /// A unique, foreign-key, not-null or check constraint refused the write.
    case conflict(constraint: String)
    /// Try again later: busy, queue full, serialization failure, connection lost before the commit.
    case transient(String)
    /// The row doesn't have the shape this version expects.
    case corruptRow(column: String)
    /// The store can't write now: disk full, read-only, or an I/O error. Nothing of the transaction remains.
    case full(String)
    /// A later version of the program migrated this store; this one must not touch it.
    case newerSchema(found: Int, known: Int)
    /// A migration was applied with another text than this program holds.
    case migrationChanged(number: Int)
    /// The file is damaged, or is no database at all.
    case corrupt(String)
    /// Anything else, by the engine's own code.
    case engine(code: String)
}
