import Glibc

/// Ends whole process groups, and never a process that merely got the number of one.
public enum ProcessEnding {
    private static let pause = Duration.milliseconds(5)

    /// Ends the group led by a process: SIGTERM, and SIGKILL to what is left of the group after the grace.
    ///
    /// Never SIGKILL to the leader alone: sshd's monitor would leave its child behind, and with it the open tunnel.
    /// Returns true when nobody of the group runs any more, or the group was gone before; false when a signal is not
    /// permitted, when something outlives SIGKILL by two seconds, or when the leader has gone and the members it left
    /// are not all accepted by `orphans`.
    public static func end(
        group leader: Int32, startTime: UInt64, grace: Duration = .milliseconds(300),
        orphans: @Sendable (ProcessIdentity) -> Bool = { _ in false }
    ) async -> Bool {
        // 0 and 1 would mean "my own group" and "everybody" to kill(2).
        guard leader > 1 else { return false }
        switch ProcessStat(pid: leader) {
        case .some(let stat) where stat.startTime != startTime:
            // A number is not given again while its group has members, so the old group is gone.
            return true
        case .some(let stat) where stat.group != leader:
            return false
        case .some:
            break
        case nil:
            let members = ProcessTable.members(ofGroup: leader).filter { !$0.hasEnded }
            if members.isEmpty { return true }
            guard members.allSatisfy({ ProcessIdentity(pid: $0.pid).map(orphans) ?? true }) else { return false }
        }
        for (signal, patience) in [(SIGTERM, grace), (SIGKILL, .seconds(2))] {
            if kill(-leader, signal) != 0 { return errno == ESRCH }
            // A stopped process would keep SIGTERM for later.
            if signal == SIGTERM { kill(-leader, SIGCONT) }
            if await isGone(group: leader, startTime: startTime, within: patience) { return true }
        }
        return false
    }

    /// Waits until nobody of the group runs; zombies do not count, for their parent may never reap them.
    private static func isGone(group: Int32, startTime: UInt64, within patience: Duration) async -> Bool {
        let deadline = ContinuousClock.now + patience
        var members: [ProcessStat] = []
        while true {
            if kill(-group, 0) != 0 { return errno == ESRCH }
            if let stat = ProcessStat(pid: group), stat.startTime != startTime { return true }
            // A full look at /proc only when all members known so far have ended.
            if !members.contains(where: { ProcessIdentity.isSame(pid: $0.pid, startTime: $0.startTime) }) {
                members = ProcessTable.members(ofGroup: group).filter { !$0.hasEnded }
                if members.isEmpty { return true }
            }
            if ContinuousClock.now >= deadline { return false }
            await EventThread.shared.sleep(pause)
        }
    }
}
