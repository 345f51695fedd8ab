import GateModel
import GateProcess
import GateSSH
import GateSSHServer
import Glibc
import Logging

/// What root does before the gateway becomes another user: hands over the state directory, fixes sshd's configuration where
/// the gateway can't write, and starts the process that keeps root. Nothing here reads a socket or the store.
struct RootStage {
    let settings: ServeSettings
    let values: [String: String]
    let environment: [String: String]
    let account: UserAccount
    let logger: Logger

    /// Root's own, so that a gateway taken over by a stranger can change neither what sshd is told nor what it logs in to.
    static let sshdFolder = "/run/tidegate-sshd"

    static func folder(stateDirectory: String) -> String { "\(sshdFolder)/\(shortName(of: stateDirectory))" }
    static func recordFolder(stateDirectory: String) -> String { "\(folder(stateDirectory: stateDirectory))/live" }

    /// Sixteen hexadecimal digits (64-bit FNV-1a): a name of fixed length for a path of any.
    static func shortName(of path: String) -> String {
        let hash = path.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// For our own program, run again: where the dynamic linker looks is part of how root started it.
    static var bareEnvironment: [String: String] {
        ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LD_LIBRARY_PATH": SystemEnvironment.values["LD_LIBRARY_PATH"]]
            .compactMapValues { $0 }
    }

    /// Returns only by throwing: the process goes on as the gateway.
    func becomeGateway() async throws -> Never {
        if mkdir("/run/sshd", 0o755) != 0, errno != EEXIST {
            throw StartFault("/run/sshd, sshd's empty folder: \(SystemError("mkdir"))")
        }
        let (state, stateLock) = try takeStateDirectory()
        let runtime = try RuntimeFolder.prepare(stateDirectory: settings.stateDirectory, isRoot: true, owner: account)
        guard let runtimeLock = runtime.lock else { throw StartFault("\(RuntimeFolder.standard) can't be locked") }
        let folder = Self.folder(stateDirectory: settings.stateDirectory)
        let preparation = try await prepareSSHD(folder: folder, socket: runtime.helperSocket, state: state)
        let token = openToken()
        let launcher = try startLauncher(preparation.settings, folder: folder, token: token?.files)

        var kept = [launcher, stateLock.descriptor, runtimeLock.descriptor]
        if let token { kept.append(token.descriptor) }
        var environment = environment
        for (name, value) in values { environment[ServeSettings.variable(name)] = value }
        environment[LauncherInheritance.variable] = LauncherInheritance.text(
            launcher: launcher, stateLock: stateLock.descriptor, runtimeLock: runtimeLock.descriptor,
            token: token?.descriptor, runtimeFolder: runtime.folder)
        // The locks live as long as their descriptors, which are needed beyond the last line that names them.
        let failure = withExtendedLifetime((stateLock, runtimeLock)) {
            ProgramRestart.become(account, arguments: CommandLine.arguments, environment: environment, keeping: kept)
        }
        // Half of this process may already be somebody else: nothing but the end is left.
        logger.critical("the gateway did not start", metadata: ["gate.reason": "\(failure)"])
        _exit(1)
    }

    private func takeStateDirectory() throws -> (OpenFolder, FileLock) {
        do {
            try makeFolders()
            guard let lock = try? FileLock(path: "\(settings.stateDirectory)/lock") else {
                throw StartFault("state-dir: another gateway runs on \(settings.stateDirectory)")
            }
            guard let resolved = realpath(settings.stateDirectory, nil) else { throw SystemError("realpath") }
            defer { free(resolved) }
            let state = try OpenFolder(path: String(cString: resolved))
            // What is there changes hands only together with the folder: afterwards its contents are somebody else's word.
            if state.ownerUID == 0 { try state.handOver(uid: account.uid, gid: account.gid) }
            try state.set(uid: account.uid, gid: account.gid, mode: 0o700)
            fchown(lock.descriptor, account.uid, account.gid)
            return (state, lock)
        } catch let error as SystemError {
            throw StartFault("state-dir: \(error)")
        }
    }

    /// Those above are made so that the account can walk through them and list nothing.
    private func makeFolders() throws {
        var built = ""
        for part in settings.stateDirectory.split(separator: "/") {
            built += "/" + part
            guard mkdir(built, 0o700) == 0 else {
                if errno == EEXIST || access(built, F_OK) == 0 { continue }
                throw SystemError("mkdir \(built)")
            }
            if built.count < settings.stateDirectory.count { chmod(built, 0o711) }
        }
    }

    private func prepareSSHD(folder: String, socket: String, state: OpenFolder) async throws -> SSHPreparation {
        var quiet = logger
        quiet.logLevel = .error
        let preparation = try await SSHPreparation.settings(settings, folder: folder, socket: socket, logger: quiet)
        let sshd = preparation.settings
        do {
            try PrivateFile.makeFolder(Self.sshdFolder)
            for path in [folder, sshd.folder] { try PrivateFile.makeFolder(path) }
            let (uid, gid) = (account.uid, account.gid)
            let kept = try state.folder("ssh", uid: uid, gid: gid)
            let name = "ssh_host_ed25519_key"
            var key = try kept.read(name, limit: 16_384)
            if key == nil {
                let pair = EphemeralKey.generate()
                let text = Array(pair.privateKeyFile.reveal().utf8)
                // The private half last: it is what counts as there, so a kill in between only makes a new pair.
                try kept.write(Array((pair.publicKey.line + "\n").utf8), to: name + ".pub", uid: uid, gid: gid)
                try kept.write(text, to: name, uid: uid, gid: gid)
                key = text
            }
            try PrivateFile.write(key ?? [], to: sshd.hostKeyPath)
            // The store isn't read as root; the gateway's last word about it is this file.
            let acceptsRSA = try kept.read(ImportedRSAKeys.fileName, limit: 16) != nil
            let text = try await SSHSide.writeConfiguration(
                sshd, program: preparation.program, acceptsRSA: acceptsRSA)
            // A copy for people; sshd reads the other one.
            do {
                try kept.write(Array(text.utf8), to: "sshd_config", uid: uid, gid: gid)
            } catch {
                // Nobody is kept out for the want of a copy: the disk may be full.
                logger.warning("the copy of sshd's configuration could not be written", metadata: ["error": "\(error)"])
            }
        } catch let fault as StartFault {
            throw fault
        } catch {
            throw StartFault("ssh: \(error)")
        }
        return preparation
    }

    /// The unfinished token file, by a name of this gateway's own: what a killed start left is replaced, and nothing gathers.
    static func tokenTemporary(_ final: String, stateDirectory: String) -> String? {
        final.lastIndex(of: "/").map { "\(final[...$0]).tidegate-token-\(shortName(of: stateDirectory))" }
    }

    /// Where the token goes may be a folder of root's: it is opened here and written later. A failure is told when the token
    /// turns out to be needed.
    private func openToken() -> (descriptor: Int32, files: LauncherServer.Token)? {
        guard let final = settings.bootstrapTokenFile,
            let temporary = Self.tokenTemporary(final, stateDirectory: settings.stateDirectory)
        else { return nil }
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
        return (descriptor, .init(temporary: temporary, final: final))
    }

    /// The gateway's end of the pair.
    private func startLauncher(_ sshd: SSHDSettings, folder: String, token: LauncherServer.Token?) throws -> Int32 {
        var words = [
            SSHDLauncherCommand.name, "--program", sshd.program, "--configuration", sshd.configurationPath, "--record",
            Self.recordFolder(stateDirectory: settings.stateDirectory),
        ]
        if let token { words += ["--token-temporary", token.temporary, "--token-file", token.final] }
        var options = SpawnOptions()
        options.argument0 = CommandLine.arguments[0]
        do {
            let pair = try DescriptorPair.messages()
            _ = try ChildProcess.spawn(
                path: "/proc/self/exe", arguments: words, environment: Self.bareEnvironment,
                descriptors: [2: 2, SSHDLauncherCommand.socket: pair.second], options: options)
            close(pair.second)
            return pair.first
        } catch {
            throw StartFault("the process that starts sshd: \(error)")
        }
    }
}
