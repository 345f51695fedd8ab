import GateProcess
import Glibc
import Testing

@Suite struct SpawnTests {
    @Test func descriptorsThatSwapNumbersArriveAsNamed() async throws {
        let input = try DescriptorPair.pipe()
        let output = try DescriptorPair.pipe()
        let script = "cat < /proc/self/fd/\(output.second) > /proc/self/fd/\(input.first)"
        let child = try ChildProcess.spawn(
            path: "/bin/sh", arguments: ["-c", script], environment: ["PATH": "/usr/bin:/bin"],
            descriptors: [output.second: input.first, input.first: output.second])
        close(input.first)
        close(output.second)
        #expect(write(input.second, "hello", 5) == 5)
        close(input.second)
        #expect(await child.wait() == .exited(0))
        var buffer = [UInt8](repeating: 0, count: 16)
        let count = read(output.first, &buffer, buffer.count)
        #expect(text(Array(buffer.prefix(max(count, 0)))) == "hello")
        close(output.first)
    }

    @Test func nothingElseIsOpenInTheChild() async throws {
        let spare = open("/dev/null", O_RDONLY)
        defer { close(spare) }
        let result = try await ProcessRun.run("/bin/sh", arguments: ["-c", "ls /proc/$$/fd; true"])
        #expect(text(result.output) == "0\n1\n2\n")
    }

    @Test(arguments: [
        ("/nonexistent/program", ENOENT), ("/tmp", EACCES), ("/etc/passwd", EACCES), ("/proc/self/exe/x", ENOTDIR),
    ])
    func aFailedExecReportsItsErrno(path: String, code: Int32) {
        let error = #expect(throws: SystemError.self) { try ChildProcess.spawn(path: path) }
        #expect(error?.code == code)
    }

    @Test func anArgumentWithNULIsRefusedRatherThanCut() {
        #expect(throws: SystemError.self) { try ChildProcess.spawn(path: "/bin/true", arguments: ["a\0b"]) }
    }

    @Test func theChildHasItsOwnSessionDefaultSignalsAndNoCore() async throws {
        let child = try ChildProcess.spawn(path: "/bin/sleep", arguments: ["60"])
        let stat = try #require(ProcessStat(pid: child.pid))
        #expect(stat.session == child.pid && stat.group == child.pid && stat.parent == getpid())
        #expect(stat.startTime == child.startTime)
        let status = try #require(ProcessIdentity(pid: child.pid))
        #expect(status.realUID == getuid() && status.isRunning)
        // The kernel closes what tells us of the exec a moment before it shows the new arguments.
        #expect(try await eventually { ProcessIdentity(pid: child.pid)?.arguments == ["/bin/sleep", "60"] })
        #expect(child.signalGroup(SIGTERM))
        #expect(await child.wait() == .signaled(SIGTERM))
        #expect(!child.signal(SIGTERM) && !child.signalGroup(SIGTERM))
        let limits = try await ProcessRun.run(
            "/bin/sh", arguments: ["-c", "ulimit -c; grep -E 'Sig(Blk|Ign)' /proc/self/status"])
        let lines = text(limits.output).split(separator: "\n")
        #expect(lines == ["0", "SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"])
    }

    @Test func twoHundredChildrenEachReportTheirOwnEnd() async throws {
        let statuses = try await withThrowingTaskGroup(of: (Int32, GateProcess.ExitStatus).self) { group in
            for number in Int32(0)..<200 {
                group.addTask {
                    let child = try ChildProcess.spawn(path: "/bin/sh", arguments: ["-c", "exit \(number)"])
                    return (number, await child.wait())
                }
            }
            return try await group.reduce(into: [Int32: GateProcess.ExitStatus]()) { $0[$1.0] = $1.1 }
        }
        #expect(statuses.count == 200)
        for (number, status) in statuses { #expect(status == .exited(number)) }
    }

    @Test func aParentDeathSignalOutlivesTheThreadThatAsked() async throws {
        let ends = try DescriptorPair.pipe()
        onThread {
            let options = SpawnOptions(parentDeathSignal: SIGKILL)
            let child = try? ChildProcess.spawn(path: "/bin/sleep", arguments: ["60"], options: options)
            var pid = child?.pid ?? 0
            _ = write(ends.second, &pid, 4)
        }
        var pid: Int32 = 0
        #expect(read(ends.first, &pid, 4) == 4)
        ends.close()
        let stat = try #require(ProcessStat(pid: pid))
        // Long after the asking thread has gone: another process has come and ended meanwhile.
        _ = try await ProcessRun.run("/bin/sleep", arguments: ["0.2"])
        #expect(ProcessIdentity.isSame(pid: pid, startTime: stat.startTime))
        #expect(await ProcessEnding.end(group: pid, startTime: stat.startTime))
    }

    @Test func theEndOfOneChildMayStartTheNext() async throws {
        let first = try ChildProcess.spawn(path: "/bin/true")
        let second: ChildProcess? = await withCheckedContinuation { continuation in
            first.onExit { _ in
                let options = SpawnOptions(parentDeathSignal: SIGKILL)
                continuation.resume(returning: try? ChildProcess.spawn(path: "/bin/true", options: options))
            }
        }
        #expect(await second?.wait() == .exited(0))
    }

    @Test(.enabled(if: geteuid() == 0)) func anotherIdentityKeepsNoGroups() async throws {
        let result = try await ProcessRun.run(
            "/bin/sh", arguments: ["-c", "id -u; id -g; grep Groups /proc/self/status; grep CapEff /proc/self/status"],
            identity: SpawnOptions.Identity(uid: 65534, gid: 65534))
        let lines = text(result.output).split(separator: "\n").map { $0.filter { $0 != " " && $0 != "\t" } }
        #expect(lines == ["65534", "65534", "Groups:", "CapEff:0000000000000000"])
    }
}
