import GateProcess
import Glibc
import Testing

@Suite struct ProcessRunTests {
    @Test func inputGoesInAndBothOutputsComeOut() async throws {
        let input = [UInt8](repeating: UInt8(ascii: "x"), count: 300_000)
        let result = try await ProcessRun.run(
            "/bin/sh", arguments: ["-c", "cat; echo oops >&2; exit 3"], input: input)
        #expect(result.status == .exited(3))
        #expect(result.output == input)
        #expect(text(result.error) == "oops\n")
    }

    @Test func tooMuchOutputEndsTheTool() async {
        await #expect(throws: ProcessRun.Failure.tooMuchOutput) {
            try await ProcessRun.run("/bin/sh", arguments: ["-c", "yes"], limitBytes: 10_000)
        }
    }

    @Test(.timeLimit(.minutes(1))) func aToolThatIgnoresTERMIsKilledAfterItsTime() async {
        await #expect(throws: ProcessRun.Failure.timedOut) {
            try await ProcessRun.run(
                "/bin/sh", arguments: ["-c", "trap '' TERM; sleep 600"], timeout: .milliseconds(100))
        }
    }

    @Test func aCancelledTaskEndsTheTool() async throws {
        let task = Task { try await ProcessRun.run("/bin/sleep", arguments: ["60"], timeout: .seconds(60)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func whatAToolLeavesBehindIsEnded() async throws {
        let result = try await ProcessRun.run("/bin/sh", arguments: ["-c", "sleep 60 & echo $!"])
        let pid = try #require(Int32(text(result.output).filter(\.isNumber)))
        #expect(try await eventually { ProcessStat(pid: pid)?.hasEnded ?? true })
    }

    @Test func linesAreCutAtTheBoundAndTheEndIsTold() async throws {
        let pipe = try DescriptorPair.pipe()
        let (lines, sink) = AsyncStream.makeStream(of: String.self)
        _ = try FileDescriptorLines(
            descriptor: pipe.first, maxLength: 8, onLine: { sink.yield($0) }, onEnd: { sink.finish() })
        let bytes = Array("short\r\n0123456789\n\nlast \u{e9}".utf8) + [0xff]
        #expect(write(pipe.second, bytes, bytes.count) == bytes.count)
        close(pipe.second)
        var seen: [String] = []
        for await line in lines { seen.append(line) }
        #expect(seen == ["short", "01234567", "", "last \u{e9}\u{fffd}"])
    }
}
