"""A damaged, closed or exchanged store: a refusal that names it and changes no byte of it, or all that was there."""

import concurrent.futures
import os
import sqlite3

import pytest
from commands import end
from gateway import Gateway, available_modes
from store_files import PAGE, StoreFiles, overwrite
from tunnels import Jump, Tunnel
from waiting import wait_until

MODES = ["root", "user-plain"]


class Site:
    """A gateway that has served and stopped. `folded`: all is in the file; `logged`: what came last is in the log."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.tunnels = [Tunnel(self.gateway) for _ in range(10)]
        self.jump = Jump(self.gateway, [self.tunnels[0].name])
        self.files = StoreFiles(self.gateway)
        self.token = self.gateway.token_file.read_bytes()
        # The trail is a witness that this is no new gateway.
        wait_until(lambda: self.exported() >= 20, 10, "the audit trail written")
        self.gateway.stop()
        self.files.fold()
        self.folded = self.files.keep()
        self.gateway.start()
        self.before = self.facts()
        self.tunnels += [Tunnel(self.gateway) for _ in range(10)]
        self.gateway.ok("DELETE", self.jump.path)
        self.after = self.facts()
        self.gateway.kill()
        self.logged = self.files.keep()

    def exported(self):
        path = self.gateway.state / "audit" / "audit.jsonl"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def facts(self):
        """What was acknowledged: machines with ports and generations, keys with their ends."""
        machines = self.gateway.ok("GET", "/api/v1/machines?limit=1000")
        keys = self.gateway.ok("GET", "/api/v1/tunnel-keys?limit=1000")
        return (
            {row["agent_id"]: (row["name"], row["lease"]["port"], row["lease"]["generation"]) for row in machines},
            {row["id"]: row.get("revoked_at") for row in keys},
        )

    def put(self, kept):
        end(self.gateway.process)
        self.files.put(kept)
        self.gateway.token_file.write_bytes(self.token)

    def refused(self, *names):
        """It ends by itself, names what is at fault and what to do, and leaves every byte as it was."""
        damaged, begun = self.files.seen(), len(self.gateway.log)
        said = self.gateway.refused()[begun:]
        (reason,) = [line for line in said.splitlines() if "the gateway did not start" in line]
        assert self.files.seen() == damaged, "the refused start changed what is to be rescued"
        assert self.gateway.token_file.read_bytes() == self.token, "nobody new becomes administrator"
        for name in names or (str(self.files.path),):
            assert name in reason, reason
        return reason


@pytest.fixture(scope="module", params=MODES)
def kept(request):
    if reason := available_modes().get(request.param):
        pytest.skip(f"{request.param}: {reason}")
    with Gateway(request.param) as gateway:
        yield Site(gateway)


@pytest.fixture
def site(kept):
    """Stopped, with everything in one file; whatever a test leaves is swept away by the next one."""
    kept.put(kept.folded)
    yield kept
    end(kept.gateway.process)


def shorten(size):
    def damage(files, _):
        os.truncate(files.path, size(files.pages()))

    return damage


def garble(first, count):
    def damage(files, chance):
        overwrite(files.path, first, chance.randbytes(count))

    return damage


def text(files, _):
    files.make(files.path, b"this is not a store\n" * 100)


def missing(files, _):
    files.path.unlink()


def folder(files, _):
    files.path.unlink()
    files.path.mkdir(0o700)
    os.chown(files.path, *files.owner)


def link(files, _):
    """To the store itself: where a name leads may be changed by others."""
    other = files.path.with_name("elsewhere")
    files.path.replace(other)
    files.path.symlink_to(other)


def pipe(files, _):
    """Opening one would wait for ever."""
    files.path.unlink()
    os.mkfifo(files.path, 0o600)
    os.chown(files.path, *files.owner)


DAMAGES = {
    "empty": shorten(lambda pages: 0),
    "half a page": shorten(lambda pages: PAGE // 2),
    "half of it": shorten(lambda pages: pages // 2 * PAGE),
    "half of it and a bit": shorten(lambda pages: pages // 2 * PAGE + 1000),
    "without its last page": shorten(lambda pages: (pages - 1) * PAGE),
    "its first bytes": garble(0, 16),
    "its header": garble(0, 100),
    "its first page": garble(0, PAGE),
    "a text": text,
    "missing": missing,
    "a folder": folder,
    "a link": link,
    "a pipe": pipe,
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_store_is_refused_by_name_and_left_as_it_is(site, what, chance):
    DAMAGES[what](site.files, chance)
    reason = site.refused()
    assert "restore" in reason, reason


def any_page(site, chance, count):
    with_content = used_pages(site.files.path)
    for page in [chance.choice(with_content) for _ in range(count)]:
        site.put(site.folded)
        overwrite(site.files.path, (page - 1) * PAGE, chance.randbytes(PAGE))
        site.refused()


def used_pages(path):
    """Pages that hold something; garbage on a free one harms nobody."""
    connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    count, free = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
    connection.close()
    assert free == 0, "a young store has no free pages"
    return range(2, count + 1)


def test_any_page_of_garbage_is_found_at_the_start(site, chance):
    any_page(site, chance, 6)


@pytest.mark.long
def test_any_page_of_garbage_is_found_at_the_start_in_full(site, chance):
    any_page(site, chance, 60)


def test_a_damaged_store_is_not_mended_with_the_log_beside_it(site, chance):
    """The log of a killed gateway is all that may be left to rescue: no refused start may empty it."""
    site.put(site.logged)
    os.truncate(site.files.path, PAGE)
    overwrite(site.files.log, 0, chance.randbytes(32))
    site.refused()


def test_a_store_of_a_newer_version_is_refused_unchanged(site):
    connection = sqlite3.connect(site.files.path)
    connection.execute("INSERT INTO schema_migration (number, name, checksum, applied_at) VALUES (99, 'n', 'c', 1)")
    connection.commit()
    connection.close()
    site.files.put(site.files.keep())
    assert "newer" in site.refused()


# --- what SQLite recovers by right ---


def garbage_index(files, chance):
    overwrite(files.index, 0, chance.randbytes(files.index.stat().st_size))


def no_index(files, _):
    files.index.unlink()


def torn_tail(files, chance):
    """What a power failure leaves of a commit that nobody was told about: a part of its frames."""
    with open(files.log, "ab") as file:
        file.write(chance.randbytes(chance.randrange(1, 4 * PAGE)))


RECOVERED = {
    "killed": lambda *_: None,
    "garbage in the index": garbage_index,
    "no index": no_index,
    "a torn tail": torn_tail,
}


@pytest.mark.parametrize("what", RECOVERED)
def test_everything_acknowledged_is_there_after_a_kill(site, what, chance):
    site.put(site.logged)
    RECOVERED[what](site.files, chance)
    site.gateway.start()
    assert site.facts() == site.after
    assert site.facts() != site.before


def damaged_log(site, chance, count):
    site.put(site.logged)
    # Damage at the very end can't be told from a commit that the power failure tore.
    last = site.files.commits()[-3] - PAGE
    places = [(0, 32), (32, 24)] + [(chance.randrange(56, last), chance.randrange(1, PAGE)) for _ in range(count)]
    for offset, length in places:
        site.put(site.logged)
        overwrite(site.files.log, offset, chance.randbytes(length))
        site.refused(str(site.files.log))


def test_a_log_damaged_in_its_middle_is_not_taken_for_a_torn_one(site, chance):
    """Each commit was synced before the next one began, so after a power failure one commit at most is incomplete."""
    damaged_log(site, chance, 5)


@pytest.mark.long
def test_a_log_damaged_in_its_middle_is_not_taken_for_a_torn_one_in_full(site, chance):
    damaged_log(site, chance, 50)


# --- closed to the gateway ---


def read_only(files):
    files.path.chmod(0o400)
    return files.path


def open_to_others(files):
    files.path.chmod(0o644)
    return files.path


def somebody_elses(files):
    os.chown(files.path, 65534, 65534)
    return files.path


def log_of_somebody_else(files):
    os.chown(files.log, 65534, 65534)
    return files.log


def log_is_a_folder(files):
    files.log.unlink()
    files.log.mkdir(0o700)
    return files.log


def index_is_a_folder(files):
    files.index.unlink()
    files.index.mkdir(0o700)
    return files.index


CLOSED = [read_only, open_to_others, somebody_elses, log_of_somebody_else, log_is_a_folder, index_is_a_folder]


@pytest.mark.parametrize("close", CLOSED, ids=lambda close: close.__name__)
def test_what_the_gateway_may_not_write_is_named_with_the_remedy(site, close):
    if os.geteuid() != 0 and "somebody" in close.__name__:
        pytest.skip("only root gives files away")
    site.put(site.logged)
    at_fault = close(site.files)
    reason = site.refused(str(at_fault))
    assert any(word in reason for word in ("chown", "chmod", "restore")), reason
    site.put(site.logged)
    site.gateway.start()
    assert site.facts() == site.after


# --- damaged while the gateway runs ---


def garbage_everywhere(files, chance):
    overwrite(files.path, PAGE, chance.randbytes((files.pages() - 1) * PAGE))


def cut_short(files, _):
    os.truncate(files.path, PAGE)


LIVE = {"garbage": garbage_everywhere, "cut short": cut_short}


@pytest.mark.parametrize("what", LIVE)
def test_a_store_that_is_damaged_while_it_runs(site, what, chance):
    """The main file is gone under a running gateway: what it says is right, or it says that something is wrong."""
    gateway = site.gateway
    gateway.start()
    LIVE[what](site.files, chance)
    wrong = []

    def check(answer, right):
        if answer.status in (200, 201):
            if not right(answer):
                wrong.append(answer)
        elif answer.status not in (500, 503) or not answer.code:
            wrong.append(answer)

    def machines(answer):
        rows = {row["agent_id"]: row["name"] for row in answer.body if not row["name"].startswith("new")}
        return rows == {agent: row[0] for agent, row in site.before[0].items()}

    def ask(number):
        for turn in range(10):
            check(gateway.call("GET", "/api/v1/machines?limit=1000"), machines)
            check(gateway.call("GET", "/api/v1/whoami"), lambda answer: True)
            check(gateway.call("POST", "/api/v1/machines", {"name": f"new-{number}-{turn}"}), lambda answer: True)
            for each in site.tunnels[:10]:
                check(gateway.call("GET", each.path), lambda answer, each=each: answer.body["name"] == each.name)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(ask, range(2)))
    assert not wrong, wrong[:3]
    assert gateway.process.poll() is None, gateway.log_end
    assert gateway.api.call("GET", "/healthz").status == 200
    wait_until(lambda: gateway.api.call("GET", "/readyz").status == 503, 10, "/readyz saying so")
    gateway.stop()
    site.refused()
