import GateControl
import GateSSHServer
import GateStoreSQLite

/// What `/metrics` shows beside HTTP.
struct GatewayMetrics: Sendable {
    typealias Sample = (name: String, help: String, value: Double)

    let database: SQLiteDatabase
    let dependencies: ControlDependencies
    let ssh: SSHSide
    let outbound: MeteredOutbound
    let limits: RequestLimits
    /// Nil where there is no Fleet.
    let nodeTokens: NodeTokenCounts?

    var samples: [Sample] {
        let commits = database.commitCounts
        var samples: [Sample] = [
            ("tidegate_store_commits_total", "Durable commits; one may hold many changes.", Double(commits.commits)),
            ("tidegate_store_changes_total", "Changes committed.", Double(commits.jobs)),
            ("tidegate_leases", "Ports leased to machines.", Double(dependencies.ports.heldCount)),
            (
                "tidegate_ssh_processes", "sshd processes that asked for a key and still run.",
                Double(dependencies.keys.processes.count)
            ),
            (
                "tidegate_refusals_total", "Refused credentials, keys and connections.",
                Double(dependencies.refusals.total)
            ),
            ("tidegate_streams", "WebSockets that are open.", Double(dependencies.credentials.streams.count)),
            (
                "tidegate_audit_failures_total", "Times that the audit trail could not be written, sealed or sent.",
                Double(dependencies.auditing.health.failures)
            ),
            (
                "tidegate_audit_unsealed", "Events that wait for their seal for more than a moment.",
                Double(dependencies.auditing.health.waiting(.seal) ?? 0)
            ),
        ]
        for part in [AuditHealth.Part.syslog, .webhook] {
            guard let waiting = dependencies.auditing.health.waiting(part) else { continue }
            samples.append(
                ("tidegate_audit_\(part.rawValue)_waiting", "Sealed events that are still to be sent.", Double(waiting))
            )
        }
        if let counts = ssh.acceptor?.counts {
            samples += [
                (
                    "tidegate_ssh_unauthenticated", "SSH connections that haven't logged in yet.",
                    Double(counts.unauthenticated)
                ),
                ("tidegate_ssh_waiting", "SSH connections waiting for a place.", Double(counts.waiting)),
                ("tidegate_ssh_children", "sshd processes started by this gateway process.", Double(counts.children)),
            ]
        }
        for count in outbound.counts {
            samples.append(
                (
                    "tidegate_outbound_calls_total{purpose=\"\(count.purpose.rawValue)\",outcome=\"\(count.outcome.rawValue)\"}",
                    "Calls to others.", Double(count.calls)
                ))
        }
        for limit in RequestLimits.Limit.allCases {
            samples.append(
                (
                    "tidegate_rate_limited_total{limit=\"\(limit.rawValue)\"}", "Requests told to wait.",
                    Double(limits.count(limit))
                ))
        }
        for (outcome, count) in nodeTokens?.all ?? [] {
            samples.append(
                (
                    "tidegate_node_tokens_total{outcome=\"\(outcome.rawValue)\"}", "Node tokens looked at.",
                    Double(count)
                ))
        }
        return samples
    }
}
