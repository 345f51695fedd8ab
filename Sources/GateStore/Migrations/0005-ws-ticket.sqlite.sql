-- Tickets that open one WebSocket each. A row lives for seconds: using it up deletes it, and the rest is swept.
CREATE TABLE ws_ticket (
    digest BLOB NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    principal TEXT NOT NULL,
    token_id TEXT REFERENCES access_token (id),
    session_id TEXT,
    endpoint TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX ws_ticket_principal ON ws_ticket (principal, expires_at);
CREATE INDEX ws_ticket_expiry ON ws_ticket (expires_at);
