public import GateControl
import NIOCore

/// Who really asks: the peer, or what a trusted proxy says of it.
public struct SourceAddress: Sendable {
    private let trusted: [AddressBlock]

    public init(trusted: [AddressBlock]) { self.trusted = trusted }

    /// Walks `X-Forwarded-For` from the right, past trusted proxies; the first other address counts. Text that isn't an
    /// address ends the walk: whoever wrote it isn't one of ours.
    package func resolve(peer: SocketAddress?, forwardedFor: [String]) -> String {
        guard let peer = peer?.ipAddress else { return "local" }
        var source = AddressBlock.plainAddress(peer) ?? peer
        guard isTrusted(source) else { return source }
        for entry in forwardedFor.joined(separator: ",").split(separator: ",").reversed().prefix(16) {
            guard let address = AddressBlock.plainAddress(String(entry.filter { $0 != " " && $0 != "\t" })) else {
                break
            }
            source = address
            guard isTrusted(address) else { break }
        }
        return source
    }

    private func isTrusted(_ address: String) -> Bool { trusted.contains { $0.contains(address) } }
}
