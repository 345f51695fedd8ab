import GateControl
import GateModel
import Testing

@Suite struct CredentialTextTests {
    @Test func `ten thousand keys are all different, well-formed and fair in every bit`() {
        let count = 10_000
        var texts: Set<String> = []
        var ones = [Int](repeating: 0, count: 256)
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        for _ in 0..<count {
            let text = MintedCredential(.agentKey).text.reveal()
            if CredentialKind(shapeOf: text) == .agentKey { texts.insert(text) }
            for (position, byte) in text.utf8.dropFirst(4).enumerated() {
                let value = alphabet.firstIndex(of: byte) ?? 0
                for bit in 0..<6 where position * 6 + bit < 256 && value >> (5 - bit) & 1 == 1 {
                    ones[position * 6 + bit] += 1
                }
            }
        }
        // Malformed ones would be missing too.
        #expect(texts.count == count)
        // Six standard deviations (50 each): of 256 fair bits one is further off once in two million runs.
        #expect(ones.allSatisfy { abs($0 - count / 2) < 300 })
    }
}
