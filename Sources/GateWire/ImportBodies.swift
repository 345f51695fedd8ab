public import GateModel

/// `POST /api/v1/imports/ssh-tunnel-gateway`: agents of such a gateway, each with its port, its key and its lease.
public struct ImportAgentsRequest: Codable, WireRequest {
    public struct Agent: Codable, Sendable, Equatable {
        public var agentID: String
        public var port: Int
        /// `ssh-rsa …` or `ssh-ed25519 …`.
        public var publicKey: String
        public var lastSeenAt: Timestamp
        public var leaseExpiresAt: Timestamp

        public init(
            agentID: String, port: Int, publicKey: String, lastSeenAt: Timestamp, leaseExpiresAt: Timestamp
        ) {
            self.agentID = agentID
            self.port = port
            self.publicKey = publicKey
            self.lastSeenAt = lastSeenAt
            self.leaseExpiresAt = leaseExpiresAt
        }

        enum CodingKeys: String, CodingKey {
            case port
            case agentID = "agent_id"
            case publicKey = "public_key"
            case lastSeenAt = "last_seen_at"
            case leaseExpiresAt = "lease_expires_at"
        }
    }

    public var agents: [Agent]
    /// Check everything and change nothing; default false.
    public var dryRun: Bool?

    public init(agents: [Agent], dryRun: Bool? = nil) {
        self.agents = agents
        self.dryRun = dryRun
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable {
        case agents
        case dryRun = "dry_run"
    }
}

/// What an import did, or with `dry_run` would do.
public struct ImportedAgentsBody: Codable, Sendable, Equatable {
    public var dryRun: Bool
    public var imported: Int
    /// Here already, with the same port.
    public var unchanged: Int
    /// Left behind: their lease had ended.
    public var expired: Int
    /// How many of the imported keys are RSA; sshd takes such keys only while one of them lives.
    public var rsaKeys: Int

    public init(dryRun: Bool, imported: Int, unchanged: Int, expired: Int, rsaKeys: Int) {
        self.dryRun = dryRun
        self.imported = imported
        self.unchanged = unchanged
        self.expired = expired
        self.rsaKeys = rsaKeys
    }

    enum CodingKeys: String, CodingKey {
        case imported, unchanged, expired
        case dryRun = "dry_run"
        case rsaKeys = "rsa_keys"
    }
}
