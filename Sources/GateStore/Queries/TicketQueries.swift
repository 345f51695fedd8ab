public import GateModel

/// Tickets that open one WebSocket each.
extension Transaction {
    public func insertTicket(_ ticket: WebSocketTicket, digest: CredentialDigest) throws(StoreError) {
        try execute(
            """
            INSERT INTO ws_ticket (digest, tenant_id, principal, token_id, session_id, endpoint, expires_at)
            VALUES (\(digest.bytes), \(ticket.tenant), \(ticket.principal), \(ticket.token), \(ticket.session),
                \(ticket.endpoint.rawValue), \(ticket.expiresAt))
            """)
    }

    /// Tickets of a principal that could still be used.
    public func liveTicketCount(of principal: String, at now: Timestamp) throws(StoreError) -> Int {
        try rows("SELECT count(*) AS n FROM ws_ticket WHERE principal = \(principal) AND expires_at >= \(now)")
            .first?.int("n") ?? 0
    }

    /// Whether a ticket is there to be used up. Decides nothing: it only spares a write for one that isn't.
    public func hasTicket(digest: CredentialDigest) throws(StoreError) -> Bool {
        try !rows("SELECT 1 AS one FROM ws_ticket WHERE digest = \(digest.bytes)").isEmpty
    }

    /// The ticket that this call used up, if it was good for the endpoint and not too old. One statement decides, also
    /// between two gateways on one store: a ticket that was used is a row that is gone.
    public func consumeTicket(
        digest: CredentialDigest, for endpoint: WebSocketTicket.Endpoint, at now: Timestamp
    ) throws(StoreError) -> WebSocketTicket? {
        try rows(
            """
            DELETE FROM ws_ticket
            WHERE digest = \(digest.bytes) AND endpoint = \(endpoint.rawValue) AND expires_at >= \(now)
            RETURNING tenant_id, principal, token_id, session_id, expires_at
            """
        ).first.map { row throws(StoreError) in
            WebSocketTicket(
                tenant: try row.id("tenant_id", of: Tenant.self), principal: try row.text("principal"),
                token: try row.optionalID("token_id", of: AccessToken.self),
                session: try row.optionalID("session_id", of: Session.self), endpoint: endpoint,
                expiresAt: try row.timestamp("expires_at"))
        }
    }

    /// Forgets tickets that nobody used in time, at most `limit`. Returns how many.
    @discardableResult
    public func deleteTickets(expiredBefore now: Timestamp, limit: Int) throws(StoreError) -> Int {
        try execute(
            """
            DELETE FROM ws_ticket WHERE digest IN
                (SELECT digest FROM ws_ticket WHERE expires_at < \(now) ORDER BY expires_at LIMIT \(limit))
            """)
    }

    public func hasTickets(expiredBefore now: Timestamp) throws(StoreError) -> Bool {
        try !rows("SELECT 1 AS one FROM ws_ticket WHERE expires_at < \(now) LIMIT 1").isEmpty
    }
}
