CREATE TABLE access_grant (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    user_id TEXT REFERENCES gate_user (id),
    role TEXT,
    selector_kind TEXT NOT NULL CONSTRAINT access_grant_selector
        CHECK (selector_kind IN ('all', 'machine', 'tag', 'organization', 'site')),
    selector TEXT NOT NULL,
    modes TEXT NOT NULL,
    logins TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    ended_at INTEGER,
    CONSTRAINT access_grant_subject CHECK ((user_id IS NULL) <> (role IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX access_grant_age ON access_grant (tenant_id, created_at, id);

CREATE INDEX access_grant_expiry ON access_grant (expires_at) WHERE ended_at IS NULL AND expires_at IS NOT NULL;

CREATE INDEX access_grant_role ON access_grant (tenant_id, role) WHERE role IS NOT NULL;

CREATE INDEX access_grant_user ON access_grant (user_id) WHERE user_id IS NOT NULL;

CREATE TABLE access_token (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    user_id TEXT NOT NULL REFERENCES gate_user (id),
    digest BLOB NOT NULL CONSTRAINT access_token_digest UNIQUE,
    label TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    last_used_at INTEGER
, scopes TEXT, allow_from TEXT NOT NULL DEFAULT '', lifetime INTEGER) STRICT, WITHOUT ROWID;

CREATE INDEX access_token_user ON access_token (user_id, created_at);

CREATE TABLE agent_key (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    machine_id TEXT NOT NULL REFERENCES machine (id),
    digest BLOB NOT NULL CONSTRAINT agent_key_digest UNIQUE,
    label TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    last_used_at INTEGER
, allow_from TEXT NOT NULL DEFAULT '') STRICT, WITHOUT ROWID;

CREATE INDEX agent_key_machine ON agent_key (machine_id, created_at);

CREATE TABLE audit_event (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    gateway_id TEXT NOT NULL REFERENCES gateway (id),
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    severity TEXT NOT NULL,
    outcome TEXT NOT NULL,
    actor TEXT NOT NULL,
    credential TEXT NOT NULL,
    source TEXT NOT NULL,
    subject TEXT NOT NULL,
    details TEXT NOT NULL,
    sequence INTEGER) STRICT, WITHOUT ROWID;

CREATE INDEX audit_event_age ON audit_event (tenant_id, at, id, action);

CREATE UNIQUE INDEX audit_event_sequence ON audit_event (gateway_id, sequence) WHERE sequence IS NOT NULL;

CREATE INDEX audit_event_severe ON audit_event (tenant_id, at, id, severity) WHERE severity <> 'info';

CREATE INDEX audit_event_unsealed ON audit_event (gateway_id, at, id) WHERE sequence IS NULL;

CREATE TABLE audit_export (
    gateway_id TEXT NOT NULL REFERENCES gateway (id),
    destination TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (gateway_id, destination)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_seal (
    gateway_id TEXT NOT NULL REFERENCES gateway (id),
    number INTEGER NOT NULL,
    previous BLOB NOT NULL,
    first_sequence INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL,
    root BLOB NOT NULL,
    at INTEGER NOT NULL,
    restart TEXT NOT NULL,
    public_key BLOB NOT NULL,
    next_key BLOB NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (gateway_id, number),
    CONSTRAINT audit_seal_last UNIQUE (gateway_id, last_sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE device_authorization (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    device_code BLOB NOT NULL CONSTRAINT device_authorization_device_code UNIQUE,
    user_code BLOB NOT NULL CONSTRAINT device_authorization_user_code UNIQUE,
    challenge BLOB NOT NULL,
    client TEXT NOT NULL,
    scopes TEXT,
    source TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    approved_by TEXT REFERENCES gate_user (id),
    approved_at INTEGER,
    denied_at INTEGER,
    consumed_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX device_authorization_end ON device_authorization (expires_at);

CREATE INDEX device_authorization_source ON device_authorization (source, expires_at);

CREATE TABLE enrolment_token (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    machine_id TEXT NOT NULL REFERENCES machine (id),
    digest BLOB NOT NULL CONSTRAINT enrolment_token_digest UNIQUE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    consumed_at INTEGER,
    consumed_by TEXT,
    agent_key_id TEXT REFERENCES agent_key (id),
    revoked_at INTEGER
, allow_from TEXT NOT NULL DEFAULT '') STRICT, WITHOUT ROWID;

CREATE INDEX enrolment_token_machine ON enrolment_token (machine_id, created_at);

CREATE TABLE "gate_user" (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    name TEXT NOT NULL,
    kind TEXT NOT NULL CONSTRAINT gate_user_kind CHECK (kind IN ('person', 'service')),
    role TEXT NOT NULL CONSTRAINT gate_user_role
        CHECK (role IN ('admin', 'operator', 'viewer', 'tunnel-host', 'drain')),
    allow_from TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    disabled_at INTEGER,
    CONSTRAINT gate_user_name UNIQUE (tenant_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE gateway (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lease (
    gateway_id TEXT NOT NULL REFERENCES gateway (id),
    address TEXT NOT NULL,
    port INTEGER NOT NULL,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    machine_id TEXT NOT NULL REFERENCES machine (id),
    generation INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (gateway_id, address, port),
    CONSTRAINT lease_machine UNIQUE (gateway_id, machine_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX lease_by_machine ON lease (machine_id);

CREATE INDEX lease_expiry ON lease (gateway_id, expires_at);

CREATE TABLE live_connection (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    gateway_id TEXT NOT NULL REFERENCES gateway (id),
    key_id TEXT NOT NULL REFERENCES tunnel_key (id),
    pid INTEGER NOT NULL,
    start_time INTEGER NOT NULL,
    boot_id TEXT NOT NULL,
    source TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    CONSTRAINT live_connection_process UNIQUE (gateway_id, boot_id, pid, start_time, key_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE machine (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    agent_id TEXT NOT NULL,
    name TEXT NOT NULL,
    organization TEXT NOT NULL,
    site TEXT NOT NULL,
    generation INTEGER NOT NULL,
    os TEXT NOT NULL,
    agent_version TEXT NOT NULL,
    source TEXT NOT NULL,
    host_keys TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    enrolled_at INTEGER,
    registered_at INTEGER,
    last_seen_at INTEGER,
    removed_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX machine_age ON machine (tenant_id, created_at, id) WHERE removed_at IS NULL;

CREATE UNIQUE INDEX machine_agent_id ON machine (tenant_id, agent_id) WHERE removed_at IS NULL;

CREATE UNIQUE INDEX machine_name ON machine (tenant_id, name) WHERE removed_at IS NULL;

CREATE INDEX machine_removed ON machine (tenant_id, agent_id) WHERE removed_at IS NOT NULL;

CREATE TABLE machine_tag (
    machine_id TEXT NOT NULL REFERENCES machine (id),
    tag TEXT NOT NULL,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    PRIMARY KEY (machine_id, tag)
) STRICT, WITHOUT ROWID;

CREATE INDEX machine_tag_tag ON machine_tag (tenant_id, tag);

CREATE TABLE outside_identity (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    user_id TEXT NOT NULL REFERENCES gate_user (id),
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- 1: the provider's groups decide the user's role; 0: an administrator does.
    gives_role INTEGER NOT NULL,
    -- Sealed with the gateway's master key, bound to this table, column and row.
    refresh_token BLOB,
    created_at INTEGER NOT NULL,
    last_sign_in_at INTEGER,
    -- When the provider last vouched for it.
    checked_at INTEGER,
    -- The provider gave no role any more, so the user was disabled; an administrator's own word sets it NULL.
    withdrawn_at INTEGER,
    CONSTRAINT outside_identity_subject UNIQUE (issuer, subject)
) STRICT, WITHOUT ROWID;

CREATE INDEX outside_identity_check ON outside_identity (checked_at) WHERE refresh_token IS NOT NULL;

CREATE INDEX outside_identity_user ON outside_identity (user_id);

CREATE TABLE pending_sign_in (
    digest BLOB NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    user_id TEXT NOT NULL REFERENCES gate_user (id),
    method TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    wrong_codes INTEGER NOT NULL
, identity_id TEXT, vouched_until INTEGER) STRICT, WITHOUT ROWID;

CREATE INDEX pending_sign_in_end ON pending_sign_in (expires_at);

CREATE INDEX pending_sign_in_user ON pending_sign_in (user_id, created_at);

CREATE TABLE port_rest (
    gateway_id TEXT NOT NULL REFERENCES gateway (id),
    address TEXT NOT NULL,
    port INTEGER NOT NULL,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    rests_until INTEGER NOT NULL,
    foreign_until INTEGER NOT NULL,
    PRIMARY KEY (gateway_id, address, port)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE recovery_code (
    digest BLOB NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    user_id TEXT NOT NULL REFERENCES gate_user (id),
    created_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX recovery_code_user ON recovery_code (user_id);

CREATE TABLE schema_migration (
    number BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at BIGINT NOT NULL
);

CREATE TABLE setup_secret (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    digest BLOB NOT NULL CONSTRAINT setup_secret_digest UNIQUE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    consumed_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE shared_key_agent (
    machine_id TEXT NOT NULL PRIMARY KEY REFERENCES machine (id),
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    owner BLOB,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE spent_sign_in (
    digest BLOB NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX spent_sign_in_end ON spent_sign_in (expires_at);

CREATE TABLE tenant (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL CONSTRAINT tenant_name UNIQUE,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE "tunnel_key" (
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

CREATE INDEX tunnel_key_age ON tunnel_key (tenant_id, created_at, id);

CREATE INDEX tunnel_key_agent_key ON tunnel_key (agent_key_id) WHERE revoked_at IS NULL;

CREATE INDEX tunnel_key_expiry ON tunnel_key (connection_until) WHERE revoked_at IS NULL;

CREATE UNIQUE INDEX tunnel_key_fingerprint ON tunnel_key (fingerprint) WHERE revoked_at IS NULL;

CREATE INDEX tunnel_key_machine ON tunnel_key (machine_id) WHERE revoked_at IS NULL;

CREATE INDEX tunnel_key_owner ON tunnel_key (tenant_id, user_id, purpose, connection_until)
    WHERE revoked_at IS NULL AND purpose IN ('jump', 'forward');

CREATE INDEX tunnel_key_proxy ON tunnel_key (tenant_id, proxy_id, login_until)
    WHERE revoked_at IS NULL AND purpose = 'forward';

CREATE INDEX tunnel_key_superseded ON tunnel_key (fingerprint, revoked_at) WHERE issue IS NOT NULL;

CREATE INDEX tunnel_key_user ON tunnel_key (user_id) WHERE revoked_at IS NULL AND user_id IS NOT NULL;

CREATE TABLE tunnel_key_reach (
    tunnel_key_id TEXT NOT NULL REFERENCES tunnel_key (id),
    machine_id TEXT NOT NULL REFERENCES machine (id),
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    PRIMARY KEY (tunnel_key_id, machine_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX tunnel_key_reach_machine ON tunnel_key_reach (machine_id);

CREATE TABLE user_password (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES gate_user (id),
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    hash TEXT NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE user_session (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    user_id TEXT NOT NULL REFERENCES gate_user (id),
    digest BLOB NOT NULL CONSTRAINT user_session_digest UNIQUE,
    method TEXT NOT NULL,
    source TEXT NOT NULL,
    client TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    idle_until INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    second_factor_at INTEGER,
    ended_at INTEGER
, identity_id TEXT, vouched_until INTEGER) STRICT, WITHOUT ROWID;

CREATE INDEX user_session_end ON user_session (expires_at);

CREATE INDEX user_session_identity ON user_session (identity_id) WHERE identity_id IS NOT NULL AND ended_at IS NULL;

CREATE INDEX user_session_living ON user_session (idle_until) WHERE ended_at IS NULL;

CREATE INDEX user_session_user ON user_session (user_id, created_at);

CREATE INDEX user_session_vouched ON user_session (vouched_until) WHERE vouched_until IS NOT NULL AND ended_at IS NULL;

CREATE TABLE user_totp (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES gate_user (id),
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    seed BLOB NOT NULL,
    last_step INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    confirmed_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE ws_ticket (
    digest BLOB NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    principal TEXT NOT NULL,
    token_id TEXT REFERENCES access_token (id),
    session_id TEXT,
    endpoint TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX ws_ticket_expiry ON ws_ticket (expires_at);

CREATE INDEX ws_ticket_principal ON ws_ticket (principal, expires_at);
