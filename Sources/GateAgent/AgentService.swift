import GateProcess
import ServiceLifecycle
import Synchronization

/// The supervisor as a service: a graceful shutdown ends its ssh before it returns.
public final class AgentService: Service {
    private let supervisor: TunnelSupervisor
    private let ended = Mutex<TunnelStateMachine.Outcome?>(nil)

    public init(supervisor: TunnelSupervisor) { self.supervisor = supervisor }

    /// Why it ended; nil while it runs.
    public var outcome: TunnelStateMachine.Outcome? { ended.withLock { $0 } }

    public func run() async throws {
        let outcome = await withGracefulShutdownHandler {
            await supervisor.run()
        } onGracefulShutdown: {
            self.supervisor.stop()
        }
        ended.withLock { $0 = outcome }
    }
}

/// Tells systemd at half its patience that the agent lives: only while the supervisor itself still answers.
public struct WatchdogService: Service {
    private let interval: Duration
    private let notify: SystemdNotify
    private let supervisor: TunnelSupervisor

    public init(interval: Duration, notify: SystemdNotify, supervisor: TunnelSupervisor) {
        self.interval = interval
        self.notify = notify
        self.supervisor = supervisor
    }

    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: interval)) != nil {
                await supervisor.answers()
                notify.watchdog()
            }
        }
    }
}

extension TunnelSupervisor {
    /// Returns when the actor has a turn for us.
    public func answers() {}
}
