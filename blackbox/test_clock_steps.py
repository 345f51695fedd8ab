"""The gateway's wall clock is set, forward and back: living machines keep their ports, and what ended stays ended."""

import concurrent.futures
import contextlib
import datetime
import os
import signal
import time

import clock as clocks
import pytest
from clock import Clock, moment
from commands import run
from gateway import Gateway, available_modes, default_mode
from machine import PrivateMachine, Visitor, counted_without_gap
from networks import Canary
from sshkeys import KeyPair
from tunnels import Jump, Tunnel, new_name
from waiting import stays, wait_until

pytestmark = pytest.mark.skipif(clocks.lacking() is not None, reason=str(clocks.lacking()))

LONG = 31_536_000
STEPS = [{"minutes": 10}, {"hours": 1}, {"days": 30}]


def words(step):
    return " ".join(f"{number} {unit}" for unit, number in step.items())


class Site:
    """A gateway on a clock of its own, with the shortest heartbeats and a token that outlasts every step."""

    def __init__(self, mode):
        with contextlib.ExitStack() as opening:
            self.clock = opening.enter_context(contextlib.closing(Clock()))
            self.gateway = opening.enter_context(
                Gateway(mode, environment=self.clock.environment,
                        extra=["--heartbeat", "1s", "--sshd", str(self.clock.sshd)]))  # fmt: skip
            made = self.gateway.ok("POST", "/api/v1/tokens", {"label": "lasting", "ttl": LONG})
            self.gateway.token_file.write_text(made["token"] + "\n")
            self.open = opening.pop_all()

    def keep(self, part):
        """Closed with the site, also after a failure."""
        return self.open.enter_context(contextlib.closing(part))

    def machine(self):
        return self.keep(PrivateMachine(self.gateway))

    def visitor(self, machine):
        """One whose key outlasts every step."""
        visitor = Visitor(self.gateway, machine)
        self.gateway.ok("DELETE", f"/api/v1/tunnel-keys/{visitor.id}")
        body = {"public_key": visitor.jump_key.line, "machines": [machine.name], "ttl": LONG}
        visitor.id = self.gateway.ok("POST", "/api/v1/tunnel-keys", body)["id"]
        return visitor

    def is_held(self, lease):
        """The agent has renewed it: it ends a whole lifetime from the gateway's present."""
        return moment(lease["expires_at"]) > self.clock.now() + datetime.timedelta(days=6, hours=23)


@pytest.fixture(params=["root", "user-plain"])
def site(request):
    if reason := available_modes().get(request.param):
        pytest.skip(f"{request.param}: {reason}")
    site = Site(request.param)
    with site.open:
        yield site


@pytest.fixture
def one_site():
    """For what doesn't depend on the mode."""
    site = Site(default_mode())
    with site.open:
        yield site


def test_the_shim_moves_the_gateways_clock(site):
    site.clock.set(days=100)
    label = new_name()
    made = site.gateway.ok("POST", "/api/v1/tokens", {"label": label})
    assert abs(moment(made["created_at"]) - site.clock.now()) < datetime.timedelta(seconds=10)
    site.clock.set()
    made = site.gateway.ok("POST", "/api/v1/tokens", {"label": label})
    assert abs(moment(made["created_at"]) - site.clock.now()) < datetime.timedelta(seconds=10)


def undisturbed(site, steps):
    """Through all of `steps` and back: the same port, the same generation, the open session; and new logins get in."""
    machine = site.machine()
    visitor = site.visitor(machine)
    session = site.keep(visitor.counting().wait_for(b"3\n"))
    before = machine.facts()["lease"]
    for step in steps:
        site.clock.set(**step)
        assert machine.facts()["lease"], f"the port was taken away after {step}"
        # Forward: until the agent has reported. Backward the lease is good as it is.
        wait_until(lambda: site.is_held(machine.facts()["lease"]), 10, "the lease renewed")
        session.flowing()
        if "days" in step or not step:
            wait_until(lambda: visitor.run("true").returncode == 0, 10, "let in", every=0.3)
        after = machine.facts()["lease"]
        assert (after["port"], after["generation"]) == (before["port"], before["generation"]), step
        assert machine.facts()["connected"]
    session.flowing()
    assert counted_without_gap(session)
    assert machine.process.poll() is None
    actions = [row["action"] for row in site.gateway.ok("GET", "/api/v1/audit/events?limit=500")]
    assert "lease.expired" not in actions and actions.count("machine.registered") == 1


