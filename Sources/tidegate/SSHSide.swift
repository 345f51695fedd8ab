import GateControl
import GateModel
import GateProcess
import GateSSH
import GateSSHServer
import GateStore
import Glibc
import Logging
import ServiceLifecycle

/// Everything around sshd for one run of the gateway: what it tells others, and the services that serve it.
struct SSHSide: Sendable {
    let loginUser: String
    let hostKeys: [String]
    let apiAddress: String?
    let services: [any Service]
    let acceptor: SSHAcceptor?

    static func prepare(
        _ serve: ServeSettings, dependencies: ControlDependencies, database: any Database, health: GatewayHealth,
        effects: DeferredEffects, inherited: LauncherInheritance?, logger: Logger
    ) async throws -> SSHSide {
        guard serve.ssh != .off else {
            effects.set(
                SSHEffects(end: { _ in }, keysChanged: {}, holder: { _, _ in nil }, listeningPorts: { [] }))
            return SSHSide(loginUser: serve.sshUser ?? "", hostKeys: [], apiAddress: nil, services: [], acceptor: nil)
        }
        let isRoot = geteuid() == 0
        let runtime =
            try inherited?.runtime ?? RuntimeFolder.prepare(stateDirectory: serve.stateDirectory, isRoot: isRoot)
        let preparation = try await SSHPreparation.settings(
            serve, folder: serve.stateDirectory, socket: runtime.helperSocket, isRoot: isRoot || inherited != nil,
            logger: logger)
        let settings = preparation.settings
        let launcher: any SSHDLauncher =
            inherited?.client
            ?? DirectLauncher(
                program: settings.program, configuration: settings.configurationPath,
                record: isRoot && serve.ssh == .managed ? launchRecord(serve, logger: logger) : nil)
        let lookup = KeyLookup(dependencies)
        let liveFolder = "\(settings.folder)/live"
        let journal = ConnectionJournal(
            database: database, identity: dependencies.identity, now: dependencies.now, logger: logger)
        let ending = ConnectionEnding(
            keys: dependencies.keys, launcher: launcher, liveFolder: liveFolder, journal: journal, logger: logger)
        let ownership = PortOwnership(loginUID: settings.loginUID)
        let file: AuthorizedKeysFile? =
            if case .file(let path) = settings.keySource {
                AuthorizedKeysFile(path: path, settings: settings, lookup: lookup, logger: logger)
            } else {
                nil
            }
        effects.set(
            SSHEffects(
                end: { await ending.end($0) }, keysChanged: { await file?.rewrite() },
                holder: { ownership.holder($0, $1) }, listeningPorts: { ownership.listeningPorts() },
                rsaKeysImported: { [ssh = serve.ssh] in
                    guard ssh == .managed else { return }
                    do {
                        try ImportedRSAKeys.note(true, stateDirectory: serve.stateDirectory)
                        // The configuration was fixed before root was given up.
                        guard inherited == nil else {
                            logger.warning("imported RSA keys can log in after the next start of the gateway")
                            return
                        }
                        // Each new connection's sshd reads the file again.
                        _ = try await prepareManaged(settings, program: preparation.program, acceptsRSA: true)
                    } catch {
                        logger.error(
                            "imported RSA keys can't log in before the next start", metadata: ["error": "\(error)"])
                    }
                }))

        // Before the first lookup is answered: what an earlier gateway left is adopted or ended.
        _ = try await Adoption(
            database: database, identity: dependencies.identity, lookup: lookup, keys: dependencies.keys,
            ending: ending,
            liveFolder: liveFolder, logger: logger
        ).run()
        await file?.rewrite()

        // The launcher first, so that it is the last to be let go.
        var services: [any Service] = inherited.map { [LauncherWatch(client: $0.client, logger: logger)] } ?? []
        services += [
            journal,
            ConnectionReaper(keys: dependencies.keys, ending: ending),
        ]
        let hostKeys: [String]
        var acceptor: SSHAcceptor?
        if serve.ssh == .managed {
            let acceptsRSA = try await database.read { [now = dependencies.now()] tx in try tx.hasLiveRSAKey(at: now) }
            try ImportedRSAKeys.note(acceptsRSA, stateDirectory: serve.stateDirectory)
            hostKeys = [
                inherited == nil
                    ? try await prepareManaged(settings, program: preparation.program, acceptsRSA: acceptsRSA)
                    : try hostKey(settings).line
            ]
            do {
                acceptor = try SSHAcceptor(
                    launcher: launcher, host: serve.sshListen.host, port: serve.sshListen.port, keys: dependencies.keys,
                    lookup: lookup, journal: journal, ending: ending, liveFolder: liveFolder,
                    refusals: dependencies.refusals, canDecide: { health.canDecide }, logger: logger)
            } catch {
                throw StartFault("\(error)")
            }
        } else {
            hostKeys = try await systemHostKeys(settings)
            services.append(try await watchSystem(settings, health: health, logger: logger))
        }
        if file == nil {
            services.append(
                KeysSocket(
                    paths: runtime.sockets, groupID: preparation.helperGID, helperUID: preparation.helperUID,
                    settings: settings, parent: acceptor.map { .started($0) } ?? .system(uid: 0), lookup: lookup,
                    journal: acceptor == nil ? journal : nil, logger: logger))
        }
        if let file {
            health.warn("no tidegate-keys: sshd reads an authorized_keys file")
            // Leases are renewed without a change of keys; their lines' expiry-time must follow in time.
            let interval = min(.seconds(600), serve.leaseLifetime / 4)
            services.append(
                PeriodicWork(name: "authorized_keys", interval: interval, logger: logger) { await file.rewrite() })
            services.append(
                PeriodicWork(name: "authorized_keys again", interval: .seconds(1), logger: logger) {
                    await file.retry()
                })
        }
        if let acceptor { services.append(acceptor) }
        return SSHSide(
            loginUser: settings.loginUser, hostKeys: hostKeys, apiAddress: settings.apiAddress?.text,
            services: services + [Held(runtime)], acceptor: acceptor)
    }

