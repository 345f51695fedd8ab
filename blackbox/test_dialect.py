"""The unmodified ssh-tunnel-gateway agent at our gateway, and each fault of its own server that ours does not have."""

import concurrent.futures
import http.client
import json
import os
import signal
import socket
import time

import pytest
from api import API
from commands import alive, run
from foreign import API_KEY, ForeignAgent, HandedKey, greets
from gateway import Gateway, default_mode
from networks import listening
from sshkeys import KeyPair
from tunnels import new_name
from waiting import stays, wait_until

OTHER_KEY = "a-key-of-another-fleet"
KEYS = {"API_KEYS": f"{API_KEY}, {OTHER_KEY}"}


@pytest.fixture(scope="module")
def shared():
    """A gateway with two shared keys."""
    with Gateway(default_mode(), environment=KEYS) as gateway:
        yield gateway


@pytest.fixture
def own():
    """A gateway with one shared key, for a test that stops it."""
    with Gateway(default_mode(), environment={"API_KEY": API_KEY}) as gateway:
        yield gateway


@pytest.fixture
def handed(shared):
    """Registers and opens; everything is closed afterwards."""
    made = []

    def make(agent_id=None, api_key=API_KEY):
        made.append(HandedKey(shared, agent_id or new_name("handed"), api_key))
        return made[-1]

    yield make
    for key in made:
        key.close()


def ask(gateway, body=None, key=API_KEY, **options):
    headers = options.pop("headers", {}) | ({"X-API-Key": key} if key is not None else {})
    return gateway.api.call("POST", "/", body, headers=headers, **options)


def register(gateway, agent_id, key=API_KEY, **options):
    return ask(gateway, {"action": "register", "agent_id": agent_id}, key, **options)


def heartbeat(gateway, agent_id, key=API_KEY):
    return ask(gateway, {"action": "heartbeat", "agent_id": agent_id}, key)


def audited(gateway, action):
    return [e for e in gateway.ok("GET", "/api/v1/audit/events?limit=500") if e["action"] == action]


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
    for method in ("GET", "PUT", "DELETE"):
        answer = shared.api.call(method, "/")
        assert (answer.status, answer.body) == (405, {"detail": "Method Not Allowed"})
    for path in ("/docs", "/redoc", "/openapi.json", "/register"):
        assert shared.api.call("GET", path).status == 404


def test_an_unknown_agents_heartbeat(shared):
    answer = heartbeat(shared, new_name("nobody"))
    assert (answer.status, answer.body) == (404, {"detail": "Unknown agent"})


def test_without_keys_there_is_no_dialect(gateway):
    for method in ("POST", "GET"):
        assert gateway.api.call(method, "/", {"action": "register"}, headers={"X-API-Key": API_KEY}).status == 404
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


# --- faults of the other server that this one does not have, by their number ---


def test_fault_1_a_handed_key_runs_no_command(handed):
    key = handed()
    assert key.logs_in()
    for options, word in ((("-T",), "id"), (("-tt",), "id"), (("-T", "-s"), "sftp")):
        done = run([*key.command(*options), word])
        assert done.returncode != 0 and "uid=" not in done.stdout
    assert run(key.command("-W", "127.0.0.1:22")).returncode != 0
    assert run(key.command("-W", f"127.0.0.1:{key.gateway.port}")).returncode != 0


def test_fault_2_no_unix_socket_is_forwarded(handed, tmp_path):
    key = handed()
    path = f"/tmp/{new_name('socket')}"
    done = run(key.command("-N", "-o", "ExitOnForwardFailure=yes", "-R", f"{path}:127.0.0.1:9"))
    assert done.returncode != 0 and not os.path.exists(path)


def test_fault_3_an_agent_id_belongs_to_its_first_key(shared):
    agent = new_name("mine")
    port = register(shared, agent).body["port_b"]
    for answer in (register(shared, agent, OTHER_KEY), heartbeat(shared, agent, OTHER_KEY)):
        assert answer.status == 403 and "another API key" in answer.body["detail"]
    assert register(shared, agent).body["port_b"] == port


def test_fault_3_a_robbed_agent_comes_back_by_itself(shared, handed):
    with ForeignAgent(shared, HEARTBEAT_INTERVAL_SECONDS="2") as agent:
        port = agent.wait_reachable().port
        thief = handed(agent.agent_id)
        assert thief.port == port
        thief.open()
        wait_until(lambda: "heartbeat got unknown agent" in agent.log, 40, lambda: agent.log)
        agent.wait_reachable(40)
        assert agent.port == port
        wait_until(lambda: thief.ssh.poll() is not None, 15, "the thief's connection ended")
        assert audited(shared, "tunnel-key.superseded")


def test_fault_3_an_enrolled_machine_is_never_taken(shared):
    name = new_name("native")
    token = shared.ok("POST", "/api/v1/machines", {"name": name})["enrolment"]["token"]
    for _ in range(2):
        answer = register(shared, name)
        assert answer.status == 409 and "enrolled" in answer.body["detail"], answer
        shared.call("POST", "/api/v1/agent/enrol", {"public_key": KeyPair(shared.home).line}, token=token)
    machine = shared.ok("GET", f"/api/v1/machines/{name}")
    assert register(shared, machine["id"]).status == 409


def test_fault_5_nobody_is_killed_for_a_port(own):
    agent = new_name("busy")
    port = register(own, agent).body["port_b"]
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        if own.account is None or own.account.pw_uid != os.geteuid():
            assert register(own, agent).body["port_b"] != port
        assert listening(port)


