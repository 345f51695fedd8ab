import FoundationEssentials
import GateModel

/// What the Fleet says of a node token, as a value: `POST …/api/v1/pat/verify`.
package enum FleetAnswer: Sendable, Hashable {
    case valid(VerifiedNode)
    /// For whichever reason; the reason is for the log alone.
    case invalid(Reason)
    /// Nothing that can be relied on; never told as "invalid", which would make a node throw a good token away.
    case unusable(Fault)

    package enum Reason: String, Sendable, CaseIterable {
        case formatInvalid = "format_invalid"
        case checksumInvalid = "checksum_invalid"
        case tokenNotFound = "token_not_found"
        case tokenRevoked = "token_revoked"
        case tokenExpired = "token_expired"
        case ownerMismatch = "owner_mismatch"
        case instanceMismatch = "instance_mismatch"
        /// Anything else it may say: somebody else's text, which no log of ours repeats.
        case other
    }

    package enum Fault: String, Sendable, CaseIterable {
        case status = "it answers with another status than 200"
        case notJSON = "its answer isn't the JSON that was agreed"
        case noOwner = "it names no owner for a valid token"
        case badInstance = "it names an instance in characters that no agent id has"
    }

    /// The wire's shape. Unknown members are the Fleet's business.
    private struct Body: Decodable {
        let valid: Bool
        let reason: String?
        let owner: String?
        let instance: String?

        enum CodingKeys: String, CodingKey {
            case valid, reason
            case owner = "owner_id"
            case instance = "instance_id"
        }
    }

    package init(_ response: OutboundResponse) {
        guard response.status == 200 else {
            self = .unusable(.status)
            return
        }
        guard let body = try? JSONDecoder().decode(Body.self, from: Data(response.body)) else {
            self = .unusable(.notJSON)
            return
        }
        guard body.valid else {
            self = .invalid(body.reason.flatMap { Reason(rawValue: $0) } ?? .other)
            return
        }
        guard let owner = body.owner, !owner.isEmpty else {
            self = .unusable(.noOwner)
            return
        }
        let instance = body.instance.flatMap { $0.isEmpty ? nil : $0 }
        let id = instance.flatMap { AgentID(rawValue: $0) }
        guard (instance == nil) == (id == nil) else {
            self = .unusable(.badInstance)
            return
        }
        self = .valid(VerifiedNode(owner: ID(owner), instance: id))
    }
}

/// Whom a valid node token belongs to, in the Fleet's words.
package struct VerifiedNode: Sendable, Hashable {
    /// Nil: not a user's id here, whoever it is there.
    package let owner: ID<User>?
    package let instance: AgentID?

    package init(owner: ID<User>?, instance: AgentID?) {
        self.owner = owner
        self.instance = instance
    }
}
