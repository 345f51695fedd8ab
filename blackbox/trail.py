"""The sealed audit trail read by other means: its lines, hashes and signatures, and ways to tamper with it."""

import hashlib
import json
import os
import sqlite3
import subprocess
import tempfile

import programs
from commands import run
from waiting import wait_until

# SubjectPublicKeyInfo of an Ed25519 key (RFC 8410) up to the key itself.
ED25519 = bytes.fromhex("302a300506032b6570032100")


class AuditFiles:
    """The trail of one gateway."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.folder = gateway.state / "audit"
        self.path, self.key = self.folder / "audit.jsonl", gateway.state / "audit.key"

    # --- reading ---

    def lines(self):
        return self.path.read_text().splitlines() if self.path.exists() else []

    def rows(self):
        return [json.loads(line) for line in self.lines()]

    def events(self):
        return [row for row in self.rows() if "seal" not in row]

    def seals(self):
        return [row["seal"] for row in self.rows() if "seal" in row]

    def settled(self, count=None):
        """Waits until everything in the store is sealed and in the file; returns the file's lines."""
        def is_settled():
            ids = {row["id"] for row in self.gateway.ok("GET", "/api/v1/audit/events?limit=1000")}
            lines = self.lines()
            return (ids <= {row["id"] for row in self.events()} and lines[-1].startswith('{"seal":')
                    and len(self.events()) >= (count or 0))  # fmt: skip

        wait_until(is_settled, 15, "the trail sealed and written")
        return self.lines()

    # --- the commands ---

    def run(self, *words, check=True):
        return run(
            [programs.tidegate(), "audit", *words, "--state-dir", self.gateway.state], check=check, deadline=60,
            env=self.gateway.clean_environment(),
        )  # fmt: skip

    def verify(self, *anchors):
        """What `audit verify --json` says; its exit code has to agree."""
        words = [word for anchor in anchors for word in ("--anchor", anchor)]
        done = self.run("verify", "--json", *words, check=False)
        assert done.returncode in (0, 1) and done.stdout, (done, self.gateway.log_end)
        report = json.loads(done.stdout)
        assert report["intact"] == (done.returncode == 0) == (not report["findings"]), done
        return report

    def head(self):
        return self.run("head").stdout.strip()

    # --- tampering ---

    def keep(self):
        """The stopped gateway's trail, for `put`."""
        names = [*self.gateway.state.glob("tidegate.db*"), *self.folder.iterdir(), self.key]
        return {path: (path.read_bytes(), path.stat().st_uid, path.stat().st_gid) for path in names}

    def put(self, kept):
        for path in [*self.gateway.state.glob("tidegate.db*"), *self.folder.iterdir(), self.key]:
            if path not in kept:
                path.unlink(missing_ok=True)
        for path, (content, uid, gid) in kept.items():
            path.write_bytes(content)
            os.chown(path, uid, gid)

    def write(self, lines):
        """The file's content in place of what it was; it stays whose it was."""
        self.path.write_text("".join(f"{line}\n" for line in lines))

    def edit(self, *statements):
        """Changes the store of a stopped gateway."""
        owner = self.gateway.database.stat()
        connection = sqlite3.connect(self.gateway.database)
        changed = sum(connection.execute(statement).rowcount for statement in statements)
        connection.commit()
        connection.close()
        for path in self.gateway.state.glob("tidegate.db*"):
            os.chown(path, owner.st_uid, owner.st_gid)
        assert changed, statements


def check_independently(lines):
    """Follows the chain with Python's SHA-256 and OpenSSL's Ed25519, after docs/operations.md and not after our code."""
    batch, previous, key, sequence = [], "0" * 64, None, 0
    for line in lines:
        row = json.loads(line)
        if "seal" not in row:
            sequence += 1
            assert row["seq"] == sequence
            batch.append(line)
            continue
        seal = row["seal"]
        assert seal["root"] == root([hashlib.sha256(b"\0" + each.encode()).digest() for each in batch]).hex()
        assert (seal["first"], seal["last"]) == (sequence - len(batch) + 1, sequence)
        assert seal["previous"] == previous and key in (None, seal["key"])
        statement = line[len('{"seal":') : line.index(',"signature":')]
        assert signed(f"tidegate-audit-seal-v1:{statement}", row["signature"], seal["key"])
        previous, key, batch = hashlib.sha256(line.encode()).hexdigest(), seal["next"], []
    assert not batch
    return f"{sequence}:{previous}"


def root(leaves):
    """RFC 6962, 2.1."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\1" + root(leaves[:half]) + root(leaves[half:])).digest()


def signed(text, signature, key):
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("text", text.encode()), ("signature", bytes.fromhex(signature)),
                              ("key", ED25519 + bytes.fromhex(key))):  # fmt: skip
            with open(f"{folder}/{name}", "wb") as file:
                file.write(content)
        done = subprocess.run(
            ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key", "-rawin", "-in", "text",
             "-sigfile", "signature"], cwd=folder, capture_output=True,
        )  # fmt: skip
    return done.returncode == 0
