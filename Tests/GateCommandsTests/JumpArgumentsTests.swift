import GateCommands
import GateModel
import GateSSH
import GateWire
import Testing

@Suite struct JumpArgumentsTests {
    private func jump(
        gateway: GatewayBody = Samples.gateway(), machine: ReachableMachineBody = Samples.reachable(),
        lease: LeaseBody = Samples.lease
    ) throws -> JumpArguments {
        try JumpArguments(folder: "/run/user/1/tidegate-x", gateway: gateway, machine: machine, lease: lease)
    }

    /// The values of `-o NAME=…`, in order.
    private func values(_ name: String, in arguments: [String]) -> [String] {
        zip(arguments, arguments.dropFirst()).compactMap { flag, value in
            flag == "-o" && value.hasPrefix(name + "=") ? String(value.dropFirst(name.count + 1)) : nil
        }
    }

    @Test func gatewayHopTakesNothingOfTheUsersAndTrustsOneKey() throws {
        let hop = try jump().gatewayHop
        #expect(
            Array(hop.prefix(8)) == ["-F", "none", "-i", "/run/user/1/tidegate-x/key", "-p", "2222", "-l", "tidegate"])
        #expect(Array(hop.suffix(4)) == ["-W", "127.0.0.1:20017", "--", "gateway.example.org"])
        #expect(values("HostKeyAlias", in: hop) == ["\(Samples.gatewayID).gateway.tidegate"])
        for (name, value) in [
            ("StrictHostKeyChecking", "yes"), ("IdentitiesOnly", "yes"), ("IdentityAgent", "none"),
            ("BatchMode", "yes"),
            ("GlobalKnownHostsFile", "/dev/null"), ("UserKnownHostsFile", "/run/user/1/tidegate-x/gateway_hosts"),
        ] {
            #expect(values(name, in: hop) == [value])
        }
    }

    @Test func machineHopPinsTheIdAndLeavesTheLoginAlone() throws {
        let operands = try SSHOperands(["-i", "/mine", "me@build-7", "--", "id"])
        let all = try operands.arguments(try jump(), program: "/usr/bin/ssh")
        #expect(values("HostKeyAlias", in: all) == ["\(Samples.machineID).tidegate"])
        #expect(values("Port", in: all) == ["20017"])
        #expect(values("HostName", in: all) == ["127.0.0.1"])
        #expect(values("StrictHostKeyChecking", in: all) == ["yes"])
        #expect(values("IdentitiesOnly", in: all).isEmpty)
        #expect(!all.contains("-F"))
        #expect(Array(all.suffix(5)) == ["-i", "/mine", "me@build-7.tidegate", "--", "id"])
        let proxy = try #require(values("ProxyCommand", in: all).first)
        #expect(proxy.hasPrefix("/usr/bin/ssh -F none -i /run/user/1/tidegate-x/key -p 2222 -l tidegate "))
        #expect(proxy.hasSuffix(" -W 127.0.0.1:20017 -- gateway.example.org"))
    }

    @Test func copiesStandBehindATerminator() throws {
        let operands = try SCPOperands(["-r", "./-x", "build-7:y"])
        let all = try operands.arguments(try jump(), program: "/usr/bin/ssh")
        #expect(Array(all.suffix(4)) == ["-r", "--", "./-x", "build-7.tidegate:y"])
    }

    @Test func wildcardLeasesAreReachedOnLoopback() throws {
        var lease = Samples.lease
        lease.address = "0.0.0.0"
        #expect(try jump(lease: lease).machine.text == "127.0.0.1:20017")
        lease.address = "::"
        #expect(try jump(lease: lease).machine.text == "[::1]:20017")
        lease.address = "10.0.0.5"
        #expect(try jump(lease: lease).machine.text == "10.0.0.5:20017")
    }

    @Test(arguments: ["-oProxyCommand=x", "a b", "a\nb", "a;b", "$(x)", ""])
    func hostileGatewayAnswersAreRefused(text: String) {
        #expect(throws: (any Error).self) { try jump(gateway: Samples.gateway(host: text)) }
        #expect(throws: (any Error).self) { try jump(gateway: Samples.gateway(user: text)) }
        #expect(throws: (any Error).self) { try jump(machine: Samples.reachable(name: text)) }
        #expect(throws: (any Error).self) { try jump(machine: Samples.reachable(id: text)) }
        var lease = Samples.lease
        lease.address = text
        if !text.isEmpty { #expect(throws: (any Error).self) { try jump(lease: lease) } }
    }
}