def backward(step):
    return {unit: -number for unit, number in step.items()}


def test_a_living_machine_keeps_port_and_session_when_the_clock_goes_forward_and_comes_back(site):
    undisturbed(site, [*STEPS, {}])


def test_a_living_machine_keeps_port_and_session_when_the_clock_goes_back_and_comes_again(site):
    undisturbed(site, [*map(backward, STEPS), {}])


@pytest.mark.long
@pytest.mark.parametrize("step", [*STEPS, *map(backward, STEPS)], ids=words)
def test_each_step_by_itself(site, step):
    undisturbed(site, [step, {}])


@pytest.mark.parametrize("step", [{"days": 30}, pytest.param({"days": -30}, marks=pytest.mark.long)], ids=words)
def test_a_connection_that_breaks_while_the_clock_is_off_comes_back_to_its_port(site, step):
    machine = site.machine()
    visitor, port = site.visitor(machine), machine.port
    site.clock.set(**step)
    wait_until(lambda: site.is_held(machine.facts()["lease"]), 10, "the lease renewed")
    (ssh,) = machine.tunnels()
    os.kill(ssh, signal.SIGKILL)
    wait_until(lambda: visitor.run("true").returncode == 0, 30,
               lambda: f"let in:\n{machine.log[-1500:]}\n{site.gateway.log_end}", every=0.3)  # fmt: skip
    assert machine.port == port


def test_a_glitch_takes_no_port_from_a_machine_that_had_no_time_to_report(one_site):
    """For a few seconds the clock is a month ahead; nobody has reported in them."""
    gateway, target = one_site.gateway, one_site.keep(Canary())
    tunnel = one_site.keep(Tunnel(gateway, target.port)).open()
    jump = Jump(gateway, [tunnel.name], ttl=LONG)
    one_site.clock.set(days=30)
    # The sweep runs every second.
    stays(lambda: tunnel.ssh.poll() is None and gateway.ok("GET", tunnel.path)["lease"], 4, "port and tunnel stay")
    one_site.clock.set()
    assert gateway.ok("GET", tunnel.path)["lease"]["port"] == tunnel.port
    assert run(jump.command(tunnel.port)).stdout == "canary\n"
    wait_until(lambda: "the clock was set" in gateway.log, 5, "a word about it in the log")


@pytest.mark.long
def test_after_the_grace_only_the_silent_lose_their_ports(one_site):
    gateway = one_site.gateway
    machine, silent = one_site.machine(), Tunnel(gateway)
    port = machine.port
    one_site.clock.set(days=30)
    wait_until(lambda: not gateway.ok("GET", silent.path)["lease"], 180, "the silent one's port given back", every=1)
    assert machine.port == port and machine.facts()["connected"]
    (event,) = gateway.ok("GET", "/api/v1/audit/events?action=lease.expired&limit=10")
    assert event["details"]["port"] == str(silent.port)


@pytest.mark.parametrize("step", [pytest.param({"hours": -1}, marks=pytest.mark.long), {"days": -30}], ids=words)
def test_nothing_that_ended_comes_back_when_the_clock_goes_back(site, step):
    gateway, target = site.gateway, site.keep(Canary())
    tunnel = site.keep(Tunnel(gateway, target.port)).open()
    revoked, short, lasting = (Jump(gateway, [tunnel.name], ttl=ttl) for ttl in (LONG, 60, LONG))
    token = gateway.ok("POST", "/api/v1/tokens", {"label": "revoked"})
    assert gateway.call("GET", "/api/v1/whoami", token=token["token"]).status == 200
    gateway.ok("DELETE", revoked.path)
    gateway.ok("DELETE", f"/api/v1/tokens/{token['id']}")
    site.clock.set(seconds=90)
    wait_until(lambda: gateway.ok("GET", short.path)["revoked_at"], 10, "the expired key swept")
    site.clock.set(**step)
    for _ in range(2):
        for key in (revoked, short):
            assert "Permission denied" in run(key.command(tunnel.port)).stderr
        assert gateway.call("GET", "/api/v1/whoami", token=token["token"]).status == 401
        assert run(lasting.command(tunnel.port)).stdout == "canary\n"
        gateway.stop()
        gateway.start()
    # New things are made, and written into the trail.
    newcomer = site.keep(Tunnel(gateway, target.port)).open()
    jump = Jump(gateway, [newcomer.name])
    assert run(jump.command(newcomer.port)).stdout == "canary\n"
    trail = gateway.state / "audit" / "audit.jsonl"
    wait_until(lambda: jump.id in trail.read_text(), 10, "the newest event in the exported trail")
    assert any(row["subject"] == f"tunnel-key:{jump.id}" for row in gateway.ok("GET", "/api/v1/audit/events?limit=500"))


