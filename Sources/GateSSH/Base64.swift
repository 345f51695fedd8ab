import Crypto
import FoundationEssentials

/// Base64 of RFC 4648 section 4 where one value has one text: padded, no line breaks, unused bits zero.
enum Base64 {
    static func encode(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

    /// Nil also for text that decodes but isn't what `encode` writes: two spellings of one key would be two keys to us.
    static func decode(_ text: String) -> [UInt8]? {
        guard let data = Data(base64Encoded: text), data.base64EncodedString() == text else { return nil }
        return [UInt8](data)
    }

    /// The text of a SHA-256 fingerprint as `ssh-keygen -l` prints it.
    static func fingerprint(ofBlob blob: [UInt8]) -> String {
        let digest = encode([UInt8](SHA256.hash(data: blob)))
        return "SHA256:" + digest.prefix { $0 != "=" }
    }
}
