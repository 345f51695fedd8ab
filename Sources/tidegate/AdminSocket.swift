import GateControl
import GateHTTP
import GateModel
import GateSSH
import Glibc

/// The operator's way in on this host: `admin.sock`, for the same user, with the secret of `admin.secret` (0600).
struct AdminSocket {
    let path: String
    let mode: AuthenticationMode

    /// A fresh secret at each start. The secret keeps out a tunnel whose sshd runs as this same user.
    static func prepare(stateDirectory: String, tenant: ID<Tenant>) throws -> AdminSocket {
        let path = "\(stateDirectory)/admin.sock"
        guard path.utf8.count <= 107 else {
            throw StartFault("state-dir: \(path) is longer than the 107 bytes of a socket's path")
        }
        let minted = MintedCredential(.adminSecret)
        do {
            try PrivateFile.write(Secret(minted.text.reveal() + "\n"), to: "\(stateDirectory)/admin.secret")
        } catch {
            throw StartFault("state-dir: \(error)")
        }
        unlink(path)
        return AdminSocket(path: path, mode: .adminSocket(secret: minted.digest, tenant: tenant, uid: geteuid()))
    }
}
