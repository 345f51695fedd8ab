import Glibc

/// The rule by which sshd accepts an AuthorizedKeysCommand (`safe_path` in OpenSSH's misc.c).
public enum SafePath {
    public struct Fault: Hashable, Sendable, CustomStringConvertible {
        /// The file or folder to mend, symbolic links resolved.
        public let path: String
        public let reason: String

        public var description: String { "\(path): \(reason)" }
    }

    /// The first component, from the program up to `/`, that sshd would refuse, or nil when it takes the path.
    ///
    /// Each must belong to root or the trusted user and be writable by nobody else; a sticky bit does not help.
    public static func firstUnsafe(program: String, trustedUID: UInt32 = 0) -> Fault? {
        guard program.hasPrefix("/") else { return Fault(path: program, reason: "is not an absolute path") }
        guard let resolved = realpath(program, nil) else {
            return Fault(path: program, reason: SystemError("realpath").description)
        }
        defer { free(resolved) }
        var path = String(cString: resolved)
        var isProgram = true
        while true {
            if let reason = fault(of: path, isProgram: isProgram, trustedUID: trustedUID) {
                return Fault(path: path, reason: reason)
            }
            if path == "/" { return nil }
            isProgram = false
            let slash = path.lastIndex(of: "/") ?? path.startIndex
            path = slash == path.startIndex ? "/" : String(path[..<slash])
        }
    }

    private static func fault(of path: String, isProgram: Bool, trustedUID: UInt32) -> String? {
        var facts = stat()
        guard stat(path, &facts) == 0 else { return SystemError("stat").description }
        if isProgram {
            guard facts.st_mode & S_IFMT == S_IFREG else { return "is not a regular file" }
            guard facts.st_mode & 0o111 != 0 else { return "is not executable" }
        }
        guard facts.st_uid == 0 || facts.st_uid == trustedUID else {
            let owner = UserAccount(uid: facts.st_uid)?.name ?? "uid \(facts.st_uid)"
            return "belongs to \(owner), not to root"
        }
        guard facts.st_mode & 0o022 == 0 else {
            return "may be written by group or others (mode \(String(facts.st_mode & 0o7777, radix: 8)))"
        }
        return nil
    }
}
