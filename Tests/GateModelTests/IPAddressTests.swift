import GateModel
import Glibc
import Testing

/// Of a literal, as the C library reads it.
private func address(_ text: String) throws -> IPAddress {
    let isIPv4 = !text.contains(":")
    var bytes = [UInt8](repeating: 0, count: isIPv4 ? 4 : 16)
    #expect(inet_pton(isIPv4 ? AF_INET : AF_INET6, text, &bytes) == 1)
    return try #require(IPAddress(bytes: bytes))
}

@Suite struct IPAddressTests {
    @Test(
        arguments: [
            ("0.0.0.0", .unspecified), ("0.255.255.255", .unspecified), ("1.0.0.0", .ordinary), ("::", .unspecified),
            ("127.0.0.1", .loopback), ("127.255.255.255", .loopback), ("126.255.255.255", .ordinary),
            ("128.0.0.0", .ordinary), ("::1", .loopback),
            ("169.253.255.255", .ordinary), ("169.254.0.0", .linkLocal), ("169.254.255.255", .linkLocal),
            ("169.255.0.0", .ordinary), ("fe80::1", .linkLocal), ("febf:ffff::1", .linkLocal), ("fe7f::1", .ordinary),
            ("169.254.169.254", .metadata), ("169.254.170.2", .metadata), ("100.100.100.200", .metadata),
            ("100.100.100.199", .ordinary), ("168.63.129.16", .metadata), ("192.0.0.192", .metadata),
            ("fd00:ec2::254", .metadata), ("fd00:ec2::23", .metadata), ("fd00:ec3::254", .ordinary),
            ("fd20:ce::254", .metadata), ("fd00:c1::a9fe:a9fe", .metadata), ("fd00:42::42", .metadata),
            ("fd00:42::41", .ordinary),
            ("223.255.255.255", .ordinary), ("224.0.0.0", .multicast), ("239.255.255.255", .multicast),
            ("ff00::", .multicast), ("ff02::1", .multicast), ("240.0.0.0", .reserved), ("255.255.255.254", .reserved),
            ("255.255.255.255", .broadcast), ("192.0.0.1", .reserved), ("192.88.99.1", .reserved),
            ("64:ff9b:1::a00:1", .reserved), ("fec0::1", .reserved), ("feff::1", .reserved), ("100::1", .reserved),
            ("::2", .reserved),
            ("10.0.0.1", .ordinary), ("172.16.0.1", .ordinary), ("192.168.0.1", .ordinary), ("100.64.0.1", .ordinary),
            ("fd12:3456::1", .ordinary), ("192.0.2.1", .ordinary), ("8.8.8.8", .ordinary), ("2606:4700::1", .ordinary),
        ] as [(String, IPAddress.Kind)])
    func `an address has one kind`(text: String, kind: IPAddress.Kind) throws {
        #expect(try address(text).kind == kind)
    }

    @Test(
        arguments: [
            ("::ffff:169.254.169.254", ["169.254.169.254"]), ("::ffff:0:127.0.0.1", ["127.0.0.1"]),
            ("::127.0.0.1", ["127.0.0.1"]), ("::1.0.0.0", ["1.0.0.0"]), ("64:ff9b::a9fe:a9fe", ["169.254.169.254"]),
            ("2002:7f00:1::", ["127.0.0.1"]), ("2002:a9fe:a9fe:1::5", ["169.254.169.254"]),
            ("2001:0:a9fe:a9fe:0:0:80ff:fffe", ["169.254.169.254", "127.0.0.1"]),
            ("2001:db8::5efe:7f00:1", ["127.0.0.1"]), ("2001:db8::200:5efe:a9fe:a9fe", ["169.254.169.254"]),
            ("::", []), ("::1", []), ("2001:db8::1", []), ("2001:1::1", []), ("64:ff9c::a9fe:a9fe", []),
            ("2003:7f00:1::", []), ("2001:db8::100:5efe:7f00:1", []), ("127.0.0.1", []),
        ] as [(String, [String])])
    func `what an address carries inside is found`(text: String, inside: [String]) throws {
        #expect(try address(text).embedded == inside.map { try address($0) })
    }

    @Test(arguments: [0, 3, 5, 15, 17]) func `other lengths are no address`(count: Int) {
        #expect(IPAddress(bytes: [UInt8](repeating: 1, count: count)) == nil)
    }
}
