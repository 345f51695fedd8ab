import Crypto
import FoundationEssentials
import GateModel

/// Time-based one-time codes: RFC 6238 over SHA-1, six digits, steps of 30 s, which is what authenticator programs do.
package enum OneTimeCode {
    package static let period: Int64 = 30
    /// 160 bits, as RFC 4226, section 4, asks for.
    static let seedLength = 20

    package static func step(at now: Timestamp) -> Int64 { now.wholeSeconds / period }

    /// The code of a step (RFC 4226, section 5.3).
    package static func code(seed: [UInt8], step: Int64) -> String {
        let counter = (0..<8).map { UInt8(truncatingIfNeeded: step >> Int64(56 - 8 * $0)) }
        let mac = Array(
            HMAC<Insecure.SHA1>.authenticationCode(for: counter, using: SymmetricKey(data: seed)))
        let offset = Int(mac[19] & 0xF)
        let word = mac[offset..<(offset + 4)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
        let digits = String(word % 1_000_000)
        return String(repeating: "0", count: 6 - digits.count) + digits
    }

    /// The step whose code this is: the present one, or its neighbour for a clock that is a little off. Nil for none.
    package static func step(of code: String, seed: [UInt8], at now: Timestamp) -> Int64? {
        let present = step(at: now)
        // All three are compared, whichever is right.
        return [present - 1, present, present + 1].reduce(nil) { found, step in
            isSame(Array(Self.code(seed: seed, step: step).utf8), Array(code.utf8)) ? step : found
        }
    }

    /// Six digits, blanks between them dropped; nil for anything else.
    package static func normalised(_ text: String) -> String? {
        let code = text.filter { $0 != " " }
        return code.utf8.count == 6 && code.utf8.allSatisfy { (0x30...0x39).contains($0) } ? code : nil
    }

    /// What an authenticator program reads, from a QR code or typed (the Key URI format).
    package static func uri(seed: [UInt8], issuer: String, account: String) -> String {
        return
            "otpauth://totp/\(percentEncoded(issuer)):\(percentEncoded(account))?secret=\(BaseEncoding.base32(seed))&issuer=\(percentEncoded(issuer))"
            + "&algorithm=SHA1&digits=6&period=30"
    }
}

/// Codes that people read and type: no vowels, so no words, and nothing that looks like something else.
package enum TypedCode {
    private static let alphabet = Array("BCDFGHJKLMNPQRSTVWXZ")

    /// So many characters of base 20, 4.3 bits each, without bias.
    static func make(_ count: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        return String((0..<count).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] })
    }

    /// In groups of four, as it is shown.
    package static func shown(_ code: String) -> String {
        stride(from: 0, to: code.count, by: 4).map { String(code.dropFirst($0).prefix(4)) }.joined(separator: "-")
    }

    /// Upper case without blanks and dashes; nil for a text that can't be a code of that length.
    package static func normalised(_ text: String, count: Int) -> String? {
        guard text.utf8.count <= count * 3 else { return nil }
        let code = text.uppercased().filter { $0 != "-" && $0 != " " }
        return code.count == count && code.allSatisfy(alphabet.contains) ? code : nil
    }
}
