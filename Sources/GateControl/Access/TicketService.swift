public import GateModel
import GateStore

/// Tickets that open one WebSocket each: minted for whoever may use the endpoint, used up by opening it.
public struct TicketService: Sendable {
    /// Unused tickets of one principal.
    public static let limit = 64

    private let dependencies: ControlDependencies

    public init(_ dependencies: ControlDependencies) { self.dependencies = dependencies }

    /// A ticket's text, good until `WebSocketTicket.lifetime` from now, once, at `endpoint` alone.
    public func mint(for endpoint: WebSocketTicket.Endpoint, by caller: Caller) async throws -> Secret<String> {
        try Self.require(caller.principal, for: endpoint)
        let minted = MintedCredential(.webSocketTicket)
        let now = dependencies.now()
        let ticket = WebSocketTicket(
            tenant: caller.tenant, principal: caller.principal.text, token: caller.principal.token,
            session: caller.principal.session, endpoint: endpoint, expiresAt: now + WebSocketTicket.lifetime)
        try await dependencies.database.write { [dependencies] tx in
            guard try tx.liveTicketCount(of: ticket.principal, at: now) < Self.limit else {
                throw ControlError.limitReached("You have \(Self.limit) unused tickets; wait until they expire.")
            }
            try tx.insertTicket(ticket, digest: minted.digest)
            try tx.appendAudit(
                dependencies.event(
                    .ticketMinted, by: caller, subject: "gateway:\(dependencies.identity.gateway)", at: now,
                    details: [("endpoint", endpoint.rawValue)]))
        }
        return minted.text
    }

    /// Uses the ticket up and opens a stream for whoever asked for it, judged anew: a ticket lets nobody in whose token was
    /// taken away since, or that may not come from `source`. `listener` is whom the listener itself vouches for: a ticket of the operator on the gateway's host
    /// opens nothing elsewhere. Throws `ticketRefused` without saying why.
    public func redeem(
        _ text: String, at endpoint: WebSocketTicket.Endpoint, listener: Principal?, source: String
    ) async throws -> LiveStream {
        let credential = PresentedCredential(text, source: source)
        guard credential.kind == .webSocketTicket else { throw refused("malformed", source) }
        guard try dependencies.database.readNow({ tx in try tx.hasTicket(digest: credential.digest) }) else {
            throw refused("unknown", source)
        }
        let streams = dependencies.credentials.streams
        try streams.requireRoom()
        let now = dependencies.now()
        var epoch = streams.epoch
        let found = try await dependencies.database.write { [dependencies] tx -> (WebSocketTicket, Holder?)? in
            guard let ticket = try tx.consumeTicket(digest: credential.digest, for: endpoint, at: now) else {
                return nil
            }
            guard let holder = try Holder(of: ticket, listener: listener, source: source, in: tx, at: now) else {
                return (ticket, nil)
            }
            try streams.requireRoom(for: holder.principal)
            try tx.appendAudit(
                dependencies.event(
                    .streamOpened, by: Caller(principal: holder.principal, source: source),
                    subject: "gateway:\(dependencies.identity.gateway)", at: now,
                    details: [("endpoint", endpoint.rawValue)]))
            return (ticket, holder)
        }
        guard let (ticket, first) = found else { throw refused("used, expired or for another endpoint", source) }
        var holder = first
        for _ in 0..<3 {
            guard let judged = holder else { throw refused("its holder lost it", source) }
            if let stream = try streams.open(judged.principal, until: judged.until, epoch: epoch) { return stream }
            epoch = streams.epoch
            holder = try dependencies.database.readNow { tx in
                try Holder(of: ticket, listener: listener, source: source, in: tx, at: now)
            }
        }
        // Credentials are revoked faster than this one can be judged.
        throw StoreError.transient("a ticket's holder could not be judged")
    }

    /// Forgets tickets that nobody used in time; where there are none it only reads.
    public func sweep() async throws {
        let now = dependencies.now()
        guard try await dependencies.database.read({ tx in try tx.hasTickets(expiredBefore: now) }) else { return }
        _ = try await dependencies.database.write { tx in try tx.deleteTickets(expiredBefore: now, limit: 1_000) }
    }

    private func refused(_ reason: String, _ source: String) -> ControlError {
        dependencies.refusals.note(.init(kind: "ticket", reason: reason, source: source, credential: ""))
        return .ticketRefused
    }

    private static func require(
        _ principal: Principal, for endpoint: WebSocketTicket.Endpoint
    ) throws(ControlError) {
        switch endpoint {
        case .auditStream: guard principal.scopes.contains(.auditRead) else { throw .forbidden }
        }
    }

    /// Whom a used ticket lets in, and until when their credential is good.
    private struct Holder: Sendable {
        let principal: Principal
        let until: Timestamp?

        /// Nil for somebody who may no longer.
        init?(
            of ticket: WebSocketTicket, listener: Principal?, source: String, in tx: any Transaction, at now: Timestamp
        ) throws {
            if let token = ticket.token {
                guard let found = try tx.liveToken(token, at: now) else { return nil }
                guard found.token.allowFrom.admits(source), found.user.allowFrom.admits(source) else { return nil }
                principal = .user(found.user, by: .token(token), scopes: found.token.scopes(of: found.user.role))
                until = found.token.expiresAt
            } else if let session = ticket.session {
                guard let found = try tx.liveSession(session, at: now), found.user.allowFrom.admits(source) else {
                    return nil
                }
                principal = .user(found.user, in: session)
                until = found.session.expiresAt
            } else {
                guard let listener else { return nil }
                principal = listener
                until = nil
            }
            guard principal.text == ticket.principal, principal.tenant == ticket.tenant,
                listener == nil || listener == principal, (try? require(principal, for: ticket.endpoint)) != nil
            else { return nil }
        }
    }
}

extension Principal {
    /// The token it acts by, if it is one.
    fileprivate var token: ID<AccessToken>? {
        if case .user(_, .token(let token), _) = self { token } else { nil }
    }
}
