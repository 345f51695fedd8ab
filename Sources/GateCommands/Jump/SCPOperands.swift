import GateModel

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
