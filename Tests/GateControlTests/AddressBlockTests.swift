import GateControl
import Testing

@Suite struct AddressBlockTests {
    @Test(arguments: [
        ("192.0.2.77/24", "192.0.2.0/24"), ("192.0.2.77", "192.0.2.77/32"), ("0.0.0.0/0", "0.0.0.0/0"),
        ("192.0.2.255/25", "192.0.2.128/25"), ("2001:DB8::1/33", "2001:db8::/33"), ("::1", "::1/128"),
    ])
    func `its text is what sshd takes: no bit is set behind the prefix`(text: String, canonical: String) throws {
        #expect(try #require(AddressBlock(text)).text == canonical)
    }

    @Test func `a block lies within another when all of it does`() throws {
        let outer = try #require(AddressBlock("192.0.2.0/24"))
        for text in ["192.0.2.0/24", "192.0.2.128/25", "192.0.2.9"] {
            #expect(outer.contains(try #require(AddressBlock(text))))
        }
        for text in ["192.0.2.0/23", "192.0.3.0/25", "0.0.0.0/0", "2001:db8::/32"] {
            #expect(!outer.contains(try #require(AddressBlock(text))))
        }
    }
}
