"""The agent: what it writes, what it leaves, and what fences it."""

import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess

import programs
import pytest
from commands import alive, log_text, processes, run
from machine import PrivateMachine, Visitor
from networks import listening
from waiting import stays, wait_until

SESSION_KEYS = {
    "agent_id", "port_b", "ssh_user", "ssh_jump_user", "ssh_jump_host", "reverse_bind_host", "connect_hint",
    "updated_at",
}  # fmt: skip


@pytest.fixture
def own_machine(gateway):
    with PrivateMachine(gateway) as machine:
        yield machine


def test_session_file(gateway, machine):
    path = machine.state / "session.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    session = machine.session
    assert set(session) >= SESSION_KEYS, SESSION_KEYS - set(session)
    assert session["agent_id"] == machine.agent_id and session["port_b"] == machine.port
    assert session["reverse_bind_host"] == "127.0.0.1"
    assert str(gateway.ssh_port) in session["connect_hint"] and str(machine.port) in session["connect_hint"]
    assert not [name for name in os.listdir(machine.state) if "tmp" in name]


def test_private_files_are_private(machine):
    assert stat.S_IMODE(machine.state.stat().st_mode) == 0o700
    for path in machine.state.rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert mode & 0o077 == 0 or path.suffix == ".pub" or path.is_socket(), f"{path}: {mode:o}"


def test_one_log_line_per_registration(gateway, own_machine):
    lines = [
        line for line in own_machine.log.splitlines() if own_machine.agent_id in line and str(own_machine.port) in line
    ]
    assert len(lines) == 1, own_machine.log
    ours = [line for line in gateway.log.splitlines() if own_machine.agent_id in line and str(own_machine.port) in line]
    assert len(ours) == 1 and "127.0.0.1" in ours[0], ours


def test_the_hint_works_as_it_stands(gateway, machine, tmp_path):
    """What session.json tells a person to type."""
    visitor = Visitor(gateway, machine)
    words = machine.session["connect_hint"].split()
    assert words[0] == "ssh"
    # The login at the machine is the person's own matter, so the hint may leave it out.
    done = run(["ssh", "-F", visitor.config, "-o", f"User={machine.login}", *words[1:], "echo", "reached"])
    login_in_jump = done.returncode == 0 and done.stdout == "reached\n"
    assert login_in_jump, (words, done.stderr)


def test_no_host_key_is_taken_on_first_use(machine):
    (ssh,) = machine.tunnels()
    text = pathlib.Path(f"/proc/{ssh}/cmdline").read_text().replace("\0", " ")
    assert "StrictHostKeyChecking=yes" in text and "UserKnownHostsFile" in text
    assert "accept-new" not in text and "StrictHostKeyChecking=no" not in text


def test_sigterm_leaves_nothing(own_machine):
    children = own_machine.children()
    port = own_machine.port
    assert children
    assert own_machine.stop() == 0
    wait_until(lambda: not any(alive(pid) for pid in children), 5, "no child left")
    wait_until(lambda: not listening(port), 5, "the port closed")


def test_an_orphan_of_a_killed_agent_is_reconciled(own_machine):
    (orphan,) = own_machine.tunnels()
    port = own_machine.port
    own_machine.process.kill()
    own_machine.process.wait(5)
    own_machine.start()
    assert own_machine.port == port
    wait_until(lambda: not alive(orphan), 5, "the orphan ended")
    assert len(own_machine.tunnels()) == 1


def test_a_second_agent_on_the_same_folder_is_refused(own_machine):
    second = run(own_machine.run_command, env=own_machine.agent_environment(), deadline=15)
    assert second.returncode != 0 and second.stderr.strip()
    assert str(own_machine.state) in second.stderr + second.stdout or "already" in second.stderr + second.stdout
    assert own_machine.facts()["connected"]


