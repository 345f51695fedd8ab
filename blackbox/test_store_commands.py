"""`tidegate store`: a check that changes nothing, a backup under load, a restore that revives nothing dead."""

import concurrent.futures
import json
import os
import sqlite3
import stat

import programs
import pytest
from commands import run
from disks import SmallDisk
from gateway import Gateway, available_modes
from machine import PrivateMachine, Visitor
from networks import Canary
from people import operator as operate
from sshkeys import KeyPair
from store_files import PAGE, StoreFiles, overwrite
from store_operator import Operator, add, machines, owner  # noqa: F401
from trail import AuditFiles
from tunnels import Jump, Tunnel, new_name
from waiting import wait_until


@pytest.fixture(params=[("root", True), ("user-plain", False), ("user-plain", True)],
                ids=["root", "user-plain", "user-plain by root"])  # fmt: skip
def operator(request):
    mode, is_root = request.param
    if reason := available_modes().get(mode):
        pytest.skip(f"{mode}: {reason}")
    if is_root and not programs.is_root():
        pytest.skip("needs root")
    with Gateway(mode) as gateway:
        yield Operator(gateway, is_root)


class Load:
    """Machines added by several clients at once; `done` are the names that were told."""

    def __init__(self, gateway, clients=8):
        self.gateway, self.done, self.ended = gateway, [], False
        self.pool = concurrent.futures.ThreadPoolExecutor(clients)
        self.running = [self.pool.submit(self._work) for _ in range(clients)]

    def _work(self):
        while not self.ended:
            self.done.append(add(self.gateway))

    def __enter__(self):
        wait_until(lambda: len(self.done) > 20, 20, "some load")
        return self

    def __exit__(self, *_):
        self.ended = True
        for each in self.running:
            each.result(20)
        self.pool.shutdown()


# --- check ---


def test_a_check_changes_nothing_and_leaves_the_files_to_their_owner(operator):
    gateway = operator.gateway
    files = StoreFiles(gateway)
    with Load(gateway, 2) as load:
        assert operator.is_sound()
        before = len(load.done)
        wait_until(lambda: len(load.done) > before, 10, "changes after the check")
    for stop in (gateway.stop, gateway.kill):
        stop()
        before = files.seen()
        assert operator.is_sound()
        assert files.seen() == before
        assert {(path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) for path in files.present()} == {
            (files.owner[0], 0o600)}  # fmt: skip
        gateway.start()


