import ArgumentParser
import GateClient
import GateModel
import GateSSH
import GateWire

struct TOTPCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "totp",
        abstract: "Your second factor: codes of an authenticator program (RFC 6238).",
        subcommands: [TOTPEnable.self, TOTPDisable.self, TOTPCodes.self])
}

struct TOTPEnable: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable",
        abstract: "Set up an authenticator; signing in with your password then asks for its code.",
        discussion: """
            Asks for your password, shows what your authenticator program needs, asks for a first code, and shows ten \
            recovery codes: each works once, keep them where the authenticator isn't.

            EXAMPLES
              tidegate auth totp enable
              tidegate auth totp enable --output ./recovery-codes
            """)

    @Option(help: ArgumentHelp("Read your password from this file ('-': standard input).", valueName: "file"))
    var passwordFile: String?

    @Option(help: ArgumentHelp("Write the recovery codes to this file (0600).", valueName: "file"))
    var output: String?

    @OptionGroup var gateway: GatewayOptions

    func perform() async throws {
        let client = try gateway.client()
        var password: Secret<String>?
        if try await client.authStatus().hasPassword {
            password = try PasswordInput.read(file: passwordFile, prompt: "Password: ")
        }
        let offer = try await client.offerTOTP(OfferTOTPRequest(password: password?.reveal()))
        Terminal.printError(
            """
            Add this to your authenticator program, as a time-based code of six digits:
                \(TerminalText.neutralised(offer.secret))
            or open this address with it:
                \(TerminalText.neutralised(offer.uri))
            """)
        let codes = try await client.confirmTOTP(TOTPCodeRequest(code: try CodeInput.read("Its code now: ")))
        try RecoveryCodes.show(codes, output: output, gateway: gateway)
    }
}

struct TOTPDisable: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable",
        abstract: "Sign in without a second factor again.",
        discussion: """
            Asks for a code, or a recovery code.

            EXAMPLES
              tidegate auth totp disable
            """)

    @OptionGroup var gateway: GatewayOptions

    func perform() async throws {
        let client = try gateway.client()
        try await client.disableTOTP(TOTPCodeRequest(code: try CodeInput.read("Code: ")))
        try gateway.show(["second_factor": "off"]) { Terminal.print("The second factor is off.") }
    }
}

struct TOTPCodes: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "codes",
        abstract: "Make fresh recovery codes; the ones before work no more.",
        discussion: """
            Asks for a code of the authenticator.

            EXAMPLES
              tidegate auth totp codes
              tidegate auth totp codes --output ./recovery-codes
            """)

    @Option(help: ArgumentHelp("Write the recovery codes to this file (0600).", valueName: "file"))
    var output: String?

    @OptionGroup var gateway: GatewayOptions

    func perform() async throws {
        let client = try gateway.client()
        let codes = try await client.replaceRecoveryCodes(TOTPCodeRequest(code: try CodeInput.read("Code: ")))
        try RecoveryCodes.show(codes, output: output, gateway: gateway)
    }
}

/// `tidegate user reset-totp NAME`.
struct UserResetTOTP: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset-totp",
        abstract: "Take away the second factor of a user who lost theirs.",
        discussion: """
            EXAMPLES
              tidegate user reset-totp ada
            """)

    @Argument(help: "The user's name.")
    var name: String

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.name(UserName.self, name, "a user's name") }

    func perform() async throws {
        try await gateway.client().resetTOTP(ResetTOTPRequest(username: name))
        try gateway.show(["user": name]) {
            Terminal.print("\(TerminalText.neutralised(name)) signs in without a second factor now.")
        }
    }
}

/// A code of an authenticator, typed or piped in; it is no secret for longer than a minute.
enum CodeInput {
    static func read(_ prompt: String) throws -> String {
        if Terminal.isInputTerminal { Terminal.printError(prompt, end: "") }
        guard let line = readLine(strippingNewline: true), !line.isEmpty else {
            throw CommandFailure(.usage, "no code was given")
        }
        return line
    }
}

enum RecoveryCodes {
    static func show(_ codes: RecoveryCodesBody, output: String?, gateway: GatewayOptions) throws {
        guard let output else {
            return try gateway.show(codes) {
                Terminal.note("recovery codes, each for one time; they are shown this once:")
                for code in codes.recoveryCodes { Terminal.print(TerminalText.neutralised(code)) }
            }
        }
        try PrivateFile.write(
            Secret(codes.recoveryCodes.joined(separator: "\n") + "\n"), to: GatewayOptions.absolute(output))
        try gateway.show(["written_to": output]) { Terminal.note("recovery codes written to \(output)") }
    }
}
