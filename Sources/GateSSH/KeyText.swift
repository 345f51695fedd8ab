/// The blank-separated words of one line of key text, after the checks that every kind of key shares.
struct KeyText {
    let words: [String]

    /// One line; a single line break at its end is the end of the line, as a `.pub` file has it, and is dropped.
    init(_ text: some StringProtocol) throws(SSHPublicKeyError) {
        guard text.utf8.count <= 8_192 else { throw .tooLong }
        let whole = String(text)
        // First of all, so that a pasted secret is named as one and not as "several lines".
        guard !whole.holds("PRIVATE KEY"), !whole.holds("PuTTY-User-Key-File") else { throw .privateKey }
        guard !whole.holds("BEGIN SSH2 PUBLIC KEY") else { throw .foreignFormat }
        var scalars = whole.unicodeScalars[...]
        if scalars.last == "\n" { scalars.removeLast() }
        if scalars.last == "\r" { scalars.removeLast() }
        for scalar in scalars where scalar.isControl {
            let breaks = scalar == "\n" || scalar == "\r" || scalar.value == 0x2028 || scalar.value == 0x2029
            throw breaks ? .severalLines : .controlCharacter
        }
        self.words = String(scalars).split(separator: " ", omittingEmptySubsequences: true).map { String($0) }
        guard !words.isEmpty else { throw .empty }
    }

    /// The blob of a base64 word, structure unchecked.
    static func blob(_ word: String) throws(SSHPublicKeyError) -> [UInt8] {
        guard let blob = Base64.decode(word) else { throw .notBase64 }
        return blob
    }
}

extension Unicode.Scalar {
    /// C0, DEL, C1 and the two Unicode line breaks.
    var isControl: Bool { value < 0x20 || (0x7F...0x9F).contains(value) || value == 0x2028 || value == 0x2029 }
}

extension StringProtocol {
    var hasControlCharacter: Bool { unicodeScalars.contains { $0.isControl } }
}

extension String {
    /// `contains` by bytes: agents send a key with each registration, and thousands of them at once.
    fileprivate func holds(_ words: StaticString) -> Bool {
        let wanted = UnsafeBufferPointer(start: words.utf8Start, count: words.utf8CodeUnitCount)
        var copy = self
        return copy.withUTF8 { bytes in
            guard bytes.count >= wanted.count else { return false }
            return (0...bytes.count - wanted.count).contains { start in
                bytes[start] == wanted[0] && bytes[start..<start + wanted.count].elementsEqual(wanted)
            }
        }
    }
}
