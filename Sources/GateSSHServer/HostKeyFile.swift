import GateModel
public import GateSSH
import Glibc

/// The gateway's own ed25519 host key, made once.
public enum HostKeyFile {
    /// Reads the public half, making the pair at first start. Throws when the files can't be read or written.
    public static func load(at path: String) throws -> SSHHostKey {
        if access(path, F_OK) != 0 {
            let pair = EphemeralKey.generate()
            // The private half last: it is what counts as there, so a kill in between only makes a new pair.
            try PrivateFile.write(pair.publicKey.line + "\n", to: path + ".pub")
            try PrivateFile.write(pair.privateKeyFile, to: path)
        }
        guard let text = readFile(path + ".pub") else {
            throw SSHDProgram.Fault(description: "\(path).pub can't be read; restore it with: ssh-keygen -y -f \(path)")
        }
        return try SSHHostKey(parsing: text)
    }
}
