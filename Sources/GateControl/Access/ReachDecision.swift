import GateModel
import GateStore

extension ControlDependencies {
    /// Something that decides about people's reach changed: their lines are written anew, and the connections of a line
    /// that lost a port, or was lost whole, end before this returns. Call it after the commit. Those that lost nothing go
    /// on: to withdraw one grant of many must not throw people off machines they may still reach.
    func decideAnew(_ subject: Grant.Subject, in tenant: ID<Tenant>) async throws {
        try await decideAnew { tx in try tx.livePersonalKeys(of: subject, in: tenant) }
    }

    /// The same after a machine's tags, organization or site changed.
    func decideAnew(reaching machine: ID<Machine>) async throws {
        try await decideAnew { tx in try tx.liveJumpKeys(grantedReaching: machine) }
    }

    private func decideAnew(
        _ affected: @escaping @Sendable (any Transaction) throws -> [String]
    ) async throws {
        let fingerprints: [String]
        do {
            fingerprints = try await database.read { tx in try affected(tx) }
        } catch {
            // Nobody knows whose reach it was: all lines are written anew, and the sweep finds what has to end.
            keys.dropAll()
            hotState.reachIsUnchecked()
            throw error
        }
        // Before the live ones are looked at: a login that read the old state fills no line after this, and one that did
        // before it is found among the live.
        keys.recall(fingerprints)
        await endWhatLostReach(fingerprints)
    }

    /// Ends connections whose line names a port or a target that its owner may not reach any more. Where that can't be read, all of
    /// them: what can't be shown to be allowed isn't.
    func endWhatLostReach(_ fingerprints: [String]) async {
        let held = keys.heldReach(fingerprints)
        // Also where nothing was lost: a line that gained a port is written anew.
        await cut(keys: held.isEmpty ? [] : await lost(of: held))
    }

    private func lost(of held: [String: KeyTable.HeldReach]) async -> [String] {
        let (gateway, now) = (identity.gateway, now())
        let allowed: [String: KeyGrant]
        do {
            allowed = try await database.read { tx in
                try held.compactMapValues { reach in
                    guard let key = try tx.tunnelKey(reach.key), key.revokedAt == nil else { return nil }
                    return try tx.grant(of: key, on: gateway, at: now, ignoringLoginEnd: true)
                }
            }
        } catch {
            allowed = [:]
        }
        return held.filter { fingerprint, old in
            guard let new = allowed[fingerprint] else { return true }
            return !old.machines.isSubset(of: new.machines) || !old.targets.isSubset(of: new.reach.targets)
                || old.allowFrom != [new.allowFrom]
        }.map(\.key)
    }
}