    /// Writes configuration and host key, and has sshd check them.
    private static func prepareManaged(
        _ settings: SSHDSettings, program: SSHDProgram, acceptsRSA: Bool
    ) async throws -> String {
        if settings.runsAsRoot, mkdir("/run/sshd", 0o755) != 0, errno != EEXIST {
            throw StartFault("/run/sshd, sshd's empty folder: \(String(cString: strerror(errno)))")
        }
        let key = try hostKey(settings)
        _ = try await writeConfiguration(settings, program: program, acceptsRSA: acceptsRSA)
        return key.line
    }

    private static func hostKey(_ settings: SSHDSettings) throws -> SSHHostKey {
        do { return try HostKeyFile.load(at: settings.hostKeyPath) } catch { throw StartFault("ssh: \(error)") }
    }

    /// Writes the configuration into its folder, has sshd check it, and returns its text.
    static func writeConfiguration(
        _ settings: SSHDSettings, program: SSHDProgram, acceptsRSA: Bool
    ) async throws -> String {
        // An sshd built without PAM refuses the word; one of Debian's can't serve an ordinary user without it.
        var last = StartFault("ssh: no configuration")
        for usesPAM in settings.runsAsRoot ? [false] : [true, false] {
            do {
                let text = SSHDConfiguration(settings, usesPAM: usesPAM, acceptsRSA: acceptsRSA).text
                try PrivateFile.write(text, to: settings.configurationPath)
                try await program.check(configuration: settings.configurationPath)
                return text
            } catch {
                last = StartFault("ssh: \(error)")
            }
        }
        throw last
    }

    /// So that a later gateway without root can have its launcher end what this one started.
    private static func launchRecord(_ serve: ServeSettings, logger: Logger) -> LaunchRecord? {
        do {
            try PrivateFile.makeFolder(RootStage.sshdFolder)
            return try LaunchRecord(folder: RootStage.recordFolder(stateDirectory: serve.stateDirectory))
        } catch {
            logger.warning("what sshd runs can't be recorded", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// The system's sshd must be safe to start, and stays watched.
    private static func watchSystem(_ settings: SSHDSettings, health: GatewayHealth, logger: Logger) async throws
        -> any Service
    {
        let external = ExternalSSHD(settings)
        let faults = await external.faults()
        guard faults.isEmpty else {
            print(external.dropIn, terminator: "")
            throw StartFault(
                "ssh external: the system's sshd is not safe for tunnels: \(faults.joined(separator: "; ")). "
                    + "What it needs is printed above, and by `tidegate serve --ssh external --print-drop-in`")
        }
        return PeriodicWork(name: "sshd check", interval: .seconds(60), logger: logger) {
            health.sshd(faults: await external.faults())
        }
    }

    private static func systemHostKeys(_ settings: SSHDSettings) async throws -> [String] {
        let keys = await ExternalSSHD(settings).hostKeys()
        guard !keys.isEmpty else {
            throw StartFault("ssh external: none of the host keys that `sshd -T` names can be read")
        }
        return keys
    }
}

/// Keeps the runtime folder's lock for as long as the gateway runs.
private struct Held: Service {
    private let runtime: RuntimeFolder

    init(_ runtime: RuntimeFolder) { self.runtime = runtime }

    func run() async throws {
        try? await gracefulShutdown()
        withExtendedLifetime(runtime) {}
    }
}
