-- How many keys an owner holds is counted with each new one; without this every key of the tenant was read for it.
CREATE INDEX tunnel_key_owner ON tunnel_key (tenant_id, user_id, connection_until)
    WHERE revoked_at IS NULL AND purpose = 'jump';
