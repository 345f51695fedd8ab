/// Why a line is not a public key we take; `description` says what would be right and never repeats the key.
public enum SSHPublicKeyError: Error, Hashable, Sendable, CustomStringConvertible {
    case empty
    case tooLong
    case privateKey
    case foreignFormat
    case severalLines
    case controlCharacter
    case options
    case certificate
    case oldType
    case unknownType
    case noKey
    case notBase64
    case malformed(String)

    public var description: String {
        switch self {
        case .empty: "There is no key: give one line, `ssh-ed25519 AAAA… comment`, as a .pub file holds it."
        case .tooLong: "This is longer than 8 KiB; a public key is one line of about 100 characters."
        case .privateKey:
            "This is a private key. It must never leave its owner: give the .pub file next to it, "
                + "and make a new key if this one was sent anywhere."
        case .foreignFormat: "This is an RFC 4716 file; `ssh-keygen -i -f FILE` turns it into the one-line form."
        case .severalLines: "A public key is one line; this has line breaks in it."
        case .controlCharacter: "The line holds control characters; words are separated by blanks."
        case .options: "Options before the key are not taken: the gateway writes its own. Give `ssh-ed25519 AAAA…`."
        case .certificate: "Certificates are not taken: give the plain public key (`ssh-ed25519 AAAA…`)."
        case .oldType:
            "Only ed25519 and sk-ed25519 keys are taken; make one with `ssh-keygen -t ed25519` and give its .pub file."
        case .unknownType: "The line does not begin with a known type; a key looks like `ssh-ed25519 AAAA… comment`."
        case .noKey: "The base64 part after the type is missing."
        case .notBase64: "The part after the type is not canonical base64; copy the .pub file's line as it stands."
        case .malformed(let why): "The key is damaged: \(why). Copy the .pub file's line as it stands."
        }
    }
}
