import GateSSH
import Testing

@Suite struct AddressTests {
    @Test(arguments: [
        ("127.0.0.1:20017", "127.0.0.1:20017"), ("[::1]:20017", "[::1]:20017"), ("[0:0:0:0:0:0:0:1]:1", "[::1]:1"),
        ("[FE80::A]:65535", "[fe80::a]:65535"), ("0.0.0.0:22", "0.0.0.0:22"),
    ])
    func aLiteralAddressHasOneSpelling(_ given: String, _ text: String) throws {
        let address = try SSHAddress(parsing: given)
        #expect(address.text == text)
        #expect(try SSHAddress(parsing: text) == address)
    }

    @Test(arguments: [
        "", "localhost:22", "gw.example.org:22", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
        "127.0.0.1:022", "127.0.0.1:+22", "127.0.0.1:-1", "127.0.0.1: 22", "127.0.0.1:22 ", "127.0.0.1:22\n", "::1:22",
        "[127.0.0.1]:22", "[::1]22", "[::1]", "[::1%lo]:22", "127.1:22", "010.0.0.1:22", "0x7f.0.0.1:22",
        "2130706433:22",
        "1.2.3.4.5:22", "127.0.0.1\0x:22", "127.0.0.1:\u{301}22", "127.0.0.1:２２", "*:22", ":22", "[]:22",
        "127.0.0.1:99999999999999999999",
    ])
    func anythingButALiteralAddressWithAPortIsRefused(_ text: String) {
        #expect(throws: SSHAddress.Fault.self) { try SSHAddress(parsing: text) }
    }

    @Test func loopbackIsKnown() throws {
        #expect(try SSHAddress(host: "127.65.0.9", port: 1).isLoopback)
        #expect(try SSHAddress(host: "::1", port: 1).isLoopback)
        #expect(try !SSHAddress(host: "::", port: 1).isLoopback)
        #expect(try !SSHAddress(host: "10.0.0.1", port: 1).isLoopback)
    }

    @Test(arguments: [
        ("db.example.org:5432", "db.example.org:5432"), ("DB-1.Example:80", "db-1.example:80"),
        ("10.0.0.5:8080", "10.0.0.5:8080"),
        ("[::1]:22", "[::1]:22"), ("localhost:22", "localhost:22"), ("3com.com:80", "3com.com:80"),
    ])
    func aTargetIsANameOrALiteral(_ given: String, _ text: String) throws {
        #expect(try SSHTarget(parsing: given).text == text)
    }

    @Test(arguments: [
        "", "db", "db:0", "-db:22", "db-:22", "d_b:22", "a..b:22", ".a:22", "a.:22", "a b:22", "a\"b:22", "a,b:22",
        "*:22",
        "127.1:22", "0x7f000001:22", "2130706433:22", "a.1:22", "dß:22", "a\u{301}:22", "a\n:22", "user@db:22",
        String(repeating: "a", count: 64) + ":22",
    ])
    func aTargetThatIsNeitherIsRefused(_ text: String) {
        #expect(throws: SSHTarget.Fault.self) { try SSHTarget(parsing: text) }
    }
}

@Suite struct OpenSSHVersionTests {
    @Test(arguments: [
        ("OpenSSH_9.2p1 Debian-2+deb12u6, OpenSSL 3.0.15 3 Sep 2024", 9, 2), ("OpenSSH_10.0p2", 10, 0),
        ("OpenSSH_8.9p1 Ubuntu-3ubuntu0.10, OpenSSL 3.0.2", 8, 9), ("OpenSSH_for_Windows_9.5p1, LibreSSL 3.8.2", 9, 5),
        ("unknown option -- V\nOpenSSH_9.0p1, OpenSSL", 9, 0), ("SSH-2.0-OpenSSH_9.10", 9, 10),
    ])
    func aVersionIsRead(_ text: String, _ major: Int, _ minor: Int) {
        #expect(OpenSSHVersion(parsing: text) == OpenSSHVersion(major: major, minor: minor))
    }

    @Test(arguments: [
        "", "OpenSSH_", "OpenSSH_9", "OpenSSH_9.", "OpenSSH_.9", "dropbear_2022.83", "OpenSSH_for_9.5",
        "OpenSSH_9999.1",
    ])
    func whatIsNoVersionIsRefused(_ text: String) { #expect(OpenSSHVersion(parsing: text) == nil) }

    @Test func theSSHOfThisHostHasAVersion() throws {
        let printed = try Spawned("/usr/bin/ssh", ["-V"])
        let version = try #require(OpenSSHVersion(parsing: printed.errors))
        #expect(version >= .oldestSupported)
    }

    @Test func factsFollowTheNumber() {
        let old = OpenSSHVersion.oldestSupported
        #expect(!old.acceptsUTCExpiry && !old.hasUnusedConnectionTimeout && !old.hasClientAddressToken)
        #expect(OpenSSHVersion(major: 9, minor: 1).acceptsUTCExpiry)
        #expect(OpenSSHVersion(major: 9, minor: 2).hasUnusedConnectionTimeout)
        #expect(!OpenSSHVersion(major: 9, minor: 3).hasClientAddressToken)
        #expect(OpenSSHVersion(major: 9, minor: 4).hasClientAddressToken)
        #expect(!OpenSSHVersion(major: 9, minor: 7).hasPerSourcePenalties)
        #expect(OpenSSHVersion(major: 9, minor: 8).splitsSessionBinary)
        let new = OpenSSHVersion(major: 10, minor: 0)
        #expect(new.acceptsUTCExpiry && new.hasClientAddressToken && new.hasPerSourcePenalties)
    }
}
