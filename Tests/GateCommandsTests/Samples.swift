import GateModel
import GateSSH
import GateWire

/// Answers as a gateway would give them, with one field or the other made hostile by a test.
enum Samples {
    static let gatewayID = "0b0e7a44-6f5f-4c1e-8a53-0d8f5b8f7a01"
    static let machineID = "5a1d3c70-2f4b-4a6e-9a55-6f1f6d0f4c02"
    static let hostKey = EphemeralKey.generate().publicKey.line
    static let lease = LeaseBody(
        address: "127.0.0.1", port: 20_017, generation: 3, expiresAt: Timestamp(seconds: 1_800_000_000))

    static func gateway(host: String = "gateway.example.org", user: String = "tidegate") -> GatewayBody {
        GatewayBody(
            id: gatewayID, version: "0.1.0", publicURL: "https://gateway.example.org", sshHost: host, sshPort: 2222,
            sshUser: user, sshHostKeys: [hostKey], apiAddress: nil)
    }

    static func reachable(
        name: String = "build-7", id: String = machineID, keys: [String] = [hostKey], lease: LeaseBody? = lease
    ) -> ReachableMachineBody {
        ReachableMachineBody(id: id, agentID: "agent-7", name: name, hostKeys: keys, lease: lease)
    }

    static func machine(name: String = "build-7", id: String = machineID, site: String = "") -> MachineBody {
        MachineBody(
            id: id, agentID: "agent-7", name: name, organization: "", site: site, tags: ["a", "b"],
            createdAt: Timestamp(seconds: 0), updatedAt: Timestamp(seconds: 0), enrolledAt: nil, lastSeenAt: nil,
            connected: true, transport: "ssh", operatingSystem: "", agentVersion: "", source: "",
            hostKeys: [hostKey], lease: lease)
    }
}