def test_fault_6_strangers_are_refused_before_their_body_is_read(shared):
    for key, status in ((None, 401), ("wrong", 403)):
        connection = http.client.HTTPConnection(shared.address, shared.port, timeout=10)
        connection.putrequest("POST", "/")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(200 << 20))
        if key:
            connection.putheader("X-API-Key", key)
        connection.endheaders()
        # Not a byte of the body was sent.
        assert connection.getresponse().status == status
        connection.close()


def test_fault_6_bodies_are_bounded(shared):
    assert ask(shared, raw=b" " * (1 << 20)).status == 413


def test_fault_6_guessing_is_slowed_down(own):
    answers = [register(own, "x", f"guess-{number}").status for number in range(60)]
    assert 429 in answers and answers[0] == 403


def test_fault_7_leases_are_bound_to_loopback(shared, handed):
    key = handed().open()
    bound = run(["ss", "-Htln", f"sport = :{key.port}"], check=True).stdout
    assert f"127.0.0.1:{key.port}" in bound and "0.0.0.0" not in bound.split()[3]


def test_fault_8_the_port_stays_after_an_unclean_drop(shared, handed):
    """The old connection still holds the port; it ends when the newer key logs in."""
    agent = new_name("unclean")
    first = handed(agent).open()
    os.kill(first.ssh.pid, signal.SIGSTOP)
    try:
        second = handed(agent)
        assert second.port == first.port
        wait_until(lambda: _opens(second), 30, "the newer key has the port")
    finally:
        os.kill(first.ssh.pid, signal.SIGCONT)
    wait_until(lambda: first.ssh.poll() is not None, 15, "the older connection ended")
    assert not first.logs_in() and second.logs_in()


def _opens(key):
    """The agent's own retry: false when the port was still held."""
    try:
        return key.open()
    except AssertionError:
        return None


def test_fault_9_kill_9_loses_nothing_that_was_answered(own, chance):
    ports = {}
    for _ in range(4):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            running = [pool.submit(_registered, own, new_name("crash")) for _ in range(60)]
            time.sleep(chance.uniform(0.02, 0.2))
            own.kill()
            for done in running:
                if result := done.result():
                    ports[result[0]] = result[1]
        own.start()
    assert ports and len(set(ports.values())) == len(ports), "no port is leased twice"
    for agent, port in ports.items():
        assert heartbeat(own, agent).status == 200
        assert register(own, agent).body["port_b"] == port


def _registered(gateway, agent):
    try:
        answer = register(gateway, agent, deadline=5)
    except (OSError, http.client.HTTPException):
        return None
    return (agent, answer.body["port_b"]) if answer.status == 200 else None


def test_fault_11_logins_go_on_while_others_register(shared, handed):
    key = handed()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        stop = []

        def storm(agent):
            while not stop:
                register(shared, agent)

        storms = [pool.submit(storm, new_name("storm")) for _ in range(3)]
        try:
            assert all(key.logs_in() for _ in range(12))
        finally:
            stop.append(True)
        for each in storms:
            each.result()


def test_fault_13_every_key_of_parallel_registers_works_until_a_newer_one_logged_in(shared, handed):
    agent = new_name("parallel")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        keys = list(pool.map(lambda _: handed(agent), range(16)))
    assert len({key.port for key in keys}) == 1
    assert len({key.answer["public_key"] for key in keys}) == 16
    fingerprints = {row["public_key"]: row["fingerprint"] for row in shared.ok("GET", "/api/v1/tunnel-keys?limit=1000")}
    generations = {
        event["details"]["fingerprint"]: int(event["details"]["generation"])
        for event in audited(shared, "machine.registered")
    }
    by_age = sorted(keys, key=lambda key: generations[fingerprints[key.answer["public_key"]]])
    for key in by_age[::5]:
        assert key.logs_in(), "in their order all of them are good"
    newest = by_age[-1]
    assert newest.logs_in()
    wait_until(lambda: not by_age[0].logs_in(), 15, "the older ones are revoked")
    assert newest.logs_in()


def test_fault_14_an_orphaned_ssh_does_not_keep_the_port(shared):
    with ForeignAgent(shared) as agent:
        port = agent.wait_reachable().port
        orphans = agent.ssh_children()
        agent.process.send_signal(signal.SIGTERM)
        agent.process.wait(10)
        assert any(alive(pid) for pid in orphans), "the agent leaves its ssh behind"
        agent.start()
        wait_until(lambda: agent.log.count("registering:") == 2, 20, lambda: agent.log)
        wait_until(lambda: not any(alive(pid) for pid in orphans), 30, "the orphan's connection ended")
        agent.wait_reachable()
        assert agent.port == port


def test_fault_15_agents_are_listed_and_revoked(shared, handed):
    key = handed().open()
    agent = key.answer["agent_id"]
    assert agent in [machine["agent_id"] for machine in shared.ok("GET", "/api/v1/machines?limit=1000")]
    shared.ok("DELETE", f"/api/v1/machines/{agent}")
    assert key.ssh.wait(10) is not None
    assert not key.logs_in()
    assert heartbeat(shared, agent).status == 404


def test_fault_16_the_connect_hint_has_the_port_of_sshd(shared):
    with ForeignAgent(shared) as agent:
        agent.wait_reachable()
        assert f"@127.0.0.1:{shared.ssh_port} " in agent.session["connect_hint"]


def test_fault_17_a_herd_is_served_at_once(own, figures):
    agents = [new_name("herd") for _ in range(100)]
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        statuses = list(pool.map(lambda agent: register(own, agent).status, agents))
    assert statuses == [200] * len(agents)
    assert time.monotonic() - start < 10
