import GateModel

/// A wrong call: exit code 64, the words on standard error.
package struct UsageFault: Error, Hashable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// `[LOGIN@]NAME`, NAME being a machine's name or agent id.
package struct MachineOperand: Hashable, Sendable {
    package let login: String?
    package let machine: AgentID

    package init(_ text: some StringProtocol) throws {
        let parts = Self.split(text)
        if let login = parts.login {
            guard !login.isEmpty, !login.hasPrefix("-"), !login.unicodeScalars.contains(where: isUnprintable) else {
                throw UsageFault("the login before '@' is empty or begins with '-'")
            }
        }
        // Every machine name is a well-formed agent id too, so this covers both.
        guard let machine = AgentID(rawValue: parts.name) else {
            throw UsageFault("a machine is named by its name or agent id: \(AgentID.rule)")
        }
        login = parts.login
        self.machine = machine
    }

    /// At the last `@`, as ssh does: a login may hold one itself.
    private static func split(_ text: some StringProtocol) -> (login: String?, name: String) {
        guard let at = text.lastIndex(of: "@") else { return (nil, String(text)) }
        return (String(text[..<at]), String(text[text.index(after: at)...]))
    }

    /// How ssh and scp are told: the login as given, then the host we chose.
    package func destination(_ host: String) -> String { (login.map { $0 + "@" } ?? "") + host }
}

/// The arguments of `tidegate ssh`, split where ssh(1) itself would: options, destination, the rest.
///
/// rsync, Ansible and git call their remote shell as `ssh [-l login] HOST command …` without a `--`, so all that follows
/// the destination is handed on as it stands.
package struct SSHOperands: Hashable, Sendable {
    package let options: [String]
    package let destination: MachineOperand
    package let rest: [String]

    package init(_ arguments: [String]) throws {
        let (options, rest) = try OptionScan(valueLetters: "BbcDEeFIiJLlmOopPQRSWw", refused: ["f": Self.background])
            .split(arguments)
        guard let first = rest.first else { throw UsageFault("which machine? tidegate ssh [LOGIN@]NAME [command …]") }
        self.options = options
        destination = try MachineOperand(first)
        self.rest = Array(rest.dropFirst())
    }

    private static let background =
        "ssh -f goes on without us, but its key is revoked when this command ends; run it with & instead"
}

/// The arguments of `tidegate scp`: options, then sources and target, all remote ones on one machine.
package struct SCPOperands: Hashable, Sendable {
    package enum Operand: Hashable, Sendable {
        case local(String)
        case remote(MachineOperand, path: String)
    }

    package let options: [String]
    package let operands: [Operand]
    package let machine: AgentID

    package init(_ arguments: [String]) throws {
        let (options, rest) = try OptionScan(valueLetters: "cDFiJloPSX", refused: [:]).split(arguments)
        guard rest.count >= 2 else { throw UsageFault("scp needs a source and a target: SOURCE … TARGET") }
        self.options = options
        operands = try rest.map(Self.operand)
        let machines = Set(
            operands.compactMap { operand in
                if case .remote(let machine, _) = operand { machine.machine } else { nil }
            })
        guard let machine = machines.first else {
            throw UsageFault("no operand is on a machine: write [LOGIN@]NAME:PATH")
        }
        guard machines.count == 1 else { throw UsageFault("one machine at a time: each has its own port") }
        self.machine = machine
    }

    /// The operands as stock scp takes them, remote ones on `host`.
    package func rewritten(host: String) -> [String] {
        operands.map { operand in
            switch operand {
            case .local(let path): path
            case .remote(let machine, let path): machine.destination(host) + ":" + path
            }
        }
    }

    /// Remote is what has a colon before any slash, as in scp(1).
    private static func operand(_ text: String) throws -> Operand {
        guard !text.hasPrefix("scp://") else { throw UsageFault("scp:// addresses are not taken: write NAME:PATH") }
        guard let colon = text.firstIndex(of: ":"), colon != text.startIndex, !text[..<colon].contains("/") else {
            return .local(text)
        }
        return .remote(try MachineOperand(text[..<colon]), path: String(text[text.index(after: colon)...]))
    }
}

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
