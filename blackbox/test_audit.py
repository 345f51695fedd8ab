"""The audit trail: what was changed, removed, moved or cut off is found; what can't be written fails nothing."""

import concurrent.futures
import json
import os
import stat
import threading
import time

import pytest
from gateway import Gateway
from trail import AuditFiles, check_independently
from tunnels import Tunnel, new_name
from waiting import until_moment, wait_until


def add(gateway):
    return gateway.ok("POST", "/api/v1/machines", {"name": new_name("audited")})


class Site:
    """A gateway with a trail of several batches, stopped; `files` tampers with it and verifies."""

    def __init__(self, gateway):
        self.gateway, self.files = gateway, AuditFiles(gateway)
        for _ in range(4):
            for _ in range(3):
                add(gateway)
            self.files.settled()
        gateway.stop()
        self.early, self.early_key = self.files.head(), self.files.key.read_bytes()
        gateway.start()
        for _ in range(4):
            for _ in range(3):
                add(gateway)
            self.files.settled()
        gateway.stop()
        self.lines, self.late = self.files.lines(), self.files.head()
        self.kept = self.files.keep()


@pytest.fixture(scope="module")
def kept():
    with Gateway() as gateway:
        yield Site(gateway)


@pytest.fixture
def site(kept):
    kept.files.put(kept.kept)
    yield kept


def cut(site, at):
    """Everything behind the seal with that last event, in the store and in the file alike."""
    index = next(i for i, row in enumerate(site.files.rows()) if row.get("seal", {}).get("last") == at)
    site.files.write(site.lines[: index + 1])
    site.files.edit(f"DELETE FROM audit_event WHERE sequence > {at}", f"DELETE FROM audit_seal WHERE last_sequence > {at}",
                    f"UPDATE audit_export SET sequence = {at}")  # fmt: skip


# --- untouched ---


def test_an_untouched_trail_is_intact_and_says_what_it_can_not_prove(site):
    report = site.files.verify()
    assert report["intact"] and report["events"] > 24 and report["seals"] == report["log_seals"] >= 8
    assert any("without an anchor" in line for line in report["unproven"])
    assert report["head"] == site.late
    report = site.files.verify(site.early, site.late)
    assert report["intact"] and report["proven"] == site.late
    assert any("vouched for by this host's own key" in line for line in site.files.verify(site.early)["unproven"])


def test_a_second_program_follows_the_chain(site):
    assert check_independently(site.lines) == site.late


def test_a_live_trail_is_intact_while_it_grows(fresh_gateway):
    files, done = AuditFiles(fresh_gateway), threading.Event()

    def load():
        while not done.is_set():
            add(fresh_gateway)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(load) for _ in range(4)]
        try:
            for _ in range(5):
                report = files.verify()
                assert report["intact"], report
        finally:
            done.set()
        for each in loads:
            each.result()
    files.settled()
    head = json.loads(files.run("head", "--json").stdout)
    assert head["anchor"] == files.head() == f"{head['sequence']}:{head['digest']}"
    assert files.verify(head["anchor"])["proven"] == head["anchor"]
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600


# --- the file ---


def test_any_byte_of_the_file_that_changes_is_found(site, chance):
    whole = site.files.path.read_bytes()
    for _ in range(25):
        index = chance.randrange(len(whole) - 1)
        site.files.path.write_bytes(whole[:index] + bytes([whole[index] ^ (1 << chance.randrange(8))]) + whole[index + 1 :])
        assert not site.files.verify()["intact"], f"byte {index}"
    number = next(i for i, line in enumerate(site.lines) if '"machine.added"' in line)
    changed = [*site.lines]
    changed[number] = changed[number].replace("machine.added", "machine.addee")
    site.files.write(changed)
    (finding, named) = site.files.verify()["findings"]
    assert f"audit.jsonl line {number + 1} was changed" in named and "store has what was sealed" in named, finding


def test_a_line_removed_from_the_file_is_named(site, chance):
    for number in chance.sample(range(len(site.lines)), 8):
        site.files.write(site.lines[:number] + site.lines[number + 1 :])
        report = site.files.verify()
        assert not report["intact"]
        row = json.loads(site.lines[number])
        if "seq" in row:
            assert f"event {row['seq']} is missing" in str(report["findings"])


def test_two_lines_of_the_file_that_changed_places_are_named(site, chance):
    numbers = [i for i, line in enumerate(site.lines[:-1]) if "seal" not in json.loads(line)]
    for number in chance.sample([i for i in numbers if i + 1 in numbers], 5):
        swapped = [*site.lines]
        swapped[number], swapped[number + 1] = swapped[number + 1], swapped[number]
        site.files.write(swapped)
        (finding,) = site.files.verify()["findings"]
        assert f"line {number + 1} and audit.jsonl line {number + 2} have changed places" in finding


