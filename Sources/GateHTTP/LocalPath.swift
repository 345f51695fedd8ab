/// Where to go after signing in: a path of this gateway and never another host, whatever a link says.
public struct LocalPath: Sendable, Hashable {
    public static let start = LocalPath()

    public let text: String

    private init() { text = "/" }

    /// Nil for what a browser could read as another host (`//host`, `/\host`), for control characters, which browsers drop
    /// before they look, and for anything but plain characters of a path and a query.
    public init?(_ text: String) {
        guard (1...512).contains(text.utf8.count), text.hasPrefix("/"), !text.hasPrefix("//"),
            text.utf8.allSatisfy({ byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || "/-._~%?=&:@+,;!*'()".utf8.contains(byte)
            })
        else { return nil }
        self.text = text
    }
}
