/// Major and minor number of an OpenSSH, and what follows from them.
public struct OpenSSHVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let major: Int
    public let minor: Int

    public init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Reads `OpenSSH_9.2p1 …` or `OpenSSH_for_Windows_9.5p1 …` anywhere in the first 4 KiB of what `ssh -V` or
    /// `sshd -V` prints (before 9.2 sshd prints it below "unknown option").
    public init?(parsing text: some StringProtocol) {
        let mark = Array("OpenSSH_".utf8)
        let bytes = Array(text.utf8.prefix(4_096))
        var found: Int?
        for start in bytes.indices where bytes[start...].starts(with: mark) {
            found = start
            break
        }
        guard let found else { return nil }
        var rest = bytes[(found + mark.count)...]
        if rest.starts(with: Array("for_".utf8)) {
            let name = rest.prefix { $0 > 0x20 && $0 != 0x2E }
            guard let last = name.lastIndex(of: UInt8(ascii: "_")), last > rest.startIndex + 3 else { return nil }
            rest = rest[(last + 1)...]
        }
        func number() -> Int? {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            guard (1...3).contains(digits.count) else { return nil }
            rest = rest.dropFirst(digits.count)
            return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        }
        guard let major = number(), rest.first == UInt8(ascii: ".") else { return nil }
        rest = rest.dropFirst()
        guard let minor = number() else { return nil }
        self.init(major: major, minor: minor)
    }

    public static func < (left: Self, right: Self) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }

    public var description: String { "\(major).\(minor)" }

    /// The oldest we know to work (Ubuntu 22.04).
    public static let oldestSupported = Self(major: 8, minor: 9)

    /// `expiry-time="…Z"`. Before 9.1 sshd refuses the whole line, and without the Z it reads its own time zone.
    public var acceptsUTCExpiry: Bool { self >= .oldestWithUTCExpiry }
    public static let oldestWithUTCExpiry = Self(major: 9, minor: 1)
    /// The settings `UnusedConnectionTimeout` and `ChannelTimeout`; the former cuts an idle reverse tunnel.
    public var hasUnusedConnectionTimeout: Bool { self >= Self(major: 9, minor: 2) }
    /// `%C` for AuthorizedKeysCommand. Before 9.4 `sshd -t` passes with it and then every login dies.
    public var hasClientAddressToken: Bool { self >= Self(major: 9, minor: 4) }
    /// The setting `PerSourcePenalties`, on by default.
    public var hasPerSourcePenalties: Bool { self >= Self(major: 9, minor: 8) }
    /// A session's process runs `sshd-session`, no longer `sshd`.
    public var splitsSessionBinary: Bool { self >= Self(major: 9, minor: 8) }
}
