/// Reads the `string` and `mpint` fields of RFC 4251 section 5, never past the end.
struct BlobReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { self.rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func string() -> [UInt8]? {
        guard rest.count >= 4 else { return nil }
        let count = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        let body = rest.dropFirst(4)
        guard body.count >= count else { return nil }
        rest = body.dropFirst(count)
        return [UInt8](body.prefix(count))
    }

    /// The big-endian magnitude without its sign byte; nil for zero, negatives and needless leading zeros.
    mutating func positiveInteger() -> [UInt8]? {
        guard let bytes = string(), let first = bytes.first, first < 0x80 else { return nil }
        guard first == 0 else { return bytes }
        guard bytes.count > 1, bytes[1] >= 0x80 else { return nil }
        return [UInt8](bytes.dropFirst())
    }
}

/// Writes the fields `BlobReader` reads.
struct BlobWriter {
    private(set) var bytes: [UInt8] = []

    mutating func raw(_ value: [UInt8]) { bytes += value }

    mutating func number(_ value: UInt32) {
        for shift in [24, 16, 8, 0] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    mutating func string(_ value: [UInt8]) {
        number(UInt32(value.count))
        bytes += value
    }

    mutating func string(_ value: String) { string([UInt8](value.utf8)) }
}

/// What must stand in the blob after its type name.
enum KeyBody {
    case ed25519
    case securityKeyEd25519
    case ecdsa(curve: String, pointBytes: Int)
    case rsa

    /// Checks that `blob` is exactly one key of the type `name`: nothing missing, nothing behind it.
    func check(_ blob: [UInt8], named name: String) throws(SSHPublicKeyError) {
        var reader = BlobReader(blob)
        guard let inner = reader.string() else { throw .malformed("it is cut short") }
        // sshd goes by the inner name, people and our own rules by the outer: they must not differ.
        guard inner == [UInt8](name.utf8) else { throw .malformed("it holds another type of key than its line says") }
        switch self {
        case .ed25519:
            guard reader.string()?.count == 32 else { throw .malformed("an ed25519 point has 32 bytes") }
        case .securityKeyEd25519:
            guard reader.string()?.count == 32 else { throw .malformed("an ed25519 point has 32 bytes") }
            // 256 keeps a whole authorized_keys line below 1 KiB; real ones are `ssh:` and a short name.
            guard let application = reader.string(), (1...256).contains(application.count) else {
                throw .malformed("a security key's application has 1 to 256 bytes")
            }
        case .ecdsa(let curve, let count):
            guard let named = reader.string(), named == [UInt8](curve.utf8) else {
                throw .malformed("its curve is not \(curve)")
            }
            guard let point = reader.string(), point.count == count, point.first == 0x04 else {
                throw .malformed("a \(curve) point has \(count) bytes and begins with 04")
            }
        case .rsa:
            guard let exponent = reader.positiveInteger(), exponent.count <= 8, let low = exponent.last, low % 2 == 1,
                exponent != [1]
            else { throw .malformed("an RSA exponent is odd, 3 or more") }
            guard let modulus = reader.positiveInteger(), let high = modulus.first, let last = modulus.last,
                last % 2 == 1
            else { throw .malformed("an RSA modulus is an odd positive number") }
            let bits = modulus.count * 8 - high.leadingZeroBitCount
            guard (2_048...16_384).contains(bits) else { throw .malformed("an RSA key has 2048 to 16384 bits") }
        }
        guard reader.isAtEnd else { throw .malformed("something follows the key") }
    }
}
