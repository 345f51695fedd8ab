import GateModel
import GateSSH

/// The environment of an ssh-tunnel-server 0.4, and what becomes of each of its settings.
package struct ForeignSettings: Sendable {
    /// What happens to one setting; `becomes` nil: it fell away.
    package struct Note: Encodable, Sendable, Equatable {
        package var name: String
        package var value: String
        package var becomes: String?
        package var why: String
    }

    package let notes: [Note]
    /// How long that server keeps a silent agent.
    package let leaseDays: Int

    /// Reads `NAME=VALUE` lines as systemd's EnvironmentFile= has them: comments, `export`, quotes. Settings that aren't
    /// there count with that server's defaults.
    package init(text: String, named path: String) throws {
        var values: [String: String] = [:]
        for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            var line = Self.trimmed(line)
            if line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("export ") { line = Self.trimmed(line.dropFirst(7)) }
            guard let equals = line.firstIndex(of: "="), equals != line.startIndex,
                line[..<equals].allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") })
            else { throw CommandFailure(.refused, "\(path):\(number + 1): expected NAME=VALUE; nothing was imported") }
            var value = Self.trimmed(line[line.index(after: equals)...])
            if let quote = value.first, quote == "\"" || quote == "'", value.count > 1, value.last == quote {
                value = String(value.dropFirst().dropLast())
            }
            values[String(line[..<equals])] = value
        }
        func refuse(_ name: String, _ rule: String) -> CommandFailure {
            CommandFailure(.refused, "\(path): \(name) must be \(rule); nothing was imported")
        }
        guard let days = Int(values["LEASE_TTL_DAYS"] ?? "7"), (1...36_500).contains(days) else {
            throw refuse("LEASE_TTL_DAYS", "a number of days from 1 to 36500")
        }
        guard let low = Int(values["PORT_RANGE_START"] ?? "20000"), let high = Int(values["PORT_RANGE_END"] ?? "40000"),
            (1_024...65_535).contains(low), (low...65_535).contains(high)
        else {
            throw refuse("PORT_RANGE_START and PORT_RANGE_END", "ports from 1024 to 65535, the first below the last")
        }
        leaseDays = days
        var notes = Self.fixed(values, ports: "\(low)-\(high)", days: days)
        let known = Set(notes.flatMap { $0.name.split(separator: " ").map(String.init) })
        for name in values.keys.sorted() where !known.contains(name) {
            notes.append(Note(name: name, value: "", becomes: nil, why: "no setting of that server"))
        }
        self.notes = notes
    }

    private static func fixed(_ values: [String: String], ports: String, days: Int) -> [Note] {
        let bind = values["AGENT_REVERSE_BIND_HOST"].flatMap { $0.isEmpty ? nil : $0 } ?? "0.0.0.0"
        let host = values["SERVER_HOST"] ?? "0.0.0.0"
        let listen = "\(host.contains(":") ? "[\(host)]" : host):\(values["SERVER_PORT"] ?? "12000")"
        let isLiteral = (try? SSHAddress(host: bind, port: 1)) != nil
        var notes = [
            Note(
                name: "PORT_RANGE_START PORT_RANGE_END", value: ports, becomes: "--lease-ports \(ports)",
                why: "every imported port must lie in it"),
            Note(
                name: "AGENT_REVERSE_BIND_HOST", value: bind, becomes: isLiteral ? "--lease-bind \(bind)" : nil,
                why: isLiteral
                    ? "agents ask for this address until they are restarted"
                    : "only literal addresses are bound here: restart the agents, they get --lease-bind then"),
            Note(
                name: "LEASE_TTL_DAYS", value: "\(days)", becomes: "--lease-ttl \(days)d",
                why: "leases end as they would have there"),
            Note(
                name: "SERVER_HOST SERVER_PORT", value: listen, becomes: "--listen \(listen)",
                why: "agents go on asking the same address"),
        ]
        for name in ["API_KEY", "API_KEYS"] where values[name] != nil {
            notes.append(
                Note(
                    name: name, value: "(secret)", becomes: name, why: "the same variable, or a file of --api-keys-file"
                ))
        }
        let others: [(name: String, becomes: String?, why: String)] = [
            ("API_KEY_HEADER", "API_KEY_HEADER", "the same variable"),
            ("SSH_USER", values["SSH_USER"].map { "--ssh-user \($0)" }, "agents go on logging in as that user"),
            (
                "SSH_PUBLIC_HOST", values["SSH_PUBLIC_HOST"].map { "--ssh-public \($0):22" },
                "with the port that sshd is reached on"
            ),
            ("SSH_JUMP_USER", nil, "there is one login user; people get keys of their own (tidegate key add)"),
            ("AUTHORIZED_KEYS_PATH", nil, "sshd asks tidegate-keys; take the agents' lines out of the old file"),
            ("STATE_DIR", nil, "its allocations.json is what was imported; --state-dir is this gateway's own"),
            ("TUNNEL_KEY_RESTRICTIONS", nil, "every key line is confined"),
            ("RELOAD", nil, "a development aid of that server"),
        ]
        for other in others {
            guard let value = values[other.name] else { continue }
            notes.append(Note(name: other.name, value: value, becomes: other.becomes, why: other.why))
        }
        return notes
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        let start = text.drop { $0 == " " || $0 == "\t" || $0 == "\r" }
        return String(start.reversed().drop { $0 == " " || $0 == "\t" || $0 == "\r" }.reversed())
    }
}
