-- scrypt with its parameters, in the form of a crypt(5) field: $scrypt$ln=15,r=8,p=1$SALT$KEY.
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
) STRICT, WITHOUT ROWID;

CREATE INDEX user_session_user ON user_session (user_id, created_at);
CREATE INDEX user_session_end ON user_session (expires_at);
CREATE INDEX user_session_living ON user_session (idle_until) WHERE ended_at IS NULL;

-- A password was right, the second factor is still to come.
CREATE TABLE pending_sign_in (
    digest BLOB NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    user_id TEXT NOT NULL REFERENCES gate_user (id),
    method TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    wrong_codes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX pending_sign_in_user ON pending_sign_in (user_id, created_at);
CREATE INDEX pending_sign_in_end ON pending_sign_in (expires_at);

-- The seed is sealed with the gateway's master key, bound to this table, column and row.
CREATE TABLE user_totp (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES gate_user (id),
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    seed BLOB NOT NULL,
    last_step INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    confirmed_at INTEGER
) STRICT, WITHOUT ROWID;

-- Digests keyed with the master key: a recovery code has 50 random bits, which a plain digest would not hide.
CREATE TABLE recovery_code (
    digest BLOB NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    user_id TEXT NOT NULL REFERENCES gate_user (id),
    created_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX recovery_code_user ON recovery_code (user_id);

-- RFC 8628. user_code is a keyed digest, too: it has 35 bits. scopes are those asked for, then those given; NULL: the usual.
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
