/// One link of a gateway's audit chain: it covers the events from `first` to `last` and the seal before it.
public struct AuditSeal: Sendable, Hashable {
    public var gateway: ID<Gateway>
    /// Counts from 1. A gap is there only before a restart.
    public var number: Int64
    /// SHA-256 of the seal before, as its line; 32 zeros for the first one.
    public var previous: [UInt8]
    /// Sequence numbers of the events it covers, both included.
    public var first: Int64
    public var last: Int64
    /// The Merkle tree hash (RFC 6962, 2.1) over the events' lines.
    public var root: [UInt8]
    public var at: Timestamp
    /// Empty, or why the chain begins anew here.
    public var restart: String
    /// The Ed25519 public key it is signed with: the `nextKey` of the seal before.
    public var key: [UInt8]
    public var nextKey: [UInt8]
    public var signature: [UInt8]

    public init(
        gateway: ID<Gateway>, number: Int64, previous: [UInt8], first: Int64, last: Int64, root: [UInt8],
        at: Timestamp, restart: String = "", key: [UInt8], nextKey: [UInt8], signature: [UInt8] = []
    ) {
        self.gateway = gateway
        self.number = number
        self.previous = previous
        self.first = first
        self.last = last
        self.root = root
        self.at = at
        self.restart = restart
        self.key = key
        self.nextKey = nextKey
        self.signature = signature
    }

    /// How many events it covers; saturates, for a seal may come from a store that somebody edited.
    public var count: Int64 {
        let (distance, overflow) = last.subtractingReportingOverflow(first)
        return overflow || distance == .max ? .max : distance + 1
    }
}