def test_a_check_finds_what_is_wrong(owner, chance):
    gateway = owner.gateway
    files = StoreFiles(gateway)
    gateway.stop()
    files.fold()
    kept = files.keep()

    def damaged(damage):
        files.put(kept)
        damage()
        before = files.seen()
        assert not owner.is_sound()
        done = owner.run("check", check=False)
        assert str(files.path) in done.stdout + done.stderr, done
        assert files.seen() == before

    damaged(lambda: overwrite(files.path, PAGE * chance.randrange(1, files.pages()), chance.randbytes(PAGE)))
    damaged(lambda: os.truncate(files.path, files.pages() // 2 * PAGE))
    damaged(lambda: os.truncate(files.path, 0))
    damaged(lambda: files.make(files.path, b"text" * 999))
    files.put(kept)
    assert owner.is_sound()
    files.path.unlink()
    assert str(files.path) in owner.refused("check")


# --- backup ---


def test_a_backup_under_load_is_whole_and_holds_what_was_acknowledged(operator, figures):
    gateway = operator.gateway
    with Load(gateway) as load:
        for _ in range(3):
            acknowledged = set(load.done)
            path = operator.backup()
            assert stat.S_IMODE(path.stat().st_mode) == 0o600 and path.stat().st_nlink == 1
            assert operator.is_sound(path)
            connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            names = {row[0] for row in connection.execute("SELECT name FROM machine")}
            events = connection.execute("SELECT count(*) FROM audit_event WHERE action = 'machine.added'").fetchone()[0]
            connection.close()
            assert acknowledged <= names
            assert events == len(names), "a fact without its event, or an event without its fact"
        assert [entry for entry in operator.folder.iterdir() if entry.suffix != ".db"] == []
        assert stat.S_IMODE(gateway.database.stat().st_mode) == 0o600
    figures.note(f"backups under load, {gateway.mode}", f"3 whole ones, {len(load.done)} changes meanwhile")


def test_a_backup_replaces_nothing(owner):
    gateway = owner.gateway
    there = owner.folder / "there"
    there.write_text("mine\n")
    link = owner.folder / "link"
    link.symlink_to(owner.folder / "nowhere")
    for path in (there, link, owner.folder, gateway.database):
        assert str(path) in owner.refused("backup", path)
    assert there.read_text() == "mine\n" and not (owner.folder / "nowhere").exists()
    assert str(owner.folder) in owner.refused("backup", owner.folder / "no" / "folder")
    assert add(gateway) in machines(gateway)


@pytest.mark.skipif(not programs.is_root(), reason="mounting a small disk needs root")
def test_a_backup_to_a_full_disk_leaves_nothing_that_looks_like_one(owner):
    for _ in range(20):
        add(owner.gateway)
    small = owner.folder / "small"
    small.mkdir(mode=0o700)
    if owner.account:
        os.chown(small, owner.account.pw_uid, owner.account.pw_gid)
    with SmallDisk(small, 1) as disk:
        disk.fill(leaving=64 << 10)
        path = disk.path / "backup.db"
        said = owner.refused("backup", path)
        assert "no room" in said and str(path) in said, said
        assert [entry.name for entry in disk.path.iterdir()] == ["filler"]
        disk.free()
        owner.run("backup", path)
        assert owner.is_sound(path)


# --- restore ---


def test_a_restore_is_refused_while_the_gateway_runs(operator):
    gateway = operator.gateway
    backup = operator.backup()
    name = add(gateway)
    assert str(gateway.state) in operator.refused("restore", backup)
    assert name in machines(gateway)
    gateway.stop()
    gateway.start()
    assert name in machines(gateway)


def test_an_unsound_backup_is_refused_before_anything_is_touched(owner, chance):
    gateway = owner.gateway
    files = StoreFiles(gateway)
    sound = owner.backup()
    name = add(gateway)
    gateway.kill()
    before = files.seen()
    backup = owner.folder / "unsound.db"

    def refused(content):
        files.make(backup, content)
        owner.refused("restore", backup)
        assert files.seen() == before

    content = sound.read_bytes()
    middle = len(content) // 2 // PAGE * PAGE
    refused(b"")
    refused(b"text" * 999)
    refused(content[:middle])
    refused(content[:middle] + chance.randbytes(PAGE) + content[middle + PAGE :])
    newer = owner.folder / "newer.db"
    files.make(newer, content)
    connection = sqlite3.connect(newer)
    connection.execute("INSERT INTO schema_migration (number, name, checksum, applied_at) VALUES (99, 'n', 'c', 1)")
    connection.commit()
    connection.close()
    refused(newer.read_bytes())
    files.make(backup, b"")
    backup.unlink()
    backup.symlink_to(sound)
    for path in (backup, owner.folder, owner.folder / "missing"):
        owner.refused("restore", path)
        assert files.seen() == before
    gateway.start()
    assert name in machines(gateway)


def test_a_restored_store_is_the_backup_with_what_was_taken_away_since(operator):
    gateway = operator.gateway
    files = StoreFiles(gateway)
    target = Canary()
    tunnels = [Tunnel(gateway, target.port) for _ in range(3)]
    kept, dead = (Jump(gateway, [tunnels[0].name, tunnels[1].name]) for _ in range(2))
    token = gateway.ok("POST", "/api/v1/tokens", {"label": "revoked later"})
    offered, used = (gateway.ok("POST", "/api/v1/machines", {"name": new_name("offered")}) for _ in range(2))
    backup = operator.backup()
    expected = machines(gateway)
    # Since the backup: something came, and something was taken away.
    late = [add(gateway) for _ in range(5)]
    gateway.ok("DELETE", dead.path)
    gateway.ok("DELETE", f"/api/v1/tokens/{token['id']}")
    gateway.ok("DELETE", tunnels[2].path)
    body = {"public_key": KeyPair(gateway.home).line}
    gateway.ok("POST", "/api/v1/agent/enrol", body, token=used["enrolment"]["token"])
    del expected[tunnels[2].name]
    # Everything since is in the log, which must not be played into the restored file.
    gateway.kill()
    done = json.loads(operator.run("restore", backup, "--json").stdout)
    assert done["revocations_kept"] >= 4
    assert not files.log.exists() or files.log.stat().st_size == 0
    assert (gateway.database.stat().st_uid, gateway.database.stat().st_gid) == files.owner
    assert stat.S_IMODE(gateway.database.stat().st_mode) == 0o600
    assert operator.is_sound()
    (aside,) = gateway.state.glob("tidegate.db.before-restore-*")
    assert str(aside) == done["kept"] and operator.is_sound(aside)
    gateway.start()
    try:
        assert machines(gateway) == expected
        assert gateway.call("GET", "/api/v1/whoami", token=token["token"]).status == 401
        assert gateway.call("POST", "/api/v1/agent/enrol", body, token=used["enrolment"]["token"]).status == 401
        assert gateway.call("POST", "/api/v1/agent/enrol", body, token=offered["enrolment"]["token"]).status == 201
        beat = {"generation": tunnels[0].generation}
        assert gateway.call("POST", "/api/v1/agent/heartbeat", beat, token=tunnels[0].agent_key).status == 200
        assert gateway.call("POST", "/api/v1/agent/heartbeat", beat, token=tunnels[2].agent_key).status == 401
        tunnels[0].open()
        assert run(kept.command(tunnels[0].port)).stdout == "canary\n"
        assert "Permission denied" in run(dead.command(tunnels[0].port)).stderr
        # New ports don't collide with those of the backup.
        fresh = [Tunnel(gateway) for _ in range(3)]
        assert not {tunnel.port for tunnel in fresh} & set(expected.values())
        actions = [row["action"] for row in gateway.ok("GET", "/api/v1/audit/events?limit=100")]
        assert "store.restored" in actions
    finally:
        tunnels[0].close()
        target.close()
    # And back again: what was kept aside is a backup like any other.
    gateway.stop()
    operator.run("restore", aside)
    gateway.start()
    assert set(late) <= set(machines(gateway))


def test_what_happened_in_a_tenant_made_since_the_backup_stays_in_the_trail(owner):
    """The tenant, its people and its machines are gone; that they were there isn't."""
    gateway = owner.gateway
    files = AuditFiles(gateway)
    backup, kept = owner.backup(), Tunnel(gateway)
    first = tenant(gateway, "north")
    machine = gateway.ok("POST", "/api/v1/machines", {"name": new_name("theirs")}, token=first["token"]["token"])
    before = files.settled()
    ours = [row["id"] for row in gateway.ok("GET", "/api/v1/audit/events?limit=1000")]
    theirs = gateway.ok("GET", "/api/v1/audit/events?limit=1000", token=first["token"]["token"])
    assert {"user.added", "machine.added"} <= {row["action"] for row in theirs}
    anchor = files.head()
    for round in range(2):
        gateway.stop()
        owner.run("restore", backup)
        gateway.start()
        # Nobody of it may do anything, and its machine is nobody's.
        assert gateway.call("GET", "/api/v1/whoami", token=first["token"]["token"]).status == 401
        body = {"public_key": KeyPair(gateway.home).line}
        assert gateway.call("POST", "/api/v1/agent/enrol", body, token=machine["enrolment"]["token"]).status == 401
        assert gateway.call("GET", kept.path).status == 404
        # The trail goes on where it ended: every line, every seal, and the store proves the file.
        files.settled()
        assert files.lines()[: len(before)] == before
        report = files.verify(anchor)
        assert report["intact"] and report["proven"] == anchor, report
        assert {row["id"] for row in theirs} <= {row["id"] for row in files.events()}
        assert set(ours) <= {row["id"] for row in gateway.ok("GET", "/api/v1/audit/events?limit=1000")}
        # What kept its events has another name, so that the name can be given again, to somebody who sees none of them.
        names = [row["name"] for row in tenants(gateway)]
        assert "north" not in names and any(name.startswith("north-") for name in names), names
        second = tenant(gateway, "north")
        seen = gateway.ok("GET", "/api/v1/audit/events?limit=1000", token=second["token"]["token"])
        assert not {row["id"] for row in theirs} & {row["id"] for row in seen}
        assert gateway.ok("GET", "/api/v1/machines", token=second["token"]["token"]) == []
        files.settled()
        assert files.verify(anchor)["intact"]


def tenant(gateway, name):
    return json.loads(operate(gateway, "tenant", "add", name, "--administrator", "ada", "--json").stdout)


def tenants(gateway):
    return json.loads(operate(gateway, "tenant", "list", "--json").stdout)


def garbage(files, chance):
    overwrite(files.path, 0, chance.randbytes(10 * PAGE))
    files.make(files.log, chance.randbytes(5 * PAGE))


def missing(files, chance):
    files.path.unlink()
    files.make(files.log, chance.randbytes(5 * PAGE))


def log_is_a_folder(files, _):
    files.log.mkdir()


@pytest.mark.parametrize("damage", [garbage, missing, log_is_a_folder], ids=lambda damage: damage.__name__)
def test_a_restore_in_place_of_a_damaged_or_missing_store(owner, damage, chance):
    gateway = owner.gateway
    files = StoreFiles(gateway)
    name = add(gateway)
    backup = owner.backup()
    gateway.stop()
    files.fold()
    damage(files, chance)
    damaged = files.path.read_bytes() if files.path.exists() else None
    done = owner.run("restore", backup)
    assert "revoke" in (done.stdout + done.stderr).replace("revocations kept", ""), done
    if damaged is not None:
        kept = [path.read_bytes() for path in gateway.state.glob("tidegate.db.before-restore-*") if path.is_file()]
        assert damaged in kept, "the damaged file is there for its rescue"
    gateway.start()
    assert name in machines(gateway)


@pytest.mark.parametrize("since", ["the agent went on", "the agent was restarted"])
def test_living_machines_come_back_to_their_ports_after_a_restore(owner, since):
    """A restarted agent has a key and a generation that the restored store has never seen."""
    gateway = owner.gateway
    with PrivateMachine(gateway) as machine:
        visitor = Visitor(gateway, machine)
        port, backup = machine.port, owner.backup()
        if since == "the agent was restarted":
            machine.stop()
            machine.start()
            assert machine.port == port
        gateway.stop()
        owner.run("restore", backup)
        gateway.start()
        wait_until(machine.connected, 60, lambda: f"connected:\n{machine.log[-3000:]}\n{gateway.log_end}", every=0.2)
        wait_until(lambda: visitor.run("true").returncode == 0, 30, "let in", every=0.5)
        assert machine.port == port
