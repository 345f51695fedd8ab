import Foundation
import GateSSH
import Testing

@Suite struct SSHConfigTests {
    static let strange = "/tmp/a b/it's \"quoted\" \\ #x ,=;&|%d%%~ü"

    @Test func aPathOfAnyLookComesBackFromSSHAsItWas() throws {
        let option = "UserKnownHostsFile=" + (try SSHConfigText.path(Self.strange))
        let printed = try Spawned("/usr/bin/ssh", ["-G", "-F", "none", "-o", option, "gw"])
        let config = try SSHResolvedConfig(parsing: printed.output)
        #expect(config.options["userknownhostsfile"] == [Self.strange])
    }

    @Test func anEntryIsReadBySSHAsItWasMeant() throws {
        let entry = try SSHConfigEntry(
            host: "machine-1.example",
            options: [
                .init("HostName", .word("127.0.0.1")), .init("Port", .word("20017")), .init("User", .word("ada")),
                .init("IdentityFile", .path("/home/a b/key")),
                .init("ProxyCommand", .command(["/opt/a b/tidegate", "proxy", "it's 100%"], tokens: ["%n"])),
            ])
        #expect(
            entry.text == """
                Host machine-1.example
                    HostName 127.0.0.1
                    Port 20017
                    User ada
                    IdentityFile "/home/a b/key"
                    ProxyCommand '/opt/a b/tidegate' proxy 'it'\\''s 100%%' %n

                """)
        try withFolder { folder in
            try PrivateFile.write(entry.text, to: folder + "/config")
            let printed = try Spawned("/usr/bin/ssh", ["-G", "-F", folder + "/config", "machine-1.example"])
            let config = try SSHResolvedConfig(parsing: printed.output)
            #expect(config.hostname == "127.0.0.1")
            #expect(config.port == 20_017)
            #expect(config.user == "ada")
            #expect(config.identityFiles == ["/home/a b/key"])
            #expect(config.proxyCommand == "'/opt/a b/tidegate' proxy 'it'\\''s 100%%' %n")
            #expect(config.proxyJump == nil)
        }
    }

    @Test func aProxyCommandRunsWithTheWordsItWasGiven() throws {
        try withFolder { folder in
            let word = folder + "/it's $HOME `id` \"x\" 100%h ; exit # \\n *"
            let command = try SSHConfigText.command(["/usr/bin/touch", word, "/dev/null"])
            _ = try Spawned(
                "/usr/bin/ssh", ["-F", "none", "-o", "BatchMode=yes", "-o", "ProxyCommand=" + command, "gw"])
            #expect(FileManager.default.fileExists(atPath: word))
        }
    }

    @Test(arguments: ["", "a\nb", "a\rb", "a\0b", "a\u{1B}b", "a\u{85}b", "a\u{2028}b"])
    func aValueThatCouldBecomeASecondOptionIsRefused(_ value: String) {
        #expect(throws: SSHConfigText.Fault.self) { try SSHConfigText.argument(value) }
        #expect(throws: SSHConfigText.Fault.self) { try SSHConfigText.path(value) }
        #expect(throws: SSHConfigText.Fault.self) { try SSHConfigText.path("/" + value + "\n") }
        #expect(throws: SSHConfigText.Fault.self) { try SSHConfigText.command([value]) }
        #expect(throws: SSHConfigText.Fault.self) {
            try SSHConfigEntry(host: "a", options: [.init("HostName", .word(value))])
        }
    }

    @Test func aCombiningMarkDoesNotHideAQuote() throws {
        #expect(try SSHConfigText.argument("a\"\u{301} b") == "\"a\\\"\u{301} b\"")
        #expect(try SSHConfigText.command(["/a", "'\u{301}"]) == "/a ''\\''\u{301}'")
        #expect(try SSHConfigText.path("/%\u{301}") == "\"/%%\u{301}\"")
        #expect(throws: SSHConfigText.Fault.self) { try SSHConfigText.path("/${\u{301}HOME}") }
    }

    @Test(arguments: [
        "", "*", "a b", "!a", "A", "-a", ".a", "a,b", "a\nb", "a_b", "ä", String(repeating: "a", count: 254),
    ])
    func aHostPatternIsOnePlainName(_ host: String) {
        #expect(throws: SSHConfigText.Fault.self) { try SSHConfigEntry(host: host, options: []) }
    }

    @Test(arguments: ["", "Host", "MATCH", "include", "Host Name", "User\n", "Üser"])
    func anOptionsNameCannotEndTheBlock(_ name: String) {
        #expect(throws: SSHConfigText.Fault.self) { try SSHConfigEntry(host: "a", options: [.init(name, .word("x"))]) }
    }

    @Test(arguments: [["relative"], [], ["/a", "b\nc"]])
    func aCommandIsAnAbsolutePathWithPlainWords(_ words: [String]) {
        #expect(throws: SSHConfigText.Fault.self) { try SSHConfigText.command(words) }
    }

    @Test(arguments: ["%", "%hh", "h", "%;", "%%"])
    func aTokenIsAPercentSignAndALetter(_ token: String) {
        #expect(throws: SSHConfigText.Fault.self) { try SSHConfigText.command(["/a"], tokens: [token]) }
    }

    @Test func whatSSHPrintsForAnUnknownHostIsRead() throws {
        let printed = try Spawned("/usr/bin/ssh", ["-G", "-F", "none", "-J", "jump.example", "-p", "2222", "ada@gw"])
        let config = try SSHResolvedConfig(parsing: printed.output)
        #expect(config.hostname == "gw")
        #expect(config.user == "ada")
        #expect(config.port == 2_222)
        #expect(config.proxyJump == "jump.example")
        #expect(config.proxyCommand == nil)
        #expect(config.identityFiles.count > 1)
        #expect(config.options["batchmode"] == ["no"])
    }

    @Test(arguments: [
        "", "hostname a\nuser b", "hostname a\nuser b\nport 0", "hostname a\nuser b\nport x",
        "hostname \nuser b\nport 1",
    ])
    func outputWithoutHostUserAndPortIsRefused(_ text: String) {
        #expect(throws: SSHResolvedConfig.Fault.self) { try SSHResolvedConfig(parsing: text) }
    }
}
