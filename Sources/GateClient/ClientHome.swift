import FoundationEssentials
import GateSSH

/// Where the client programs of one person keep what they must remember: a folder of mode 0700.
public struct ClientHome: Sendable, Hashable {
    public let path: String

    public init(path: String) { self.path = path }

    /// `TIDEGATE_HOME`, else `$XDG_CONFIG_HOME/tidegate`, else `~/.config/tidegate`; nil when none of them is known.
    public init?(environment: [String: String]) {
        if let home = environment["TIDEGATE_HOME"], home.hasPrefix("/") {
            path = home
        } else if let home = environment["XDG_CONFIG_HOME"], home.hasPrefix("/") {
            // The XDG base directory specification: a relative value is to be ignored.
            path = home + "/tidegate"
        } else if let home = environment["HOME"], home.hasPrefix("/") {
            path = home + "/.config/tidegate"
        } else {
            return nil
        }
    }

    /// Host keys of gateways and machines, in known_hosts form.
    public var knownHosts: String { path + "/known_hosts" }
    /// Tokens by gateway URL, mode 0600.
    public var credentialFile: String { path + "/credentials.json" }

    /// Makes the folder when it is missing.
    public func make() throws(PrivateFile.Fault) { try PrivateFile.makeFolder(path) }

    /// What was stored; empty when there is no file yet.
    public func credentials() throws(ClientSetupError) -> StoredCredentials {
        let text: String
        do { text = try BoundedFile.text(credentialFile) } catch {
            if error.isMissing { return StoredCredentials() }
            throw ClientSetupError("\(error)")
        }
        guard let stored = try? JSONDecoder().decode(StoredCredentials.self, from: Data(text.utf8)) else {
            throw ClientSetupError("\(credentialFile) can't be read: mend it, or remove it and log in again")
        }
        return stored
    }

    /// Replaces the stored credentials.
    public func store(_ credentials: StoredCredentials) throws(ClientSetupError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        do {
            try make()
            try PrivateFile.write([UInt8](try encoder.encode(credentials)) + [UInt8(ascii: "\n")], to: credentialFile)
        } catch {
            throw ClientSetupError("\(error)")
        }
    }
}

/// Tokens by gateway URL, and which gateway is meant when none is named.
public struct StoredCredentials: Codable, Sendable, Equatable {
    /// One gateway's token, and the PEM file of its private certificate authority.
    public struct Entry: Codable, Sendable, Equatable {
        public var token: String
        public var caFile: String?

        public init(token: String, caFile: String? = nil) {
            self.token = token
            self.caFile = caFile
        }

        enum CodingKeys: String, CodingKey {
            case token
            case caFile = "ca_file"
        }
    }

    public var current: String?
    public var gateways: [String: Entry]

    public init(current: String? = nil, gateways: [String: Entry] = [:]) {
        self.current = current
        self.gateways = gateways
    }
}

/// Why a client doesn't know which gateway to ask, or with what, and what to do about it.
public struct ClientSetupError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}
