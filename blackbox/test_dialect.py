"""The unmodified ssh-tunnel-gateway agent at our gateway, and every answer of its wire."""

import os
import signal
import socket

import pytest
from dialect import OTHER_KEY, ask, audited, heartbeat, opens, own, register, shared  # noqa: F401
from foreign import API_KEY, ForeignAgent, HandedKey
from gateway import Gateway, available_modes, default_mode
from sshkeys import KeyPair
from test_external_sshd import SystemSSHD, external
from tunnels import new_name
from waiting import wait_until


# --- the wire ---


def test_the_answers_of_the_wire(shared):
    assert shared.api.call("GET", "/healthz").body == {"status": "ok"}
    agent = new_name("wire")
    answer = register(shared, agent)
    assert answer.status == 200, answer
    body = answer.body
    assert set(body) == {"agent_id", "port_b", "ssh_user", "ssh_jump_user", "ssh_jump_host", "reverse_bind_host",
                         "public_key", "encrypted_private_key"}  # fmt: skip
    assert body["agent_id"] == agent and body["reverse_bind_host"] == "127.0.0.1"
    assert body["ssh_user"] == body["ssh_jump_user"] == shared.ssh_user
    assert shared.first_lease <= body["port_b"] <= shared.last_lease
    assert body["public_key"].startswith("ssh-ed25519 ")
    sealed = body["encrypted_private_key"]
    assert (sealed["kdf"], sealed["n"], sealed["r"], sealed["p"]) == ("scrypt", 16384, 8, 1)
    again = register(shared, agent).body["encrypted_private_key"]
    assert again["salt_b64"] == sealed["salt_b64"] and again["nonce_b64"] != sealed["nonce_b64"]
    assert heartbeat(shared, agent).body == {"status": "ok"}
    # An id is made for those without one.
    for body in ({"action": "register"}, {"action": "register", "agent_id": None, "more": [1]}):
        made = ask(shared, body)
        assert made.status == 200 and len(made.body["agent_id"]) == 36


@pytest.mark.parametrize(("key", "status", "detail"), [
    (None, 401, "Missing API key"), ("", 401, "Missing API key"), ("wrong", 403, "Invalid API key"),
    (API_KEY + "x", 403, "Invalid API key"), (API_KEY[:-1], 403, "Invalid API key"),
])  # fmt: skip
def test_refused_keys(shared, key, status, detail):
    answer = register(shared, "x", key)
    assert (answer.status, answer.body) == (status, {"detail": detail})


def test_a_key_with_a_byte_beyond_ascii_is_forbidden(shared):
    with socket.create_connection((shared.address, shared.port), 5) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-API-Key: sch\xc3\xbcssel\xff\r\nContent-Type: application/json\r\n"
                           b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")  # fmt: skip
        assert connection.recv(4096).split(b" ")[1] in (b"403", b"400")
    assert register(shared, new_name()).status == 200


@pytest.mark.parametrize(("raw", "kind"), [
    (b"{", "json_invalid"), (b"", "missing"), (b"[1]", "dict_type"), (b'"x"', "dict_type"),
    (b'{"action":"register","agent_id":7}', "string_type"),
    (b'{"action":"register","agent_id":"a b"}', "string_pattern_mismatch"),
    (b'{"action":"register","agent_id":"a\\n"}', "string_pattern_mismatch"),
    (b'{"action":"register","agent_id":""}', "string_pattern_mismatch"),
    (b'{"action":"heartbeat"}', "missing"),
])  # fmt: skip
def test_bodies_that_are_wrong(shared, raw, kind):
    answer = ask(shared, raw=raw)
    assert answer.status == 422, answer
    assert answer.body["detail"][0]["type"] == kind


@pytest.mark.parametrize("body", [{}, {"action": "Register"}, {"action": None}, {"action": 5}, {"agent_id": "a b"}])
def test_unknown_actions(shared, body):
    answer = ask(shared, body)
    assert (answer.status, answer.body) == (422, {"detail": "Invalid action. Use 'register' or 'heartbeat'"})


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_the_content_type_is_required(shared, content_type):
    assert register(shared, "x", headers={"Content-Type": content_type}).status == 422


def test_other_methods_and_paths(shared):
    for method in ("HEAD", "PUT", "DELETE"):
        answer = shared.api.call(method, "/")
        assert answer.status == 405
        assert method == "HEAD" or answer.body == {"detail": "Method Not Allowed"}
    # People who open the gateway's address are sent to sign in.
    assert shared.api.call("GET", "/").headers["location"] == "/sign-in"
    for path in ("/docs", "/redoc", "/openapi.json", "/register"):
        assert shared.api.call("GET", path).status == 404


def test_an_unknown_agents_heartbeat(shared):
    answer = heartbeat(shared, new_name("nobody"))
    assert (answer.status, answer.body) == (404, {"detail": "Unknown agent"})


def test_without_keys_there_is_no_dialect(gateway):
    assert gateway.api.call("POST", "/", {"action": "register"}, headers={"X-API-Key": API_KEY}).status == 405
    assert "shared key" not in gateway.log


def test_the_start_warns(shared):
    assert "agents are let in by shared keys" in shared.log
    assert API_KEY not in shared.log and OTHER_KEY not in shared.log


