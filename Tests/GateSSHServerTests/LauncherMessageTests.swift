import GateControl
import GateSSHServer
import Testing

@Suite("Messages between the gateway and the process that kept root")
struct LauncherMessageTests {
    static let process = SSHProcess(pid: 4_711, startTime: 0x0102_0304_0506_0708)
    static let requests: [LauncherRequest] = [
        .start(id: 1), .end(id: .max, process), .publishToken(id: 3), .discardToken(id: 0),
    ]
    static let answers: [LauncherAnswer] = [
        .started(id: 1, process), .failed(id: 2, code: 11), .done(id: 3, isGone: true), .done(id: 4, isGone: false),
        .exited(process),
    ]

    private func descriptors(_ request: LauncherRequest) -> Int {
        if case .start = request { 2 } else { 0 }
    }

    @Test("What is written is read", arguments: requests)
    func request(_ request: LauncherRequest) {
        #expect(LauncherRequest(bytes: request.bytes, descriptors: descriptors(request)) == request)
    }

    @Test("What is answered is read", arguments: answers)
    func answer(_ answer: LauncherAnswer) {
        #expect(LauncherAnswer(bytes: answer.bytes) == answer)
    }

    @Test("A request with the wrong number of descriptors is none", arguments: requests)
    func descriptorCounts(_ request: LauncherRequest) {
        for count in 0...3 where count != descriptors(request) {
            #expect(LauncherRequest(bytes: request.bytes, descriptors: count) == nil)
        }
    }

    @Test("Shorter and longer messages are none", arguments: requests)
    func lengths(_ request: LauncherRequest) {
        let bytes = request.bytes
        for count in 0..<bytes.count {
            #expect(LauncherRequest(bytes: Array(bytes.prefix(count)), descriptors: descriptors(request)) == nil)
        }
        #expect(LauncherRequest(bytes: bytes + [0], descriptors: descriptors(request)) == nil)
    }

    @Test("Groups 1, 0 and below mean everybody or oneself to kill(2), and are refused")
    func dangerousGroups() {
        for pid: Int32 in [1, 0, -1, .min] {
            let request = LauncherRequest.end(id: 9, SSHProcess(pid: pid, startTime: 5))
            #expect(LauncherRequest(bytes: request.bytes, descriptors: 0) == nil)
        }
    }

    @Test("10,000 mutations are read as exactly what they say, or not at all")
    func mutations() {
        var chance = SplitMix(state: 20_261_121)
        for _ in 0..<10_000 {
            var bytes = Self.requests[Int(chance.next() % 4)].bytes
            for _ in 0...(chance.next() % 4) {
                let place = Int(chance.next() % UInt64(bytes.count + 1))
                switch chance.next() % 3 {
                case 0 where place < bytes.count: bytes[place] = UInt8(truncatingIfNeeded: chance.next())
                case 1 where place < bytes.count: bytes.remove(at: place)
                default: bytes.insert(UInt8(truncatingIfNeeded: chance.next()), at: place)
                }
            }
            let count = Int(chance.next() % 3)
            _ = LauncherAnswer(bytes: bytes)
            guard let request = LauncherRequest(bytes: bytes, descriptors: count) else { continue }
            #expect(request.bytes == bytes)
            #expect(descriptors(request) == count)
            if case .end(_, let process) = request { #expect(process.pid > 1) }
        }
    }
}

/// The same numbers for the same seed, in every run.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
