"""No secret of a run shows anywhere but in the 0600 files meant for it."""

import os
import pathlib
import re
import stat
import threading

import pytest
from commands import processes
from gateway import Gateway
from machine import PrivateMachine, Visitor
from tunnels import Tunnel
from waiting import wait_until

SECRET = re.compile(rb"\b(?:tgp|tgs|cak|tge|tga|tgi|tgb|tgf|tgd)_[A-Za-z0-9_-]{43}\b")


class ArgumentWatch:
    """Samples every process's arguments and keeps those that look like a secret."""

    def __init__(self):
        self.found, self.ended, self.samples = set(), threading.Event(), 0
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self):
        while not self.ended.wait(0.01):
            self.samples += 1
            for _, _, words in processes():
                line = " ".join(words).encode("utf-8", "replace")
                self.found.update(SECRET.findall(line))

    def close(self):
        self.ended.set()
        self.thread.join()


@pytest.fixture(scope="module")
def used(mode):
    """A gateway and a machine that did everything once, and every secret that was made."""
    watch = ArgumentWatch()
    with Gateway(mode) as gateway, PrivateMachine(gateway) as machine:
        token = gateway.ok("POST", "/api/v1/tokens", {"label": "one"})
        tunnel = Tunnel(gateway)
        visitor = Visitor(gateway, machine)
        visitor.run("true")
        gateway.cli("ssh", "-l", machine.login, machine.name, "--", "true", check=False)
        for bad in (token["token"], machine.enrolment["token"], tunnel.agent_key):
            gateway.api.call("GET", f"/api/v1/machines/{bad}", token=bad)
            gateway.api.call("POST", "/api/v1/machines", {"name": bad}, token=gateway.token)
            gateway.api.call("POST", "/api/v1/setup", {"secret": bad})
        gateway.ok("DELETE", f"/api/v1/tokens/{token['id']}")
        gateway.ok("DELETE", tunnel.path)
        machine.stop()
        machine.start()
        secrets = {
            token["token"],
            tunnel.agent_key,
            tunnel.enrolment["token"],
            machine.enrolment["token"],
            gateway.token,
        }
        for path in (*machine.state.rglob("*"), *gateway.state.rglob("*")):
            if path.is_file() and not path.name.startswith("tidegate.db"):
                secrets.update(found.decode() for found in SECRET.findall(path.read_bytes()))
        wait_until(lambda: watch.samples > 50, 30, "a good many looks at the process table")
        watch.close()
        yield gateway, machine, secrets, watch


def test_arguments(used):
    *_, watch = used
    assert not watch.found


def test_logs(used):
    gateway, machine, secrets, _ = used
    for path in (gateway.log_path, machine.log_path, machine.sshd.log_path):
        text = path.read_text(errors="replace")
        for secret in secrets:
            assert secret not in text and secret[4:] not in text, path
        assert "PRIVATE KEY" not in text


def test_the_state_folder(used):
    """The database holds digests; the audit trail names credentials by id."""
    gateway, _, secrets, _ = used
    for path in gateway.state.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        mode = stat.S_IMODE(path.stat().st_mode)
        holds = {secret for secret in secrets if secret.encode() in data or secret[4:].encode() in data}
        if holds:
            # Only the secret that opens admin.sock has to be readable again, by the gateway's own account.
            assert all(secret.startswith(("tga_", "tgi_")) for secret in holds) and mode == 0o600, (path, mode)
        if b"OPENSSH PRIVATE KEY" in data:
            assert mode == 0o600 and "host" in path.name, path


def test_the_machines_folder(used):
    _, machine, _, _ = used
    for path in machine.state.rglob("*"):
        if path.is_file() and (SECRET.search(path.read_bytes()) or b"PRIVATE KEY" in path.read_bytes()):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert machine.enrolment["token"] not in "".join(
        path.read_text(errors="replace") for path in machine.state.rglob("*") if path.is_file()
    )


def test_modes_of_the_state_folder(used):
    gateway, *_ = used
    assert stat.S_IMODE(gateway.state.stat().st_mode) & 0o007 == 0
    for path in gateway.state.rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_file() and path.suffix != ".pub":
            assert mode & 0o077 == 0, f"{path} is {mode:o}"
    assert stat.S_IMODE(gateway.token_file.stat().st_mode) == 0o600


def test_the_environment_of_children(used):
    """sshd and ssh are handed no credential."""
    gateway, machine, secrets, _ = used
    for pid, _, words in processes():
        if not words or "ssh" not in pathlib.Path(words[0]).name:
            continue
        try:
            data = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        assert not [secret for secret in secrets if secret.encode() in data], words


def test_metrics_hold_no_names(used):
    gateway, machine, secrets, _ = used
    text = gateway.call("GET", "/metrics", token=None).raw.decode()
    assert "# TYPE" in text
    for word in (*secrets, machine.agent_id, machine.name):
        assert word not in text


def test_core_dumps_are_off(used):
    gateway, machine, *_ = used
    for pid in (gateway.process.pid, machine.process.pid):
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size\s+0\s+0", limits), limits
    assert os.path.exists(f"/proc/{gateway.process.pid}")


def test_the_audit_trail(used):
    gateway, machine, secrets, _ = used
    trail = (gateway.state / "audit" / "audit.jsonl").read_text()
    assert not [secret for secret in secrets if secret in trail or secret[4:] in trail]
    actions = {event["action"] for event in gateway.ok("GET", "/api/v1/audit/events?limit=100")}
    assert len(actions) >= 6, actions
    assert machine.agent_id in trail or machine.facts()["id"] in trail
