-- Hosts whose sshd lets forward keys reach one target beyond them.
CREATE TABLE proxy (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    name TEXT NOT NULL,
    -- The gateway whose own sshd it is; NULL for another host.
    gateway_id TEXT REFERENCES gateway (id),
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    login TEXT NOT NULL,
    target_host TEXT NOT NULL,
    target_port INTEGER NOT NULL,
    host_key TEXT NOT NULL,
    previous_host_key TEXT,
    previous_host_key_until INTEGER,
    -- NULL: taken from the network, and nobody said yet that it is the right one.
    host_key_confirmed_at INTEGER,
    -- Whose token its sshd looks keys up with.
    service_user_id TEXT REFERENCES gate_user (id),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    -- NULL while it is switched off.
    activated_at INTEGER,
    removed_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX proxy_name ON proxy (tenant_id, name) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX proxy_service_user ON proxy (service_user_id) WHERE removed_at IS NULL;

-- Built anew for one more purpose in its check, which no statement can change in place, and for the proxy of a forward key.
CREATE TABLE tunnel_key_new (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    purpose TEXT NOT NULL
        CONSTRAINT tunnel_key_purpose CHECK (purpose IN ('reverse', 'jump', 'control', 'forward')),
    fingerprint TEXT NOT NULL,
    public_key TEXT NOT NULL,
    label TEXT NOT NULL,
    user_id TEXT REFERENCES gate_user (id),
    machine_id TEXT REFERENCES machine (id),
    agent_key_id TEXT REFERENCES agent_key (id),
    -- The one proxy a forward key is good on; NULL: on every active one.
    proxy_id TEXT REFERENCES proxy (id),
    issue INTEGER,
    created_at INTEGER NOT NULL,
    login_until INTEGER NOT NULL,
    connection_until INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

INSERT INTO tunnel_key_new (id, tenant_id, purpose, fingerprint, public_key, label, user_id, machine_id, agent_key_id,
    issue, created_at, login_until, connection_until, revoked_at)
SELECT id, tenant_id, purpose, fingerprint, public_key, label, user_id, machine_id, agent_key_id,
    issue, created_at, login_until, connection_until, revoked_at FROM tunnel_key;

DROP TABLE tunnel_key;
ALTER TABLE tunnel_key_new RENAME TO tunnel_key;

CREATE INDEX tunnel_key_age ON tunnel_key (tenant_id, created_at, id);
CREATE INDEX tunnel_key_agent_key ON tunnel_key (agent_key_id) WHERE revoked_at IS NULL;
CREATE INDEX tunnel_key_expiry ON tunnel_key (connection_until) WHERE revoked_at IS NULL;
CREATE UNIQUE INDEX tunnel_key_fingerprint ON tunnel_key (fingerprint) WHERE revoked_at IS NULL;
CREATE INDEX tunnel_key_machine ON tunnel_key (machine_id) WHERE revoked_at IS NULL;
CREATE INDEX tunnel_key_owner ON tunnel_key (tenant_id, user_id, purpose, connection_until)
    WHERE revoked_at IS NULL AND purpose IN ('jump', 'forward');
CREATE INDEX tunnel_key_superseded ON tunnel_key (fingerprint, revoked_at) WHERE issue IS NOT NULL;
CREATE INDEX tunnel_key_user ON tunnel_key (user_id) WHERE revoked_at IS NULL AND user_id IS NOT NULL;
-- What a proxy's sshd may be told of at once: those of its own, and those that are good on every proxy.
CREATE INDEX tunnel_key_proxy ON tunnel_key (tenant_id, proxy_id, login_until)
    WHERE revoked_at IS NULL AND purpose = 'forward';
