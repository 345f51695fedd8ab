import Glibc

/// What another account may do with a path, judged by owners and mode bits alone: access lists can only make it wrong in
/// details, and whoever acts on the answer hears of it at the first real access.
public struct AccountReach: Sendable {
    public struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        public let path: String
        public let reason: String

        public var description: String { "\(path) \(reason)" }
    }

    private let account: UserAccount
    private let groups: Set<UInt32>

    public init(_ account: UserAccount) {
        self.account = account
        groups = Set(account.groups)
    }

    /// The first folder above the path that the account can't walk through, or that anybody but root may exchange; nil when
    /// there is none. Folders that do not exist yet are left out.
    public func faultAbove(_ path: String) -> Fault? {
        var wanted = Set(Self.above(path))
        if let resolved = Self.resolved(path) { wanted.formUnion(Self.above(resolved)) }
        for folder in wanted.sorted() {
            var facts = stat()
            guard stat(folder, &facts) == 0 else { continue }
            guard facts.st_mode & S_IFMT == S_IFDIR else { return Fault(path: folder, reason: "is not a folder") }
            guard may(facts, 0o1) else { return Fault(path: folder, reason: "is closed to \(account.name)") }
            guard facts.st_uid == 0 else { return Fault(path: folder, reason: "does not belong to root") }
            guard facts.st_mode & 0o022 == 0 || facts.st_mode & 0o1000 != 0 else {
                return Fault(path: folder, reason: "may be written by others than root")
            }
        }
        return nil
    }

    /// Whether the account can read the file.
    public func faultReading(_ path: String) -> Fault? { fault(path, 0o4) }

    /// Whether the account can make and replace files in the folder.
    public func faultWriting(folder path: String) -> Fault? { fault(path, 0o3) }

    /// Whether the account can change the file; one that does not exist is no fault.
    public func faultWriting(file path: String) -> Fault? { access(path, F_OK) == 0 ? fault(path, 0o6) : nil }

    private func fault(_ path: String, _ bits: UInt32) -> Fault? {
        for folder in Set(Self.above(path) + (Self.resolved(path).map(Self.above) ?? [])).sorted() {
            var facts = stat()
            guard stat(folder, &facts) == 0 else { break }
            guard may(facts, 0o1) else { return Fault(path: folder, reason: "is closed to \(account.name)") }
        }
        var facts = stat()
        guard stat(path, &facts) == 0 else { return Fault(path: path, reason: "does not exist") }
        let need = bits == 0o4 ? "read" : "written"
        return may(facts, bits) ? nil : Fault(path: path, reason: "can't be \(need) by \(account.name)")
    }

    /// The kernel's rule: only the first class that fits counts, however little it allows.
    private func may(_ facts: stat, _ bits: UInt32) -> Bool {
        let mode = UInt32(facts.st_mode)
        if facts.st_uid == account.uid { return mode >> 6 & bits == bits }
        if groups.contains(facts.st_gid) { return mode >> 3 & bits == bits }
        return mode & bits == bits
    }

    private static func above(_ path: String) -> [String] {
        var folders = ["/"]
        var built = ""
        for part in path.split(separator: "/").dropLast() {
            built += "/" + part
            folders.append(built)
        }
        return folders
    }

    private static func resolved(_ path: String) -> String? {
        guard let found = realpath(path, nil) else { return nil }
        defer { free(found) }
        return String(cString: found)
    }
}
