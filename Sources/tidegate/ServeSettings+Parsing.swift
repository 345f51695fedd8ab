import GateControl
import GateModel
import GateSSH
import Glibc
import Yams

/// Reads single values; every refusal names the setting and what would be right.
extension ServeSettings {
    static func endpoint(_ text: String, _ name: String, literal: Bool = true) throws -> Endpoint {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (1...65_535).contains(port)
        else { throw StartFault("\(name) must be HOST:PORT, like 127.0.0.1:12000") }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        if literal {
            guard (try? SSHAddress(host: host, port: port)) != nil else {
                throw StartFault(
                    "\(name) must begin with a literal address, like 127.0.0.1 or 0.0.0.0; names may resolve elsewhere")
            }
        } else {
            guard (try? SSHTarget(host: host, port: port)) != nil else {
                throw StartFault("\(name) must be a host name or address with a port")
            }
        }
        return Endpoint(host: host, port: port)
    }

    static func literal(_ text: String, _ name: String) throws -> String {
        guard let address = try? SSHAddress(host: text, port: 1) else {
            throw StartFault("\(name) must be a literal address, like 127.0.0.1")
        }
        return address.host
    }

    static func ports(_ text: String) throws -> ClosedRange<Int> {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let low = Int(parts[0]), let high = Int(parts[1]), (1_024...65_535).contains(low),
            (low...65_535).contains(high)
        else { throw StartFault("lease-ports must be A-B with 1024 <= A <= B <= 65535, like 20000-29999") }
        return low...high
    }

    static func duration(_ text: String, _ name: String) throws -> Duration {
        guard let duration = Duration(text: text) else {
            throw StartFault("\(name) must be a duration like 90s, 15m, 12h or 7d")
        }
        return duration
    }

    static func flag(_ text: String?, _ name: String) throws -> Bool {
        switch text {
        case nil, "false": false
        case "true": true
        default: throw StartFault("\(name) must be true or false")
        }
    }

    static func requestRules(_ text: String?) throws -> RequestLimits.Rules {
        var rules = RequestLimits.Rules()
        guard let text else { return rules }
        guard let rate = Int(text), (0...100_000).contains(rate) else {
            throw StartFault("request-rate must be a number from 1 to 100000, or 0 for no limit")
        }
        rules.work = rate == 0 ? nil : rate
        return rules
    }

    /// An absolute path; a relative one is taken from the working directory.
    static func path(_ text: String?, _ name: String) throws -> String? {
        guard let text else { return nil }
        guard !text.isEmpty, !text.unicodeScalars.contains(where: isUnprintable) else {
            throw StartFault("\(name) must be a path without control characters")
        }
        if text.hasPrefix("/") { return text }
        guard let folder = getcwd(nil, 0) else { throw StartFault("\(name) must be an absolute path") }
        defer { free(folder) }
        return String(cString: folder) + "/" + text
    }

    /// The Fleet's URL by whichever name it was set; blank is none.
    static func fleet(_ text: String?, environment: [String: String]) throws -> OutboundURL? {
        let named =
            [("fleet-url", text)] + ["MULTICA_CLOUD_FLEET_URL", "MULTICA_FLEET_URL"].map { ($0, environment[$0]) }
        for (name, value) in named {
            let text = (value ?? "").split(whereSeparator: \.isWhitespace).joined(separator: " ")
            guard !text.isEmpty else { continue }
            guard !text.contains("?") else { throw StartFault("\(name) must be a URL without a query ('?')") }
            do throws(OutboundURL.Fault) {
                return try OutboundURL(text, loopback: .literal)
            } catch {
                throw StartFault("\(name) must be the URL of a Fleet: \(error)")
            }
        }
        return nil
    }

    static func url(_ text: String?, _ name: String = "public-url") throws -> String? {
        guard var text else { return nil }
        while text.hasSuffix("/") { text.removeLast() }
        let rest = ["https://", "http://"].first { text.hasPrefix($0) }.map { text.dropFirst($0.count) }
        guard let rest, !rest.isEmpty, !rest.contains(where: { "/?#@ ".contains($0) }),
            !rest.unicodeScalars.contains(where: isUnprintable)
        else { throw StartFault("\(name) must be http://HOST[:PORT] or https://HOST[:PORT], without a path") }
        return text
    }

    /// The state directory and the store's file.
    static func location(_ values: [String: String], environment: [String: String], isRoot: Bool) throws -> (
        stateDirectory: String, file: String
    ) {
        let folder =
            try path(values["state-dir"], "state-dir") ?? standardStateDirectory(environment, isRoot: isRoot)
        return (folder, try database(values["store"], stateDirectory: folder))
    }

    static func database(_ text: String?, stateDirectory: String) throws -> String {
        guard let text else { return "\(stateDirectory)/tidegate.db" }
        guard text.hasPrefix("sqlite:") else { throw StartFault("store must be sqlite:PATH in this version") }
        var rest = text.dropFirst("sqlite:".count)
        if rest.hasPrefix("//") { rest = rest.dropFirst(2) }
        guard let path = try path(String(rest), "store") else { throw StartFault("store must be sqlite:PATH") }
        return path
    }

    static func standardStateDirectory(_ environment: [String: String], isRoot: Bool) throws -> String {
        if isRoot { return "/var/lib/tidegate" }
        if let folder = environment["XDG_STATE_HOME"], folder.hasPrefix("/") { return "\(folder)/tidegate" }
        guard let home = environment["HOME"], home.hasPrefix("/") else {
            throw StartFault("state-dir must be given where HOME is not set")
        }
        return "\(home)/.local/state/tidegate"
    }

    /// A flat YAML mapping. An unknown key is refused: a misspelt one would switch a protection off unseen.
    static func readFile(_ path: String) throws -> [String: String] {
        guard let text = try? String(contentsOf: path) else { throw StartFault("config: \(path) can't be read") }
        guard let node = try? Yams.compose(yaml: text) else {
            if text.allSatisfy({ $0.isWhitespace }) { return [:] }
            throw StartFault("config: \(path) is not valid YAML")
        }
        guard let mapping = node.mapping else { throw StartFault("config: \(path) must hold `name: value` lines") }
        var values: [String: String] = [:]
        for (key, value) in mapping {
            guard let name = key.string, ServeFlags.names.contains(name) else {
                throw StartFault(
                    "config: unknown key '\(key.string ?? "?")'; known are: \(ServeFlags.names.sorted().joined(separator: ", "))"
                )
            }
            if let scalar = value.scalar {
                values[name] = scalar.string
            } else if let sequence = value.sequence {
                // Names of groups have commas in them.
                values[name] = sequence.compactMap(\.scalar?.string).joined(separator: name == "oidc-role" ? ";" : ",")
            } else {
                throw StartFault("config: '\(name)' must be a single value")
            }
        }
        return values
    }
}

extension String {
    /// A small text file, UTF-8, at most 1 MiB.
    init(contentsOf path: String) throws {
        guard let file = fopen(path, "r") else { throw StartFault(path) }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        guard count < bytes.count, let text = String(validating: bytes[..<count], as: UTF8.self) else {
            throw StartFault(path)
        }
        self = text
    }
}
