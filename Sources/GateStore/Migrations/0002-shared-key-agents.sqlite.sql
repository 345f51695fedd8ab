-- Machines whose agents prove themselves with a key they share with others (the ssh-tunnel-gateway dialect). `owner`
-- tells which shared key registered the machine first; NULL: brought over, and claimed by nobody yet.
CREATE TABLE shared_key_agent (
    machine_id TEXT NOT NULL PRIMARY KEY REFERENCES machine (id),
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    owner BLOB,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which of a machine's keys is newer, where several may be good at once: the machine's generation that brought it.
ALTER TABLE tunnel_key ADD COLUMN issue INTEGER;

-- An agent that goes on with a superseded key is told so at its next heartbeat.
CREATE INDEX tunnel_key_superseded ON tunnel_key (fingerprint, revoked_at) WHERE issue IS NOT NULL;
