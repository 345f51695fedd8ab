/// May this user do that on this machine? A pure function of the user, the grants and the time, so that every way in gives
/// the same answer, and so that the answer can be explained.
public enum AccessPolicy {
    public struct Decision: Sendable, Hashable {
        public enum Reason: String, Sendable, CaseIterable {
            case administrator
            case granted
            case userDisabled = "user-disabled"
            case otherTenant = "other-tenant"
            case noGrant = "no-grant"
            case expired
            case otherMode = "other-mode"
            case otherLogin = "other-login"
        }

        public let reason: Reason
        /// When what allows it ends: the latest of the grants that do; nil while nothing ends it.
        public let until: Timestamp?
        /// The grants that allow it; else those that came nearest.
        public let grants: [ID<Grant>]

        public var isAllowed: Bool { reason == .administrator || reason == .granted }
    }

    /// `login` nil: any login, as when only the gateway's own part is decided.
    public static func decide(
        _ user: User, _ mode: Grant.Mode, on machine: Machine, login: LoginName? = nil, by grants: [Grant],
        at now: Timestamp
    ) -> Decision {
        guard user.disabledAt == nil else { return Decision(reason: .userDisabled, until: nil, grants: []) }
        guard user.tenant == machine.tenant else { return Decision(reason: .otherTenant, until: nil, grants: []) }
        if user.role == .admin { return Decision(reason: .administrator, until: nil, grants: []) }
        // A program's role that can't see machines can't be granted them either.
        guard user.role.scopes.contains(.machinesRead) else {
            return Decision(reason: .noGrant, until: nil, grants: [])
        }
        let fitting = grants.filter {
            $0.tenant == user.tenant && $0.subject.covers(user) && $0.selector.selects(machine)
        }
        guard !fitting.isEmpty else { return Decision(reason: .noGrant, until: nil, grants: []) }
        let live = fitting.filter { $0.isLive(at: now) }
        guard !live.isEmpty else { return Decision(.expired, fitting) }
        let moded = live.filter { $0.modes.contains(mode) }
        guard !moded.isEmpty else { return Decision(.otherMode, live) }
        let allowing = moded.filter { grant in grant.logins.isEmpty || login.map(grant.logins.contains) ?? true }
        guard !allowing.isEmpty else { return Decision(.otherLogin, moded) }
        return Decision(.granted, allowing)
    }

    /// Which machines of their tenant the user may see: those that one of these selects; nil: every one. `grants` is asked
    /// where it matters.
    public static func visibility(
        of user: User, at now: Timestamp, by grants: () throws -> [Grant]
    ) rethrows -> [Grant.Selector]? {
        guard user.disabledAt == nil, user.role.scopes.contains(.machinesRead) else { return [] }
        if user.role.scopes.contains(.machinesWrite) { return nil }
        return try grants().filter {
            $0.tenant == user.tenant && $0.subject.covers(user) && $0.isLive(at: now) && !$0.modes.isEmpty
        }.map(\.selector)
    }

    /// May the user see that the machine exists?
    public static func maySee(_ machine: Machine, _ user: User, by grants: [Grant], at now: Timestamp) -> Bool {
        user.tenant == machine.tenant
            && visibility(of: user, at: now) { grants }?.contains { $0.selects(machine) } ?? true
    }
}

extension AccessPolicy.Decision {
    fileprivate init(_ reason: Reason, _ grants: [Grant]) {
        let ends = grants.map(\.expiresAt)
        self.init(
            reason: reason, until: reason == .granted && !ends.contains(nil) ? ends.compactMap { $0 }.max() : nil,
            grants: grants.map(\.id))
    }
}
