import ArgumentParser
import GateCommands
import GateControl
import GateModel
import GateStore
import GateStoreSQLite

struct AuditHead: StoreFileCommand {
    static let configuration = CommandConfiguration(
        commandName: "head",
        abstract: "Print the newest seal, to be kept elsewhere as an anchor.",
        discussion: """
            Keep the printed SEQUENCE:DIGEST where whoever takes this host over can't reach it. 'tidegate audit verify \
            --anchor' proves with it that nothing up to that event was changed or cut off.

            EXAMPLES
              tidegate audit head | ssh elsewhere 'cat >> anchors'
            """)

    @OptionGroup var options: StoreOptions

    private struct Document: Encodable {
        let anchor: String
        let sequence: Int64
        let digest: String
        let at: String
        let gateway: String
        let seal: String
    }

    func perform() throws {
        let file = try options.currentStore().file
        let head = try file.look { tx in try tx.firstGateway().flatMap { try tx.auditHead(of: $0.gateway) } }
        guard let head else { throw StartFault("nothing is sealed yet in \(file.path)") }
        guard options.json else { return print(head.anchor) }
        print(
            try JSONText.document(
                Document(
                    anchor: head.anchor.description, sequence: head.last, digest: Hex.text(head.digest),
                    at: head.at.rfc3339, gateway: head.gateway.text, seal: AuditLine.seal(head))))
    }
}
