/// Names that were read at the door once, so that nothing inside has to ask again. A name's text may end up in a key
/// line, a known_hosts file, a log or a terminal; the shapes below leave no room for a line break, a blank, a
/// wildcard or a leading dash (which programs read as an option).
public protocol CheckedName: RawRepresentable<String>, Hashable, Sendable, CustomStringConvertible {
    /// What would be right, for an error message.
    static var rule: String { get }
    init?(rawValue: String)
}

extension CheckedName {
    public var description: String { rawValue }
}

/// The stable text an agent goes by, `^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`.
public struct AgentID: CheckedName {
    public let rawValue: String
    public static let rule = "1 to 128 characters: letters, digits, '.', '_', ':' and '-', first a letter or digit"

    public init?(rawValue: String) {
        let bytes = rawValue.utf8
        guard (1...128).contains(bytes.count), let first = bytes.first, isAlphanumeric(first),
            bytes.allSatisfy({ isAlphanumeric($0) || "._:-".utf8.contains($0) })
        else { return nil }
        self.rawValue = rawValue
    }
}

/// A machine's name, one DNS label in lower case: it becomes part of an ssh_config `Host` pattern.
public struct MachineName: CheckedName {
    public let rawValue: String
    public static let rule = "1 to 63 characters: lower-case letters, digits and '-', neither first nor last a '-'"

    public init?(rawValue: String) {
        let bytes = rawValue.utf8
        guard (1...63).contains(bytes.count), let first = bytes.first, let last = bytes.last,
            isLowerAlphanumeric(first), isLowerAlphanumeric(last),
            bytes.allSatisfy({ isLowerAlphanumeric($0) || $0 == UInt8(ascii: "-") })
        else { return nil }
        self.rawValue = rawValue
    }
}

/// A POSIX login name, `^[a-z_][a-z0-9_.-]{0,31}$`.
public struct LoginName: CheckedName {
    public let rawValue: String
    public static let rule = "1 to 32 characters: lower-case letters, digits, '_', '.' and '-', first a letter or '_'"

    public init?(rawValue: String) {
        let bytes = rawValue.utf8
        guard (1...32).contains(bytes.count), let first = bytes.first,
            (0x61...0x7A).contains(first) || first == UInt8(ascii: "_"),
            bytes.allSatisfy({ isLowerAlphanumeric($0) || "_.-".utf8.contains($0) })
        else { return nil }
        self.rawValue = rawValue
    }
}

/// A machine's tag, `^[a-z0-9][a-z0-9._:=/-]{0,63}$`.
public struct Tag: CheckedName, Comparable {
    public let rawValue: String
    public static let rule = "1 to 64 characters: lower-case letters, digits, '.', '_', ':', '=', '/' and '-'"
    /// How many tags one machine may carry.
    public static let limit = 32

    public init?(rawValue: String) {
        let bytes = rawValue.utf8
        guard (1...64).contains(bytes.count), let first = bytes.first, isLowerAlphanumeric(first),
            bytes.allSatisfy({ isLowerAlphanumeric($0) || "._:=/-".utf8.contains($0) })
        else { return nil }
        self.rawValue = rawValue
    }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Text a person reads: an organization, a site, a label. At most 200 bytes of UTF-8, nothing that moves a cursor,
/// reorders text or ends a line.
public struct Label: CheckedName {
    public let rawValue: String
    public static let rule = "at most 200 bytes of text without control characters, line separators or bidi controls"
    public static let empty = Label(unchecked: "")

    private init(unchecked: String) { rawValue = unchecked }

    public init?(rawValue: String) {
        guard rawValue.utf8.count <= 200, !rawValue.unicodeScalars.contains(where: isUnprintable) else { return nil }
        self.rawValue = rawValue
    }
}

/// True for C0, C1, DEL, line and paragraph separators, bidi controls and the byte-order mark: what a hostile name
/// would use to rewrite a line of a terminal or a log.
public func isUnprintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x00...0x1F, 0x7F...0x9F, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
    default: false
    }
}

func isLowerAlphanumeric(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte)
}

private func isAlphanumeric(_ byte: UInt8) -> Bool {
    isLowerAlphanumeric(byte) || (0x41...0x5A).contains(byte)
}
