import GateModel
public import GateSSH
import Glibc

/// The gateway's own ed25519 host key, made once.
public enum HostKeyFile {
    /// Reads the public half, making the pair at first start. Throws when the files can't be read or written.
    public static func load(at path: String) throws -> SSHHostKey {
        if access(path, F_OK) != 0 {
            let pair = EphemeralKey.generate()
            try PrivateFile.write(pair.privateKeyFile, to: path)
            try PrivateFile.write(pair.publicKey.line + "\n", to: path + ".pub")
        }
        guard let text = readFile(path + ".pub") else {
            throw SSHDProgram.Fault(description: "\(path).pub can't be read; restore it with: ssh-keygen -y -f \(path)")
        }
        return try SSHHostKey(parsing: text)
    }
}