def test_a_cloned_machine_is_fenced(gateway, own_machine):
    """Two folders with one key: the later start wins, the earlier one is cut and does not fight for ever."""
    clone = own_machine.folder / "clone"
    shutil.copytree(own_machine.state, clone, ignore=shutil.ignore_patterns("*.sock", "*.lock"))
    clone.chmod(0o700)
    before = own_machine.facts()["lease"]
    (first_ssh,) = own_machine.tunnels()
    command = [word if word != str(own_machine.state) else str(clone) for word in own_machine.run_command]
    with open(own_machine.folder / "clone.log", "ab") as log:
        second = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=own_machine.agent_environment()
        )
    try:
        wait_until(lambda: own_machine.facts()["lease"]["generation"] > before["generation"], 15, "a higher generation")
        wait_until(lambda: not alive(first_ssh), 5, "the first tunnel cut")
        assert own_machine.facts()["lease"]["port"] == before["port"]
        wait_until(lambda: own_machine.facts()["connected"], 15, "one of them connected", every=0.1)
        generation = own_machine.facts()["lease"]["generation"]
        stays(lambda: own_machine.facts()["lease"]["generation"] <= generation + 6, 5, "the two fight without a bound")
    finally:
        second.send_signal(signal.SIGTERM)
        second.wait(15)


def test_a_revoked_machine_says_so_and_does_not_hammer(gateway, own_machine):
    gateway.cli("machine", "remove", own_machine.name)
    wait_until(lambda: not own_machine.tunnels() if own_machine.process.poll() is None else True, 5, "its ssh gone")

    def says_so():
        return any(word in own_machine.log.lower() for word in ("revoked", "not recognised", "unauthenticated", "401"))

    wait_until(says_so, 20, lambda: f"a word in the agent's log:\n{own_machine.log[-2000:]}")


def test_enrolling_with_a_used_token_is_refused_in_words(gateway, own_machine, tmp_path):
    token = own_machine.folder / "enrolment.token"
    if not token.exists():
        token.write_text(own_machine.enrolment["token"])
    done = run(
        [programs.agent(), "enrol", gateway.api.url, "--token-file", token, "--state-dir", tmp_path / "again"],
        env=own_machine.agent_environment(),
    )
    assert done.returncode not in (0, None) and done.stderr.strip()
    assert own_machine.enrolment["token"] not in done.stdout + done.stderr


def test_plain_http_to_another_host_is_refused(machine, tmp_path):
    token = tmp_path / "token"
    token.write_text("tge_" + "A" * 43)
    command = [
        programs.agent(),
        "enrol",
        "http://192.0.2.1:12000",
        "--token-file",
        token,
        "--state-dir",
        tmp_path / "s",
    ]
    done = run(command, env=machine.agent_environment(), deadline=10)
    assert done.returncode != 0 and "http" in done.stderr


def test_run_without_an_enrolment_says_what_to_do(machine, tmp_path):
    done = run(
        [programs.agent(), "run", "--state-dir", tmp_path / "empty"], env=machine.agent_environment(), deadline=10
    )
    assert done.returncode != 0 and "enrol" in done.stderr + done.stdout


def test_the_agent_key_from_the_environment(gateway, own_machine):
    """A field script keeps the key elsewhere."""
    own_machine.stop()
    (path,) = [path for path in own_machine.state.iterdir() if path.is_file() and b"cak_" in path.read_bytes()]
    key = path.read_bytes().decode()
    key = key[key.index("cak_") :][: 4 + 43]
    own_machine.environment["TIDEGATE_AGENT_KEY"] = key
    own_machine.start()
    assert key not in log_text(own_machine.log_path)


def test_install_status_and_uninstall_below_a_root(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}

    def agent(*words):
        return run([programs.agent(), *words, "--root", root], env=environment, deadline=20)

    done = agent("install")
    assert done.returncode == 0, done.stderr
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert any(name.endswith("tidegate-agent.service") for name in files), files
    assert agent("install").returncode == 0
    status = agent("status")
    assert "tidegate-agent.service" in status.stdout or "install" in status.stdout, status
    assert agent("uninstall").returncode == 0
    left = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert not any(name.endswith(".service") for name in left), left
    assert agent("uninstall").returncode == 0


def test_nothing_of_a_run_shows_in_the_process_table(machine):
    """Keys never travel in arguments, which every account can read."""
    token = machine.enrolment["token"]
    for _, _, words in processes():
        line = " ".join(words)
        assert token not in line and "cak_" not in line


def test_json_in_session_survives_a_crash_at_any_moment(own_machine):
    """Replaced, never rewritten: whatever instant the agent dies at, the file is whole."""
    for _ in range(5):
        own_machine.process.kill()
        own_machine.process.wait(5)
        json.loads((own_machine.state / "session.json").read_text())
        own_machine.launch()
        wait_until(lambda: (own_machine.state / "session.json").exists(), 5, "session.json")
    own_machine.wait_connected()
