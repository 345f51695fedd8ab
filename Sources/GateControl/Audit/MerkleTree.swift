import Crypto

/// The Merkle tree hash of RFC 6962, section 2.1, with SHA-256: one hash over many lines, of which no line can be
/// changed, left out, added or moved without changing it.
public enum MerkleTree {
    public typealias Hash = [UInt8]

    public static func leaf(_ bytes: some Sequence<UInt8>) -> Hash { Array(SHA256.hash(data: [0x00] + Array(bytes))) }

    public static func root(of leaves: some RandomAccessCollection<Hash>) -> Hash {
        let leaves = Array(leaves)
        return leaves.isEmpty ? Array(SHA256.hash(data: [UInt8]())) : root(leaves[...])
    }

    private static func root(_ leaves: ArraySlice<Hash>) -> Hash {
        guard leaves.count > 1 else { return leaves[leaves.startIndex] }
        // The largest power of two below the count.
        var half = 1
        while half * 2 < leaves.count { half *= 2 }
        let middle = leaves.startIndex + half
        return Array(SHA256.hash(data: [0x01] + root(leaves[..<middle]) + root(leaves[middle...])))
    }
}
