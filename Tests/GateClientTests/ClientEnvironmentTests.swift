import GateClient
import GateModel
import GateWire
import Glibc
import Testing

@Suite struct ClientEnvironmentTests {
    private func folder() throws -> String {
        var template = Array("/tmp/tidegate-tests-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        return String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    @Test func theFlagWinsOverTheEnvironmentAndThatOverWhatWasStored() throws {
        let home = try folder()
        try ClientHome(path: home).store(
            StoredCredentials(
                current: "https://stored.example.org",
                gateways: [
                    "https://stored.example.org": .init(token: "tgp_stored"),
                    "https://flag.example.org": .init(token: "tgp_flag"),
                ]))
        var variables = ["TIDEGATE_HOME": home, "TIDEGATE_STATE_DIR": home]
        var found = try ClientEnvironment(variables: variables).resolve()
        #expect(found.endpoint.description == "https://stored.example.org" && found.origin == .stored)
        #expect(found.credential?.reveal() == "tgp_stored")
        variables["TIDEGATE_URL"] = "https://env.example.org"
        variables["TIDEGATE_TOKEN"] = "tgp_env"
        found = try ClientEnvironment(variables: variables).resolve()
        #expect(found.endpoint.description == "https://env.example.org" && found.origin == .environment)
        #expect(found.credential?.reveal() == "tgp_env")
        variables["TIDEGATE_TOKEN"] = nil
        found = try ClientEnvironment(variables: variables).resolve(url: "https://flag.example.org/")
        #expect(found.credential?.reveal() == "tgp_flag" && found.origin == .flag)
    }

    @Test func withoutAnythingTheGatewayOfThisHostIsAsked() throws {
        let state = try folder()
        let variables = ["TIDEGATE_HOME": state + "/none", "TIDEGATE_STATE_DIR": state]
        #expect(throws: ClientSetupError.self) { try ClientEnvironment(variables: variables).resolve() }
        let file = open(state + "/admin.secret", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        #expect(write(file, "word\n", 5) == 5)
        close(file)
        let found = try ClientEnvironment(variables: variables).resolve()
        #expect(found.endpoint == .unixSocket(state + "/admin.sock") && found.origin == .local)
        #expect(found.credential?.reveal() == "word")
    }

    @Test func aMissingTokenOrABadAddressIsSaidWithItsName() throws {
        let home = try folder()
        let variables = ["TIDEGATE_HOME": home, "TIDEGATE_STATE_DIR": home, "TIDEGATE_URL": "https://gate.example.org"]
        let missing = #expect(throws: ClientSetupError.self) { try ClientEnvironment(variables: variables).resolve() }
        #expect(missing?.description.contains("TIDEGATE_TOKEN") == true)
        #expect(try ClientEnvironment(variables: variables).resolve(needsCredential: false).credential == nil)
        let bad = #expect(throws: ClientSetupError.self) {
            try ClientEnvironment(variables: variables).resolve(url: "http://gate.example.org")
        }
        #expect(bad?.description.hasPrefix("--url") == true)
    }

    @Test func remoteTextIsNeutralised() {
        #expect(TerminalText.neutralised("plain ü") == "plain ü")
        #expect(TerminalText.neutralised("a\u{1B}[2J\nb\u{202E}") == "a\\u{1B}[2J\\u{A}b\\u{202E}")
        #expect(TerminalText.neutralised("\u{9B}31m\u{7F}") == "\\u{9B}31m\\u{7F}")
    }
}
