import GateSSH
import Glibc

/// A file in the state directory that is there while a living key is RSA: sshd's configuration may have to be written
/// before the store can be asked.
enum ImportedRSAKeys {
    static let fileName = "imported-rsa-keys"

    static func note(_ areThere: Bool, stateDirectory: String) throws {
        let folder = "\(stateDirectory)/ssh"
        if areThere {
            try PrivateFile.makeFolder(folder)
            try PrivateFile.write("1\n", to: "\(folder)/\(fileName)")
        } else {
            unlink("\(folder)/\(fileName)")
        }
    }
}
