import GateControl
import Testing

@Suite struct MerkleTreeTests {
    private static let inputs: [String] = [
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    ]

    /// The reference roots that implementations of RFC 6962 share.
    @Test(arguments: [
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        (4, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
        (5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
        (6, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
        (7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ])
    func `roots are those of RFC 6962`(count: Int, root: String) throws {
        let leaves = try Self.inputs.prefix(count).map { text in
            MerkleTree.leaf(try #require(Hex.bytes(text, count: text.utf8.count / 2)))
        }
        #expect(Hex.text(MerkleTree.root(of: leaves)) == root)
    }

    @Test func `no lines have the hash of nothing`() {
        #expect(
            Hex.text(MerkleTree.root(of: [MerkleTree.Hash]()))
                == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test func `any change of the list changes the root`() {
        for count in 1...33 {
            let leaves = (0..<count).map { MerkleTree.leaf("line \($0)".utf8) }
            var roots: Set = [MerkleTree.root(of: leaves)]
            var variants = 1
            for index in leaves.indices {
                var changed = leaves
                changed[index] = MerkleTree.leaf("other".utf8)
                roots.insert(MerkleTree.root(of: changed))
                var shorter = leaves
                shorter.remove(at: index)
                roots.insert(MerkleTree.root(of: shorter))
                variants += 2
                if index > 0 {
                    var swapped = leaves
                    swapped.swapAt(index, index - 1)
                    roots.insert(MerkleTree.root(of: swapped))
                    variants += 1
                }
            }
            #expect(roots.count == variants)
        }
    }
}
