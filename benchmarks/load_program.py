"""Runs `tidegate-load`, which makes the load, and writes the files of requests that it plays."""

import contextlib
import json
import os
import pathlib
import subprocess
import tempfile

from report import ROOT

import programs
from commands import end, run
from networks import free_ports, give_back_ports, listening
from waiting import wait_until


def program():
    path = pathlib.Path(os.environ.get("TIDEGATE_BIN_DIR", ROOT / ".build" / "release")) / "tidegate-load"
    assert path.exists(), f"{path} is missing: run 'make build'"
    return path


def _ask(words, deadline, **options):
    return json.loads(run([program(), *words], deadline, check=True, **options).stdout)


# --- requests ---


def request(method, path, body=None, token=None):
    """A line of a file of requests. `{key}` in the body and `{id}` in the path are filled in as it is played."""
    text = "" if body is None else json.dumps(body, separators=(",", ":"))
    return "\t".join([method, path, text, *([f"Authorization: Bearer {token}"] if token else [])])


def after(line):
    """The same as the next step of the line before it."""
    return "+" + line


def dialect(action, agent_id):
    """What an agent of ssh-tunnel-gateway asks; its key goes along as a header of the whole run."""
    return request("POST", "/", {"action": action, "agent_id": agent_id})


def native_register(machine):
    """A registration with a key that is new each time."""
    body = {"public_key": "{key}", "host_keys": [], "os": "benchmark", "agent_version": "0"}
    return request("POST", "/api/v1/agent/register", body, machine.agent_key)


def native_heartbeat(machine):
    return request("POST", "/api/v1/agent/heartbeat", {"generation": machine.generation}, machine.agent_key)


def written(lines):
    """A file of these lines, removed at the end of the run with its folder."""
    with tempfile.NamedTemporaryFile("w", dir=programs.session_folder(), prefix="requests-", delete=False) as file:
        file.write("".join(f"{line}\n" for line in lines))
    os.chmod(file.name, 0o600)
    return pathlib.Path(file.name)


# --- runs ---


def play(requests, url, clients, seconds=None, count=None, headers=(), fresh=False, timeout=60):
    """What `tidegate-load run` measured; anything but 2xx is a fault of the benchmark or of the server."""
    words = ["run", "--requests", requests, "--url", url, "--clients", clients, "--timeout", timeout]
    words += ["--seconds", seconds] if seconds else ["--count", count]
    words += [word for header in headers for word in ("--header", header)]
    measured = _ask(words + (["--fresh-connections"] if fresh else []), (seconds or 300) + timeout + 30)
    bad = {status: number for status, number in measured["statuses"].items() if not status.startswith("2")}
    bad |= {kind: number for kind, number in measured["failures"].items() if number}
    assert not bad, f"{requests.name} against {url}: {bad} of {measured['requests']} requests"
    return measured


def herd(requests, url, cap, retry=None, headers=(), connect_timeout=None, keep=False):
    """What `tidegate-load herd` measured; `retry` in seconds, or tidegate-agent's back-off without."""
    words = ["herd", "--requests", requests, "--url", url, "--cap", cap]
    words += ["--retry", retry] if retry else ["--back-off"]
    words += ["--connect-timeout", connect_timeout] if connect_timeout else []
    words += [word for header in headers for word in ("--header", header)]
    return _ask(words + (["--keep-connections"] if keep else []), cap + 60)


def sync_rate(folder, seconds, environment=None):
    """How often a second the disk under `folder` makes 4 KiB durable, and how long that takes."""
    return _ask(["sync", "--folder", folder, "--seconds", seconds], seconds + 60,
                env=os.environ | (environment or {}))  # fmt: skip


@contextlib.contextmanager
def trivial_server():
    """The URL of a server that does nothing: what is measured against it is the load program itself."""
    port = free_ports()
    process = subprocess.Popen([program(), "serve", "--port", str(port)], stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: listening(port), 5, "the trivial server listening")
        yield f"http://127.0.0.1:{port}"
    finally:
        end(process)
        give_back_ports(port)