def test_keys_from_a_file_under_another_header(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("first-key\n second-key \n")
    keys.chmod(0o644)
    tmp_path.chmod(0o755)
    with Gateway(default_mode(), extra=["--api-keys-file", str(keys)], start=False) as gateway:
        copy = gateway.folder / "api-keys"
        copy.write_text(keys.read_text())
        copy.chmod(0o644)
        gateway.extra[-1] = str(copy)
        gateway.environment["API_KEY_HEADER"] = "X-Fleet"
        gateway.start()
        body = {"action": "register"}
        for key, status in (("first-key", 200), ("second-key", 200), ("third-key", 403)):
            assert gateway.api.call("POST", "/", body, headers={"X-Fleet": key}).status == status
        assert gateway.api.call("POST", "/", body, headers={"X-API-Key": "first-key"}).status == 401


# --- the agent ---


def test_the_agent_registers_and_is_reached(shared):
    with ForeignAgent(shared) as agent:
        agent.wait_reachable()
        assert agent.visitor().run("echo", "reached", check=True).stdout == "reached\n"
        assert agent.facts()["connected"]
        assert agent.facts()["agent_version"] == "ssh-tunnel-gateway"


def test_the_port_stays_over_restarts_of_gateway_sshd_and_agent(own):
    with ForeignAgent(own) as agent:
        port = agent.wait_reachable().port
        own.stop()
        own.start()
        agent.wait_reachable()
        own.kill()
        own.start()
        agent.wait_reachable()
        for row in own.ok("GET", "/api/v1/connections"):
            os.kill(row["pid"], signal.SIGTERM)
        wait_until(lambda: agent.log.count("starting ssh process") > 1, 20, lambda: agent.log)
        agent.wait_reachable()
        agent.stop()
        agent.start()
        wait_until(lambda: agent.log.count("registering:") == 2, 20, lambda: agent.log)
        agent.wait_reachable()
        assert agent.port == port
        assert agent.visitor().run("echo", "reached", check=True).stdout == "reached\n"


def test_an_agent_the_gateway_forgot_registers_again(shared):
    with ForeignAgent(shared, HEARTBEAT_INTERVAL_SECONDS="1") as agent:
        agent.wait_reachable()
        shared.ok("DELETE", f"/api/v1/machines/{agent.agent_id}")
        wait_until(lambda: "heartbeat got unknown agent" in agent.log, 20, lambda: agent.log)
        wait_until(lambda: agent.log.count("registering:") >= 2, 20, lambda: agent.log)
        agent.wait_reachable()


def test_over_ssh(shared):
    """Control calls go through the gateway's own sshd with a key that opens its API and nothing else."""
    name = new_name("relay")
    control = KeyPair(shared.home, "control")
    token = shared.ok("POST", "/api/v1/machines", {"name": name})["enrolment"]["token"]
    shared.ok("POST", "/api/v1/agent/enrol", {"public_key": control.line}, token=token)
    config = shared.home / "over-ssh.config"
    config.write_text(
        f"Host tide\n  HostName 127.0.0.1\n  Port {shared.ssh_port}\n  User {shared.ssh_user}\n"
        f"  IdentityFile {control.private}\n  UserKnownHostsFile {shared.known_hosts()}\n"
    )
    with ForeignAgent(shared, OVER_SSH="tide", SSH_CONFIG_PATH=str(config), SSH_OPTIONS=f"-F {config}") as agent:
        agent.wait_reachable()
        assert agent.visitor().run("echo", "reached", check=True).stdout == "reached\n"
        reverse = [row for row in shared.ok("GET", "/api/v1/connections") if row["purpose"] == "reverse"]
        assert reverse, "the tunnel runs under the agent's own confined key"


# --- where other ways to start sshd make a difference ---


@pytest.mark.skipif("root" in available_modes(), reason="needs root and the installed helper")
def test_the_systems_sshd_lets_a_handed_key_in_until_a_newer_one_has_logged_in():
    """Nobody tells of a login there, so that the question of the newer key counts as one."""
    with Gateway("root", environment={"API_KEY": API_KEY}, start=False) as gateway:
        system = SystemSSHD(gateway).start()
        keys = []
        try:
            external(gateway, system).start()
            keys = [HandedKey(gateway, new_name("external"))]
            keys[0].open()
            keys.append(HandedKey(gateway, keys[0].answer["agent_id"]))
            assert keys[1].port == keys[0].port and keys[0].ssh.poll() is None
            assert keys[0].logs_in(), "good until the newer one is used"
            wait_until(lambda: opens(keys[1]), 30, "the newer key has the port")
            wait_until(lambda: keys[0].ssh.poll() is not None, 15, "the older connection ended")
            assert not keys[0].logs_in() and keys[1].logs_in()
            assert audited(gateway, "tunnel-key.superseded")
            agent = keys[0].answer["agent_id"]
            wait_until(lambda: heartbeat(gateway, agent).status == 404, 10, "the order to register again")
        finally:
            for key in keys:
                key.close()
            system.close()


def test_without_a_helper_a_robbed_agent_comes_back_when_it_is_started_again():
    """Nobody asks the gateway about a dead key there: it can't refuse slowly, nor tell the agent at its heartbeat."""
    with Gateway("user-plain", environment={"API_KEY": API_KEY}) as gateway:
        with ForeignAgent(gateway, HEARTBEAT_INTERVAL_SECONDS="1") as agent:
            port = agent.wait_reachable().port
            thief = HandedKey(gateway, agent.agent_id)
            try:
                assert thief.port == port
                thief.open()
                wait_until(lambda: "Permission denied" in agent.log, 20, lambda: agent.log)
                assert heartbeat(gateway, agent.agent_id).status == 200
                agent.stop()
                agent.start()
                wait_until(lambda: thief.ssh.poll() is not None, 30, "the thief's connection ended")
                agent.wait_reachable()
                assert agent.port == port and not thief.logs_in()
            finally:
                thief.close()
