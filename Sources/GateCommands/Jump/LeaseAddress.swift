import GateSSH
import GateWire

/// Where a lease is reached from the gateway's sshd.
package enum LeaseAddress {
    /// A lease on all addresses is reached on the loopback of its family; the jump's key names literal addresses.
    package static func address(of lease: LeaseBody) throws -> SSHAddress {
        switch lease.address {
        case "0.0.0.0", "*", "": try SSHAddress(host: "127.0.0.1", port: lease.port)
        case "::": try SSHAddress(host: "::1", port: lease.port)
        default: try SSHAddress(host: lease.address, port: lease.port)
        }
    }
}
