"""Each fault of ssh-tunnel-gateway's own server that ours does not have, the numbers only tell them apart."""

import base64
import concurrent.futures
import http.client
import os
import signal
import socket
import sqlite3
import time

import programs
import pytest
from commands import alive, run
from dialect import OTHER_KEY, ask, audited, handed, heartbeat, opens, own, register, shared  # noqa: F401
from disks import SmallSite
from foreign import API_KEY, ForeignAgent, HandedKey
from gateway import Gateway, default_mode
from herd import Herd
from networks import listening
from sshkeys import KeyPair
from tunnels import new_name
from waiting import wait_until


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


def test_fault_4_what_the_gateway_hands_out_it_does_not_keep(own):
    """The protocol wants a private key made here; nothing may give it away afterwards, nor the key of the fleet."""
    key = HandedKey(own, new_name("kept"))
    text = key.private.read_text()
    blob = base64.b64decode(text.split("-----")[2])
    public = base64.b64decode(key.answer["public_key"].split()[1])[-32:]
    # The seed stands before the last copy of the public half.
    seed = blob[blob.rindex(public) - 32 : blob.rindex(public)]
    own.stop()
    places = [own.log_path, *(path for path in own.state.rglob("*") if path.is_file())]
    assert own.database in places
    for path in places:
        content = path.read_bytes()
        for piece in (text.encode(), text.split()[5].encode(), seed, API_KEY.encode()):
            assert piece not in content, path
    own.start()
    assert key.logs_in()


def test_fault_4_the_answer_can_travel_encrypted():
    """The agent takes an https address as it is; a private authority is named as its HTTP library has it."""
    with Gateway(default_mode(), environment={"API_KEY": API_KEY}, tls=True) as gateway:
        with ForeignAgent(gateway, REQUESTS_CA_BUNDLE=str(gateway.certificates)) as agent:
            agent.wait_reachable()
            assert agent.environment["API_URL"].startswith("https://")


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
        wait_until(lambda: opens(second), 30, "the newer key has the port")
    finally:
        os.kill(first.ssh.pid, signal.SIGCONT)
    wait_until(lambda: first.ssh.poll() is not None, 15, "the older connection ended")
    assert not first.logs_in() and second.logs_in()


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


@pytest.mark.skipif(not programs.is_root(), reason="mounting a small disk needs root")
def test_fault_10_a_full_disk_is_no_lasting_fault():
    site = SmallSite(default_mode(), 12, API_KEY=API_KEY)
    try:
        gateway, known, late = site.gateway, new_name("known"), new_name("late")
        port = register(gateway, known).body["port_b"]
        site.fill()
        for agent in (known, late):
            answer = register(gateway, agent)
            assert answer.status == 503 and list(answer.body) == ["detail"], answer
            assert answer.headers["retry-after"]
        assert heartbeat(gateway, known).status == 200
        assert heartbeat(gateway, late).status == 404
        assert register(gateway, known, "wrong").status == 403
        site.healed()
        assert register(gateway, known).body["port_b"] == port
        assert register(gateway, late).body["port_b"] != port
    finally:
        site.close()


def test_fault_10_no_entry_can_have_the_wrong_type_and_a_senseless_one_stops_nobody_else(own):
    odd, other = new_name("odd"), new_name("other")
    port = register(own, other).body["port_b"]
    register(own, odd)
    own.stop()
    of_odd = "WHERE machine_id = (SELECT id FROM machine WHERE agent_id = ?)"
    for column, value in (("port", "'many'"), ("expires_at", "NULL"), ("generation", "'1x'")):
        with pytest.raises(sqlite3.IntegrityError):
            own.edit_database(f"UPDATE lease SET {column} = {value} {of_odd}", (odd,))
    own.edit_database(f"UPDATE lease SET port = -7, address = 'nowhere' {of_odd}", (odd,))
    own.edit_database("UPDATE machine SET host_keys = '[null' WHERE agent_id = ?", (odd,))
    own.start()
    assert heartbeat(own, other).status == 200
    assert register(own, other).body["port_b"] == port
    # The port of the range again, by itself.
    assert own.first_lease <= register(own, odd).body["port_b"] <= own.last_lease


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


def test_fault_12_lines_of_keys_are_never_glued_together():
    """sshd reads a file there, and somebody's editor left it without an end of line."""
    with Gateway("user-plain", environment={"API_KEY": API_KEY}) as gateway:
        keys = [HandedKey(gateway, new_name("line")) for _ in range(2)]
        path = gateway.state / "ssh" / "authorized_keys"
        for tail in ("", "\n# a word", "\n" + keys[0].answer["public_key"] + " and a comment"):
            with open(path, "r+") as file:
                text = file.read().rstrip("\n") + tail
                file.seek(0)
                file.write(text)
                file.truncate()
            keys.append(HandedKey(gateway, new_name("line")))
            lines = path.read_text()
            assert lines.endswith("\n")
            for key in keys:
                assert lines.count(key.answer["public_key"]) == 1
                assert key.logs_in()
        people = [KeyPair(gateway.home) for _ in range(2)]
        for number, person in enumerate(people):
            wanted = {"public_key": f"{person.line} ann@laptop no{number} #x", "machines": [keys[0].answer["agent_id"]]}
            gateway.ok("POST", "/api/v1/tunnel-keys", wanted)
        for person in people:
            done = run([*gateway.ssh_arguments(person.private), "-v", "-T", gateway.address, "true"])
            assert "Authenticated to" in done.stderr, done.stderr


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


@pytest.mark.long
def test_fault_17_a_thousand_agents_after_a_restart(figures):
    """Each as the real one asks: 20 s of patience, 5 s until the next try, a connection for each call."""
    agents = [new_name("herd") for _ in range(1000)]
    with Gateway(default_mode(), environment={"API_KEY": API_KEY}, leases=1100) as gateway:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            ports = pool.map(lambda agent: register(gateway, agent).body["port_b"], agents)
            before = dict(zip(agents, ports, strict=True))
        gateway.kill()
        herd = Herd(gateway, agents)
        herd.start()
        try:
            wait_until(lambda: herd.refused >= len(agents), 30, "everybody refused once")
            gateway.start()
            ready = time.monotonic()
            herd.join(120)
        finally:
            herd.ended = True
        took = herd.last - ready
        figures.note(
            "1,000 agents registered after a restart",
            f"{took:.1f} s after it was ready, with the 5 s until they asked again; from the first that came "
            f"through to the last {herd.last - herd.first:.1f} s; {herd.tries} tries, {herd.timeouts} timeouts",
        )
        assert herd.ports == before
        assert took < 10 and not herd.timeouts
