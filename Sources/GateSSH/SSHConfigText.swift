/// Values as ssh_config(5) and `ssh -o` read them, so that no value can become a second option.
public enum SSHConfigText {
    public struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        public let description: String
    }

    /// One argument, in double quotes unless it is plain; `%` tokens and `~` keep their meaning.
    public static func argument(_ value: String) throws(Fault) -> String {
        try check(value)
        guard !value.utf8.allSatisfy({ isPlain($0) }) else { return value }
        var text = "\""
        // By scalars, here and below: with a combining mark behind it a quote is no longer the character `"`.
        for scalar in value.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { text.unicodeScalars.append("\\") }
            text.unicodeScalars.append(scalar)
        }
        return text + "\""
    }

    /// One absolute path; `%` is doubled. `${` is refused: ssh expands it and has no escape for it.
    public static func path(_ value: String) throws(Fault) -> String {
        guard value.utf8.first == UInt8(ascii: "/"), !value.hasVariable else {
            throw Fault(description: "A path in an ssh configuration is absolute and holds no ${.")
        }
        var doubled = ""
        for scalar in value.unicodeScalars {
            if scalar == "%" { doubled.unicodeScalars.append("%") }
            doubled.unicodeScalars.append(scalar)
        }
        return try argument(doubled)
    }

    /// A `ProxyCommand` value: ssh hands the rest of the line to the user's shell, so each word is quoted for sh(1).
    ///
    /// `words` are literal (`%` is doubled); `tokens` such as `%n` follow them as they stand.
    public static func command(_ words: [String], tokens: [String] = []) throws(Fault) -> String {
        guard let program = words.first, program.utf8.first == UInt8(ascii: "/") else {
            throw Fault(description: "A command in an ssh configuration begins with an absolute path.")
        }
        var parts: [String] = []
        for word in words {
            guard !word.hasControlCharacter else { throw Fault(description: controls) }
            let plain = !word.isEmpty && word.utf8.allSatisfy { isPlain($0) && $0 != UInt8(ascii: "~") }
            var text = plain ? "" : "'"
            for scalar in word.unicodeScalars {
                switch scalar {
                case "%": text += "%%"
                case "'": text += "'\\''"
                default: text.unicodeScalars.append(scalar)
                }
            }
            parts.append(plain ? text : text + "'")
        }
        for token in tokens {
            let bytes = Array(token.utf8)
            guard bytes.count == 2, bytes[0] == UInt8(ascii: "%"), (0x61...0x7A).contains(bytes[1] | 0x20) else {
                throw Fault(description: "A token is % and one letter.")
            }
            parts.append(token)
        }
        return parts.joined(separator: " ")
    }

    static let controls = "A value in an ssh configuration holds no line breaks and no control characters."

    private static func check(_ value: String) throws(Fault) {
        guard !value.isEmpty else { throw Fault(description: "A value in an ssh configuration is not empty.") }
        guard !value.hasControlCharacter else { throw Fault(description: controls) }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "._/:@+,%~-".utf8.contains(byte)
        }
    }
}

extension String {
    /// Whether ssh would look into its environment to expand this (TOKENS and ENVIRONMENT VARIABLES of ssh_config(5)).
    var hasVariable: Bool {
        zip(utf8, utf8.dropFirst()).contains { $0 == UInt8(ascii: "$") && $1 == UInt8(ascii: "{") }
    }
}
