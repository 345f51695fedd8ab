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

    public init(source: ApplicationRequestContextSource) {
        self.coreContext = .init(source: source)
        self.channel = source.channel
        self.peer = source.channel.remoteAddress
    }
}

/// A context that exists only for a machine, by its agent key.
public struct MachineContext: ChildRequestContext {
    public var coreContext: CoreRequestContextStorage
    public let caller: Caller

    public init(context: GateContext) throws {
        let principal = try context.requirePrincipal()
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
        let principal = try context.requirePrincipal()
        if case .machine = principal { throw Problem(.forbidden, "An agent key acts for no person.") }
        coreContext = context.coreContext
        caller = Caller(principal: principal, source: context.source)
    }
}

/// A context for anybody who is known.
public struct PrincipalContext: ChildRequestContext {
    public var coreContext: CoreRequestContextStorage
    public let caller: Caller

    public init(context: GateContext) throws {
        let principal = try context.requirePrincipal()
        // Agents' shared key is good for agents' routes alone, where each use of it is written down.
        if case .environment(.agent, _) = principal { throw ControlError.forbidden }
        coreContext = context.coreContext
        caller = Caller(principal: principal, source: context.source)
    }
}

extension GateContext {
    /// The same request as an agent's, for the machine its credential stands for.
    func admitted(by agents: AgentAdmission, _ request: Request) async throws -> GateContext {
        var context = self
        let claims = request.headers[values: .agentID]
        // Nobody could say which of two is meant.
        guard claims.count <= 1 else { throw ControlError.unauthenticated }
        context.principal = try await agents.admit(
            Caller(principal: try requirePrincipal(), source: source), claiming: claims.first)
        return context
    }

    fileprivate func requirePrincipal() throws -> Principal {
        guard let principal else { throw Problem(.unauthenticated, "A valid credential is required.") }
        return principal
    }
}
