import GateControl
import GateHTTP
import GateModel
import GateProcess
import GateSSH
import GateSSHServer
import Glibc
import Logging

/// Who is who and what lies where, found out before anything starts.
struct SSHPreparation: Sendable {
    static let standardHelper = "/usr/libexec/tidegate/tidegate-keys"
    static let helperUser = "tidegate-keys"
    /// The one login of all tunnels where root starts sshd.
    static let loginUser = "tidegate"

    let program: SSHDProgram
    let settings: SSHDSettings
    /// The user the helper must run as, and the group that may reach its socket.
    let helperUID: UInt32
    let helperGID: UInt32?

    var dropIn: String { ExternalSSHD(settings).dropIn }

    /// `socket`: where the helper asks; nil to name the usual place. `isRoot`: whether sshd is started by root.
    static func settings(
        _ serve: ServeSettings, folder: String, socket: String?, isRoot: Bool = geteuid() == 0, logger: Logger
    ) async throws -> SSHPreparation {
        let program: SSHDProgram
        do { program = try await SSHDProgram.find(serve.sshd) } catch { throw StartFault("\(error)") }
        if serve.ssh == .external, !isRoot {
            throw StartFault("ssh external: only root can end connections of the system's sshd; start as root")
        }
        guard let me = UserAccount.current else { throw StartFault("this process's user has no account") }
        let login: UserAccount
        if let name = serve.sshUser ?? (isRoot ? loginUser : nil) {
            guard let account = UserAccount(name: name) else {
                throw StartFault("ssh-user: there is no user '\(name)'; `make setup` makes it, or name another one")
            }
            login = account
        } else {
            login = me
        }
        if isRoot, login.uid == 0 {
            throw StartFault("ssh-user: tunnels must not log in as root; use the user that `make setup` makes")
        }
        if !isRoot, serve.ssh == .managed, login.uid != me.uid {
            throw StartFault("ssh-user: without root, sshd can only let in '\(me.name)' itself")
        }
        let apiAddress = apiAddress(serve, logger: logger)
        func make(_ source: SSHDSettings.KeySource) -> SSHDSettings {
            SSHDSettings(
                program: program.path, version: program.version, loginUser: login.name, loginUID: login.uid,
                runsAsRoot: isRoot, folder: "\(folder)/ssh", keySource: source, leaseAddress: serve.leaseAddress,
                apiAddress: apiAddress)
        }
        let helper: String?
        switch serve.keysCommand {
        case .none: helper = nil
        case .program(let path): helper = path
        case .standard: helper = isRoot || access(standardHelper, X_OK) == 0 ? standardHelper : nil
        }
        guard let helper else {
            if isRoot {
                throw StartFault("keys-command: as root sshd asks tidegate-keys; `make setup` puts it into place")
            }
            if serve.ssh == .external {
                throw StartFault("keys-command: --ssh external needs tidegate-keys; `make setup` puts it into place")
            }
            logger.warning(
                "no root-owned tidegate-keys: sshd reads an authorized_keys file instead",
                metadata: [
                    "gate.lacks":
                        "every login reads all lines, and a key's end is fenced by its expiry-time and by a second look after login"
                ])
            return SSHPreparation(
                program: program, settings: make(.file("\(folder)/ssh/authorized_keys")), helperUID: me.uid,
                helperGID: nil)
        }
        guard access(helper, X_OK) == 0 else {
            throw StartFault("keys-command: there is no program at \(helper); `make setup` puts it into place")
        }
        // sshd refuses such a path without a word to the client; better to hear it now.
        if let fault = SafePath.firstUnsafe(program: helper) {
            throw StartFault("keys-command: sshd will not run \(helper): \(fault)")
        }
        guard isRoot || serve.ssh == .external else {
            let socket = socket ?? "\(folder)/keys.sock"
            return SSHPreparation(
                program: program, settings: make(.helper(path: helper, socket: socket, user: me.name)),
                helperUID: me.uid,
                helperGID: nil)
        }
        guard let account = UserAccount(name: helperUser) else {
            throw StartFault("there is no user '\(helperUser)' to run the helper as; `make setup` makes it")
        }
        let socket = socket ?? "\(RuntimeFolder.standard)/keys.sock"
        return SSHPreparation(
            program: program, settings: make(.helper(path: helper, socket: socket, user: helperUser)),
            helperUID: account.uid, helperGID: account.gid)
    }

    /// What machines' own key lines open: the API as seen from here. Not where a trusted proxy sits at that address: a
    /// tunnel's requests would come from it, and could say they come from anywhere.
    private static func apiAddress(_ serve: ServeSettings, logger: Logger) -> SSHAddress? {
        let seen = serve.listen.asSeen
        // To another loopback address the kernel dials from 127.0.0.1.
        let sources = seen.host.hasPrefix("127.") ? [seen.host, "127.0.0.1"] : [seen.host]
        if serve.trustedProxies.contains(where: { proxy in sources.contains(where: proxy.contains) }) {
            logger.warning(
                "agents can't reach the API through ssh: a trusted proxy has the API's own address",
                metadata: ["gate.address": "\(seen.text)"])
            return nil
        }
        return try? SSHAddress(host: seen.host, port: seen.port)
    }
}
