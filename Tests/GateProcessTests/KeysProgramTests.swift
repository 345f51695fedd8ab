import GateProcess
import Glibc
import Testing

/// The built `tidegate-keys` against a gateway that does as it should, and against every other one.
@Suite struct KeysProgramTests {
    private static let line =
        #"restrict,port-forwarding,permitopen="127.0.0.1:20017",permitlisten="127.0.0.1:1" ssh-ed25519 AAAA"#

    private static let program: String = {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let beside = text(Array(buffer.prefix(max(count, 0)))).split(separator: "/").dropLast().map { "/\($0)" }
            .joined()
        let folders = [getenv("TIDEGATE_BIN_DIR").map { String(cString: $0) }, beside, ".build/release"]
        let paths = folders.compactMap { $0 }.map { $0 + "/tidegate-keys" }
        return paths.first { access($0, X_OK) == 0 } ?? ".build/release/tidegate-keys"
    }()

    private struct Run {
        let status: GateProcess.ExitStatus
        let output: String
        let seconds: Double
    }

    /// Timed by the shell that runs it: what this busy test process takes to notice its end is not the program's.
    private func ask(_ path: String, user: String = "tunnel") async throws -> Run {
        let result = try await ProcessRun.run(
            "/bin/bash",
            arguments: [
                "-c", #"TIMEFORMAT=%R; time "$0" "$@" 2>/dev/null"#, Self.program, "--socket", path, user, "SHA256:abc",
                "ssh-ed25519",
            ])
        let seconds = try #require(text(result.error).split(separator: "\n").last.flatMap { Double($0) })
        return Run(status: result.status, output: text(result.output), seconds: seconds)
    }

    private func expectRefusal(_ run: Run) {
        #expect(run.output == "")
        #expect(!run.status.isSuccess)
        #expect(run.seconds <= 2)
    }

    private static func answering(_ bytes: [UInt8]) -> @Sendable (Int32) -> Void {
        { connection in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                if count <= 0 { return }
                rest = rest.dropFirst(count)
            }
        }
    }

    @Test func theGatewaysLineIsPrintedAsItIs() async throws {
        let scratch = try ScratchFolder()
        let gateway = try UnixListener(
            path: scratch.path + "/keys.sock", serve: Self.answering(Array("+\(Self.line)\n".utf8)))
        defer { gateway.stop() }
        let run = try await ProcessRun.run(
            Self.program, arguments: ["--socket", gateway.path, "tunnel", "SHA256:abc", "ssh-ed25519"])
        #expect(text(run.output) == Self.line + "\n")
        #expect(run.status == .exited(0))
        #expect(gateway.request == "lookup tunnel SHA256:abc ssh-ed25519 \(getpid())\n")
    }

    @Test func aNoPrintsNothing() async throws {
        let scratch = try ScratchFolder()
        let gateway = try UnixListener(path: scratch.path + "/keys.sock", serve: Self.answering(Array("-\n".utf8)))
        defer { gateway.stop() }
        let run = try await ask(gateway.path)
        #expect(run.output == "" && run.status == .exited(0))
    }

    @Test(arguments: [
        "", "\n", "+", "+\n", "-", "- no\n", "+ssh-ed25519 AAAA\n", "restrict,x\n", "+restrict,x", "+restrict,x\r\n",
        "+restrict,x\0y\n", "+restrict,x\nrestrict,y\n", "+restrict,x\n\n", "+restrict,\u{1b}[2J\n",
        "+restrict,\u{7f}\n",
        "+restrict,\u{e9}\n", "+restrict,\ty\n", "garbage\n", "+ restrict,x\n", "+RESTRICT,x\n", "+restrict x\n",
    ])
    func anyOtherAnswerPrintsNothing(answer: String) async throws {
        let scratch = try ScratchFolder()
        let gateway = try UnixListener(path: scratch.path + "/keys.sock", serve: Self.answering(Array(answer.utf8)))
        defer { gateway.stop() }
        expectRefusal(try await ask(gateway.path))
    }

    @Test(arguments: [8192, 1 << 20]) func anAnswerWithoutEndPrintsNothing(length: Int) async throws {
        let scratch = try ScratchFolder()
        let answer = Array("+restrict,".utf8) + [UInt8](repeating: UInt8(ascii: "a"), count: length)
        let gateway = try UnixListener(path: scratch.path + "/keys.sock", serve: Self.answering(answer + [10]))
        defer { gateway.stop() }
        expectRefusal(try await ask(gateway.path))
    }

    @Test func aGatewayThatIsDownIsARefusal() async throws {
        let scratch = try ScratchFolder()
        expectRefusal(try await ask(scratch.path + "/none.sock"))
        let left = try UnixListener.bind(scratch.path + "/left.sock", kind: Int32(SOCK_STREAM.rawValue))
        close(left)
        expectRefusal(try await ask(scratch.path + "/left.sock"))
    }

    @Test func aHungGatewayIsARefusalInTime() async throws {
        let scratch = try ScratchFolder()
        let silent = try UnixListener(path: scratch.path + "/silent.sock") { connection in
            var byte: UInt8 = 0
            _ = read(connection, &byte, 1)
        }
        defer { silent.stop() }
        expectRefusal(try await ask(silent.path))
        let deaf = try UnixListener(path: scratch.path + "/deaf.sock")
        expectRefusal(try await ask(deaf.path))
    }

    @Test func aSlowGatewayIsARefusalInTime() async throws {
        let scratch = try ScratchFolder()
        let gateway = try UnixListener(path: scratch.path + "/keys.sock") { connection in
            for byte in Array("+\(Self.line)\n".utf8) {
                var byte = byte
                if send(connection, &byte, 1, Int32(MSG_NOSIGNAL)) != 1 { return }
                usleep(50_000)
            }
        }
        defer { gateway.stop() }
        expectRefusal(try await ask(gateway.path))
    }

    @Test func aFullAcceptQueueIsARefusalInTime() async throws {
        let scratch = try ScratchFolder()
        let gateway = try UnixListener(path: scratch.path + "/keys.sock", backlog: 1)
        var waiting: [Int32] = []
        while waiting.count < 1000, let descriptor = UnixListener.fillQueue(of: gateway.path) {
            waiting.append(descriptor)
        }
        #expect(waiting.count < 1000)
        expectRefusal(try await ask(gateway.path))
        for descriptor in waiting { close(descriptor) }
    }

    @Test(arguments: ["", "a b", "a\nb", "a\tb", "\u{e9}", String(repeating: "u", count: 65)])
    func aMalformedUserIsNotEvenAsked(user: String) async throws {
        let scratch = try ScratchFolder()
        let gateway = try UnixListener(
            path: scratch.path + "/keys.sock", serve: Self.answering(Array("+\(Self.line)\n".utf8)))
        defer { gateway.stop() }
        expectRefusal(try await ask(gateway.path, user: user))
        #expect(gateway.request == "")
    }

    @Test func versionAndHelpAreWords() async throws {
        let version = try await ProcessRun.run(Self.program, arguments: ["--version"])
        #expect(version.status.isSuccess && text(version.output).split(separator: ".").count == 3)
        let help = try await ProcessRun.run(Self.program, arguments: ["--help"])
        #expect(help.status.isSuccess && text(help.output).hasPrefix("usage: tidegate-keys"))
    }
}
