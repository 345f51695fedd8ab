"""No change is answered before the disk has it: between each request and its answer lies a finished sync."""

import concurrent.futures
import json
import threading

import pytest
from foreign import API_KEY
from gateway import Gateway, default_mode
from load import random_key
from tracing import Trace
from tunnels import new_name

AT_ONCE = 32
REPEATS = 3


@pytest.fixture(scope="module")
def gateway():
    with Gateway(default_mode(), environment={"API_KEY": API_KEY}, leases=400) as gateway:
        yield gateway


@pytest.fixture
def trace(gateway, tmp_path):
    return Trace(gateway.process.pid, tmp_path)


class Asked:
    """A request on a connection of its own, whose port names it in the trace."""

    def __init__(self, gateway, method, path, body=None, bearer=None, headers=None):
        connection = gateway.api.connection()
        try:
            connection.connect()
            self.client = connection.sock.getsockname()[1]
            head = {"Authorization": f"Bearer {bearer or gateway.token}"} if headers is None else dict(headers)
            if body is not None:
                head["Content-Type"] = "application/json"
            connection.request(method, path, body=None if body is None else json.dumps(body), headers=head)
            response = connection.getresponse()
            self.status, raw = response.status, response.read()
            self.body = json.loads(raw) if raw else None
        finally:
            connection.close()
        assert self.status in (200, 201, 204), (method, path, self.status, raw)


class Changes:
    """One change after another, each by its name."""

    def __init__(self, gateway):
        self.gateway, self.made = gateway, []

    def ask(self, name, *request, **options):
        asked = Asked(self.gateway, *request, **options)
        self.made.append((name, asked))
        return asked.body

    def register(self, name, bearer):
        body = {"public_key": random_key(), "host_keys": [], "os": "", "agent_version": ""}
        self.ask(name, "POST", "/api/v1/agent/register", body, bearer=bearer)

    def dialect(self, name, agent):
        self.ask(name, "POST", "/", {"action": "register", "agent_id": agent}, headers={"X-API-Key": API_KEY})

    def all(self):
        machine = new_name("synced")
        path, keys = f"/api/v1/machines/{machine}", f"/api/v1/machines/{machine}/keys"
        enrolment = self.ask("machine add", "POST", "/api/v1/machines", {"name": machine})["enrolment"]
        control = {"public_key": random_key()}
        agent_key = self.ask("enrol", "POST", "/api/v1/agent/enrol", control, bearer=enrolment["token"])["agent_key"]
        self.register("register", agent_key)
        self.register("register another key", agent_key)
        self.ask("machine change", "PATCH", path, {"site": machine})
        agent = new_name("synced")
        self.dialect("dialect register", agent)
        self.dialect("dialect register again", agent)
        jump = {"public_key": random_key(), "machines": [machine]}
        key = self.ask("tunnel-key add", "POST", "/api/v1/tunnel-keys", jump)
        self.ask("tunnel-key revoke", "DELETE", f"/api/v1/tunnel-keys/{key['id']}")
        token = self.ask("token add", "POST", "/api/v1/tokens", {"label": "synced"})
        self.ask("token revoke", "DELETE", f"/api/v1/tokens/{token['id']}")
        second = self.ask("agent-key add", "POST", keys)
        self.ask("agent-key revoke", "DELETE", f"{keys}/{second['id']}")
        another = self.ask("enrolment add", "POST", f"{path}/enrolments", {})
        self.ask("enrolment revoke", "DELETE", f"{path}/enrolments/{another['id']}")
        self.ask("machine remove", "DELETE", path)


def log_of(gateway):
    """Where SQLite's commits go."""
    return gateway.database.with_name(gateway.database.name + "-wal")


def test_each_change_is_synced_before_its_answer(gateway, trace, figures):
    changes = Changes(gateway)
    with trace:
        for _ in range(REPEATS):
            changes.all()
    unsynced = [name for name, asked in changes.made if not trace.syncs(asked.client, log_of(gateway))]
    assert unsynced == []
    figures.note("synced before the answer", f"{len(changes.made)} of {len(changes.made)} changes of "
                 f"{len({name for name, _ in changes.made})} kinds")  # fmt: skip


def test_changes_at_once_share_syncs_and_wait_for_them(gateway, trace, figures):
    machine = gateway.ok("POST", "/api/v1/machines", {"name": new_name("synced")})["machine"]["name"]
    requests = {
        "machine add": lambda: Asked(gateway, "POST", "/api/v1/machines", {"name": new_name("synced")}),
        "tunnel-key add": lambda: Asked(gateway, "POST", "/api/v1/tunnel-keys",
                                        {"public_key": random_key(), "machines": [machine]}),
        "dialect register": lambda: Asked(gateway, "POST", "/", {"action": "register", "agent_id": new_name("synced")},
                                          headers={"X-API-Key": API_KEY}),
        "token add": lambda: Asked(gateway, "POST", "/api/v1/tokens", {"label": "synced"}),
    }  # fmt: skip
    together = threading.Barrier(AT_ONCE)

    def one(name):
        together.wait(20)
        return name, requests[name]()

    with trace, concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        made = list(pool.map(one, list(requests) * (AT_ONCE // len(requests))))
    syncs = {asked.client: trace.syncs(asked.client, log_of(gateway)) for _, asked in made}
    assert [name for name, asked in made if not syncs[asked.client]] == []
    last = {found[-1].began for found in syncs.values()}
    figures.note("changes at once", f"{AT_ONCE} answered after {len(last)} different syncs")


def test_what_changes_nothing_waits_for_no_sync(gateway, trace):
    """The other way round, or a sync that always happens to lie there would prove nothing."""
    changes = Changes(gateway)
    changes.all()
    agent = new_name("synced")
    changes.dialect("dialect register", agent)
    beat = {"action": "heartbeat", "agent_id": agent}
    with trace:
        made = [Asked(gateway, "GET", "/api/v1/machines") for _ in range(20)]
        made += [Asked(gateway, "POST", "/", beat, headers={"X-API-Key": API_KEY}) for _ in range(20)]
    # What gathers in memory is written every two seconds, and may be so in the middle of a request.
    assert sum(1 for asked in made if trace.syncs(asked.client, log_of(gateway))) < 10
