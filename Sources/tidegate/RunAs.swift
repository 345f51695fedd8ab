import GateProcess
import Glibc

/// Whether a gateway that root started becomes another user before it opens a socket, and why not where it doesn't.
enum RunAs {
    /// Become this account; root's part is left to a process that only starts sshd.
    case account(UserAccount)
    /// Go on as whoever started it. The words are a warning: what keeps it from being safer.
    case stay(warning: String?)

    static let standard = "tidegate-gateway"

    static func decide(_ serve: ServeSettings) async throws -> RunAs {
        guard geteuid() == 0 else {
            guard serve.runAs == nil || serve.runAs == UserAccount.current?.name else {
                throw StartFault("run-as: only root can become another user")
            }
            return .stay(warning: nil)
        }
        guard serve.runAs != "root" else { return .stay(warning: nil) }
        guard serve.ssh == .managed else {
            guard serve.runAs == nil else {
                throw StartFault("run-as: with ssh \(serve.ssh.rawValue) a gateway that root started stays root")
            }
            return .stay(warning: nil)
        }
        do {
            return .account(try await fitAccount(named: serve.runAs ?? standard, serve))
        } catch let fault as StartFault {
            // Who named a user means it; who named none gets a gateway, and the words.
            if serve.runAs != nil { throw StartFault("run-as: \(fault.description)") }
            return .stay(warning: "the gateway keeps root: \(fault.description)")
        }
    }

    private static func fitAccount(named name: String, _ serve: ServeSettings) async throws -> UserAccount {
        guard let account = UserAccount(name: name) else {
            throw StartFault("there is no user '\(name)'; `make setup` makes it")
        }
        guard account.uid != 0 else { throw StartFault("'\(name)' is root by another name") }
        guard let helper = UserAccount(name: SSHPreparation.helperUser) else {
            throw StartFault("there is no user '\(SSHPreparation.helperUser)'; `make setup` makes it")
        }
        guard account.groups.contains(helper.gid) else {
            throw StartFault("\(name) is no member of group \(SSHPreparation.helperUser); `make setup` adds it")
        }
        guard account.uid != helper.uid else { throw StartFault("\(name) is the user of tidegate-keys") }
        // Port numbers and files tell a tunnel's sshd from the gateway by the user.
        guard serve.sshUser ?? SSHPreparation.loginUser != name else { throw StartFault("\(name) is the ssh-user") }

        let reach = AccountReach(account)
        var facts = stat()
        let isThere = stat(serve.stateDirectory, &facts) == 0
        if isThere, facts.st_uid != 0, facts.st_uid != account.uid {
            throw StartFault("\(serve.stateDirectory) belongs neither to root nor to \(name)")
        }
        let folder = String(
            serve.databasePath.prefix(upTo: serve.databasePath.lastIndex(of: "/") ?? serve.databasePath.startIndex))
        let isOutside = !serve.databasePath.hasPrefix(serve.stateDirectory + "/")
        let faults = [
            reach.faultAbove(serve.stateDirectory),
            isOutside ? reach.faultWriting(folder: folder) : nil,
            isOutside ? reach.faultWriting(file: serve.databasePath) : nil,
            serve.tls.flatMap { reach.faultReading($0.certificate) }, serve.tls.flatMap { reach.faultReading($0.key) },
            serve.sharedKeysFile.flatMap { reach.faultReading($0) },
            serve.audit.webhookSecretFile.flatMap { reach.faultReading($0) },
            serve.outsideSignIn.secretFile.flatMap { reach.faultReading($0) },
        ]
        if let fault = faults.compactMap({ $0 }).first { throw StartFault(fault.description) }

        // Its own program, with all its libraries, may lie where only root gets to.
        let run = try? await ProcessRun.run(
            "/proc/self/exe", arguments: ["--version"], environment: RootStage.bareEnvironment,
            identity: .init(uid: account.uid, gid: account.gid))
        guard run?.status.isSuccess == true else { throw StartFault("\(name) can't run \(CommandLine.arguments[0])") }
        return account
    }
}
