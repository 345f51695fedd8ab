"""Gateway, sshd's listener and agent are restarted; each heals by itself, and open sessions neither end nor escape."""

import os
import signal
import time

import pytest
from commands import run
from gateway import Gateway
from machine import PrivateMachine, Visitor, counted_without_gap
from networks import Canary, listening
from tunnels import Jump, Tunnel
from waiting import wait_until


@pytest.fixture(scope="module")
def machine(gateway_in_mode):
    with PrivateMachine(gateway_in_mode) as machine:
        yield machine


@pytest.fixture(autouse=True)
def running(gateway_in_mode):
    """A test that failed half-way does not fail those after it."""
    if gateway_in_mode.process.poll() is not None:
        gateway_in_mode.start()


RESTARTS = {"SIGTERM and start": Gateway.stop, "kill -9 and start": Gateway.kill}


@pytest.mark.parametrize("way", RESTARTS)
def test_an_open_session_flows_on_and_can_still_be_revoked(gateway_in_mode, machine, mode, way, figures):
    gateway = gateway_in_mode
    visitor = Visitor(gateway, machine)
    port, generation = machine.port, machine.facts()["lease"]["generation"]
    session = visitor.counting().wait_for(b"3\n")
    try:
        RESTARTS[way](gateway)
        session.flowing()
        assert not listening(gateway.ssh_port) and not listening(gateway.port)
        begun = time.monotonic()
        gateway.start()
        figures.note(f"gateway ready again after {way}, {mode}", f"{(time.monotonic() - begun) * 1000:.0f} ms")
        session.flowing()
        assert machine.port == port
        wait_until(lambda: machine.facts()["connected"], 15, "the machine shown as connected", every=0.1)
        assert machine.facts()["lease"]["generation"] == generation
        listed = [row["key_id"] for row in gateway.ok("GET", "/api/v1/connections")]
        assert visitor.id in listed
        session.flowing()
        assert counted_without_gap(session)
        begun = time.monotonic()
        gateway.ok("DELETE", f"/api/v1/tunnel-keys/{visitor.id}")
        cut = session.wait_end() - begun
        figures.note(f"revoke to cut after {way}, {mode}", f"{cut * 1000:.0f} ms")
        assert cut < 1
        assert "Permission denied" in visitor.run("true").stderr
    finally:
        session.close()


def test_the_agents_own_tunnel_is_cut_after_a_restart(gateway_in_mode, mode, figures):
    target = Canary(streaming=True)
    tunnel = Tunnel(gateway_in_mode, target.port).open()
    gateway_in_mode.kill()
    gateway_in_mode.start()
    begun = time.monotonic()
    gateway_in_mode.ok("DELETE", tunnel.path)
    wait_until(lambda: tunnel.ssh.poll() is not None, 10, "the end of ssh -R", every=0.001)
    cut = time.monotonic() - begun
    figures.note(f"machine removed after kill -9 and start, {mode}", f"{cut * 1000:.0f} ms")
    assert cut < 1
    target.close()


def test_a_connection_of_no_live_key_is_ended_at_start(gateway_in_mode, mode):
    """The key went while no gateway ran: the next one finds a connection that nothing accounts for."""
    gateway = gateway_in_mode
    target = Canary(streaming=True)
    tunnel = Tunnel(gateway, target.port).open()
    jump, other = Jump(gateway, [tunnel.name]), Jump(gateway, [tunnel.name])
    stream, untouched = (each.connect(tunnel.port).wait_for(b"canary") for each in (jump, other))
    gateway.kill()
    stream.flowing()
    gateway.edit_database("UPDATE tunnel_key SET revoked_at = created_at WHERE public_key = ?", (jump.key.line,))
    gateway.start()
    stream.wait_end(5)
    untouched.flowing()
    stream.close()
    untouched.close()
    tunnel.close()


def test_new_logins_while_the_gateway_is_away_are_not_let_in(gateway_in_mode, machine):
    visitor = Visitor(gateway_in_mode, machine)
    gateway_in_mode.stop()
    begun = time.monotonic()
    done = visitor.run("true")
    assert done.returncode == 255 and time.monotonic() - begun < 10
    gateway_in_mode.start()
    wait_until(lambda: visitor.run("true").returncode == 0, 20, "the way in open again", every=0.3)


def test_the_listener_of_sshd_heals(gateway_in_mode, machine):
    """Something ended the machine's connection at the gateway: the agent comes back to the same port by itself."""
    gateway = gateway_in_mode
    port = machine.port
    (row,) = [row for row in gateway.ok("GET", "/api/v1/connections")
              if row["purpose"] == "reverse" and os.path.exists(f"/proc/{row['pid']}")][:1]  # fmt: skip
    os.kill(row["pid"], signal.SIGTERM)
    visitor = Visitor(gateway, machine)
    wait_until(lambda: visitor.run("true").returncode == 0, 30, lambda: f"reachable again\n{machine.log[-2000:]}", 0.3)
    assert machine.port == port


def test_the_agents_ssh_is_killed(gateway_in_mode, machine):
    port = machine.port
    (ssh,) = machine.tunnels()
    os.kill(ssh, signal.SIGKILL)
    visitor = Visitor(gateway_in_mode, machine)
    wait_until(lambda: visitor.run("true").returncode == 0, 30, lambda: f"reachable again\n{machine.log[-2000:]}", 0.3)
    assert machine.port == port


def test_a_restarted_agent_keeps_its_port_and_makes_a_new_key(gateway_in_mode, machine, mode, figures):
    gateway = gateway_in_mode

    def reverse_keys():
        return {row["key_id"] for row in gateway.ok("GET", "/api/v1/connections") if row["purpose"] == "reverse"}

    before, keys = machine.facts()["lease"], reverse_keys()
    machine.stop()
    assert not listening(before["port"])
    begun = time.monotonic()
    machine.start()
    figures.note(f"agent start to connected, {mode}", f"{(time.monotonic() - begun) * 1000:.0f} ms")
    after = machine.facts()["lease"]
    assert (after["port"], after["generation"]) == (before["port"], before["generation"] + 1)
    assert not keys & reverse_keys()
    assert Visitor(gateway, machine).run("true").returncode == 0


def test_the_machines_sshd_restarts(gateway_in_mode, machine):
    visitor = Visitor(gateway_in_mode, machine)
    machine.sshd.process.terminate()
    machine.sshd.process.wait(5)
    assert visitor.run("true").returncode != 0
    machine.sshd.start()
    assert visitor.run("true").returncode == 0


def test_sigterm_to_the_gateway_is_graceful(gateway_in_mode):
    begun = time.monotonic()
    assert gateway_in_mode.stop() == 0
    assert time.monotonic() - begun < 15
    gateway_in_mode.start()
    assert run(["ssh-keyscan", "-T", "5", "-p", gateway_in_mode.ssh_port, gateway_in_mode.address]).returncode == 0
