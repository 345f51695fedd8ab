import ArgumentParser
import GateCommands
import GateModel
import Testing

/// The commands below a root, as the program has them.
private struct Root: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tidegate", subcommands: TidegateCommands.subcommands)
}

@Suite struct OperandTests {
    /// What `tidegate WORDS` hands to ssh's own reading.
    private func captured(_ words: String...) throws -> [String] {
        let command = try Root.parseAsRoot(words)
        return try #require(command as? SSHCommand).arguments
    }

    @Test func everythingFromTheFirstForeignWordOnIsPassedThrough() throws {
        #expect(try captured("ssh", "-l", "u", "box", "cmd", "-x") == ["-l", "u", "box", "cmd", "-x"])
        #expect(try captured("ssh", "box", "--", "ls", "--json") == ["box", "--", "ls", "--json"])
        #expect(try captured("ssh", "--url", "http://127.0.0.1:1", "box", "ls", "--url") == ["box", "ls", "--url"])
        #expect(try captured("ssh", "-vl", "u", "box") == ["-vl", "u", "box"])
        #expect(try captured("ssh", "-oUser=u", "-p22", "box") == ["-oUser=u", "-p22", "box"])
        #expect(try captured("ssh", "-o", "User=u", "box", "ssh", "x") == ["-o", "User=u", "box", "ssh", "x"])
        #expect(try captured("ssh", "box", "df", "-h") == ["box", "df", "-h"])
        #expect(try captured("ssh", "box", "rsync", "--help") == ["box", "rsync", "--help"])
        #expect(try captured("ssh", "box", "tool", "--version") == ["box", "tool", "--version"])
    }

    @Test func remoteShellOfRsync() throws {
        let operands = try SSHOperands([
            "-l", "admin", "build-7", "rsync", "--server", "-vlogDtpre.iLsfxCIvu", ".", "/srv",
        ])
        #expect(operands.options == ["-l", "admin"])
        #expect(operands.destination.machine.rawValue == "build-7")
        #expect(operands.destination.login == nil)
        #expect(operands.rest == ["rsync", "--server", "-vlogDtpre.iLsfxCIvu", ".", "/srv"])
    }

    @Test func optionsWithValuesInOneWordOrTwo() throws {
        let operands = try SSHOperands(["-vTL", "8080:127.0.0.1:80", "-p22", "-o", "User=x", "me@box", "-t", "top"])
        #expect(operands.options == ["-vTL", "8080:127.0.0.1:80", "-p22", "-o", "User=x"])
        #expect(operands.destination.login == "me")
        #expect(operands.rest == ["-t", "top"])
    }

    @Test func terminatorBeforeAndAfterTheDestination() throws {
        #expect(try SSHOperands(["-v", "--", "box", "ls"]).options == ["-v"])
        #expect(try SSHOperands(["-v", "--", "box", "ls"]).rest == ["ls"])
        #expect(try SSHOperands(["box", "--", "cmd", "-x"]).rest == ["--", "cmd", "-x"])
    }

    @Test(arguments: [
        [], ["-l"], ["-l", "u"], ["-f", "box", "sleep"], ["-vf", "box"], ["@box"], ["-oX=y", "--"], ["a b"],
        ["-x@box", "--"], ["box\n"], ["me\u{1B}@box"], ["../x"], ["*"],
    ])
    func wrongCallsAreUsageFaults(words: [String]) {
        #expect(throws: UsageFault.self) { try SSHOperands(words) }
    }

    @Test func scpOperandsOnTheMachineAreRewritten() throws {
        let operands = try SCPOperands([
            "-r", "-P", "22", "-oUser=x", "./a:b", "box:/tmp/x y", "me@box:~/z", "/abs:1", "box:",
        ])
        #expect(operands.options == ["-r", "-P", "22", "-oUser=x"])
        #expect(operands.machine.rawValue == "box")
        #expect(
            operands.rewritten(host: "box.tidegate") == [
                "./a:b", "box.tidegate:/tmp/x y", "me@box.tidegate:~/z", "/abs:1", "box.tidegate:",
            ])
    }

    @Test(arguments: [
        ["a"], ["a", "b"], ["a:x", "b:y"], ["scp://box/x", "y"], ["-P"], ["x", "-oProxyCommand=x:y"], ["x", "[::1]:y"],
        ["x", "a b:y"],
    ])
    func wrongCopiesAreUsageFaults(words: [String]) {
        #expect(throws: UsageFault.self) { try SCPOperands(words) }
    }

    @Test func everyCommandHasAnAbstractAndEachLeafAnExample() {
        var waiting = TidegateCommands.subcommands
        var seen = 0
        while let command = waiting.popLast() {
            seen += 1
            waiting += command.configuration.subcommands
            #expect(!command.configuration.abstract.isEmpty, "\(command)")
            guard command.configuration.subcommands.isEmpty else { continue }
            #expect(command.configuration.discussion.contains("EXAMPLES"), "\(command)")
        }
        #expect(seen > 30)
    }

    @Test(arguments: [
        ["machine", "add", "UPPER"], ["machine", "add", "a", "--tag", "Not A Tag"], ["machine", "set", "a"],
        ["machine", "set", "a", "--tag", "x", "--untag", "x"], ["key", "add", "f.pub"], ["key", "revoke", "x"],
        ["key", "add", "f.pub", "--machine", "a", "--ttl", "soon"], ["audit", "events", "--limit", "501"],
        ["ssh-config", "--context", "*"], ["ssh-config", "--install"], ["proxy", "--", "-x"],
        ["machine", "list", "--url", "http://127.0.0.1:1", "--state-dir", "/x"], ["setup", "x", "--url", "y"],
    ])
    func slipsAreToldBeforeAnythingIsSent(words: [String]) {
        #expect(throws: (any Error).self) { try Root.parseAsRoot(words) }
    }
}
