import Foundation
import GateSSHServer
import Testing

@Suite struct AuthorizedKeysTextTests {
    private func struck(_ text: String, allBut lines: [String]) throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        try AuthorizedKeysText.strikeOut(of: path, allBut: lines)
        return try String(contentsOfFile: path, encoding: .utf8)
    }

    @Test func `what has to go becomes a comment, and the rest stays byte for byte`() throws {
        let (a, b) = (#"restrict,permitopen="127.0.0.1:1" ssh-ed25519 AAAA"#, #"restrict ssh-ed25519 BBBB"#)
        #expect(try struck("\(a)\n\(b)\n", allBut: [b]) == "#\(a.dropFirst())\n\(b)\n")
        #expect(try struck("\(a)\n\(b)", allBut: [a]) == "\(a)\n#\(b.dropFirst())")
        #expect(try struck("\(a)\n\(b)\n", allBut: [a, b]) == "\(a)\n\(b)\n")
        #expect(try struck("", allBut: [a]) == "")
        let once = try struck("\(a)\n", allBut: [])
        #expect(try struck(once, allBut: []) == once)
    }

    @Test func `a line that only ends at another time stays, one that opens another port goes`() throws {
        func line(_ port: Int, _ end: String) -> String {
            #"restrict,permitopen="127.0.0.1:\#(port)",expiry-time="\#(end)" ssh-ed25519 AAAA"#
        }
        let old = line(20_001, "20260101000000Z") + "\n"
        #expect(try struck(old, allBut: [line(20_001, "20270101000000Z")]) == old)
        #expect(try struck(old, allBut: [line(20_002, "20260101000000Z")]).hasPrefix("#estrict"))
    }
}