def test_a_tail_cut_off_the_file_is_found_wherever(site, chance):
    for keep in [0, 1, len(site.lines) - 1] + chance.sample(range(len(site.lines)), 5):
        site.files.write(site.lines[:keep])
        assert any("tail was cut" in line or "no seal behind" in line for line in site.files.verify()["findings"]), keep
    site.files.path.unlink()
    report = site.files.verify()
    assert report["intact"] and any("no audit.jsonl" in line for line in report["unproven"])


# --- the store ---


STORE = {
    "a byte": ("UPDATE audit_event SET subject = subject || 'x' WHERE sequence = 9", "event 9 was changed in the store"),
    "a row": ("DELETE FROM audit_event WHERE sequence = 9", "event 9 is missing"),
    "a row unsealed": ("UPDATE audit_event SET sequence = NULL WHERE sequence = 9", "event 9 is missing"),
    "a seal": ("DELETE FROM audit_seal WHERE number = 3", "missing"),
    "the last seal": ("DELETE FROM audit_seal WHERE number = (SELECT max(number) FROM audit_seal)", "seals were cut"),
}


@pytest.mark.parametrize("what", STORE)
def test_what_is_changed_in_the_store_is_found(site, what):
    statement, words = STORE[what]
    site.files.edit(statement)
    assert words in str(site.files.verify()["findings"])


def test_two_events_that_changed_places_in_the_store_are_named(site):
    site.files.edit(
        "UPDATE audit_event SET sequence = 0 WHERE sequence = 9", "UPDATE audit_event SET sequence = 9 WHERE sequence = 10",
        "UPDATE audit_event SET sequence = 10 WHERE sequence = 0",
    )  # fmt: skip
    findings = str(site.files.verify()["findings"])
    assert "event 9 was changed in the store" in findings and "event 10 was changed in the store" in findings


def test_a_tail_cut_off_the_store_is_found(site):
    last = int(site.late.split(":")[0])
    site.files.edit(f"DELETE FROM audit_event WHERE sequence >= {last - 2}", "DELETE FROM audit_seal WHERE number = (SELECT max(number) FROM audit_seal)")
    findings = str(site.files.verify()["findings"])
    assert "the store lacks seals" in findings and "audit.key has sealed up to" in findings


# --- both ---


def test_a_tail_cut_off_both_is_found_by_the_key(site):
    cut(site, int(site.early.split(":")[0]))
    (finding,) = site.files.verify()["findings"]
    assert "audit.key has sealed up to" in finding and "tail was cut" in finding


def test_a_trail_rewritten_as_a_whole_is_found_by_an_anchor_alone(site):
    """Store, file and key as they were once: nothing on this host tells that there was more."""
    cut(site, int(site.early.split(":")[0]))
    site.files.key.write_bytes(site.early_key)
    report = site.files.verify()
    assert report["intact"] and any("may have written the whole trail anew" in line for line in report["unproven"])
    assert "tail was cut" in str(site.files.verify(site.late)["findings"])
    assert site.files.verify(site.early)["intact"]
    wrong = site.early[:-1] + ("0" if site.early[-1] != "0" else "1")
    assert "isn't the one the anchor was taken of" in str(site.files.verify(wrong)["findings"])


def test_a_cut_trail_can_not_be_continued_unseen(site):
    """The keys of the seals that were cut are gone: the gateway itself has to begin a new chain, and says so."""
    cut(site, int(site.early.split(":")[0]))
    site.gateway.start()
    add(site.gateway)
    site.files.settled()
    site.gateway.stop()
    report = site.files.verify()
    assert "the chain begins anew" in str(report["findings"]) and "seals-missing" in str(report["findings"])
    # Whoever knows of it and takes an anchor now isn't told again.
    report = site.files.verify(site.files.head())
    assert report["intact"] and "the chain begins anew" in str(report["unproven"])


@pytest.mark.parametrize("anchor", ["", "x", "1", "1:zz", "0:" + "a" * 64, "-1:" + "a" * 64])
def test_what_is_no_anchor_is_refused(site, anchor):
    done = site.files.run("verify", f"--anchor={anchor}", check=False)
    assert done.returncode == 64 and "--anchor" in done.stderr and "Fatal" not in done.stderr


# --- what happens to a gateway ---


