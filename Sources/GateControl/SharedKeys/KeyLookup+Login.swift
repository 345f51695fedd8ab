import GateModel
import GateStore
import Logging

extension KeyLookup {
    /// True for the key of an agent that shares its credential, once it was revoked. One indexed read, for refusals only.
    public func isOutdated(_ fingerprint: String) -> Bool {
        (try? dependencies.database.readNow { tx in try tx.machine(superseding: fingerprint) }) != nil
    }

    /// sshd let the key in. The older keys of its machine, where several were good at once, are revoked, and their
    /// connections end: one of them may hold the port that this one asks for in a moment.
    ///
    /// Reads the store once on the calling thread; the rest goes on by itself, and what fails is done at the next login.
    public func loggedIn(_ grant: KeyGrant, process: SSHProcess?) {
        guard let issue = grant.issue, case .reverse = grant.reach, let machine = grant.machines.first else { return }
        do {
            let older = try dependencies.database.readNow { tx in try tx.issuedKeys(of: machine, before: issue) }
            guard !older.isEmpty else { return }
            let stale = dependencies.keys.askers(of: older.map(\.fingerprint)).filter { $0 != process }
            let before = dependencies.keys.sources(of: stale).sorted()
            Task { [self] in
                // Ended before the commit, for the port's sake: should the commit fail, the agent only has to dial again.
                async let ended: Void = dependencies.effects.end(stale)
                await supersede(grant, machine: machine, issue: issue, endedFrom: before)
                await ended
            }
        } catch {
            dependencies.logger.warning(
                "older keys of a machine could not be looked up", metadata: ["error": "\(error)"])
        }
    }

    private func supersede(_ grant: KeyGrant, machine: ID<Machine>, issue: Int64, endedFrom sources: [String]) async {
        let now = dependencies.now()
        do {
            let revoked = try await dependencies.database.write { [dependencies] tx in
                let revoked = try tx.revokeKeys(of: machine, before: issue, at: now).map(\.fingerprint)
                if !revoked.isEmpty {
                    try tx.appendAudit(
                        dependencies.ownEvent(
                            .tunnelKeySuperseded, tenant: grant.tenant, subject: "machine:\(machine)", at: now,
                            details: [
                                ("fingerprint", grant.fingerprint), ("revoked", String(revoked.count)),
                                ("ended_from", sources.joined(separator: " ")),
                            ]))
                }
                return revoked
            }
            await dependencies.cut(keys: revoked)
        } catch {
            dependencies.keys.dropAll()
            dependencies.logger.warning("older keys of a machine could not be revoked", metadata: ["error": "\(error)"])
        }
    }
}
