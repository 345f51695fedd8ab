import GateProcess
import Glibc
import Testing

@Suite struct ProcessIdentityTests {
    @Test(arguments: [
        "sshd", "a) b (c", ") Z 1 1 1 (", "", "a\nb", "tab\there", "(((", ")))",
    ])
    func aNameCannotForgeTheFieldsAfterIt(name: String) throws {
        let line = "4321 (\(name)) S 17 4321 99 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 2000\n"
        let stat = try #require(ProcessStat(parsing: Array(line.utf8)))
        #expect(stat.pid == 4321 && stat.command == name && stat.state == "S")
        #expect(stat.parent == 17 && stat.group == 4321 && stat.session == 99 && stat.startTime == 987654)
    }

    @Test(arguments: ["", "1", "1 (x", "1 (x) S 1 2 3", "x (y) S 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 5", ") ("])
    func aBrokenLineIsNoProcess(line: String) {
        #expect(ProcessStat(parsing: Array(line.utf8)) == nil)
    }

    @Test func weFindOurselvesAndOurParent() throws {
        let me = try #require(ProcessIdentity(pid: getpid()))
        #expect(me.parentPID == getppid() && me.realUID == getuid() && me.effectiveUID == geteuid())
        #expect(me.processGroup == getpgrp() && me.session == getsid(0) && me.executable != nil)
        #expect(me.isRunning && !ProcessIdentity.isSame(pid: me.pid, startTime: me.startTime + 1))
        #expect(ProcessTable.all().contains(me.pid))
        #expect(ProcessIdentity.bootID.utf8.count == 36)
        #expect(ProcessIdentity(pid: 0) == nil && ProcessIdentity(pid: -1) == nil)
    }

    @Test func realAndEffectiveUsersAreToldApart() {
        let status = Array("Name:\tUid:\t9\\n\nUid:\t0\t107\t0\t107\nGid:\t1\t2\t3\t4\n".utf8)
        #expect(ProcessIdentity.numbers(of: "Uid:", in: status) == [0, 107, 0, 107])
        #expect(ProcessIdentity.numbers(of: "Uid:", in: Array("Uid:\t1\n".utf8)) == nil)
    }

    @Test func listenersAreReadFromTheTable() {
        let table = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0100007F:4E31 00000000:0000 0A 00000000:00000000 00:00000000 00000000   993        0 51515 1 0 100 0 0 10 0
               1: 0100007F:4E31 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 51516 1 0 20 4 30 10 -1
            """
        let found = ListeningSocket.parse(Array(table.utf8))
        #expect(found.map(\.address) == ["127.0.0.1"])
        #expect(found.map(\.port) == [20017] && found.map(\.uid) == [993] && found.map(\.inode) == [51515])
    }

    @Test func aListenerOfOursIsSeenWithOurUser() async throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                #expect(bind(descriptor, $0, length) == 0 && listen(descriptor, 1) == 0)
                #expect(getsockname(descriptor, $0, &length) == 0)
            }
        }
        let port = UInt16(bigEndian: address.sin_port)
        #expect(ListeningSocket.owner(port: port) == geteuid())
        #expect(ListeningSocket.owner(address: "127.0.0.2", port: port) == nil)
        close(descriptor)
        // A child that another test starts at this moment holds it until its exec.
        #expect(try await eventually { ListeningSocket.owner(port: port) == nil })
    }
}
