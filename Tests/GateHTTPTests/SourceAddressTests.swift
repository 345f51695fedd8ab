import GateControl
import GateHTTP
import NIOCore
import Testing

@Suite struct SourceAddressTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1"), ("10.0.0.1", "10.0.0.1"), ("0.0.0.0/0", "203.0.113.9"), ("fd00::/8", "fdab::1"),
        ("::1", "::1"), ("::1", "0:0:0:0:0:0:0:1"), ("192.0.2.128/25", "192.0.2.200"), ("2001:db8::/33", "2001:db8::1"),
    ])
    func `addresses inside a block`(block: String, address: String) throws {
        #expect(try #require(AddressBlock(block)).contains(address))
    }

    @Test(arguments: [
        ("10.0.0.0/8", "11.0.0.1"), ("10.0.0.1", "10.0.0.2"), ("0.0.0.0/0", "::1"), ("fd00::/8", "fc00::1"),
        ("192.0.2.128/25", "192.0.2.127"), ("10.0.0.0/8", "10.0.0.1 "), ("10.0.0.0/8", "localhost"),
        ("10.0.0.0/8", ""), ("2001:db8::/33", "2001:db8:8000::1"), ("10.0.0.0/8", "10.0.0.1\u{0}"),
    ])
    func `addresses outside it`(block: String, address: String) throws {
        #expect(!(try #require(AddressBlock(block)).contains(address)))
    }

    @Test(arguments: [
        "", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0/8", "10.0.0.0/8/8", "localhost",
        "10.0.0.0/x", "0x0a.0.0.1", "10.0.0.1:80", "[::1]", "fe80::1%eth0", "10.0.0.1\u{0}", "010.0.0.1/ 8",
        String(repeating: "1", count: 5_000),
    ])
    func `text that is no block`(text: String) { #expect(AddressBlock(text) == nil) }

    static let proxies = SourceAddress(trusted: ["10.0.0.0/8", "fd00::/8"].compactMap { AddressBlock($0) })

    @Test(
        arguments: [
            ("203.0.113.9", [], "203.0.113.9"),
            // Nobody listens to a stranger's header.
            ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
            ("10.0.0.1", [], "10.0.0.1"),
            ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
            // What a client wrote itself stands left of what our proxies added.
            ("10.0.0.1", ["127.0.0.1, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", ["127.0.0.1", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", ["10.0.0.3,10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", ["198.51.100.1, nonsense"], "10.0.0.1"),
            ("10.0.0.1", ["nonsense, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", ["198.51.100.1:4711"], "10.0.0.1"),
            ("10.0.0.1", [", ,"], "10.0.0.1"),
            ("fd00::1", ["2001:DB8:0::1"], "2001:db8::1"),
            ("::ffff:10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
            ("::ffff:203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ] as [(String, [String], String)])
    func `the source is the first address from the right that isn't ours`(
        peer: String, header: [String], source: String
    ) throws {
        let address = try SocketAddress(ipAddress: peer, port: 4_711)
        #expect(Self.proxies.resolve(peer: address, forwardedFor: header) == source)
    }

    @Test func `a long chain ends somewhere, and a Unix socket is local`() throws {
        let peer = try SocketAddress(ipAddress: "10.0.0.1", port: 1)
        let chain = Array(repeating: "10.0.0.2", count: 100_000)
        #expect(Self.proxies.resolve(peer: peer, forwardedFor: chain) == "10.0.0.2")
        #expect(Self.proxies.resolve(peer: nil, forwardedFor: ["198.51.100.1"]) == "local")
    }
}
