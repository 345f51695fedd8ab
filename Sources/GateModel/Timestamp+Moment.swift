extension Timestamp {
    /// What `init(moment:)` reads, for error messages.
    public static let momentRule = "Unix time in seconds, RFC 3339, or YYYY-MM-DD (the start of that day in UTC)"

    /// Reads a moment as a person or a script gives it: `1772366400`, `2026-03-01T12:00:00Z`, `2026-03-01`. Nil for
    /// anything else, and for Unix times past the year 9999.
    public init?(moment text: some StringProtocol) {
        let bytes = text.utf8
        if (1...12).contains(bytes.count), bytes.allSatisfy({ (0x30...0x39).contains($0) }) {
            guard let seconds = Int64(text), seconds <= 253_402_300_799 else { return nil }
            self.init(seconds: seconds)
        } else if bytes.count == 10 {
            self.init(rfc3339: "\(text)T00:00:00Z")
        } else {
            self.init(rfc3339: text)
        }
    }
}
