"""A fleet moves over: their real server with live real agents, then ours on the same ports, agents never touched."""

import json
import pwd
import shutil
import time

import programs
import pytest
from commands import run
from foreign import API_KEY, ForeignAgent, ForeignServer, greets
from gateway import Gateway, default_mode
from tunnels import new_name
from waiting import wait_until


def import_state(gateway, path, *more, check=True):
    return gateway.cli("import", "ssh-tunnel-gateway", "--state", str(path), *more, check=check)


def state(*entries):
    return json.dumps({"allocations": list(entries)})


def entry(gateway, number=0, **changes):
    now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    key = gateway.home / f"old-{number}"
    if not key.exists():
        run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", key], check=True)
    public = " ".join(key.with_name(key.name + ".pub").read_text().split()[:2])
    return {"agent_id": f"old-{number}", "port_b": gateway.first_lease + number, "public_key": public,
            "created_at": now, "last_seen": now} | changes  # fmt: skip


def machines(gateway):
    return gateway.ok("GET", "/api/v1/machines?limit=1000")


def test_bad_states_are_refused_whole(gateway, tmp_path):
    good = entry(gateway)
    before = machines(gateway)
    path = tmp_path / "allocations.json"
    for text, words in [
        ("", "is empty"), (state(good)[:-30], "not whole JSON"), ("[]", "not an object"), (state(good, good), "twice"),
        (state(good | {"port_b": 70000}), "port_b"), (state(good | {"port_b": 1}), "port_b"),
        (state(good | {"port_b": 1025}), "--lease-ports"), (state(good | {"agent_id": "a b"}), "agent_id"),
        (state(good | {"public_key": "ssh-rsa AAAA"}), "public_key"), (state(good | {"last_seen": 5}), "another type"),
        (state(good | {"last_seen": "soon"}), "last_seen"), (state(None), "another type"),
    ]:  # fmt: skip
        path.write_text(text)
        done = import_state(gateway, path, check=False)
        assert done.returncode != 0 and words in done.stderr, (text[:80], done.stderr)
        assert machines(gateway) == before


def test_a_state_is_imported_once(gateway, tmp_path):
    long_ago = "2020-01-01T00:00:00+00:00"
    path = tmp_path / "allocations.json"
    path.write_text(state(entry(gateway, 1), entry(gateway, 2), entry(gateway, 3, last_seen=long_ago)))
    env = tmp_path / "server.env"
    env.write_text("API_KEY=very-secret\nLEASE_TTL_DAYS=2\nRELOAD=1\n")
    trial = json.loads(import_state(gateway, path, "--env", str(env), "--dry-run", "--json").stdout)
    assert trial["result"] == {"dry_run": True, "imported": 2, "unchanged": 0, "expired": 1, "rsa_keys": 2}
    assert not [row for row in machines(gateway) if row["agent_id"].startswith("old-")]
    done = json.loads(import_state(gateway, path, "--env", str(env), "--json").stdout)
    assert done["result"] == trial["result"] | {"dry_run": False}
    assert "very-secret" not in json.dumps(done)
    by_name = {note["name"]: note for note in done["settings"]}
    assert by_name["LEASE_TTL_DAYS"]["becomes"] == "--lease-ttl 2d"
    assert by_name["RELOAD"].get("becomes") is None and by_name["RELOAD"]["why"]
    again = json.loads(import_state(gateway, path, "--env", str(env), "--json").stdout)
    assert again["result"]["imported"] == 0 and again["result"]["unchanged"] == 2
    for number in (1, 2):
        machine = gateway.ok("GET", f"/api/v1/machines/old-{number}")
        assert machine["lease"]["port"] == gateway.first_lease + number
    text = import_state(gateway, path, "--env", str(env)).stdout
    assert "--lease-ports" in text and "very-secret" not in text


@pytest.mark.skipif(not programs.is_root(), reason="needs root: their server's login user")
def test_three_live_agents_move_over_untouched(tmp_path):
    mode = default_mode()
    login = pwd.getpwnam("tidegate") if mode == "root" else programs.ordinary_user()
    folder = programs.session_folder() / new_name("their-server")
    folder.mkdir(mode=0o755)
    server = ForeignServer(folder, login)
    agents = []
    try:
        for _ in range(3):
            agents.append(ForeignAgent(None, url=server.url, ssh_port=server.sshd.port))
        for agent in agents:
            wait_until(agent.reachable, 40, lambda agent=agent: f"{agent.agent_id} at their server: {agent.log}")
        ports = {agent.agent_id: agent.port for agent in agents}
        processes = [agent.process.pid for agent in agents]
        server.stop()
        wait_until(lambda: not any(greets(port) for port in ports.values()), 20, "their tunnels gone")
        with Gateway(mode, environment={"API_KEY": API_KEY}, start=False) as gateway:
            gateway.port, gateway.ssh_port = server.port, server.sshd.port
            gateway.api.port = server.port
            gateway.first_lease, gateway.last_lease = server.first_lease, server.last_lease
            keys = gateway.state / "ssh"
            keys.mkdir(parents=True, mode=0o700)
            gateway.state.chmod(0o700)
            host_key = keys / "ssh_host_ed25519_key"
            shutil.copy(server.sshd.host_key.private, host_key)
            shutil.copy(server.sshd.host_key.public, f"{host_key}.pub")
            host_key.chmod(0o600)
            if gateway.account:
                for path in (gateway.state, keys, *keys.iterdir()):
                    shutil.chown(path, gateway.account.pw_uid, gateway.account.pw_gid)
            gateway.start()
            done = gateway.cli("import", "ssh-tunnel-gateway", "--state", server.allocations, "--env", server.env_file)
            assert "imported" in done.stdout and f"--lease-ports {server.first_lease}-{server.last_lease}" in done.stdout
            # sshd's configuration is fixed at the start of a gateway that gave root up.
            gateway.stop()
            gateway.start()
            for agent in agents:
                agent.gateway = gateway
                agent.wait_reachable(60)
                assert agent.port == ports[agent.agent_id] == agent.facts()["lease"]["port"]
            assert [agent.process.pid for agent in agents] == processes
            assert all(agent.process.poll() is None and agent.log.count("registering:") == 1 for agent in agents)
            visited = agents[0]
            assert visited.visitor().run("echo", "reached", check=True).stdout == "reached\n"
            accepted = (gateway.state / "ssh" / "sshd_config").read_text()
            assert "rsa-sha2-512" in accepted and "ssh-rsa" not in accepted
            # A restarted agent gets a key of ours, on the same port.
            visited.stop()
            visited.start()
            wait_until(lambda: visited.log.count("registering:") == 2, 20, lambda: visited.log)
            visited.wait_reachable()
            assert visited.port == ports[visited.agent_id]
    finally:
        for agent in agents:
            agent.close()
        server.stop()
