"""Fills a stopped gateway's store with what it had written itself, had all these machines and keys come by API."""

import base64
import contextlib
import functools
import hashlib
import itertools
import os
import pathlib
import random
import sqlite3
import time
from typing import NamedTuple

from report import ROOT

DAY = 86_400_000_000
LEASE = 7 * DAY
BATCH = 50_000


class Machine(NamedTuple):
    """A seeded machine. `agent_key` is None for an agent that shares a key; `port` for one that found none free."""

    id: str
    agent_id: str
    agent_key: str | None
    port: int | None
    generation: int


def new_id():
    text = f"{random.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"


def ordered_id(moment):
    """One that sorts by its time, as rows that are added all the time have (`ID.ordered`)."""
    milliseconds, rest = divmod(moment, 1000)
    chance = f"{random.getrandbits(62) | 1 << 63:016x}"
    text = f"{milliseconds:012x}7{rest * 4096 // 1000:03x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:]}-{chance[:4]}-{chance[4:]}"


def new_credential(prefix):
    """A credential's text and the digest that is kept of it."""
    text = prefix + base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    return text, hashlib.sha256(text.encode()).digest()


def new_key_line():
    """An ed25519 public key as sshd reads one. Nobody has its private half: 32 random bytes are as good to look up."""
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + random.randbytes(32)
    return "ssh-ed25519 " + base64.b64encode(blob).decode()


