import Glibc

/// How one request ended.
struct Ending {
    enum Result {
        case answered(status: Int, retryAfter: Int?)
        case failed(Failure)
    }

    enum Failure: String, CaseIterable {
        case refused, closed, malformed
        case connectTimeout = "connect_timeout"
        case timeout
    }

    let slot: Int
    let result: Result
    /// From the moment the request was ready to be sent, connecting included.
    let microseconds: Int64
    let at: Int64

    var isSuccess: Bool { if case .answered(let status, _) = result { (200..<300).contains(status) } else { false } }
}

/// Requests and their answers on many connections, one at a time on each.
final class Exchanges {
    struct Limits {
        var connect: Int64
        var total: Int64
    }

    private enum Phase {
        case idle, connecting, writing, reading
    }

    private struct Slot {
        var descriptor: Int32 = -1
        var phase = Phase.idle
        var output: [UInt8] = []
        var written = 0
        var answer = AnswerReader()
        var begun: Int64 = 0
        var watched: UInt32 = 0
    }

    private let endpoint: Endpoint
    private let limits: Limits
    /// Whether a connection stays open after its answer, to be used again.
    private let keepsConnections: Bool
    private let poll: Poll
    private var slots: [Slot]
    private var endings: [Ending] = []
    private var lastSweep: Int64 = 0
    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 8)
    private var active = 0

    init(_ endpoint: Endpoint, slots count: Int, limits: Limits, keepsConnections: Bool) throws {
        try Socket.allowDescriptors(count)
        self.endpoint = endpoint
        self.limits = limits
        self.keepsConnections = keepsConnections
        poll = try Poll()
        slots = Array(repeating: Slot(), count: count)
    }

    deinit { input.deallocate() }

    /// Sends what `write` puts into the buffer it is given; how it ends comes out of `wait`.
    func begin(_ slot: Int, write: (inout [UInt8]) -> Void) throws {
        write(&slots[slot].output)
        slots[slot].written = 0
        slots[slot].answer.reset()
        slots[slot].begun = Clock.now()
        active += 1
        if slots[slot].descriptor >= 0 {
            slots[slot].phase = .writing
            try send(slot)
        } else if let descriptor = try Socket.connect(to: endpoint) {
            slots[slot].descriptor = descriptor
            slots[slot].phase = .connecting
            slots[slot].watched = Poll.writable
            try poll.add(descriptor, tag: slot, events: Poll.writable)
        } else {
            end(slot, .failed(.refused))
        }
    }

    var slotCount: Int { slots.count }

    /// Whether `wait` has something to tell or to wait for.
    var isBusy: Bool { active > 0 || !endings.isEmpty }

    /// What has ended since the last call; waits at most `milliseconds` for the first of it.
    func wait(milliseconds: Int) throws -> [Ending] {
        try settle(milliseconds: endings.isEmpty ? milliseconds : 0)
        sweep(at: Clock.now())
        defer { endings.removeAll(keepingCapacity: true) }
        return endings
    }

    /// Moves on what can move, and keeps its endings for `wait`.
    func settle(milliseconds: Int = 0) throws {
        for (slot, events) in try poll.ready(milliseconds: milliseconds) {
            switch slots[slot].phase {
            case .idle:
                // The server let go of a connection that was kept.
                drop(slot)
            case .connecting:
                if Socket.isConnected(slots[slot].descriptor) {
                    slots[slot].phase = .writing
                    try send(slot)
                } else {
                    end(slot, .failed(.refused))
                }
            case .writing:
                if events & Poll.writable != 0 { try send(slot) }
                if events & Poll.readable != 0, slots[slot].phase != .idle { receive(slot) }
            case .reading: receive(slot)
            }
        }
    }

    /// Ends what has taken too long; looking a hundred times a second is exact enough for limits of seconds.
    private func sweep(at now: Int64) {
        guard now - lastSweep >= 10_000 else { return }
        lastSweep = now
        for slot in slots.indices where slots[slot].phase != .idle {
            let taken = now - slots[slot].begun
            if slots[slot].phase == .connecting, taken >= limits.connect {
                end(slot, .failed(.connectTimeout))
            } else if taken >= limits.total {
                end(slot, .failed(.timeout))
            }
        }
    }

    private func send(_ slot: Int) throws {
        let descriptor = slots[slot].descriptor
        let count = slots[slot].output.withUnsafeBytes { bytes in
            let rest = UnsafeRawBufferPointer(rebasing: bytes[slots[slot].written...])
            return Glibc.send(descriptor, rest.baseAddress, rest.count, 0)
        }
        if count >= 0 { slots[slot].written += count } else if errno != EAGAIN { return end(slot, .failed(.closed)) }
        let isSent = slots[slot].written == slots[slot].output.count
        if isSent { slots[slot].phase = .reading }
        let wanted = isSent ? Poll.readable : Poll.readable | Poll.writable
        if slots[slot].watched != wanted {
            slots[slot].watched = wanted
            try poll.modify(descriptor, tag: slot, events: wanted)
        }
    }

    private func receive(_ slot: Int) {
        let count = recv(slots[slot].descriptor, input.baseAddress, input.count, 0)
        guard count > 0 else {
            if count < 0, errno == EAGAIN { return }
            return end(slot, .failed(.closed))
        }
        switch slots[slot].answer.take(UnsafeRawBufferPointer(rebasing: input[..<count])) {
        case .more: return
        case .malformed: end(slot, .failed(.malformed))
        case .whole:
            let (status, retryAfter) = (slots[slot].answer.status, slots[slot].answer.retryAfter)
            end(slot, .answered(status: status, retryAfter: retryAfter))
        }
    }

    /// The `"id"` of the last answer.
    func id(_ slot: Int) -> [UInt8] { slots[slot].answer.id() ?? [] }

    private func end(_ slot: Int, _ result: Ending.Result) {
        let now = Clock.now()
        endings.append(Ending(slot: slot, result: result, microseconds: now - slots[slot].begun, at: now))
        slots[slot].phase = .idle
        active -= 1
        if case .answered = result, keepsConnections, !slots[slot].answer.closes { return }
        drop(slot)
    }

    private func drop(_ slot: Int) {
        guard slots[slot].descriptor >= 0 else { return }
        close(slots[slot].descriptor)
        slots[slot].descriptor = -1
    }
}
