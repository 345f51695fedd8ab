import GateSSH
import Testing

/// 10,000 wounded inputs for each parser: none may stop the process, and what is taken must read back as itself.
@Suite struct FuzzTests {
    private func wounded(_ samples: [String], seed: UInt64) -> some Sequence<String> {
        var generator = Seeded(state: seed)
        return (0..<10_000).map { generator.mutate(samples[$0 % samples.count]) }
    }

    @Test func publicKeys() throws {
        let samples = [KeySamples.ed25519 + " c", KeySamples.securityKey, "restrict " + KeySamples.ed25519]
        for text in wounded(samples, seed: 1) {
            guard let key = try? SSHPublicKey(parsing: text) else { continue }
            #expect(try SSHPublicKey(parsing: key.line) == key)
            #expect(key.line.utf8.allSatisfy { (0x20..<0x7F).contains($0) })
            #expect(SSHFingerprint(key.fingerprint) != nil)
        }
    }

    @Test func hostKeys() throws {
        let samples = try [keygenLine("rsa", bits: 2_048), keygenLine("ecdsa", bits: 256), "gw " + KeySamples.ed25519]
        for text in wounded(samples, seed: 2) {
            guard let key = try? SSHHostKey(parsing: text) else { continue }
            #expect(try SSHHostKey(parsing: key.line) == key)
            #expect(try KnownHosts.file([(names: ["gw"], key: key)]).split(separator: "\n").count == 1)
        }
    }

    @Test func fingerprints() throws {
        for text in wounded([try SSHPublicKey(parsing: KeySamples.ed25519).fingerprint], seed: 3) {
            guard let value = SSHFingerprint(text) else { continue }
            #expect(value.rawValue == text && text.utf8.count == 50)
        }
    }

    @Test func addressesAndTargets() throws {
        for text in wounded(["127.0.0.1:20017", "[::1]:20017", "[fe80::1:2]:65535", "db.example.org:5432"], seed: 4) {
            if let address = try? SSHAddress(parsing: text) {
                #expect(try SSHAddress(parsing: address.text) == address)
            }
            if let target = try? SSHTarget(parsing: text) {
                #expect(try SSHTarget(parsing: target.text) == target)
                #expect(target.text.utf8.allSatisfy { (0x2D...0x7A).contains($0) && $0 != 0x5C })
            }
        }
    }

    @Test func versions() {
        for text in wounded(["OpenSSH_9.2p1 Debian-2", "OpenSSH_for_Windows_9.5p1", "x\nOpenSSH_10.0p2"], seed: 5) {
            guard let version = OpenSSHVersion(parsing: text) else { continue }
            #expect(OpenSSHVersion(parsing: "OpenSSH_\(version)") == version)
        }
    }

    @Test func resolvedConfigurations() {
        for text in wounded(["hostname gw\nuser ada\nport 22\nidentityfile ~/.ssh/id\nproxyjump none\n"], seed: 6) {
            guard let config = try? SSHResolvedConfig(parsing: text) else { continue }
            #expect((1...65_535).contains(config.port) && !config.hostname.isEmpty && !config.user.isEmpty)
        }
    }

    @Test func configurationText() {
        for text in wounded(["/home/a b/key", "it's 100% \"x\" \\", "${HOME}/x"], seed: 7) {
            for value in [
                try? SSHConfigText.argument(text), try? SSHConfigText.path(text),
                try? SSHConfigText.command(["/a", text]),
            ] {
                guard let value else { continue }
                #expect(!value.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F })
            }
            if let entry = try? SSHConfigEntry(host: text, options: []) { #expect(entry.text == "Host \(text)\n") }
        }
    }

    @Test func knownHostsNamesAndArguments() throws {
        let key = try SSHHostKey(parsing: KeySamples.ed25519)
        let remote = try SSHAddress(parsing: "127.0.0.1:12000")
        for text in wounded(["gw.example.org", "[127.0.0.1]:2222", "user@gw"], seed: 8) {
            if let line = try? KnownHosts.line(for: [text], key: key) {
                #expect(
                    line == text + " " + KeySamples.ed25519 && line.split(separator: " ").count == 3)
            }
            if let all = try? SSHArguments.localForward(alias: text, localSocket: "/s", remote: remote) {
                #expect(all.last == text && !text.hasPrefix("-") && all.dropLast().last == "--")
            }
        }
    }
}
