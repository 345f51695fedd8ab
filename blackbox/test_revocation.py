"""Revoking refuses the next login and ends what is live, within a second, in each mode."""

import time

import pytest
from commands import run
from networks import Canary, listening
from tunnels import Jump, Live, Tunnel
from waiting import stays, wait_until


@pytest.fixture
def live(gateway_in_mode):
    live = Live(gateway_in_mode)
    yield live
    live.close()


def within_a_second(figures, what, seconds):
    figures.note(f"revoke to cut: {what}", f"{seconds * 1000:.0f} ms")
    assert seconds < 1, f"{what}: {seconds:.3f} s"


def test_an_agent_key(live, mode, figures):
    gateway = live.gateway
    (key_id,) = live.tunnel.key_ids()

    def revoke():
        assert gateway.call("DELETE", f"{live.tunnel.path}/keys/{key_id}").status == 204

    within_a_second(figures, f"agent key, {mode}", live.cut(revoke))
    assert not listening(live.tunnel.port)
    assert live.refused_reverse()
    body = {"public_key": live.tunnel.key.line, "host_keys": [], "os": "", "agent_version": ""}
    answer = gateway.call("POST", "/api/v1/agent/register", body, token=live.tunnel.agent_key)
    assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")
    assert gateway.call("DELETE", f"{live.tunnel.path}/keys/{key_id}").status == 204


def test_a_machine(live, mode, figures):
    gateway = live.gateway

    def revoke():
        assert gateway.call("DELETE", live.tunnel.path).status == 204

    within_a_second(figures, f"machine, {mode}", live.cut(revoke))
    assert not listening(live.tunnel.port)
    assert live.refused_reverse() and live.refused_jump()
    assert gateway.call("POST", "/api/v1/agent/heartbeat", {"generation": 1}, token=live.tunnel.agent_key).status == 401
    assert gateway.call("GET", live.tunnel.path).code == "MACHINE_NOT_FOUND"


def test_a_jump_key(live, mode, figures):
    gateway = live.gateway

    def revoke():
        assert gateway.call("DELETE", live.jump.path).status == 204

    within_a_second(figures, f"jump key, {mode}", live.cut(revoke, tunnel=False))
    assert live.refused_jump()
    assert live.tunnel.ssh.poll() is None and listening(live.tunnel.port)


def test_a_raised_generation(live, mode, figures):
    before, port = live.tunnel.generation, live.tunnel.port
    old = live.tunnel.key
    within_a_second(figures, f"raised generation, {mode}", live.cut(live.tunnel.register))
    assert (live.tunnel.port, live.tunnel.generation) == (port, before + 1)
    done = run(live.tunnel.ssh_command(old), deadline=20)
    assert "Permission denied" in done.stderr, done.stderr
    # The port is free when the answer comes, so the new process binds it at its first try.
    live.tunnel.open()
    live.jump.connect(port).wait_for(b"canary").close()


def test_an_enrolment(gateway_in_mode):
    tunnel = Tunnel(gateway_in_mode)
    made = gateway_in_mode.ok("POST", f"{tunnel.path}/enrolments", {})
    assert gateway_in_mode.call("DELETE", f"{tunnel.path}/enrolments/{made['id']}").status == 204
    answer = gateway_in_mode.call(
        "POST", "/api/v1/agent/enrol", {"public_key": tunnel.first_key.line}, token=made["token"]
    )
    assert answer.status == 401, answer


def test_a_used_enrolment_buys_nothing_more(gateway_in_mode, tmp_path):
    from sshkeys import KeyPair

    tunnel = Tunnel(gateway_in_mode)
    body = {"public_key": KeyPair(tmp_path).line}
    answer = gateway_in_mode.call("POST", "/api/v1/agent/enrol", body, token=tunnel.enrolment["token"])
    assert (answer.status, answer.code) == (401, "ENROLMENT_REFUSED"), answer


def test_one_stranger_probing_does_not_shield_a_session(live, mode, figures):
    """Whoever has a public key can make sshd look it up: that process must not take the session's place."""
    public_only = live.gateway.home / f"probe-{mode}.pub"
    public_only.write_text(live.jump.key.line + "\n")
    command = [*live.gateway.ssh_arguments(public_only), "-W", f"127.0.0.1:{live.tunnel.port}", live.gateway.address]
    for _ in range(5):
        done = run(command, deadline=20)
        assert done.returncode != 0 and done.stdout == ""
    live.stream.flowing()

    def revoke():
        live.gateway.ok("DELETE", live.jump.path)

    within_a_second(figures, f"jump key after probes, {mode}", live.cut(revoke, tunnel=False))


def test_every_session_of_a_key_ends(live, mode, figures):
    more = [live.jump.connect(live.tunnel.port) for _ in range(4)]
    for stream in more:
        stream.wait_for(b"canary")

    def revoke():
        live.gateway.ok("DELETE", live.jump.path)

    begun = time.monotonic()
    live.cut(revoke, tunnel=False)
    within_a_second(figures, f"five sessions of one key, {mode}", max(s.wait_end() for s in more) - begun)
    for stream in more:
        stream.close()


def test_others_go_on(live):
    """One person's revocation is nobody else's."""
    other = Jump(live.gateway, [live.tunnel.name])
    stream = other.connect(live.tunnel.port).wait_for(b"canary")
    live.gateway.ok("DELETE", live.jump.path)
    stays(lambda: not stream.pump(), 1, "another person's session was cut")
    stream.flowing()
    stream.close()


def test_a_session_ends_with_its_time(gateway_in_mode):
    """`connection_until` ends what is live; the shortest time to live a key can be given is a minute."""
    answer = gateway_in_mode.call(
        "POST", "/api/v1/tunnel-keys", {"public_key": "ssh-ed25519 AAAA", "machines": ["nobody"], "ttl": 1}
    )
    assert answer.status == 400


@pytest.mark.long
def test_a_session_ends_with_its_time_after_a_minute(gateway_in_mode, mode, figures):
    target = Canary(streaming=True)
    tunnel = Tunnel(gateway_in_mode, target.port).open()
    begun = time.monotonic()
    jump = Jump(gateway_in_mode, [tunnel.name], ttl=60, connection_ttl=60)
    stream = jump.connect(tunnel.port).wait_for(b"canary")
    lasted = stream.wait_end(75) - begun
    figures.note(f"a key of 60 s: its session ended after, {mode}", f"{lasted:.2f} s")
    assert 59 < lasted < 62
    stream.close()
    tunnel.close()


def test_connections_are_listed_while_they_live(live):
    def rows():
        return [row for row in live.gateway.ok("GET", "/api/v1/connections") if row["key_id"] == live.jump.id]

    (row,) = wait_until(rows, 5, "the connection in the list")
    assert row["purpose"] == "jump" and row["pid"] > 1 and row["source"].startswith("127.")
    live.gateway.ok("DELETE", live.jump.path)
    wait_until(lambda: not rows(), 5, "the list without it")
