import GateClient
import GateModel
import GateSSH
import GateWire

/// A key of this process alone, registered for the jump to one machine, and the files stock ssh needs for it.
struct JumpAccess: Sendable {
    /// How long the key opens new logins: one attempt with a slow security key, not a second session.
    static let loginSeconds = 120
    /// When the gateway ends the session by itself, should this process die without revoking.
    static let sessionSeconds = 86_400

    let client: GatewayClient
    let keyID: String
    let folder: String
    let arguments: JumpArguments
    let machine: ReachableMachineBody
    let gateway: GatewayBody

    /// Asks for the machine, makes and registers the key, writes the files. Throws before anything is left behind.
    static func open(_ reference: String, client: GatewayClient, label: String) async throws -> JumpAccess {
        let found = try await client.machine(called: reference)
        let name = TerminalText.neutralised(found.name)
        guard found.enrolledAt != nil || found.lease != nil else {
            throw CommandFailure(.unreachable, "\(name) was never enrolled: run `tidegate machine enrol \(name)`")
        }
        guard found.lease != nil, found.connected else {
            let seen = found.lastSeenAt.map { ", last seen \($0.shown)" } ?? ""
            throw CommandFailure(.unreachable, "\(name) is not connected to the gateway\(seen)")
        }
        let gateway = try await client.gateway()
        let key = EphemeralKey.generate()
        let registered = try await client.addTunnelKey(
            AddTunnelKeyRequest(
                publicKey: key.publicKey.line, machines: [found.agentID], label: label, ttl: loginSeconds,
                connectionTTL: sessionSeconds))
        do {
            guard let machine = registered.machines.first(where: { $0.id == found.id }), let lease = machine.lease
            else { throw CommandFailure(.unreachable, "\(name) is not connected to the gateway") }
            guard !machine.hostKeys.isEmpty else {
                throw CommandFailure(.refused, "\(name) has reported no host keys, and none is trusted unseen")
            }
            let folder = try PrivateFolder.make()
            do {
                let arguments = try JumpArguments(folder: folder, gateway: gateway, machine: machine, lease: lease)
                try write(key, arguments, gateway: gateway, machine: machine)
                return JumpAccess(
                    client: client, keyID: registered.id, folder: folder, arguments: arguments, machine: machine,
                    gateway: gateway)
            } catch {
                PrivateFolder.remove(folder)
                throw error
            }
        } catch {
            await revoke(registered.id, client: client)
            throw error
        }
    }

    /// Removes the files and revokes the key.
    func close() async {
        PrivateFolder.remove(folder)
        await Self.revoke(keyID, client: client)
    }

    /// In a task of its own: a command that was cancelled by a signal still has to take its key back.
    private static func revoke(_ id: String, client: GatewayClient) async {
        await Task {
            do {
                try await client.revokeTunnelKey(id)
            } catch {
                Terminal.note("the session's key could not be revoked (\(error)); it opens no login after 2 minutes")
            }
        }.value
    }

    private static func write(
        _ key: EphemeralKey, _ arguments: JumpArguments, gateway: GatewayBody, machine: ReachableMachineBody
    ) throws {
        try PrivateFile.write(key.privateKeyFile, to: arguments.identity)
        try PrivateFile.write(
            HostKeyName.lines(for: arguments.gatewayAlias, keys: gateway.sshHostKeys).joined(separator: "\n") + "\n",
            to: arguments.gatewayHosts)
        try PrivateFile.write(
            HostKeyName.lines(for: arguments.machineAlias, keys: machine.hostKeys).joined(separator: "\n") + "\n",
            to: arguments.machineHosts)
    }
}
