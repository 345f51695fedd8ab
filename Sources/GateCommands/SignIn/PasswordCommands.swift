import ArgumentParser
import GateClient
import GateModel
import GateWire

/// `tidegate auth password`.
struct OwnPassword: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "password",
        abstract: "Set your own password; every session of yours ends.",
        discussion: """
            Asks for the present one, if there is one, and for the new one. Without a terminal the new one is the first \
            line of the standard input, or of --password-file, and the present one comes from --current-file.

            EXAMPLES
              tidegate auth password
              tidegate auth password --current-file ./old --password-file ./new
            """)

    @Option(help: ArgumentHelp("Read the new password from this file ('-': standard input).", valueName: "file"))
    var passwordFile: String?

    @Option(help: ArgumentHelp("Read the present password from this file.", valueName: "file"))
    var currentFile: String?

    @OptionGroup var gateway: GatewayOptions

    func perform() async throws {
        let client = try gateway.client()
        let status = try await client.authStatus()
        var current: Secret<String>?
        if status.hasPassword { current = try PasswordInput.read(file: currentFile, prompt: "Present password: ") }
        let new = try PasswordInput.new(file: passwordFile)
        try await client.setPassword(
            SetPasswordRequest(currentPassword: current?.reveal(), newPassword: new.reveal()))
        try gateway.show(["user": status.user.name]) { Terminal.print("The password is set; every session has ended.") }
    }
}

/// `tidegate user password NAME`.
struct UserPassword: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "password",
        abstract: "Set a user's password; every session of theirs ends.",
        discussion: """
            Asks for it twice on a terminal, without echo. Else it is the first line of the standard input, or of \
            --password-file; never an argument, which every user of this computer could read.

            EXAMPLES
              tidegate user password ada
              tidegate user password ada --password-file ./password
            """)

    @Argument(help: "The user's name.")
    var name: String

    @Option(help: ArgumentHelp("Read it from this file ('-': standard input).", valueName: "file"))
    var passwordFile: String?

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.name(UserName.self, name, "a user's name") }

    func perform() async throws {
        let client = try gateway.client()
        let password = try PasswordInput.new(file: passwordFile)
        try await client.setPassword(SetPasswordRequest(username: name, newPassword: password.reveal()))
        try gateway.show(["user": name]) {
            Terminal.print("The password of \(TerminalText.neutralised(name)) is set.")
        }
    }
}

/// Passwords hold blanks, so they are lines and not words.
enum PasswordInput {
    static func read(file: String?, prompt: String) throws -> Secret<String> {
        let text: String?
        switch file {
        case nil: text = Terminal.readSecret(prompt: prompt)
        case "-": text = try BoundedFile.text(of: 0, named: "the standard input", limit: 4_096)
        case .some(let path): text = try BoundedFile.text(path, limit: 4_096)
        }
        let line = text?.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).first.map(String.init)
        guard let line, !line.isEmpty else { throw CommandFailure(.usage, "no password was given") }
        return Secret(line)
    }

    /// On a terminal asked twice: nobody sees what they type.
    static func new(file: String?) throws -> Secret<String> {
        let password = try read(file: file, prompt: "New password: ")
        if file == nil, Terminal.isInputTerminal {
            let again = try read(file: nil, prompt: "Once more: ")
            guard again.reveal() == password.reveal() else { throw CommandFailure(.usage, "the two differ") }
        }
        return password
    }
}