def test_a_step_past_the_end_of_a_key_refuses_and_cuts(site, figures):
    gateway, target = site.gateway, site.keep(Canary(streaming=True))
    tunnel = site.keep(Tunnel(gateway, target.port)).open()
    jump = Jump(gateway, [tunnel.name], ttl=60, connection_ttl=600)
    stream = site.keep(jump.connect(tunnel.port).wait_for(b"canary"))
    site.clock.set(seconds=70)
    assert "Permission denied" in run(jump.command(tunnel.port)).stderr
    stream.flowing()
    begun = time.monotonic()
    site.clock.set(seconds=610)
    cut = stream.wait_end() - begun
    figures.note(f"step past a connection's end to cut, {gateway.mode}", f"{cut * 1000:.0f} ms")
    assert cut < 3
    site.clock.set()
    assert "Permission denied" in run(jump.command(tunnel.port)).stderr


def test_tokens_and_enrolments_end_with_the_clock(one_site):
    gateway = one_site.gateway
    short = gateway.ok("POST", "/api/v1/tokens", {"label": "short", "ttl": 60})["token"]
    assert gateway.call("GET", "/api/v1/whoami", token=short).status == 200
    machine = gateway.ok("POST", "/api/v1/machines", {"name": new_name(), "enrolment_ttl": 60})
    kept = gateway.ok("POST", "/api/v1/machines", {"name": new_name(), "enrolment_ttl": 86_400})

    def enrol(made):
        body = {"public_key": KeyPair(gateway.home).line}
        return gateway.call("POST", "/api/v1/agent/enrol", body, token=made["enrolment"]["token"])

    one_site.clock.set(seconds=70)
    # The credential is in memory from the call before: its end is judged there too.
    assert gateway.call("GET", "/api/v1/whoami", token=short).status == 401
    refused = enrol(machine)
    assert (refused.status, refused.code) == (401, "ENROLMENT_REFUSED"), refused
    assert enrol(kept).status == 201
    one_site.clock.set(days=30)
    for path in ("machines", "tunnel-keys", "tokens", "connections", "audit/events", "gateway"):
        assert gateway.call("GET", f"/api/v1/{path}").status == 200, path
    one_site.clock.set(days=-30)
    assert gateway.call("GET", "/api/v1/whoami").status == 200


def test_small_steps_under_load_are_not_noticed(one_site, chance):
    gateway = one_site.gateway
    machine = one_site.machine()
    tunnels = [Tunnel(gateway) for _ in range(4)]
    before = {tunnel.name: gateway.ok("GET", tunnel.path)["lease"]["port"] for tunnel in tunnels}
    port, ended, wrong = machine.port, [], []

    def work(tunnel):
        while not ended:
            beat = {"generation": tunnel.generation}
            made = gateway.call("POST", "/api/v1/tokens", {"label": "short", "ttl": 60})
            answers = [
                made,
                gateway.call("POST", "/api/v1/agent/heartbeat", beat, token=tunnel.agent_key),
                gateway.call("PATCH", tunnel.path, {"site": new_name()}),
                gateway.call("GET", "/api/v1/machines"),
                gateway.call("DELETE", f"/api/v1/tokens/{made.body.get('id')}"),
            ]
            wrong.extend(answer for answer in answers if answer.status >= 400)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        running = [pool.submit(work, tunnel) for tunnel in tunnels]
        try:
            for _ in range(20):
                one_site.clock.set(seconds=chance.uniform(-5, 5))
                stays(lambda: not wrong, 0.2, "every request answered well")
        finally:
            ended.append(True)
        for each in running:
            each.result(20)
    assert not wrong, wrong[:3]
    assert {tunnel.name: gateway.ok("GET", tunnel.path)["lease"]["port"] for tunnel in tunnels} == before
    assert machine.port == port and machine.facts()["connected"]
