import GateSSHServer
import Glibc
import Logging
import ServiceLifecycle

/// Ends the gateway with the process that starts sshd: without it no session could be started, and worse, none ended.
struct LauncherWatch: Service {
    let client: LauncherClient
    let logger: Logger

    func run() async throws {
        do {
            try await client.run()
        } catch is LauncherClient.Gone {
            logger.critical(
                "the process that starts sshd has ended, and the gateway with it; live ssh sessions go on",
                metadata: ["gate.remedy": "start the gateway again: it adopts them"])
            // At once: a revocation answered from here on would be a promise that nobody can keep.
            _exit(1)
        }
    }
}
