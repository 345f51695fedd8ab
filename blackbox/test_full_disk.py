"""The state directory's disk is full: nothing changes, nobody is told that it did, logins go on, and room heals it."""

import concurrent.futures
import http.client

import programs
import pytest
from changes import Supplies
from commands import run
from disks import SmallSite
from gateway import available_modes
from networks import Canary
from tunnels import Jump, Tunnel, new_name
from waiting import wait_until

pytestmark = pytest.mark.skipif(not programs.is_root(), reason="mounting a small disk needs root")

SHARED_KEY = "a-shared-key"
SIZE = 12  # MiB


@pytest.fixture(scope="module", params=["root", "user-plain"])
def small(request):
    if reason := available_modes().get(request.param):
        pytest.skip(f"{request.param}: {reason}")
    site = SmallSite(request.param, SIZE, API_KEY=SHARED_KEY)
    yield site
    site.close()


@pytest.fixture
def site(small):
    """A test that failed half-way leaves room and a running gateway."""
    yield small
    small.disk.free()
    if small.gateway.process.poll() is not None:
        small.gateway.start()


def test_every_kind_of_change_is_refused_and_changes_nothing(site):
    supplies = [Supplies(site.gateway, SHARED_KEY) for _ in range(8)]
    rounds = [each.changes() for each in supplies]
    site.fill()
    asked = []
    for changes in rounds:
        # A small change may still fit where a larger one did not; then it is kept.
        for change in changes:
            change.ask()
        asked += changes
        site.disk.fill()
        if not any(change.succeeded for change in changes):
            break
    assert not any(change.succeeded for change in changes), "the disk is not full"
    for change in asked:
        assert change.happened() == change.succeeded, change
        if not change.succeeded:
            assert change.answer.status == 503, change
            if change.name.startswith("an agent of the dialect"):
                assert list(change.answer.body) == ["detail"], change
            else:
                assert change.answer.code == "DATABASE_UNAVAILABLE", change
    site.healed()
    for change in asked:
        assert change.happened() == change.succeeded, change
    site.gateway.kill()
    site.gateway.start()
    for change in asked:
        assert change.happened() == change.succeeded, change
    for change in rounds[-1]:
        if not change.answer or not change.succeeded:
            assert change.ask().status in (200, 201, 204) and change.happened(), change
    site.check_trail()


def test_reading_and_heartbeats_go_on(site):
    gateway = site.gateway
    tunnel, agent, headers = Tunnel(gateway), new_name("dialect"), {"X-API-Key": SHARED_KEY}
    assert gateway.api.call("POST", "/", {"action": "register", "agent_id": agent}, headers=headers).status == 200
    site.fill()
    for path in ("/healthz", "/readyz", "/metrics"):
        assert gateway.api.call("GET", path).status == 200, path
    for path in ("whoami", "gateway", "machines", "tunnel-keys", "tokens", "connections", "audit/events"):
        assert gateway.call("GET", f"/api/v1/{path}").status == 200, path
    assert gateway.call("GET", tunnel.path).body["name"] == tunnel.name
    body = {"generation": tunnel.generation}
    assert gateway.call("POST", "/api/v1/agent/heartbeat", body, token=tunnel.agent_key).status == 200
    answer = gateway.api.call("POST", "/", {"action": "heartbeat", "agent_id": agent}, headers=headers)
    assert (answer.status, answer.body) == (200, {"status": "ok"})
    site.healed()


def test_known_keys_log_in(site):
    """What is needed most in such an hour: the way in, also for a machine that lost its connection."""
    gateway = site.gateway
    target = Canary(streaming=True)
    standing, returning = Tunnel(gateway, target.port).open(), Tunnel(gateway, target.port)
    jump = Jump(gateway, [standing.name, returning.name])
    before = jump.connect(standing.port).wait_for(b"canary")
    try:
        site.fill()
        returning.open()
        for tunnel in (standing, returning):
            jump.connect(tunnel.port).wait_for(b"canary").close()
        before.flowing()
        site.healed()
        before.flowing()
        gateway.ok("DELETE", jump.path)
        before.wait_end(5)
    finally:
        for part in (before, standing, returning, target):
            part.close()


