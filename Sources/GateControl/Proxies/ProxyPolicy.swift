import GateModel
import GateSSH

/// Which hosts may be proxies and what may lie behind them. Only administrators name them, and yet: a proxy's target is
/// where everybody's forward keys lead, so what no tunnel should end at is refused by kind.
public struct ProxyPolicy: Sendable {
    /// Names that clouds give to the service which hands out a machine's own credentials.
    private static let metadataNames: Set<String> = ["metadata", "metadata.google.internal", "instance-data"]

    private let allowsLoopback: Bool
    private let leasePorts: ClosedRange<Int>

    /// `leasePorts`: behind those on this host are machines, which are reached by grants and not past them.
    public init(allowsLoopback: Bool, leasePorts: ClosedRange<Int>) {
        self.allowsLoopback = allowsLoopback
        self.leasePorts = leasePorts
    }

    /// Throws `invalid` for a host that may not be a proxy, or a target that may not lie behind one.
    /// `host` is nil for the gateway's own sshd.
    func require(host: SSHTarget?, target: SSHTarget) throws(ControlError) {
        if let host { try require(host: host) }
        try require(target, field: "target_host")
        if Self.isLoopback(target), leasePorts.contains(target.port) {
            throw .invalid(field: "target_port", rule: "a port that no machine leases; machines are reached by grants")
        }
    }

    func require(host: SSHTarget) throws(ControlError) { try require(host, field: "host") }

    private func require(_ target: SSHTarget, field: String) throws(ControlError) {
        guard !target.isLocalhostName else {
            throw .invalid(field: field, rule: "the literal address; localhost may mean 127.0.0.1 or ::1")
        }
        guard !Self.metadataNames.contains(target.host) else {
            throw .invalid(field: field, rule: "not a cloud's metadata service")
        }
        guard let address = target.literal else { return }
        for address in [address] + address.embedded {
            switch address.kind {
            case .ordinary: continue
            case .loopback where allowsLoopback: continue
            case .loopback:
                throw .invalid(
                    field: field, rule: "not a loopback address, unless the gateway runs with --proxy-loopback")
            case .unspecified, .linkLocal, .metadata, .multicast, .broadcast, .reserved:
                throw .invalid(
                    field: field, rule: "an ordinary address: not link-local, metadata, multicast or reserved")
            }
        }
    }

    private static func isLoopback(_ target: SSHTarget) -> Bool {
        guard let address = target.literal else { return false }
        return ([address] + address.embedded).contains { $0.kind == .loopback }
    }
}

extension SSHTarget {
    /// The address, where the host is one and not a name.
    fileprivate var literal: IPAddress? { addressBytes(host).flatMap { IPAddress(bytes: $0) } }
}
