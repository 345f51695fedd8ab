"""Secrets of the gateway's environment: what each opens, what is too weak to, and that nothing of them stays there."""

import pathlib
import secrets
import string

import pytest
from commands import descendants
from dialect import register
from foreign import API_KEY
from gateway import Gateway
from networks import listening
from sshkeys import KeyPair
from tunnels import Tunnel, new_name
from waiting import wait_until

WHOAMI, REGISTER, HEARTBEAT = "/api/v1/whoami", "/api/v1/agent/register", "/api/v1/agent/heartbeat"
STRONG = secrets.token_urlsafe(32)
SHARED = secrets.token_hex(16)


@pytest.fixture(scope="module")
def gateway():
    environment = {"TIDEGATE_DRAIN_SECRET": STRONG, "AGENT_API_KEY": SHARED}
    with Gateway(environment=environment) as gateway:
        yield gateway


def refused(answer, status, code):
    assert (answer.status, answer.code) == (status, code), answer
    return answer


def machine_of(gateway):
    """A machine that holds no agent key."""
    return gateway.ok("POST", "/api/v1/machines", {"name": new_name()})["machine"]


def report(gateway, key=None):
    key = key or KeyPair(gateway.home, "shared")
    return {"public_key": key.line, "host_keys": [], "os": "test", "agent_version": "0"}


def as_agent(gateway, machine, path, body, key=SHARED):
    return gateway.call("POST", path, body, key, headers={"X-Agent-ID": machine} if machine is not None else {})


# --- the drain secret ---


def test_the_drain_secret_may_drain_and_nothing_else(gateway):
    who = gateway.ok("GET", WHOAMI, token=STRONG)
    assert who == {"kind": "environment", "name": "drain-secret", "scopes": ["drain"]}
    for method, path, body in (
        ("GET", "/api/v1/machines", None), ("POST", "/api/v1/machines", {"name": new_name()}),
        ("GET", "/api/v1/connections", None), ("POST", "/api/v1/tokens", {"label": "x"}), ("GET", "/api/v1/users", None),
        ("GET", "/api/v1/audit/events", None), ("POST", "/api/v1/node-tokens/forget", None),
    ):  # fmt: skip
        refused(gateway.call(method, path, body, STRONG), 403, "FORBIDDEN")
    refused(gateway.call("POST", REGISTER, report(gateway), STRONG), 401, "UNAUTHENTICATED")
    refused(as_agent(gateway, machine_of(gateway)["agent_id"], REGISTER, report(gateway), STRONG), 401,
            "UNAUTHENTICATED")  # fmt: skip


@pytest.mark.parametrize("near", [
    STRONG[:-1], STRONG + "x", STRONG.swapcase(), STRONG[1:] + STRONG[:1], "x" * len(STRONG), STRONG + "\x00",
])  # fmt: skip
def test_what_is_nearly_the_secret_is_nothing(gateway, near):
    raw = {"Authorization": b"Bearer " + near.encode()}
    assert gateway.api.call("GET", WHOAMI, headers=raw).status in (400, 401)


WEAK = {
    "42 characters": (string.ascii_letters + string.digits)[:42], "60 times a": "a" * 60, "15 times abcd": "abcd" * 15,
    "empty": "", "15 different ones": (string.ascii_lowercase[:15] * 4)[:50], "a blank": STRONG + " x",
    "a word beyond ASCII": "ü" * 60 + STRONG, "few bits": "abcdefghijklmnop" + "a" * 40, "too long": STRONG * 30,
    "like an agent key": "cak_" + STRONG, "like a node token": "mcn_" + STRONG,
}  # fmt: skip


@pytest.mark.parametrize("weakness", WEAK)
def test_h13_a_weak_secret_opens_nothing_and_the_gateway_starts(weakness):
    secret = WEAK[weakness]
    with Gateway(environment={"TIDEGATE_DRAIN_SECRET": secret}) as gateway:
        raw = {"Authorization": b"Bearer " + secret.encode()}
        assert gateway.api.call("GET", WHOAMI, headers=raw).status == 401
        assert "a secret of the environment isn't used" in gateway.log and "TIDEGATE_DRAIN_SECRET" in gateway.log
        assert gateway.call("GET", WHOAMI).status == 200
        assert len(secret) < 20 or secret not in gateway.log


