public import GateControl
public import GateModel
import GateWire
import HTTPTypes
public import Hummingbird
import NIOCore

/// A request before anybody is known to have sent it.
public struct GateContext: RequestContext {
    public var coreContext: CoreRequestContextStorage
    /// The other end of the socket; nil on a Unix socket.
    public let peer: SocketAddress?
    /// The connection itself, for the peer credentials of a Unix socket.
    let channel: any Channel
    /// Who asked from where, after trusted proxies. Set by `SourceMiddleware`.
    public var source = "unknown"
    /// Our own id of the request, or the caller's if it is well-formed.
    public var requestID = ""
    /// Set by `AuthenticationMiddleware`.
    public var principal: Principal?
    /// Set by `RequestMiddleware`; nil on `admin.sock`, whose only caller is the operator.
    var limits: RequestLimits?

    public init(source: ApplicationRequestContextSource) {
        self.coreContext = .init(source: source)
        self.channel = source.channel
        self.peer = source.channel.remoteAddress
    }
}

/// A context that exists only for a machine, by its agent key or what stands for one. What it does was counted when it was
/// admitted.
public struct MachineContext: ChildRequestContext {
    public var coreContext: CoreRequestContextStorage
    public let caller: Caller

    public init(context: GateContext) throws {
        let principal = try context.known()
        // A user's token never authenticates an agent, whatever its role: 401, as for no credential.
        guard case .machine = principal else {
            throw Problem(.unauthenticated, "An agent's credential is required here.")
        }
        coreContext = context.coreContext
        caller = Caller(principal: principal, source: context.source)
    }
}

/// A context for a person, by a token or a browser's session, and for the operator on the gateway's host.
public struct PersonContext: ChildRequestContext {
    public var coreContext: CoreRequestContextStorage
    public let caller: Caller

    public init(context: GateContext) throws {
        caller = try context.caller()
        if case .machine = caller.principal { throw Problem(.forbidden, "An agent key acts for no person.") }
        coreContext = context.coreContext
    }
}

/// A context for anybody who is known.
public struct PrincipalContext: ChildRequestContext {
    public var coreContext: CoreRequestContextStorage
    public let caller: Caller

    public init(context: GateContext) throws {
        caller = try context.caller()
        // Agents' shared key is good for agents' routes alone, where each use of it is written down.
        if case .environment(.agent, _) = caller.principal { throw ControlError.forbidden }
        coreContext = context.coreContext
    }
}

extension GateContext {
    /// The same request as an agent's, for the machine its credential stands for.
    func admitted(by agents: AgentAdmission, _ request: Request) async throws -> GateContext {
        var context = self
        let claims = request.headers[values: .agentID]
        // Nobody could say which of two is meant.
        guard claims.count <= 1 else { throw ControlError.unauthenticated }
        context.principal = try await agents.admit(try caller(claiming: claims.first), claiming: claims.first)
        return context
    }

    /// Whoever asks, this request counted for their credential: before a handler does anything.
    fileprivate func caller(claiming claim: String? = nil) throws -> Caller {
        let caller = Caller(principal: try known(), source: source)
        try count(caller, claiming: claim)
        return caller
    }

    /// Counts a request with a good credential.
    func count(_ caller: Caller, claiming claim: String? = nil) throws {
        if let wait = limits?.work(of: caller, claiming: claim) {
            throw Problem(.tooManyRequests, "Too many requests with this credential; wait.", retryAfter: wait)
        }
    }

    /// Counts a request that needs no credential.
    func countAnonymous() throws {
        if let wait = limits?.anonymous(from: source) {
            throw Problem(.tooManyRequests, "Too many requests from where this one comes; wait.", retryAfter: wait)
        }
    }

    fileprivate func known() throws -> Principal {
        guard let principal else { throw Problem(.unauthenticated, "A valid credential is required.") }
        return principal
    }
}
