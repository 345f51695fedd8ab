-- Who an outside provider says somebody is. An account is found by issuer and subject and by nothing else: an e-mail
-- address or a name is whatever the provider lets people write there.
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

CREATE INDEX outside_identity_user ON outside_identity (user_id);
CREATE INDEX outside_identity_check ON outside_identity (checked_at) WHERE refresh_token IS NOT NULL;

-- Sign-ins that were begun with a provider and completed: none is completed twice.
CREATE TABLE spent_sign_in (
    digest BLOB NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX spent_sign_in_end ON spent_sign_in (expires_at);

-- A session that a provider vouched for, and how long that holds; NULL for one by password.
ALTER TABLE user_session ADD COLUMN identity_id TEXT;
ALTER TABLE user_session ADD COLUMN vouched_until INTEGER;
CREATE INDEX user_session_identity ON user_session (identity_id) WHERE identity_id IS NOT NULL AND ended_at IS NULL;
CREATE INDEX user_session_vouched ON user_session (vouched_until) WHERE vouched_until IS NOT NULL AND ended_at IS NULL;

ALTER TABLE pending_sign_in ADD COLUMN identity_id TEXT;
ALTER TABLE pending_sign_in ADD COLUMN vouched_until INTEGER;
