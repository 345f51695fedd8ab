import GateControl
import GateModel
import GateSSH
import Glibc
import Testing

private func address(_ text: String) throws -> IPAddress {
    var bytes = [UInt8](repeating: 0, count: text.contains(":") ? 16 : 4)
    #expect(inet_pton(text.contains(":") ? AF_INET6 : AF_INET, text, &bytes) == 1)
    return try #require(IPAddress(bytes: bytes))
}

@Suite struct OutboundPolicyTests {
    let policy = OutboundPolicy(ownPorts: [12_000...12_000, 2_222...2_222, 20_000...29_999])

    private func refusal(
        _ text: String, port: Int = 443, loopback: Bool = false
    ) throws -> OutboundPolicy.Refusal? {
        policy.refusal(
            of: try address(text), port: port, allowsLoopback: loopback,
            ownAddresses: [
                try address("127.0.0.1"), try address("::1"), try address("10.0.0.9"), try address("fd00::9"),
            ])
    }

    @Test(
        arguments: [
            ("0.0.0.0", .unspecified), ("::", .unspecified), ("127.0.0.1", .loopback), ("::1", .loopback),
            ("127.0.1.1", .loopback), ("169.254.1.1", .linkLocal), ("fe80::1", .linkLocal),
            ("169.254.169.254", .metadata), ("fd00:ec2::254", .metadata), ("100.100.100.200", .metadata),
            ("224.0.0.1", .multicast), ("ff02::1", .multicast), ("255.255.255.255", .broadcast),
            ("240.0.0.1", .reserved),
            ("::ffff:127.0.0.1", .embedded), ("::ffff:169.254.169.254", .embedded), ("::ffff:0.0.0.0", .embedded),
            ("64:ff9b::169.254.169.254", .embedded), ("2002:a9fe:a9fe::1", .embedded), ("::169.254.169.254", .embedded),
            ("2002:7f00:1::1", .embedded), ("64:ff9b::7f00:1", .embedded), ("64:ff9b:1::1", .reserved),
            // This host by one of its addresses, inside another one.
            ("::ffff:10.0.0.9", .embedded), ("64:ff9b::10.0.0.9", .embedded),
        ] as [(String, OutboundPolicy.Refusal)])
    func `nobody is called there`(text: String, expected: OutboundPolicy.Refusal) throws {
        #expect(try refusal(text) == expected)
    }

    @Test(arguments: [
        "10.0.0.5", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd12::1", "8.8.8.8", "2606:4700::1",
        "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "10.0.0.9", "fd00::9",
    ])
    func `private and public networks may be called`(text: String) throws { #expect(try refusal(text) == nil) }

    @Test(arguments: ["0.0.0.0", "169.254.169.254", "fe80::1", "::ffff:127.0.0.1", "2002:7f00:1::1", "224.0.0.1"])
    func `allowing loopback allows nothing else`(text: String) throws {
        #expect(try refusal(text, loopback: true) != nil)
    }

    @Test(
        arguments: ["127.0.0.1", "127.9.9.9", "::1", "10.0.0.9", "fd00::9"], [12_000, 2_222, 20_000, 25_000, 29_999])
    func `the gateway's own ports are refused on each of its addresses`(text: String, port: Int) throws {
        #expect(try refusal(text, port: port, loopback: true) == .ownPort)
    }

    @Test(arguments: [("127.0.0.1", 8_080), ("::1", 30_000), ("10.0.0.9", 443), ("10.0.0.5", 12_000)])
    func `other ports and other hosts aren't`(text: String, port: Int) throws {
        #expect(try refusal(text, port: port, loopback: true) == nil)
    }
}
