"""The commands as people and scripts use them: help, tables, JSON, exit codes, hostile text."""

import functools
import json
import os
import pty
import re
import select

import programs
import pytest
from commands import run
from sshkeys import KeyPair
from tunnels import Tunnel, new_name
from waiting import wait_until

REFUSED, USAGE, UNREACHABLE = 1, 64, 69
PROGRAMS = {"tidegate": programs.tidegate, "tidegate-agent": programs.agent}


@functools.cache
def commands_of(program, *words):
    """Every command below `program WORDS`, as its own help names them."""
    text = run([PROGRAMS[program](), *words, "--help"], check=True).stdout
    found = [(program, *words)]
    section = re.search(r"^SUBCOMMANDS:\n(.*?)(?:^\S|\Z)", text, re.M | re.S)
    for name in re.findall(r"^  ([a-z][a-z-]*)(?: |$)", section.group(1) if section else "", re.M):
        found += commands_of(program, *words, name)
    return found


def test_every_command_explains_itself_with_an_example():
    lacking, seen = [], []
    for program in PROGRAMS:
        for command in commands_of(program):
            _, *words = command
            done = run([PROGRAMS[program](), *words, "--help"])
            assert done.returncode == 0, command
            assert "\x1b" not in done.stdout
            seen.append(command)
            group = "SUBCOMMANDS:" in done.stdout
            if not group and "EXAMPLE" not in done.stdout.upper():
                lacking.append(" ".join(command))
    assert not lacking
    assert (
        ("tidegate", "serve") in seen and ("tidegate", "machine", "add") in seen and ("tidegate-agent", "run") in seen
    )


@pytest.mark.parametrize("program", PROGRAMS)
def test_versions_come_from_one_source(program):
    assert (programs.ROOT / "VERSION").read_text().strip() in run([PROGRAMS[program](), "--version"], check=True).stdout


def test_the_helper_has_a_version_too():
    done = run([programs.folder_of_binaries() / "tidegate-keys", "--version"])
    assert (programs.ROOT / "VERSION").read_text().strip() in done.stdout + done.stderr


# --- machines ---


def test_machine_commands(gateway):
    name, other = new_name("cli"), new_name("cli")
    added = gateway.cli_json(
        "machine", "add", name, "--organization", "Acme", "--site", "Hall 3", "--tag", "lab", "--tag", "x"
    )
    assert added["enrolment"]["token"].startswith("tge_") and "tidegate-agent enrol" in added["enrolment"]["command"]
    shown = gateway.cli_json("machine", "show", name)
    assert (shown["name"], shown["organization"], shown["site"], shown["tags"]) == (
        name,
        "Acme",
        "Hall 3",
        ["lab", "x"],
    )
    assert shown["connected"] is False and shown["lease"] is None
    rows = gateway.cli_json("machine", "list", "--organization", "Acme", "--tag", "lab")
    assert [row["name"] for row in rows] == [name]
    gateway.cli("machine", "set", name, "--name", other, "--site", "Hall 4", "--tag", "y", "--untag", "x")
    shown = gateway.cli_json("machine", "show", other)
    assert (shown["site"], shown["tags"], shown["agent_id"]) == ("Hall 4", ["lab", "y"], added["machine"]["agent_id"])
    assert other in gateway.cli("machine", "list").stdout
    again = gateway.cli_json("machine", "enrol", other)
    assert again["token"].startswith("tge_") and again["token"] != added["enrolment"]["token"]
    gateway.cli("machine", "remove", other)
    gone = gateway.cli("machine", "show", other, check=False)
    assert gone.returncode == REFUSED and gone.stdout == "" and gone.stderr.startswith("tidegate: ")


def test_key_and_token_and_agent_key_commands(gateway, tmp_path):
    tunnel = Tunnel(gateway)
    key = KeyPair(tmp_path)
    row = gateway.cli_json("key", "add", key.public, "--machine", tunnel.name, "--ttl", "30d")
    assert row["fingerprint"] == key.fingerprint and row["machines"][0]["lease"]["port"] == tunnel.port
    assert row["id"] in [each["id"] for each in gateway.cli_json("key", "list")]
    gateway.cli("key", "revoke", row["id"])
    token = gateway.cli_json("token", "add", "--label", "script", "--ttl", "1h")
    assert token["token"].startswith("tgp_")
    assert token["id"] in [each["id"] for each in gateway.cli_json("token", "list")]
    assert "token" not in next(each for each in gateway.cli_json("token", "list") if each["id"] == token["id"])
    gateway.cli("token", "revoke", token["id"])
    (agent_key,) = gateway.cli_json("agent-key", "list", tunnel.name)
    gateway.cli("agent-key", "revoke", tunnel.name, agent_key["id"])
    (agent_key,) = gateway.cli_json("agent-key", "list", tunnel.name)
    assert agent_key.get("revoked_at")
    assert isinstance(gateway.cli_json("connection", "list"), list)
    assert gateway.cli_json("whoami")["kind"] == "user"


def test_audit_events_are_a_document_a_line(gateway):
    Tunnel(gateway)
    lines = gateway.cli("audit", "events", "--limit", "5", "--json").stdout.splitlines()
    assert len(lines) == 5
    for line in lines:
        assert {"id", "at", "action", "outcome", "actor", "subject"} <= set(json.loads(line))
    trail = gateway.state / "audit" / "audit.jsonl"
    newest = json.loads(lines[0])["id"]
    wait_until(
        lambda: newest in [json.loads(line).get("id") for line in trail.read_text().splitlines()], 5, "the newest event"
    )


