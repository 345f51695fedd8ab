import Foundation
import GateModel
import Testing

@Suite struct AuditActionTests {
    /// The page that operators write rules from has each event once, and none that isn't.
    @Test func `every event is described, and nothing else`() throws {
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/audit-events.md")
        let described = try String(contentsOf: page, encoding: .utf8).split(separator: "\n")
            .compactMap { $0.firstMatch(of: /^\| `([a-z.-]+)` \|/)?.1 }.map(String.init)
        #expect(described.sorted() == AuditAction.allCases.map(\.rawValue).sorted())
    }

    @Test(arguments: AuditAction.allCases)
    func `names are dotted and short enough for every format`(action: AuditAction) {
        #expect(action.rawValue.wholeMatch(of: /[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*/) != nil)
        // MSGID of RFC 5424.
        #expect(action.rawValue.utf8.count <= 32)
    }
}
