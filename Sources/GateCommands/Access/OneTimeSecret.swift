import GateClient
import GateModel
import GateSSH

/// A secret that an answer holds once: to a file of mode 0600, or to the standard output alone.
enum OneTimeSecret {
    /// The answer; where a file is named, the secret is there instead.
    static func moved<Body>(
        from body: Body, _ secret: WritableKeyPath<Body, String?>, to path: String?
    ) throws -> Body {
        guard let path else { return body }
        guard let text = body[keyPath: secret] else {
            throw CommandFailure(.refused, "the gateway's answer holds no secret")
        }
        try PrivateFile.write(Secret(text + "\n"), to: GatewayOptions.absolute(path))
        var rest = body
        rest[keyPath: secret] = nil
        return rest
    }

    static func show(_ secret: String?, writtenTo path: String?) {
        if let path { Terminal.note("written to \(path)") }
        if let secret { Terminal.print(TerminalText.neutralised(secret)) }
    }
}
