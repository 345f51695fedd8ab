/// Reads options as getopt(3) of OpenSSH's programs does: up to the first operand, letters in one word or several.
struct OptionScan {
    /// Letters followed by a value, in the same word or the next.
    let valueLetters: String
    /// Letters that cannot work here, and why.
    let refused: [Character: String]

    func split(_ arguments: [String]) throws -> (options: [String], rest: [String]) {
        var index = 0
        while index < arguments.count {
            let word = arguments[index]
            if word == "--" {
                return (Array(arguments[..<index]), Array(arguments[(index + 1)...]))
            }
            guard word.hasPrefix("-"), word.count > 1 else { break }
            index += 1
            let letters = Array(word.dropFirst())
            for (position, letter) in letters.enumerated() {
                if let reason = refused[letter] { throw UsageFault(reason) }
                guard valueLetters.contains(letter) else { continue }
                if position == letters.count - 1 {
                    guard index < arguments.count else { throw UsageFault("option -\(letter) needs a value") }
                    index += 1
                }
                break
            }
        }
        return (Array(arguments[..<index]), Array(arguments[index...]))
    }
}