def test_a_revocation_is_never_told_and_forgotten(site):
    """Refused, the key is as good as before; once it is told done, the key is dead, also after a crash."""
    gateway = site.gateway
    target = Canary(streaming=True)
    tunnel = Tunnel(gateway, target.port).open()
    jumps = [Jump(gateway, [tunnel.name]) for _ in range(6)]
    live = [jump.connect(tunnel.port).wait_for(b"canary") for jump in jumps]
    try:
        site.fill()
        done = {}
        for jump in jumps:
            done[jump] = gateway.call("DELETE", jump.path).status
            site.disk.fill()
        assert done[jumps[-1]] == 503, "the disk is not full"
        for jump, stream in zip(jumps, live, strict=True):
            if done[jump] == 204:
                stream.wait_end(5)
                assert "Permission denied" in run(jump.command(tunnel.port)).stderr
            else:
                assert done[jump] == 503
                stream.flowing()
                jump.connect(tunnel.port).wait_for(b"canary").close()
        site.healed()
        gateway.kill()
        gateway.start()
        for jump, stream in zip(jumps, live, strict=True):
            if done[jump] == 503:
                stream.flowing()
                gateway.ok("DELETE", jump.path)
            stream.wait_end(5)
            assert "Permission denied" in run(jump.command(tunnel.port)).stderr
    finally:
        for part in (*live, tunnel, target):
            part.close()


def load(site, until, acknowledged, refused):
    """Adds machines until `until` says so; what was told goes into the two sets."""
    while not until():
        name = new_name("load")
        try:
            answer = site.add_machine(name)
        except (OSError, http.client.HTTPException):
            continue
        assert answer.status in (201, 503), answer
        (acknowledged if answer.status == 201 else refused).add(name)


def names(gateway):
    path, found = "/api/v1/machines?limit=1000", set()
    while path:
        answer = gateway.call("GET", path)
        found |= {row["name"] for row in answer.body}
        link = answer.headers.get("link", "")
        path = link.partition("<")[2].partition(">")[0].replace(gateway.api.url, "") if 'rel="next"' in link else None
    return found


def overrun(site, refusals, figures):
    """16 clients at once until the disk is full and beyond; then a crash, room, and a start."""
    acknowledged, refused = set(), set()
    before = site.resident()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        running = [pool.submit(load, site, lambda: len(refused) >= refusals, acknowledged, refused) for _ in range(16)]
        for each in running:
            each.result(120)
    grown = site.resident() - before
    said = f"{len(acknowledged)} changes taken, {len(refused)} refused, memory grew by {grown:.0f} MiB"
    figures.note(f"full disk, 16 clients, {site.gateway.mode}", said)
    assert acknowledged and grown < 200
    assert site.gateway.api.call("GET", "/healthz").status == 200
    there = names(site.gateway)
    assert acknowledged <= there and not refused & there
    site.gateway.kill()
    site.disk.free()
    site.gateway.start()
    there = names(site.gateway)
    assert acknowledged <= there, f"{len(acknowledged - there)} acknowledged changes are gone"
    assert not refused & there, f"{len(refused & there)} refused changes are there"
    site.healed()
    site.check_trail()


def test_nothing_acknowledged_is_lost_when_load_meets_the_end_of_the_disk(site, figures):
    site.disk.fill(leaving=4 << 20)
    overrun(site, 500, figures)


@pytest.mark.long
@pytest.mark.parametrize("mode", ["root", "user-plain"])
def test_load_alone_fills_the_disk(mode, figures):
    """Nothing else on that disk: store, log and audit trail grow until nothing is left."""
    if reason := available_modes().get(mode):
        pytest.skip(f"{mode}: {reason}")
    site = SmallSite(mode, SIZE)
    try:
        acknowledged, refused = set(), set()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda _: load(site, lambda: len(refused) >= 5000, acknowledged, refused), range(16)))
        assert not refused & names(site.gateway) and acknowledged <= names(site.gateway)
        figures.note(f"load alone fills {SIZE} MiB, {mode}", f"after {len(acknowledged)} machines")
    finally:
        site.close()


def test_a_start_while_it_is_full_is_refused_clearly_or_works(site):
    gateway = site.gateway
    target = Canary()
    tunnel = Tunnel(gateway, target.port).open()
    jump = Jump(gateway, [tunnel.name])
    keys = gateway.coordinates()["ssh_host_keys"]
    try:
        for stop in (gateway.stop, gateway.kill):
            site.fill()
            stop()
            site.disk.fill()
            begun = len(gateway.log)
            gateway.launch()
            wait_until(lambda: gateway.process.poll() is not None or gateway.ready(), 20, "an end of the start")
            if gateway.process.poll() is None:
                jump.connect(tunnel.port).wait_for(b"canary").close()
            else:
                said = gateway.log[begun:]
                assert gateway.process.returncode > 0, said
                assert "No space left" in said and str(gateway.state) in said, said
                site.disk.free()
                gateway.start()
            site.healed()
            assert gateway.coordinates()["ssh_host_keys"] == keys
            assert gateway.call("GET", tunnel.path).body["lease"]["port"] == tunnel.port
            wait_until(lambda: lets_in(jump, tunnel.port), 15, "a known key let in")
            site.check_trail()
    finally:
        tunnel.close()
        target.close()


def lets_in(jump, port):
    return "canary" in run(jump.command(port)).stdout