def test_kills_while_it_seals_lose_nothing_and_fork_nothing(chance):
    with Gateway() as gateway:
        files, names = AuditFiles(gateway), []
        for round in range(12):
            done = threading.Event()

            def load():
                while not done.is_set():
                    name = new_name("killed")
                    try:
                        answer = gateway.call("POST", "/api/v1/machines", {"name": name}, deadline=5)
                    except OSError:
                        return
                    if answer.status == 201:
                        names.append(answer.body["machine"]["id"])

            with concurrent.futures.ThreadPoolExecutor(6) as pool:
                loads = [pool.submit(load) for _ in range(6)]
                until_moment(time.monotonic() + chance.uniform(0.3, 1.2))
                gateway.kill()
                done.set()
                for each in loads:
                    each.result()
            gateway.start()
        files.settled()
        gateway.stop()
        report = files.verify()
        assert report["intact"], report
        check_independently(files.lines())
        subjects = {row["subject"] for row in files.events()}
        assert {f"machine:{each}" for each in names} <= subjects
        ids = [row["id"] for row in files.events()]
        assert len(ids) == len(set(ids)), "an event is there twice"


def test_a_torn_end_is_mended_at_the_next_start(fresh_gateway):
    files = AuditFiles(fresh_gateway)
    add(fresh_gateway)
    lines = files.settled()
    fresh_gateway.kill()
    with open(files.path, "a") as file:
        file.write(lines[0] + "\n" + lines[1][:40])
    assert "no seal behind" in str(files.verify()["findings"])
    fresh_gateway.start()
    add(fresh_gateway)
    files.settled()
    assert files.verify()["intact"]


def test_a_file_that_lost_its_end_is_written_again(fresh_gateway):
    files = AuditFiles(fresh_gateway)
    for _ in range(3):
        add(fresh_gateway)
        lines = files.settled()
    fresh_gateway.stop()
    files.write(lines[:2])
    fresh_gateway.start()
    files.settled()
    assert files.lines()[: len(lines)] == lines
    assert files.verify()["intact"]


def test_a_file_taken_away_by_a_rotation_goes_on_in_a_new_one(fresh_gateway):
    files = AuditFiles(fresh_gateway)
    add(fresh_gateway)
    files.settled()
    files.path.rename(fresh_gateway.folder / "shipped.jsonl")
    before = len((fresh_gateway.folder / "shipped.jsonl").read_text().splitlines())
    add(fresh_gateway)
    wait_until(lambda: files.lines() and files.lines()[-1].startswith('{"seal":'), 10, "a new file")
    assert len(files.events()) == 2 < before
    report = files.verify()
    assert report["intact"] and any("begins with event" in line for line in report["unproven"])


def test_a_log_that_can_not_be_written_warns_and_fails_nothing(fresh_gateway):
    """Vector A2 of the field: whatever is wrong with the log, the call is answered."""
    gateway, files = fresh_gateway, AuditFiles(fresh_gateway)
    tunnel = Tunnel(gateway)
    files.settled()
    files.path.rename(files.folder / "aside")
    files.path.mkdir()
    add(gateway)
    wait_until(lambda: gateway.api.call("GET", "/readyz").body.get("warnings"), 10, "a warning")
    answer = gateway.api.call("GET", "/readyz")
    assert answer.status == 200 and "the audit log can't be written" in str(answer.body["warnings"])
    assert failures(gateway) >= 1
    beat = {"generation": tunnel.generation}
    assert gateway.call("POST", "/api/v1/agent/heartbeat", beat, token=tunnel.agent_key).status == 200
    assert gateway.call("GET", "/api/v1/whoami").status == 200
    files.path.rmdir()
    (files.folder / "aside").rename(files.path)
    files.settled()
    assert "audit" not in str(gateway.api.call("GET", "/readyz").body)
    assert files.verify()["intact"]


def test_a_required_log_that_can_not_be_written_takes_the_gateway_out_of_service():
    with Gateway(extra=["--audit", "required"]) as gateway:
        files = AuditFiles(gateway)
        add(gateway)
        files.settled()
        files.path.unlink()
        files.path.mkdir()
        add(gateway)
        wait_until(lambda: gateway.api.call("GET", "/readyz").status == 503, 10, "not ready")
        assert "the audit log can't be written" in str(gateway.api.call("GET", "/readyz").body["faults"])
        files.path.rmdir()
        wait_until(lambda: gateway.api.call("GET", "/readyz").status == 200, 10, "ready again")


def test_a_key_that_can_not_be_written_leaves_the_chain_whole(fresh_gateway):
    gateway, files = fresh_gateway, AuditFiles(fresh_gateway)
    add(gateway)
    files.settled()
    content = files.key.read_bytes()
    files.key.unlink()
    files.key.mkdir()
    add(gateway)
    wait_until(lambda: "can't be sealed" in str(gateway.api.call("GET", "/readyz").body), 10, "a warning")
    gateway.kill()
    files.key.rmdir()
    files.key.write_bytes(content)
    owner = gateway.database.stat()
    os.chown(files.key, owner.st_uid, owner.st_gid)
    files.key.chmod(0o600)
    gateway.start()
    add(gateway)
    files.settled()
    assert files.verify()["intact"]


