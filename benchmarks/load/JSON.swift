/// What a command prints. Names and texts are our own, so nothing needs escaping.
indirect enum JSON {
    case null
    case number(Int)
    case fraction(Double)
    case object([(String, JSON)])

    var text: String {
        switch self {
        case .null: "null"
        case .number(let value): "\(value)"
        case .fraction(let value): "\((value * 1_000_000).rounded() / 1_000_000)"
        case .object(let members):
            "{" + members.map { name, value in "\"\(name)\": \(value.text)" }.joined(separator: ", ") + "}"
        }
    }

    func print() { Load.write(text + "\n", to: 1) }
}