def test_the_secret_by_its_other_name():
    with Gateway(environment={"HERMES_DASHBOARD_DRAIN_SECRET": STRONG}) as gateway:
        assert gateway.ok("GET", WHOAMI, token=STRONG)["scopes"] == ["drain"]


def test_a_weak_secret_is_not_made_up_for_by_the_other_name():
    """Whoever set the first one meant it: the second is not fallen back to."""
    environment = {"TIDEGATE_DRAIN_SECRET": "weak", "HERMES_DASHBOARD_DRAIN_SECRET": STRONG}
    with Gateway(environment=environment) as gateway:
        refused(gateway.call("GET", WHOAMI, token=STRONG), 401, "UNAUTHENTICATED")


# --- agents' shared key ---


def test_without_the_variable_there_is_no_shared_key():
    with Gateway() as plain:
        machine = machine_of(plain)
        refused(as_agent(plain, machine["agent_id"], REGISTER, report(plain)), 401, "UNAUTHENTICATED")
        assert "AGENT_API_KEY" not in plain.log


def test_it_is_warned_of(gateway):
    assert "AGENT_API_KEY is set" in gateway.log
    warnings = gateway.api.call("GET", "/readyz").body["warnings"]
    assert any("AGENT_API_KEY" in warning for warning in warnings)


def test_it_acts_as_the_machine_that_is_named_and_each_use_is_audited(gateway):
    machine = machine_of(gateway)
    answer = as_agent(gateway, machine["agent_id"], REGISTER, report(gateway))
    assert answer.status == 200 and answer.body["agent_id"] == machine["agent_id"], answer
    for _ in range(2):
        beat = {"generation": answer.body["generation"]}
        assert as_agent(gateway, machine["agent_id"], HEARTBEAT, beat).status == 200
    events = [
        event for event in gateway.ok("GET", "/api/v1/audit/events?action=agent-api-key.used")
        if event["details"]["agent_id"] == machine["agent_id"]
    ]  # fmt: skip
    assert len(events) == 3
    assert {(event["severity"], event["credential"], event["subject"]) for event in events} == {
        ("warning", "agent-api-key", f"machine:{machine['id']}")
    }


def test_it_names_a_machine_or_is_refused(gateway):
    for claim in (None, "", "a b", "-x", "x" * 200):
        answer = refused(as_agent(gateway, claim, REGISTER, report(gateway)), 400, "INVALID_FIELD")
        assert "X-Agent-ID" in answer.body["detail"]
    refused(as_agent(gateway, new_name("none"), REGISTER, report(gateway)), 404, "MACHINE_NOT_FOUND")


def test_it_never_is_a_machine_that_has_a_key(gateway):
    tunnel = Tunnel(gateway)
    refused(as_agent(gateway, tunnel.agent_id, REGISTER, report(gateway)), 403, "FORBIDDEN")
    beat = {"generation": tunnel.generation}
    refused(as_agent(gateway, tunnel.agent_id, HEARTBEAT, beat), 403, "FORBIDDEN")
    assert gateway.call("POST", HEARTBEAT, beat, tunnel.agent_key).status == 200
    # Revoked keys keep nobody out, unrevoked ones do.
    for key in tunnel.key_ids():
        gateway.ok("DELETE", f"{tunnel.path}/keys/{key}")
    assert as_agent(gateway, tunnel.agent_id, REGISTER, report(gateway)).status == 200


def test_it_never_is_an_agent_of_the_dialect():
    """Whoever holds one shared key has nothing of what another one made."""
    with Gateway(environment={"AGENT_API_KEY": SHARED, "API_KEY": API_KEY}) as both:
        agent = new_name("dialect")
        assert register(both, agent).status == 200
        refused(as_agent(both, agent, REGISTER, report(both)), 403, "FORBIDDEN")
        machine = machine_of(both)["agent_id"]
        assert as_agent(both, machine, REGISTER, report(both)).status == 200
        assert register(both, machine).status >= 400