def fingerprint(line):
    blob = base64.b64decode(line.split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


@functools.lru_cache(maxsize=16)
def to_the_second(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def rfc3339(moment):
    fraction = f".{moment % 1_000_000:06}" if moment % 1_000_000 else ""
    return f"{to_the_second(moment // 1_000_000)}{fraction}Z"


def shared_key_owner(api_key, tenant):
    """What marks the agents of one shared key (`SharedKeyRing`): a digest of the stretched key."""
    salt = f"tidegate shared key owner {tenant}".encode()
    return hashlib.sha256(hashlib.scrypt(api_key.encode(), salt=salt, n=16_384, r=8, p=1, dklen=32)).digest()


def wait_sealed(gateway, deadline=120):
    """Waits until a gateway that was just started has sealed the events it was seeded with."""
    def is_sealed():
        lines = gateway.api.call("GET", "/metrics").raw.decode().splitlines()
        waiting = {line.split()[0]: float(line.split()[1]) for line in lines if not line.startswith("#")}
        return waiting["tidegate_audit_unsealed"] == 0

    # The first look at the store comes within a second of the start.
    end = time.monotonic() + deadline
    time.sleep(1.5)
    while not is_sealed():
        if time.monotonic() > end:
            raise AssertionError(f"not sealed within {deadline} s")
        time.sleep(0.1)


class Seeding:
    """`with Seeding(gateway.database) as seeding:` and then its methods; leaving it checks the store and closes it.

    The gateway must have run once, so that the schema, its identity and its administrator are there, and be stopped.
    `address` is its --lease-bind. `check=False` spares the reading of everything at the end, `audit=False` the events
    that came with these rows (half of the file, and of the time).
    """

    def __init__(self, database, address="127.0.0.1", check=True, audit=True):
        self.path, self.address, self.check, self.audited = pathlib.Path(database), address, check, audit
        self.owner = self.path.stat()
        self.rows = {}
        # Rows are made 50 ms apart from a day ago on, the last ones now: no two of the first 1.7 million at one moment.
        self.now = time.time_ns() // 1000
        self.moment = self.now - DAY
        self.version = (ROOT / "VERSION").read_text().strip()

    def __enter__(self):
        self.connection = sqlite3.connect(self.path, isolation_level=None)
        # A crash here costs a throwaway store, so nothing is journalled and nothing synced before the end.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "foreign_keys = OFF", "cache_size = -2000000"):
            self.connection.execute(f"PRAGMA {pragma}").fetchall()
        self.gateway, self.tenant = self.one("SELECT id, tenant_id FROM gateway ORDER BY created_at, id LIMIT 1")
        (self.user,) = self.one("SELECT id FROM gate_user ORDER BY created_at, id LIMIT 1")
        self.serial = self.one("SELECT count(*) FROM machine")[0]
        self.connection.execute("BEGIN IMMEDIATE")
        return self

    def __exit__(self, kind, *_):
        with contextlib.closing(self.connection):
            if kind is None:
                self.flush()
                self.connection.execute("COMMIT")
                if self.check:
                    self.require_sound()
                # As the gateway keeps it. The log goes into the file when the last connection closes.
                assert self.one("PRAGMA journal_mode = WAL") == ("wal",)
        for path in self.path.parent.glob(self.path.name + "*"):
            os.chown(path, self.owner.st_uid, self.owner.st_gid)
        # Written back now, and not under the first measurement.
        with open(self.path, "rb") as file:
            os.fsync(file.fileno())

    def one(self, statement, *values):
        return self.connection.execute(statement, values).fetchone()

    def require_sound(self):
        found = self.connection.execute("PRAGMA integrity_check(5)").fetchall()
        assert found == [("ok",)], found
        found = self.connection.execute("PRAGMA foreign_key_check").fetchmany(5)
        assert not found, found

    # --- rows ---

    def insert(self, table, **columns):
        """Every row of a table names the same columns in the same order, the primary key's first."""
        _, rows = self.rows.setdefault(table, (list(columns), []))
        rows.append(tuple(columns.values()))
        if len(rows) >= BATCH:
            self.flush()

    def flush(self):
        for table, (columns, rows) in self.rows.items():
            # In the order of the primary key, so that neighbours find their page in the processor's cache.
            rows.sort()
            marks = ", ".join("?" * len(columns))
            self.connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)
        self.rows = {}

    def tick(self):
        self.moment = min(self.moment + 50_000, self.now)
        return self.moment

    def audit(self, action, at, subject, actor, credential="", source="127.0.0.1", **details):
        if not self.audited:
            return
        text = "{" + ",".join([f'"{name}":"{value}"' for name, value in details.items()]) + "}"
        self.insert("audit_event", id=ordered_id(at), tenant_id=self.tenant, gateway_id=self.gateway, at=at,
                    action=action, severity="info", outcome="success", actor=actor, credential=credential,
                    source=source, subject=subject, details=text)  # fmt: skip

    def tunnel_key(self, line, purpose, at, login, connection, **columns):
        identity = new_id() if purpose == "control" else ordered_id(at)
        row = {
            "id": identity, "tenant_id": self.tenant, "purpose": purpose, "fingerprint": fingerprint(line),
            "public_key": line, "label": "", "user_id": None, "machine_id": None, "agent_key_id": None, "issue": None,
            "created_at": at, "login_until": at + login, "connection_until": at + connection, "revoked_at": None,
        } | columns  # fmt: skip
        self.insert("tunnel_key", **row)
        return row

    def machine(self, agent_id, at, registered, generation, version):
        """The row, with what a registration notes in it when there was one."""
        identity = new_id()
        self.insert("machine", id=identity, tenant_id=self.tenant, agent_id=agent_id, name=agent_id, organization="",
                    site="", generation=generation, os="Debian GNU/Linux 12" if registered and version else "",
                    agent_version=(version or "ssh-tunnel-gateway") if registered else "",
                    source="127.0.0.1" if registered else "",
                    host_keys=new_key_line() if registered and version else "", created_at=at, updated_at=at,
                    enrolled_at=at if version else None, registered_at=at if registered else None,
                    last_seen_at=at if registered else None, removed_at=None)  # fmt: skip
        return identity

    def lease(self, machine, port, at):
        self.insert("lease", gateway_id=self.gateway, address=self.address, port=port, tenant_id=self.tenant,
                    machine_id=machine, generation=1, created_at=at, expires_at=self.now + LEASE)  # fmt: skip

    # --- what benchmarks ask for ---

    def machines(self, count, ports=(), key_lines=()):
        """`count` enrolled machines; each that finds a port in `ports` is registered and leases it.

        `key_lines` are reverse keys for the first of them, where a private half is needed.
        """
        ports, lines, made = iter(ports), iter(key_lines), []
        administrator = f"user:{self.user}"
        for _ in range(count):
            at, port = self.tick(), next(ports, None)
            self.serial += 1
            agent_id = f"seeded-{self.serial:07}"
            machine = self.machine(agent_id, at, port is not None, int(port is not None), self.version)
            (_, token_digest), (agent_key, digest) = new_credential("tge_"), new_credential("cak_")
            token_id, key_id, first_line = new_id(), new_id(), new_key_line()
            self.insert("agent_key", id=key_id, tenant_id=self.tenant, machine_id=machine, digest=digest,
                        label="enrolled", created_at=at, expires_at=None, revoked_at=None,
                        last_used_at=at if port else None)  # fmt: skip
            self.insert("enrolment_token", id=token_id, tenant_id=self.tenant, machine_id=machine, digest=token_digest,
                        created_at=at, expires_at=at + DAY, consumed_at=at, consumed_by=first_line,
                        agent_key_id=key_id, revoked_at=None)  # fmt: skip
            # The control key of the enrolment ended with the first registration.
            self.tunnel_key(first_line, "control", at, 30 * DAY, 30 * DAY, machine_id=machine, agent_key_id=key_id,
                            revoked_at=at if port else None)  # fmt: skip
            subject = f"machine:{machine}"
            self.audit("machine.added", at, subject, administrator, agent_id=agent_id, name=agent_id)
            self.audit("enrolment.added", at, f"enrolment:{token_id}", administrator, machine=machine,
                       expires_at=rfc3339(at + DAY))  # fmt: skip
            self.audit("machine.enrolled", at, subject, "gateway", enrolment=token_id, agent_key=key_id)
            if port is not None:
                self.lease(machine, port, at)
                row = self.tunnel_key(next(lines, None) or new_key_line(), "reverse", at, 365 * DAY, 365 * DAY,
                                      machine_id=machine, agent_key_id=key_id)  # fmt: skip
                self.audit("machine.registered", at, subject, subject, f"agent-key:{key_id}", port=str(port),
                           generation="1", fingerprint=row["fingerprint"])  # fmt: skip
            made.append(Machine(machine, agent_id, agent_key, port, int(port is not None)))
        return made

    def shared_key_agents(self, count, api_key, ports):
        """`count` agents of the ssh-tunnel-gateway dialect, registered with `api_key` and with a lease each."""
        owner, ports, made = shared_key_owner(api_key, self.tenant), iter(ports), []
        for _ in range(count):
            at, port = self.tick(), next(ports)
            self.serial += 1
            agent_id = f"shared-{self.serial:07}"
            machine = self.machine(agent_id, at, True, 1, None)
            self.insert("shared_key_agent", machine_id=machine, tenant_id=self.tenant, owner=owner, created_at=at)
            self.lease(machine, port, at)
            row = self.tunnel_key(new_key_line(), "reverse", at, 365 * DAY, 365 * DAY, machine_id=machine, issue=1)
            subject = f"machine:{machine}"
            self.audit("machine.added", at, subject, "shared-key", "shared-key:1", agent_id=agent_id, name=agent_id)
            self.audit("machine.registered", at, subject, "shared-key", "shared-key:1", agent_id=agent_id,
                       port=str(port), generation="1", fingerprint=row["fingerprint"])  # fmt: skip
            made.append(Machine(machine, agent_id, None, port, 1))
        return made

    def jump_keys(self, count, machines, key_lines=()):
        """`count` living jump keys, each for one of `machines` (with leases) in turn; a thousand an owner, which is the
        limit. `key_lines` come first, the others are made up. Returns all the lines.
        """
        targets, lines, made = itertools.cycle(machines), iter(key_lines), []
        for number in range(count):
            if number % 1000 == 0:
                owner = self.new_owner()
            at, machine, line = self.tick(), next(targets), next(lines, None) or new_key_line()
            row = self.tunnel_key(line, "jump", at, 30 * DAY, 31 * DAY, user_id=owner)
            self.insert("tunnel_key_reach", tunnel_key_id=row["id"], machine_id=machine.id, tenant_id=self.tenant)
            self.audit("tunnel-key.added", at, f"tunnel-key:{row['id']}", f"user:{owner}", f"token:{owner}",
                       purpose="jump", fingerprint=row["fingerprint"], machines=machine.agent_id,
                       login_until=rfc3339(row["login_until"]), connection_until=rfc3339(row["connection_until"]),
                       )  # fmt: skip
            made.append(line)
        return made

    def tokens(self, count):
        """`count` living personal tokens, a hundred an owner, which is the limit; their texts."""
        made = []
        for number in range(count):
            if number % 100 == 0:
                owner = self.new_owner()
            at, (text, digest) = self.tick(), new_credential("tgp_")
            self.insert("access_token", id=new_id(), tenant_id=self.tenant, user_id=owner, digest=digest, label="seeded",
                        scopes=None, allow_from="", created_at=at, expires_at=self.now + 90 * DAY, lifetime=90 * DAY,
                        revoked_at=None, last_used_at=None)  # fmt: skip
            made.append(text)
        return made

    def new_owner(self):
        identity = new_id()
        self.insert("gate_user", id=identity, tenant_id=self.tenant, name=f"owner-{identity[:13]}", kind="person",
                    role="admin", allow_from="", created_at=self.tick(), disabled_at=None)  # fmt: skip
        return identity
