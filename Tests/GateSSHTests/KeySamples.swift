import Foundation

/// Keys built field by field, so that each can be wrong in one place.
enum KeySamples {
    static let ed25519 = "ssh-ed25519 " + encoded([Array("ssh-ed25519".utf8), point])
    static let securityKey = "sk-ssh-ed25519@openssh.com " + encoded([skType, point, Array("ssh:".utf8)])
    static let point = [UInt8](0..<32)
    static let skType = Array("sk-ssh-ed25519@openssh.com".utf8)

    static func blob(_ fields: [[UInt8]]) -> [UInt8] {
        fields.flatMap { field in
            [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: field.count >> $0) } + field
        }
    }

    static func encoded(_ fields: [[UInt8]], and tail: [UInt8] = []) -> String {
        Data(blob(fields) + tail).base64EncodedString()
    }
}

/// SplitMix64: the same inputs on every run, and on every machine.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// `sample` with one to six small wounds.
    mutating func mutate(_ sample: String) -> String {
        var bytes = Array(sample.utf8)
        let spice = Array(" :.,[]\"'\\%$\n\r\t\0@*!=+/-_AaZz09~#|".utf8) + [0xCC, 0x81, 0xE2, 0x80, 0xA8, 0xFF, 0x7F]
        for _ in 0..<Int.random(in: 1...6, using: &self) {
            let place = Int.random(in: 0...bytes.count, using: &self)
            switch Int.random(in: 0..<6, using: &self) {
            case 0: bytes.insert(spice[Int.random(in: 0..<spice.count, using: &self)], at: place)
            case 1 where place < bytes.count: bytes.remove(at: place)
            case 2 where place < bytes.count: bytes[place] = UInt8.random(in: 0...255, using: &self)
            case 3 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &self)
            case 4: bytes = Array(bytes[..<place])
            default:
                let start = Int.random(in: 0...bytes.count, using: &self)
                bytes.insert(contentsOf: bytes[min(start, place)..<max(start, place)].prefix(64), at: place)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
