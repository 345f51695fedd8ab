import GateModel
import GateSSH
import Testing

@Suite struct KeyLineTests {
    let key: SSHPublicKey
    let machine: SSHAddress
    let api: SSHAddress
    let expires = Timestamp(microseconds: 1_798_761_599_999_999)
    let current = OpenSSHVersion(major: 9, minor: 2)
    let tail = #"command="/usr/sbin/nologin",expiry-time="20261231235959Z" "# + KeySamples.ed25519

    init() throws {
        self.key = try SSHPublicKey(parsing: KeySamples.ed25519 + " comment")
        self.machine = try SSHAddress(parsing: "127.0.0.1:20017")
        self.api = try SSHAddress(parsing: "127.0.0.1:12000")
    }

    @Test func aReverseKeyListensOnItsPortAndOpensNothing() throws {
        #expect(
            try KeyLine.reverse(listen: machine, control: nil).text(key: key, expires: expires, version: current)
                == #"restrict,port-forwarding,permitlisten="127.0.0.1:20017",permitopen="127.0.0.1:1","# + tail)
    }

    @Test func aReverseKeyMayAlsoOpenTheAPI() throws {
        #expect(
            try KeyLine.reverse(listen: machine, control: api).text(key: key, expires: expires, version: current)
                == #"restrict,port-forwarding,permitlisten="127.0.0.1:20017",permitopen="127.0.0.1:12000","# + tail)
    }

    @Test func aJumpKeyOpensItsMachinesAndListensNowhere() throws {
        let other = try SSHAddress(host: "::1", port: 20_018)
        #expect(
            try KeyLine.jump(targets: [machine]).text(key: key, expires: expires, version: current)
                == #"restrict,port-forwarding,permitopen="127.0.0.1:20017",permitlisten="127.0.0.1:1","# + tail)
        #expect(
            try KeyLine.jump(targets: [machine, other]).text(key: key, expires: expires, version: current)
                == #"restrict,port-forwarding,permitopen="127.0.0.1:20017",permitopen="[::1]:20018","#
                + #"permitlisten="127.0.0.1:1","# + tail)
    }

    @Test func aJumpKeyWithoutMachinesOpensNothing() throws {
        #expect(
            try KeyLine.jump(targets: []).text(key: key, expires: expires, version: current)
                == #"restrict,port-forwarding,permitopen="127.0.0.1:1",permitlisten="127.0.0.1:1","# + tail)
    }

    @Test func aForwardKeyOpensItsTarget() throws {
        let target = try SSHTarget(parsing: "DB.example.org:5432")
        #expect(
            try KeyLine.forward(targets: [target]).text(key: key, expires: expires, version: current)
                == #"restrict,port-forwarding,permitopen="db.example.org:5432",permitlisten="127.0.0.1:1","# + tail)
        let local = try SSHTarget(parsing: "localhost:5432")
        #expect(throws: KeyLine.Fault.localhostName) {
            try KeyLine.forward(targets: [local]).text(key: key, expires: nil, version: current)
        }
    }

    @Test func anEnrollingMachinesKeyOpensTheAPIAlone() throws {
        #expect(
            try KeyLine.control(api: api).text(key: key, expires: expires, version: current)
                == #"restrict,port-forwarding,permitopen="127.0.0.1:12000",permitlisten="127.0.0.1:1","# + tail)
    }

    @Test func anExpiryIsLeftOutWhereSSHDWouldRefuseTheLine() throws {
        let bare =
            #"restrict,port-forwarding,permitlisten="127.0.0.1:20017",permitopen="127.0.0.1:1","#
            + #"command="/usr/sbin/nologin" "# + KeySamples.ed25519
        let line = KeyLine.reverse(listen: machine, control: nil)
        #expect(try line.text(key: key, expires: expires, version: .oldestSupported) == bare)
        #expect(try line.text(key: key, expires: nil, version: current) == bare)
    }

    @Test func anExpiryStaysWithinWhatSSHDCanRead() throws {
        let line = KeyLine.jump(targets: [machine])
        let far = try line.text(key: key, expires: Timestamp(microseconds: .max), version: current)
        let past = try line.text(key: key, expires: Timestamp(microseconds: .min), version: current)
        #expect(far.contains(#"expiry-time="99991231235959Z""#))
        #expect(past.contains(#"expiry-time="19700101000001Z""#))
    }

    @Test func moreThanSixtyFourTargetsAreRefused() throws {
        let many = try (0..<64).map { try SSHAddress(host: "127.0.0.1", port: 20_000 + $0) }
        let line = try KeyLine.jump(targets: many).text(key: key, expires: expires, version: current)
        #expect(line.components(of: "permitopen=") == 64)
        #expect(try keygenFingerprint(line) == key.fingerprint)
        #expect(throws: KeyLine.Fault.tooManyTargets(65)) {
            try KeyLine.jump(targets: many + [machine]).text(key: key, expires: expires, version: current)
        }
    }

    @Test func aLineNamesTheAddressesALoginMayComeFrom() throws {
        let line = try KeyLine.jump(targets: [machine]).text(
            key: key, from: ["192.0.2.0/24", "2001:db8::/32"], expires: expires, version: current)
        #expect(line.contains(#",from="192.0.2.0/24,2001:db8::/32","#))
        #expect(try keygenFingerprint(line) == key.fingerprint)
    }

    @Test func addressesThatWouldBreakOutOfTheLineLetNobodyIn() throws {
        for text in [#"192.0.2.0/24",permitopen="any"#, "*", "!192.0.2.1", "a b"] {
            let line = try KeyLine.jump(targets: [machine]).text(
                key: key, from: [text], expires: expires, version: current)
            #expect(line.contains(#",from="255.255.255.255","#))
        }
    }

    @Test func theLongestLineForOneTargetStaysBelowAKibibyteAndParses() throws {
        let application = [UInt8](repeating: 0x61, count: 256)
        let long = try SSHPublicKey(
            parsing: "sk-ssh-ed25519@openssh.com "
                + KeySamples.encoded([KeySamples.skType, KeySamples.point, application]))
        let label = String(repeating: "a", count: 62)
        let target = try SSHTarget(host: "\(label).\(label).\(label).\(label)x", port: 65_535)
        let line = try KeyLine.forward(targets: [target]).text(key: long, expires: expires, version: current)
        #expect(line.utf8.count <= 1_024)
        #expect(line.utf8.allSatisfy { (0x20..<0x7F).contains($0) })
        #expect(try keygenFingerprint(line) == long.fingerprint)
    }
}

extension String {
    fileprivate func components(of part: String) -> Int { ranges(of: part).count }
}
