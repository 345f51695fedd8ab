-- Users get a kind, more roles and addresses; a role's list can't be changed in place, so the table is built anew.
CREATE TABLE gate_user_next (
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

INSERT INTO gate_user_next (id, tenant_id, name, kind, role, allow_from, created_at, disabled_at)
SELECT id, tenant_id, name, 'person', role, '', created_at, disabled_at FROM gate_user;

DROP TABLE gate_user;

ALTER TABLE gate_user_next RENAME TO gate_user;

-- NULL scopes: what the user's role has. What a token was made to last is what a renewal gives it.
ALTER TABLE access_token ADD COLUMN scopes TEXT;
ALTER TABLE access_token ADD COLUMN allow_from TEXT NOT NULL DEFAULT '';
ALTER TABLE access_token ADD COLUMN lifetime INTEGER;
UPDATE access_token SET lifetime = expires_at - created_at WHERE expires_at IS NOT NULL;
ALTER TABLE agent_key ADD COLUMN allow_from TEXT NOT NULL DEFAULT '';
ALTER TABLE enrolment_token ADD COLUMN allow_from TEXT NOT NULL DEFAULT '';

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

CREATE INDEX access_grant_user ON access_grant (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX access_grant_role ON access_grant (tenant_id, role) WHERE role IS NOT NULL;
CREATE INDEX access_grant_age ON access_grant (tenant_id, created_at, id);
CREATE INDEX access_grant_expiry ON access_grant (expires_at) WHERE ended_at IS NULL AND expires_at IS NOT NULL;
CREATE INDEX tunnel_key_user ON tunnel_key (user_id) WHERE revoked_at IS NULL AND user_id IS NOT NULL;
