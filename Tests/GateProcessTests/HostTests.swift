import GateProcess
import Glibc
import Testing

@Suite struct HostTests {
    @Test func anUnsafePathNamesTheFolderAtFault() throws {
        let scratch = try ScratchFolder()
        let folder = scratch.path + "/lib"
        let program = folder + "/keys"
        #expect(mkdir(folder, 0o755) == 0)
        let descriptor = open(program, O_WRONLY | O_CREAT, 0o755)
        close(descriptor)
        let owner = getuid()
        // The scratch folder lies in a folder which anybody may write.
        #expect(SafePath.firstUnsafe(program: program, trustedUID: owner)?.path == "/tmp")
        chmod(folder, 0o775)
        let fault = SafePath.firstUnsafe(program: program, trustedUID: owner)
        #expect(fault?.path == folder && fault?.reason.contains("775") == true)
        let link = scratch.path + "/link"
        #expect(symlink(program, link) == 0)
        #expect(SafePath.firstUnsafe(program: link, trustedUID: owner)?.path == folder)
        chmod(program, 0o757)
        #expect(SafePath.firstUnsafe(program: program, trustedUID: owner)?.path == program)
        chmod(program, 0o644)
        #expect(SafePath.firstUnsafe(program: program, trustedUID: owner)?.reason == "is not executable")
        if geteuid() == 0 {
            chmod(program, 0o755)
            chmod(folder, 0o755)
            chown(folder, 65534, 65534)
            #expect(SafePath.firstUnsafe(program: program)?.path == folder)
        }
    }

    @Test func theSystemsOwnProgramsAreSafe() {
        #expect(SafePath.firstUnsafe(program: "/usr/bin/env") == nil)
        #expect(SafePath.firstUnsafe(program: "bin/env") != nil)
        #expect(SafePath.firstUnsafe(program: "/nonexistent/x") != nil)
    }

    @Test func aLockIsHeldOnceAndFreedWithItsOwner() throws {
        let scratch = try ScratchFolder()
        let path = scratch.path + "/lock"
        var first: FileLock? = try FileLock(path: path)
        let error = #expect(throws: SystemError.self) { try FileLock(path: path) }
        #expect(error?.code == EWOULDBLOCK)
        #expect(first?.path == path)
        first = nil
        #expect(throws: Never.self) { try FileLock(path: path) }
        #expect(symlink(path, path + ".link") == 0)
        #expect(throws: SystemError.self) { try FileLock(path: path + ".link") }
    }

    @Test func descriptorsTravelWithAMessage() throws {
        let pair = try DescriptorPair.messages()
        let pipe = try DescriptorPair.pipe()
        defer {
            pair.close()
            pipe.close()
        }
        let bytes = Array("conn".utf8)
        try DescriptorMessage(bytes: bytes, descriptors: [pipe.first, pipe.second]).send(on: pair.first)
        let received = try #require(try DescriptorMessage.receive(on: pair.second))
        #expect(received.bytes == bytes && received.descriptors.count == 2)
        #expect(received.descriptors.allSatisfy { fcntl($0, F_GETFD) == FD_CLOEXEC })
        #expect(write(received.descriptors[1], "x", 1) == 1)
        var byte: UInt8 = 0
        #expect(read(pipe.first, &byte, 1) == 1 && byte == UInt8(ascii: "x"))
        for descriptor in received.descriptors { close(descriptor) }
        try DescriptorMessage(bytes: [UInt8](repeating: 1, count: 100)).send(on: pair.first)
        let error = #expect(throws: SystemError.self) { try DescriptorMessage.receive(on: pair.second, capacity: 10) }
        #expect(error?.code == EMSGSIZE)
        let peer = try UnixSocketPeer.credentials(pair.first)
        #expect(peer.pid == getpid() && peer.uid == geteuid() && peer.gid == getegid())
    }

    @Test(arguments: [false, true]) func systemdHearsOnBothKindsOfSocket(isAbstract: Bool) throws {
        let scratch = try ScratchFolder()
        let name = isAbstract ? "@" + scratch.path : scratch.path + "/notify"
        let listener = try UnixListener.bind(name, kind: Int32(SOCK_DGRAM.rawValue))
        defer { close(listener) }
        let notify = try #require(SystemdNotify(environment: { $0 == "NOTIFY_SOCKET" ? name : nil }))
        #expect(notify.ready(status: "up\nSTOPPING=1"))
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = recv(listener, &buffer, buffer.count, 0)
        #expect(text(Array(buffer.prefix(max(count, 0)))) == "READY=1\nSTATUS=up STOPPING=1")
        #expect(notify.watchdog() && notify.stopping() && notify.reloading() && notify.status("x"))
    }

    @Test func theWatchdogIsOursOnlyWhenItNamesUs() {
        #expect(SystemdNotify(environment: { _ in nil }) == nil)
        let ours = ["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "\(getpid())"]
        #expect(SystemdNotify.watchdogInterval(environment: { ours[$0] }) == .milliseconds(1500))
        let other = ["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"]
        #expect(SystemdNotify.watchdogInterval(environment: { other[$0] }) == nil)
        #expect(SystemdNotify.watchdogInterval(environment: { _ in "x" }) == nil)
    }

    @Test func accountsAreFoundByNameAndNumber() throws {
        let root = try #require(UserAccount(name: "root"))
        #expect(root.uid == 0 && root.home == "/root" && root.groups.contains(0))
        #expect(UserAccount(uid: 0) == root)
        #expect(UserAccount(name: "no such user") == nil && UserAccount.groupID(named: "root") == 0)
    }

    @Test func aSecretIsReadOnce() {
        setenv("GATE_TEST_SECRET", "s3cret", 1)
        #expect(SecretEnvironment.take("GATE_TEST_SECRET") == "s3cret")
        #expect(SecretEnvironment.take("GATE_TEST_SECRET") == nil)
    }
}