def test_a_restored_backup_goes_on_with_the_trail(fresh_gateway):
    gateway, files = fresh_gateway, AuditFiles(fresh_gateway)
    add(gateway)
    files.settled()
    backup = gateway.folder / "backup.db"
    gateway.cli("store", "backup", backup, "--state-dir", gateway.state)
    for _ in range(3):
        add(gateway)
    files.settled()
    anchor = files.head()
    gateway.stop()
    gateway.cli("store", "restore", backup, "--state-dir", gateway.state)
    gateway.start()
    add(gateway)
    files.settled()
    report = files.verify(anchor)
    assert report["intact"] and report["proven"] == anchor, report
    assert "store.restored" in [row["action"] for row in files.events()]


def test_a_backup_in_the_place_of_a_lost_store_begins_a_new_chain_and_says_so(fresh_gateway):
    gateway, files = fresh_gateway, AuditFiles(fresh_gateway)
    add(gateway)
    files.settled()
    backup = gateway.folder / "backup.db"
    gateway.cli("store", "backup", backup, "--state-dir", gateway.state)
    for _ in range(3):
        add(gateway)
    files.settled()
    last = files.events()[-1]["seq"]
    gateway.stop()
    gateway.database.write_bytes(b"lost")
    gateway.cli("store", "restore", backup, "--state-dir", gateway.state)
    gateway.start()
    add(gateway)
    files.settled()
    assert "begins anew" in str(files.verify()["findings"])
    assert files.events()[-1]["seq"] > last, "a number that was given is never given again"
    assert "audit.chain-restarted" in [row["action"] for row in files.events()]
    wait_until(lambda: files.verify(files.head())["intact"], 5, "an anchor that knows of it")


# --- reading it ---


def test_events_are_chosen_by_time_and_severity(gateway):
    add(gateway)
    rows = gateway.ok("GET", "/api/v1/audit/events?limit=1000")
    middle = rows[len(rows) // 2]["at"]
    later = gateway.cli("audit", "events", "--after", middle, "--limit", "1000", "--json").stdout.splitlines()
    earlier = gateway.cli("audit", "events", "--before", middle, "--limit", "1000", "--json").stdout.splitlines()
    later, earlier = ({json.loads(line)["id"] for line in lines} for lines in (later, earlier))
    assert {row["id"] for row in rows if row["at"] >= middle} == later & {row["id"] for row in rows}
    assert {row["id"] for row in rows if row["at"] < middle} == earlier and not later & earlier
    assert gateway.cli("audit", "events", "--after", "2999-01-01", "--json").stdout == ""
    assert gateway.cli("audit", "events", "--before", "0", "--json").stdout == ""
    for row in gateway.ok("GET", "/api/v1/audit/events?severity=warning"):
        assert row["severity"] != "info"


@pytest.mark.parametrize("query", [
    "severity=bad", "severity=", "severity=INFO", "since=yesterday", "since=", "until=1.5", "until=2026-02-30",
    "since=99999999999999999999", "limit=0", "limit=1001", "limit=x", "follow=1", "after=x", "after=1~x",
])  # fmt: skip
def test_a_query_that_can_not_be_read_names_its_field(gateway, query):
    answer = gateway.call("GET", f"/api/v1/audit/events?{query}")
    assert answer.status == 400, answer
    if not query.startswith("follow"):
        assert query.split("=")[0] in answer.body["detail"]


def test_no_secret_is_in_the_trail(gateway):
    """Vector A1 of the field, and what its list by key name alone lets pass."""
    token = gateway.ok("POST", "/api/v1/tokens", {"label": f"tgp_{'A' * 43}"})
    gateway.call("POST", "/api/v1/setup", {"secret": f"tgi_{'B' * 43}"}, token=None)
    gateway.call("GET", "/api/v1/whoami", token=f"tgp_{'C' * 43}")
    files = AuditFiles(gateway)
    files.settled()
    text = files.path.read_text() + str(gateway.ok("GET", "/api/v1/audit/events?limit=1000"))
    for secret in (token["token"], "A" * 43, "B" * 43, "C" * 43):
        assert secret not in text
    assert "[redacted]" in text


def failures(gateway):
    text = gateway.api.call("GET", "/metrics").raw.decode()
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith("tidegate_audit_failures_total ")))


def test_a_flag_that_is_neither_is_refused():
    with Gateway(start=False) as gateway:
        assert "audit must be required or best-effort" in gateway.refused("--audit", "perhaps")