def test_tokens_go_to_a_closed_file(gateway, tmp_path):
    path = tmp_path / "token"
    done = gateway.cli("token", "add", "--label", "file", "--output", path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().strip() not in done.stdout + done.stderr


# --- when it does not work ---


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["machine", "show", "nobody-here"], REFUSED),
        (["machine", "remove", "nobody-here"], REFUSED),
        (["machine", "add", "UPPER"], USAGE),
        (["machine", "add"], USAGE),
        (["machine", "add", "a", "b"], USAGE),
        (["machine", "wash"], USAGE),
        (["nonsense"], USAGE),
        (["machine", "list", "--colour"], USAGE),
        (["key", "add", "/nonexistent.pub", "--machine", "a"], (REFUSED, USAGE)),
        (["key", "revoke", "not-an-id"], USAGE),
        (["key", "revoke", "00000000-0000-4000-8000-000000000000"], REFUSED),
        (["token", "add", "--label", "a", "--ttl", "soon"], USAGE),
        (["ssh", "nobody-here"], REFUSED),
        (["ssh"], USAGE),
        (["scp", "a"], USAGE),
        (["audit", "events", "--limit", "0"], USAGE),
        (["serve", "--listen", "nonsense"], None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_exit_codes(gateway, words, code):
    done = gateway.cli(*words, check=False)
    allowed = code if isinstance(code, tuple) else (code,)
    assert done.returncode in allowed if code else done.returncode != 0, (done.returncode, done.stderr)
    assert done.stdout == "" and done.stderr.strip(), done
    assert "Fatal error" not in done.stderr and "Swift" not in done.stderr


def test_no_gateway_and_no_token(gateway, tmp_path):
    gone = gateway.cli("machine", "list", check=False, environment={"TIDEGATE_URL": "http://127.0.0.1:1"})
    assert gone.returncode == UNREACHABLE and "127.0.0.1:1" in gone.stderr
    wrong = gateway.cli("machine", "list", check=False, environment={"TIDEGATE_TOKEN": "tgp_" + "A" * 43})
    assert wrong.returncode == REFUSED and "A" * 43 not in wrong.stderr
    plain = gateway.cli("machine", "list", check=False, environment={"TIDEGATE_URL": "http://192.0.2.1:12000"})
    assert plain.returncode == USAGE and "http" in plain.stderr
    missing = gateway.cli("machine", "list", check=False, environment={"TIDEGATE_TOKEN_FILE": str(tmp_path / "none")})
    assert missing.returncode != 0 and "TIDEGATE_TOKEN_FILE" in missing.stderr
    environment = {
        name: value for name, value in gateway.client_environment.items() if not name.startswith("TIDEGATE_")
    }
    nothing = run([programs.tidegate(), "machine", "list"], env=environment | {"HOME": str(tmp_path)})
    assert nothing.returncode == USAGE and "TIDEGATE_URL" in nothing.stderr


def test_errors_are_json_too(gateway):
    done = gateway.cli("machine", "show", "nobody-here", "--json", check=False)
    document = json.loads(done.stderr or done.stdout)
    assert document["error_code"] == "MACHINE_NOT_FOUND" and done.returncode == REFUSED


def test_an_offline_machine_is_said_to_be(gateway):
    tunnel = Tunnel(gateway)
    done = gateway.cli("ssh", tunnel.name, "--", "true", check=False)
    assert done.returncode == UNREACHABLE and "not connected" in done.stderr


# --- terminals ---


def on_a_terminal(gateway, *words):
    """Output as a terminal would get it."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(programs.tidegate(), [programs.tidegate(), *words], gateway.client_environment | {"TERM": "xterm"})
    received = b""
    try:
        while select.select([terminal], [], [], 20)[0]:
            chunk = os.read(terminal, 65536)
            if not chunk:
                break
            received += chunk
    except OSError:
        pass  # what Linux says at the end of a terminal
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    return received.decode("utf-8", "replace")


def test_text_of_a_stranger_does_not_reach_the_terminal_raw(gateway):
    """An agent says what system it runs on: it must not say it to the administrator's terminal."""
    tunnel = Tunnel(gateway, register=False)
    key = KeyPair(gateway.home)
    body = {
        "public_key": key.line,
        "host_keys": [],
        "os": "Linux\x1b]0;owned\x07\x9b31m\u202egnp",
        "agent_version": "1",
    }
    answer = gateway.call("POST", "/api/v1/agent/register", body, token=tunnel.agent_key)
    assert answer.status in (200, 400)
    for words in (["machine", "show", tunnel.name], ["machine", "list"], ["audit", "events"]):
        text = on_a_terminal(gateway, *words)
        for bad in ("\x1b]", "\x07", "\x9b", "\u202e"):
            assert bad not in text, (words, text)


def test_a_lying_gateway_does_not_reach_the_terminal_raw(gateway, tmp_path):
    import http.server
    import threading

    class Liar(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            problem = {
                "type": "x",
                "title": "\x1b[2J",
                "detail": "gone \x1b]0;owned\x07\u202e",
                "request_id": "\x1b[31m",
            }
            problem |= {"status": 404, "status_code": 404, "error_code": "MACHINE_NOT_FOUND"}
            body = json.dumps(problem).encode()
            self.send_response(404)
            self.send_header("Content-Type", "application/problem+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Liar)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        environment = {"TIDEGATE_URL": f"http://127.0.0.1:{server.server_port}"}
        done = gateway.cli("machine", "show", "box", check=False, environment=environment)
    finally:
        server.shutdown()
    assert done.returncode != 0
    assert "\x1b" not in done.stderr and "\x07" not in done.stderr and "\u202e" not in done.stderr
