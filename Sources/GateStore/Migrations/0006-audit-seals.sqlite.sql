-- An event's place in its gateway's chain, given when it is sealed; NULL until then.
ALTER TABLE audit_event ADD COLUMN sequence INTEGER;

DROP INDEX audit_event_pending;
ALTER TABLE audit_event DROP COLUMN exported_at;

CREATE INDEX audit_event_unsealed ON audit_event (gateway_id, at, id) WHERE sequence IS NULL;
CREATE UNIQUE INDEX audit_event_sequence ON audit_event (gateway_id, sequence) WHERE sequence IS NOT NULL;

-- A page of one action is chosen in the index alone; what is worse than info is rare and has an index of its own.
DROP INDEX audit_event_age;
CREATE INDEX audit_event_age ON audit_event (tenant_id, at, id, action);
CREATE INDEX audit_event_severe ON audit_event (tenant_id, at, id, severity) WHERE severity <> 'info';

-- One gateway's chain: each seal signs a batch of events and the seal before it.
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

-- How far each place that is sent the trail has got: up to this event. The events themselves are the outbox.
CREATE TABLE audit_export (
    gateway_id TEXT NOT NULL REFERENCES gateway (id),
    destination TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (gateway_id, destination)
) STRICT, WITHOUT ROWID;
