import GateSSH
import Testing

@Suite struct SSHHostKeyTests {
    struct Made: Sendable {
        let type: String
        let bits: Int?
    }

    @Test(arguments: [
        Made(type: "ed25519", bits: nil), Made(type: "ecdsa", bits: 256), Made(type: "ecdsa", bits: 384),
        Made(type: "ecdsa", bits: 521), Made(type: "rsa", bits: 2_048),
    ])
    func eachTypeThatSSHDOffersIsTakenFromAFileAndFromAScan(_ made: Made) throws {
        let line = try keygenLine(made.type, bits: made.bits)
        let key = try SSHHostKey(parsing: line)
        #expect(line.hasPrefix(key.line + " "))
        #expect(try keygenFingerprint(line) == key.fingerprint)
        #expect(try SSHHostKey(parsing: "[gw.example.org]:2222 " + key.line) == key)
        #expect(try SSHHostKey(parsing: "|1|c2FsdA==|aGFzaA== \(key.line) comment\n") == key)
        let words = key.line.split(separator: " ")
        #expect(throws: SSHPublicKeyError.self) { try SSHHostKey(parsing: words[0] + " " + words[1].dropLast(4)) }
        #expect(throws: SSHPublicKeyError.self) { try SSHHostKey(parsing: key.line + "AAAA") }
    }

    @Test func aSecurityKeyIsTaken() throws {
        #expect(try SSHHostKey(parsing: KeySamples.securityKey).kind == .skEd25519)
    }

    @Test func aShortRSAKeyIsRefused() throws {
        let line = try keygenLine("rsa", bits: 1_024)
        #expect(throws: SSHPublicKeyError.malformed("an RSA key has 2048 to 16384 bits")) {
            try SSHHostKey(parsing: line)
        }
    }

    @Test(arguments: [
        "", "# gw:22 SSH-2.0-OpenSSH_9.2p1", "@cert-authority * \(KeySamples.ed25519)",
        "@revoked gw \(KeySamples.ed25519)", "ssh-dss AAAA", "gw ssh-dss AAAA", "gw", "gw ssh-ed25519",
        "gw extra \(KeySamples.ed25519)", "ssh-ed25519 \(KeySamples.ed25519)",
        "\(KeySamples.ed25519)\n\(KeySamples.ed25519)", "ecdsa-sha2-nistp256 \(KeySamples.ed25519.dropFirst(12))",
        "ecdsa-sha2-nistp256 "
            + KeySamples.encoded([
                Array("ecdsa-sha2-nistp256".utf8), Array("nistp256".utf8), [2] + [UInt8](repeating: 1, count: 64),
            ]),
        "ecdsa-sha2-nistp256 "
            + KeySamples.encoded([
                Array("ecdsa-sha2-nistp256".utf8), Array("nistp384".utf8), [4] + [UInt8](repeating: 1, count: 64),
            ]),
        "ssh-rsa " + KeySamples.encoded([Array("ssh-rsa".utf8), [1, 0, 1], [UInt8](repeating: 0xFF, count: 256)]),
        "ssh-rsa "
            + KeySamples.encoded([Array("ssh-rsa".utf8), [0, 1, 0, 1], [0] + [UInt8](repeating: 0xFF, count: 256)]),
        "ssh-rsa " + KeySamples.encoded([Array("ssh-rsa".utf8), [1], [0] + [UInt8](repeating: 0xFF, count: 256)]),
        "ssh-rsa " + KeySamples.encoded([Array("ssh-rsa".utf8), [], []]),
        "ssh-ed25519-cert-v01@openssh.com \(KeySamples.ed25519.dropFirst(12))",
    ])
    func whatIsNoHostKeyIsRefused(_ text: String) {
        #expect(throws: SSHPublicKeyError.self) { try SSHHostKey(parsing: text) }
    }

    @Test func aKnownHostsFileIsFoundInBySSHKeygen() throws {
        let key = try SSHHostKey(parsing: KeySamples.ed25519)
        let text = try KnownHosts.file([
            (names: ["gw.example.org", KnownHosts.name(host: "127.0.0.1", port: 2_222)], key: key),
            (names: [KnownHosts.name(host: "tidegate_machine-1", port: 22)], key: key),
        ])
        #expect(
            text == "gw.example.org,[127.0.0.1]:2222 \(KeySamples.ed25519)\ntidegate_machine-1 \(KeySamples.ed25519)\n")
        try withFolder { folder in
            try PrivateFile.write(text, to: folder + "/known_hosts")
            for name in ["gw.example.org", "[127.0.0.1]:2222", "tidegate_machine-1"] {
                let found = try Spawned("/usr/bin/ssh-keygen", ["-F", name, "-f", folder + "/known_hosts"])
                #expect(found.output.contains(KeySamples.ed25519), "\(name)")
            }
            let other = try Spawned("/usr/bin/ssh-keygen", ["-F", "127.0.0.1", "-f", folder + "/known_hosts"])
            #expect(other.status != 0)
        }
    }

    @Test(arguments: [
        "", "*", "gw*", "?", "!gw", "gw,evil", "gw evil", "gw\nevil", "gw\tevil", "gw\0evil", "@revoked", "#gw",
        "|1|a|b",
        "gw\u{301}", "gẅ", "a\"b", String(repeating: "a", count: 256),
    ])
    func aNameThatMeansMoreThanOneHostIsRefused(_ name: String) throws {
        let key = try SSHHostKey(parsing: KeySamples.ed25519)
        #expect(throws: KnownHosts.Fault.self) { try KnownHosts.line(for: [name], key: key) }
        #expect(throws: KnownHosts.Fault.self) { try KnownHosts.line(for: ["gw", name], key: key) }
        #expect(throws: KnownHosts.Fault.self) { try KnownHosts.file([(names: [name], key: key)]) }
    }

    @Test func aLineWithoutNamesIsRefused() throws {
        let key = try SSHHostKey(parsing: KeySamples.ed25519)
        #expect(throws: KnownHosts.Fault.self) { try KnownHosts.line(for: [], key: key) }
    }
}
