import FoundationEssentials
import GateModel
import GateSSH
import GateWire

/// The `allocations.json` of ssh-tunnel-server 0.4. That server may leave it cut short or empty after a crash or on a full
/// disk; such a file is refused with the place of the first fault, never half read.
package enum AllocationsFile {
    static let limit = 32 << 20

    private struct State: Decodable {
        let allocations: [Allocation]
    }

    private struct Allocation: Decodable {
        let agent_id: String
        let port_b: Int
        let public_key: String
        let last_seen: String
    }

    package static func agents(
        in text: String, named path: String, leaseDays: Int
    ) throws -> [ImportAgentsRequest.Agent] {
        func fault(_ words: String) -> CommandFailure {
            CommandFailure(.refused, "\(path): \(words); nothing was imported")
        }
        guard text.contains(where: { !$0.isWhitespace }) else {
            throw fault("is empty: that server lost its state, look for a backup")
        }
        let state: State
        do {
            state = try JSONDecoder().decode(State.self, from: Data(text.utf8))
        } catch DecodingError.dataCorrupted {
            throw fault("is not whole JSON: it was damaged, or is being written right now")
        } catch let error as DecodingError {
            throw fault(Self.words(error))
        }
        var seen = (ids: Set<String>(), ports: Set<Int>(), keys: Set<String>())
        return try state.allocations.enumerated().map { index, entry in
            func wrong(_ words: String) -> CommandFailure { fault("allocations[\(index)]: \(words)") }
            guard AgentID(rawValue: entry.agent_id) != nil else { throw wrong("agent_id has \(AgentID.rule)") }
            guard (1_024...65_535).contains(entry.port_b) else {
                throw wrong("port_b \(entry.port_b) is not 1024 to 65535")
            }
            guard let lastSeen = Timestamp(rfc3339: entry.last_seen) else {
                throw wrong("last_seen is not a time like 2026-03-01T12:00:00+00:00")
            }
            let key: SSHPublicKey
            do { key = try SSHPublicKey(importing: entry.public_key) } catch {
                throw wrong("public_key: \(error)")
            }
            guard seen.ids.insert(entry.agent_id).inserted else {
                throw wrong("agent_id \(entry.agent_id) is there twice")
            }
            guard seen.ports.insert(entry.port_b).inserted else { throw wrong("port_b \(entry.port_b) is there twice") }
            guard seen.keys.insert(key.fingerprint).inserted else { throw wrong("its public_key is there twice") }
            return ImportAgentsRequest.Agent(
                agentID: entry.agent_id, port: entry.port_b, publicKey: key.line, lastSeenAt: lastSeen,
                leaseExpiresAt: lastSeen + .seconds(leaseDays * 86_400))
        }
    }

    private static func words(_ error: DecodingError) -> String {
        func place(_ path: [any CodingKey], _ last: String? = nil) -> String {
            let parts = path.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue } + (last.map { [$0] } ?? [])
            return parts.joined(separator: ".").replacing(".[", with: "[")
        }
        return switch error {
        case .keyNotFound(let key, let context): "\(place(context.codingPath, key.stringValue)) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            context.codingPath.isEmpty
                ? "is not an object with allocations" : "\(place(context.codingPath)) is of another type"
        default: "can't be read"
        }
    }
}
