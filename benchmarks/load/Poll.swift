import Glibc

/// epoll, found by name: Swift's module of the C library leaves it out.
final class Poll {
    static let readable: UInt32 = 0x001
    static let writable: UInt32 = 0x004

    private typealias Create = @convention(c) (Int32) -> Int32
    private typealias Control = @convention(c) (Int32, Int32, Int32, UnsafeMutableRawPointer?) -> Int32
    private typealias Wait = @convention(c) (Int32, UnsafeMutableRawPointer?, Int32, Int32) -> Int32

    // struct epoll_event is packed on x86-64, and nowhere else.
    #if arch(x86_64)
        private static let size = 12, tagOffset = 4
    #else
        private static let size = 16, tagOffset = 8
    #endif
    private static let capacity = 512

    private let control: Control
    private let wait: Wait
    private let descriptor: Int32
    private let buffer = UnsafeMutableRawPointer.allocate(byteCount: Poll.size * Poll.capacity, alignment: 8)

    init() throws {
        guard let create = dlsym(nil, "epoll_create1"), let control = dlsym(nil, "epoll_ctl"),
            let wait = dlsym(nil, "epoll_wait")
        else { throw Fault("this C library has no epoll") }
        self.control = unsafeBitCast(control, to: Control.self)
        self.wait = unsafeBitCast(wait, to: Wait.self)
        descriptor = unsafeBitCast(create, to: Create.self)(0)
        guard descriptor >= 0 else { throw Fault(errno: "epoll_create1") }
    }

    deinit {
        close(descriptor)
        buffer.deallocate()
    }

    func add(_ watched: Int32, tag: Int, events: UInt32) throws { try change(1, watched, tag, events) }

    func modify(_ watched: Int32, tag: Int, events: UInt32) throws { try change(3, watched, tag, events) }

    private func change(_ operation: Int32, _ watched: Int32, _ tag: Int, _ events: UInt32) throws {
        withUnsafeTemporaryAllocation(byteCount: Self.size, alignment: 8) { event in
            event.storeBytes(of: events, as: UInt32.self)
            event.storeBytes(of: UInt64(tag), toByteOffset: Self.tagOffset, as: UInt64.self)
            return control(descriptor, operation, watched, event.baseAddress)
        } == 0 ? () : try { throw Fault(errno: "epoll_ctl") }()
    }

    /// Tags of what is ready, with why. An error or a hang-up shows as both readable and writable: the next call tells.
    func ready(milliseconds: Int) throws -> [(tag: Int, events: UInt32)] {
        let count = wait(descriptor, buffer, Int32(Self.capacity), Int32(milliseconds))
        guard count >= 0 else {
            if errno == EINTR { return [] }
            throw Fault(errno: "epoll_wait")
        }
        return (0..<Int(count)).map { index in
            let event = buffer + index * Self.size
            let events = event.loadUnaligned(as: UInt32.self)
            let tag = Int((event + Self.tagOffset).loadUnaligned(as: UInt64.self))
            return (tag, events & 0x018 == 0 ? events : Self.readable | Self.writable)
        }
    }
}
