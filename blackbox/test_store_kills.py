"""`tidegate store restore` and `backup`, killed at any moment: the old store or the new one, a whole copy or none."""

import contextlib
import sqlite3
import subprocess
import time
import uuid

import pytest
from store_files import StoreFiles
from store_operator import add, machines, owner  # noqa: F401
from waiting import until_moment


def interrupted(command, gateway, seconds):
    """Starts it and kills it after so long; true when it had ended by itself."""
    begun = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, env=gateway.clean_environment())  # fmt: skip
    until_moment(begun + seconds)
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    return process.wait(10) == 0


def padded(files):
    """Some megabytes more, so that copying takes its time."""
    connection = sqlite3.connect(files.path)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(audit_event)")]
    others = ", ".join(name for name in columns if name not in ("id", "sequence"))
    connection.create_function("new_id", 0, lambda: str(uuid.uuid4()))
    for _ in range(9):
        connection.execute(f"INSERT INTO audit_event (id, {others}) SELECT new_id(), {others} FROM audit_event")
    connection.commit()
    connection.close()
    files.put(files.keep())


def grown(gateway):
    """Gives the running gateway ten machines and a store large enough to be killed in the middle of."""
    files = StoreFiles(gateway)
    for _ in range(10):
        add(gateway)
    gateway.stop()
    files.fold()
    padded(files)
    gateway.start()
    return files


def kill_restores(owner, chance, figures, count):
    gateway = owner.gateway
    files = grown(gateway)
    backup, old_names = owner.backup(), set(machines(gateway))
    for _ in range(10):
        add(gateway)
    new_names = set(machines(gateway))
    gateway.kill()
    before = files.keep()
    begun = time.monotonic()
    owner.run("restore", backup)
    whole = time.monotonic() - begun
    outcomes = {"the store before": 0, "the backup": 0}
    for _ in range(count):
        files.put(before)
        interrupted(owner.words("restore", backup), gateway, chance.uniform(0, whole * 1.2))
        assert owner.is_sound()
        gateway.start()
        found = set(machines(gateway))
        assert found in (old_names, new_names), "neither the one nor the other"
        outcomes["the backup" if found == old_names else "the store before"] += 1
        gateway.stop()
        # What the killed one left behind is in nobody's way.
        owner.run("restore", backup)
        gateway.start()
        assert set(machines(gateway)) == old_names
        gateway.stop()
    figures.note(f"kill -9 of {count} restores of {whole * 1000:.0f} ms, {gateway.mode}", outcomes)


def kill_backups(owner, chance, figures, count):
    gateway = owner.gateway
    grown(gateway)
    begun = time.monotonic()
    owner.backup()
    whole = time.monotonic() - begun
    names, complete = set(machines(gateway)), 0
    for number in range(count):
        path = owner.folder / f"killed-{number}.db"
        interrupted(owner.words("backup", path), gateway, chance.uniform(0, whole * 1.2))
        if path.exists():
            complete += 1
            assert owner.is_sound(path), "half a backup under a backup's name"
        else:
            owner.run("backup", path)
            assert owner.is_sound(path)
        assert set(machines(gateway)) == names
    figures.note(f"kill -9 of {count} backups of {whole * 1000:.0f} ms, {gateway.mode}", f"{complete} were complete")


def test_a_killed_restore_leaves_the_old_store_or_the_new_one(owner, chance, figures):
    kill_restores(owner, chance, figures, 2)


@pytest.mark.long
def test_a_killed_restore_leaves_the_old_store_or_the_new_one_in_full(owner, chance, figures):
    kill_restores(owner, chance, figures, 20)


def test_a_killed_backup_leaves_a_whole_one_or_none(owner, chance, figures):
    kill_backups(owner, chance, figures, 2)


@pytest.mark.long
def test_a_killed_backup_leaves_a_whole_one_or_none_in_full(owner, chance, figures):
    kill_backups(owner, chance, figures, 20)
