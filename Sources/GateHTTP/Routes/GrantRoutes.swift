import GateControl
import GateModel
import GateWire
import HTTPTypes
import Hummingbird

/// Grants, and the question "may they?".
struct GrantRoutes {
    let services: GateServices
    let root: String

    func add(to book: RouteBook) {
        let services = services
        book.scoped(.accessWrite, .post, "\(root)/grants") { request, context in
            let body = try await request.decode(AddGrantRequest.self)
            let described = try await services.grants.add(
                to: try Self.recipient(body), on: try Self.target(body), modes: try Self.modes(body.modes),
                logins: try Self.logins(body.logins),
                lifetime: try body.ttl.map { try Field.seconds($0, "ttl", GrantService.lifetimes, default: 0) },
                by: context.caller)
            return JSONAnswer(.created, GrantBody(described))
        }
        book.scoped(.accessRead, .get, "\(root)/grants") { request, context in
            try request.requireKnownQuery(["user", "role", "ended", "after", "limit"])
            let page = try Page<Grant>(request)
            let grants = try await services.grants.list(
                of: try Field.optionalName(request.queryText("user"), "user"),
                role: try request.queryText("role").map { try Field.choice($0, "role") },
                ended: try Field.flag(request, "ended"),
                after: page.after.map { (createdAt: $0.at, id: $0.id) }, limit: page.limit, by: context.caller)
            return JSONAnswer(
                .ok, grants.map { GrantBody($0) },
                link: page.link(
                    request, count: grants.count, last: grants.last.map { ($0.grant.createdAt, $0.grant.id) }))
        }
        book.scoped(.accessWrite, .delete, "\(root)/grants/:id") { request, context in
            try request.requireKnownQuery([])
            try await services.grants.withdraw(
                try context.id("id", of: Grant.self, else: .grantNotFound, "No such grant."), by: context.caller)
            return HTTPResponse.Status.noContent
        }
        // Anybody may ask about themselves; about others it takes `access:read`.
        book.scoped(.machinesRead, .get, "\(root)/access/check") { request, context in
            try request.requireKnownQuery(["user", "machine", "mode", "login"])
            guard let user = request.queryText("user") ?? context.caller.principal.user?.name else {
                throw Field.invalid("user", UserName.rule)
            }
            guard let machine = request.queryText("machine"), AgentID(rawValue: machine) != nil else {
                throw Field.invalid("machine", AgentID.rule)
            }
            let check = try await services.grants.check(
                try Field.name(user, "user"), on: machine,
                mode: try Field.choice(request.queryText("mode") ?? Grant.Mode.ssh.rawValue, "mode"),
                login: try Field.optionalName(request.queryText("login"), "login"), by: context.caller)
            return JSONAnswer(.ok, AccessCheckBody(check))
        }
    }

    private static func recipient(_ body: AddGrantRequest) throws -> GrantService.Recipient {
        switch (body.user, body.role) {
        case (let user?, nil): .user(try Field.name(user, "user"))
        case (nil, let role?):
            .role(try Field.choice(role, "role"))
        default: throw Field.invalid("user", "a user's name, or 'role' in its place; not both")
        }
    }

    private static func target(_ body: AddGrantRequest) throws -> GrantService.Target {
        var targets: [GrantService.Target] = []
        if body.all == true { targets.append(.all) }
        if let machine = body.machine {
            guard AgentID(rawValue: machine) != nil else { throw Field.invalid("machine", AgentID.rule) }
            targets.append(.machine(machine))
        }
        if let tag = body.tag { targets.append(.tag(try Field.name(tag, "tag"))) }
        if let organization = body.organization {
            targets.append(.organization(try Field.filledLabel(organization, "organization")))
        }
        if let site = body.site { targets.append(.site(try Field.filledLabel(site, "site"))) }
        guard targets.count == 1 else {
            throw Field.invalid("machine", "exactly one of machine, tag, organization, site, or all: true")
        }
        return targets[0]
    }

    private static func modes(_ texts: [String]?) throws -> Set<Grant.Mode> {
        let modes = Set(try (texts ?? ["ssh", "view"]).map { try Field.choice($0, "modes", as: Grant.Mode.self) })
        guard !modes.isEmpty else { throw Field.invalid("modes", "one or more of ssh, terminal, view") }
        return modes
    }

    private static func logins(_ texts: [String]?) throws -> [LoginName] {
        guard let texts else { return [] }
        guard texts.count <= GrantService.maximumLogins else {
            throw Field.invalid("logins", "at most \(GrantService.maximumLogins) logins")
        }
        return Array(Set(try texts.map { try Field.name($0, "logins", as: LoginName.self) }))
            .sorted { $0.rawValue < $1.rawValue }
    }
}

extension GrantBody {
    init(_ described: GrantService.Described) {
        let grant = described.grant
        var (role, tag, organization, site): (String?, String?, String?, String?)
        var (machine, machineName, all): (String?, String?, Bool?)
        if case .role(let named) = grant.subject { role = named.rawValue }
        switch grant.selector {
        case .all: all = true
        case .machine(let id): (machine, machineName) = (id.text, described.machine?.name.rawValue)
        case .tag(let text): tag = text.rawValue
        case .organization(let text): organization = text
        case .site(let text): site = text
        }
        self.init(
            id: grant.id.text, user: described.userName, role: role, all: all, machine: machine,
            machineName: machineName, tag: tag, organization: organization, site: site,
            modes: Grant.Mode.allCases.filter(grant.modes.contains).map(\.rawValue),
            logins: grant.logins.map(\.rawValue), createdAt: grant.createdAt, expiresAt: grant.expiresAt,
            endedAt: grant.endedAt)
    }
}

extension AccessCheckBody {
    fileprivate init(_ check: GrantService.Check) {
        let decision = check.decision
        self.init(
            allowed: decision.isAllowed, reason: decision.reason.rawValue, explanation: check.explanation,
            user: check.user.name, role: check.user.role.rawValue, machine: check.machine.name.rawValue,
            mode: check.mode.rawValue, login: check.login?.rawValue, loginEnforced: check.enforcesLogin,
            until: decision.until, grants: check.grants.map { GrantBody($0) })
    }
}

extension GrantService.Check {
    /// The answer in words.
    fileprivate var explanation: String {
        let (who, what) = (user.name, "\(mode.rawValue) on \(machine.name)")
        var text =
            switch decision.reason {
            case .administrator: "\(who) is an administrator, who may do everything on every machine of the tenant."
            case .granted:
                "A grant lets \(who) do \(what)" + (decision.until.map { " until \($0.rfc3339)." } ?? ".")
            case .userDisabled: "\(who)'s account is disabled."
            case .otherTenant: "\(who) is of another tenant."
            case .noGrant: "No grant names \(who) or their role for \(machine.name)."
            case .expired: "The grants of \(who) for \(machine.name) have expired."
            case .otherMode: "The grants of \(who) for \(machine.name) allow other modes only."
            case .otherLogin: "The grants of \(who) for \(machine.name) allow other logins only."
            }
        let restricts = grants.contains { !$0.grant.logins.isEmpty }
        if !enforcesLogin, restricts || login != nil {
            text +=
                " The login itself is not enforced here: the machine's own sshd decides, and it doesn't ask this gateway."
        }
        return text
    }
}
