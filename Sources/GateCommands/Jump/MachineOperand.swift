import GateModel

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
