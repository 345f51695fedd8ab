import Glibc

/// An IPv4 address of this machine: load from here to elsewhere would measure the network.
struct Endpoint {
    let host: String
    let port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// `http://127.0.0.1:PORT`, nothing behind it.
    init(url: String) throws {
        let scheme = "http://"
        guard url.hasPrefix(scheme), let colon = url.lastIndex(of: ":"),
            let port = Int(url[url.index(after: colon)...]), (1...65_535).contains(port)
        else { throw UsageError(text: "--url must be http://127.0.0.1:PORT") }
        host = String(url[url.index(url.startIndex, offsetBy: scheme.count)..<colon])
        self.port = port
        guard host.hasPrefix("127."), address != nil else { throw UsageError(text: "--url must name a 127.… address") }
    }

    private var address: sockaddr_in? {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        return inet_pton(AF_INET, host, &address.sin_addr) == 1 ? address : nil
    }

    fileprivate func with(_ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        guard var address else { return -1 }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }
}

/// TCP sockets that never block.
enum Socket {
    static func make() throws -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_INET, kind, 0)
        guard descriptor >= 0 else { throw Fault(errno: "socket") }
        return descriptor
    }

    /// Nil when the server refused at once.
    static func connect(to endpoint: Endpoint) throws -> Int32? {
        let descriptor = try make()
        set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        // Closed with a reset: a port that waited a minute in TIME_WAIT for each request would soon be missing.
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
        if endpoint.with({ Glibc.connect(descriptor, $0, $1) }) == 0 || errno == EINPROGRESS { return descriptor }
        let reason = errno
        close(descriptor)
        errno = reason
        if reason == ECONNREFUSED { return nil }
        throw Fault(errno: "connect")
    }

    /// True when a connection that was being made stands.
    static func isConnected(_ descriptor: Int32) -> Bool {
        var fault: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &fault, &size) == 0 && fault == 0
    }

    static func listen(on endpoint: Endpoint) throws -> Int32 {
        let descriptor = try make()
        set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
        guard endpoint.with({ bind(descriptor, $0, $1) }) == 0, Glibc.listen(descriptor, 4_096) == 0 else {
            throw Fault(errno: "port \(endpoint.port)")
        }
        return descriptor
    }

    static func set(_ descriptor: Int32, _ level: Int32, _ name: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// As many descriptors as this account may have; refuses to begin with fewer than `count` and some to spare.
    static func allowDescriptors(_ count: Int) throws {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        guard limit.rlim_cur >= rlim_t(count + 32) else {
            throw Fault("this account may have \(limit.rlim_cur) open files, \(count + 32) are needed: ulimit -n")
        }
    }
}