def test_enrolling_a_machine_takes_it_from_the_shared_key(gateway):
    added = gateway.ok("POST", "/api/v1/machines", {"name": new_name()})
    machine = added["machine"]["agent_id"]
    tunnel = Tunnel.__new__(Tunnel)
    tunnel.gateway, tunnel.target_port, tunnel.name, tunnel.ssh = gateway, 9, added["machine"]["name"], None
    tunnel.key = KeyPair(gateway.home, "taken")
    try:
        registered = as_agent(gateway, machine, REGISTER, report(gateway, tunnel.key)).body
        tunnel.port = registered["port_b"]
        tunnel.open()
        enrolled = gateway.ok("POST", "/api/v1/agent/enrol", {"public_key": KeyPair(gateway.home).line},
                              token=added["enrolment"]["token"])  # fmt: skip
        refused(as_agent(gateway, machine, HEARTBEAT, {"generation": registered["generation"]}), 403, "FORBIDDEN")
        # Whoever held the port by the shared key loses it to the machine's own registration.
        gateway.ok("POST", REGISTER, report(gateway), token=enrolled["agent_key"])
        wait_until(lambda: tunnel.ssh.poll() is not None and not listening(tunnel.port), 5, "the old tunnel gone")
    finally:
        tunnel.close()


def test_it_is_no_credential_anywhere_else(gateway):
    for method, path, body in (
        ("GET", WHOAMI, None), ("GET", "/api/v1/gateway", None), ("GET", "/api/v1/machines", None),
        ("POST", "/api/v1/tokens", {"label": "x"}), ("POST", "/api/v1/tokens/current/renew", None),
    ):  # fmt: skip
        refused(gateway.call(method, path, body, SHARED, headers={"X-Agent-ID": "box"}), 403, "FORBIDDEN")


def test_a_users_credential_is_nobody_on_agents_routes(gateway):
    machine = machine_of(gateway)
    for claim in (None, machine["agent_id"]):
        refused(as_agent(gateway, claim, REGISTER, report(gateway), gateway.token), 401, "UNAUTHENTICATED")


@pytest.mark.parametrize("weak", ["", "changeme", "a" * 40, "short-but-various-1", "x y" * 20])
def test_a_weak_shared_key_is_not_used(weak):
    with Gateway(environment={"AGENT_API_KEY": weak}) as gateway:
        answer = gateway.api.call("POST", REGISTER, report(gateway), headers={
            "Authorization": b"Bearer " + weak.encode(), "X-Agent-ID": machine_of(gateway)["agent_id"],
        })  # fmt: skip
        assert answer.status == 401, answer
        assert "a secret of the environment isn't used" in gateway.log


# --- what stays of them ---


def test_nothing_of_them_stays_in_an_environment():
    """Neither in what /proc shows of the gateway nor in any child of it; `API_KEY` of the dialect alike."""
    keys = "first-shared-key-of-the-dialect"
    environment = {"TIDEGATE_DRAIN_SECRET": STRONG, "AGENT_API_KEY": SHARED, "API_KEY": keys,
                   "HERMES_DASHBOARD_DRAIN_SECRET": STRONG[::-1]}  # fmt: skip
    with Gateway(environment=environment) as own:
        tunnel = Tunnel(own)
        try:
            tunnel.open()
            pids = [own.process.pid, *descendants(own.process.pid)]
            assert len(pids) > 1
            for pid in pids:
                for name in ("environ", "cmdline"):
                    seen = pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
                    for secret in (STRONG, SHARED, keys, STRONG[::-1]):
                        assert secret.encode() not in seen, (pid, name)
        finally:
            tunnel.close()


def test_no_secret_is_written_anywhere(gateway):
    gateway.call("GET", WHOAMI, token=STRONG)
    for path in gateway.state.rglob("*"):
        if path.is_file():
            for secret in (STRONG, SHARED):
                assert secret.encode() not in path.read_bytes(), path
    assert STRONG not in gateway.log and SHARED not in gateway.log
