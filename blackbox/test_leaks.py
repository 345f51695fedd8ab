"""The search for secrets that ends each gateway's life finds what is planted, and names it without repeating it."""

import secrets
import subprocess
import time

import leaks
import pytest
from browsers import Browser
from commands import end
from gateway import Gateway
from people import PHRASE, set_password
from waiting import wait_until


@pytest.fixture
def watched():
    """A gateway of the test's own: it closes it."""
    gateway = Gateway()
    yield gateway
    gateway.close(search=False)


def found(gateway, artefact, kind, *texts):
    """Closing it fails and says where and what, without the secret."""
    with pytest.raises(AssertionError) as failure:
        gateway.close()
    said = str(failure.value)
    assert f"{artefact} holds {kind}" in said, said
    assert not [text for text in texts if text in said]


def add(path, text):
    with open(path, "ab") as file:
        file.write(f"a line that ends with {text}\n".encode())


@pytest.mark.parametrize("start", [0, 4], ids=["whole", "without its prefix"])
@pytest.mark.parametrize("place", ["gateway.log", "state/audit/audit.jsonl", "state/tidegate.db-wal", "state/anything"])
def test_a_token_in_a_file(watched, place, start):
    token = watched.ok("POST", "/api/v1/tokens", {"label": "planted"})["token"]
    watched.stop()
    add(watched.folder / place, token[start:])
    found(watched, place, "a personal token", token, token[4:])


def test_what_a_person_proves_themselves_with(watched):
    set_password(watched)
    browser = Browser(watched)
    assert browser.sign_in("admin", PHRASE).status == 200
    (cookie,) = browser.cookies.values()
    for text in (PHRASE, cookie[4:], browser.token):
        add(watched.log_path, text)
    with pytest.raises(AssertionError) as failure:
        watched.close()
    for kind in ("a password", "a session's cookie", "a csrf_token"):
        assert f"gateway.log holds {kind}" in str(failure.value), failure.value


def test_a_machines_key_that_no_answer_told(watched, tmp_path):
    """Learnt from the file that may hold it."""
    folder = leaks.Watched(tmp_path)
    key = "cak_" + secrets.token_urlsafe(32)
    (tmp_path / "agent").mkdir()
    add(tmp_path / "agent" / "agent.key", key)
    add(tmp_path / "agent.log", key)
    assert folder.leaks() == ["agent.log holds an agent key"]


def test_a_secret_of_the_environment():
    secret = secrets.token_urlsafe(32)
    gateway = Gateway(environment={"TIDEGATE_DRAIN_SECRET": secret})
    add(gateway.log_path, secret)
    found(gateway, "gateway.log", "a credential", secret)


def test_a_command_line(watched):
    token = watched.ok("POST", "/api/v1/tokens", {"label": "planted"})["token"]
    program = subprocess.Popen(["sleep", "60", "--", token], stderr=subprocess.DEVNULL)
    sleeper = subprocess.Popen(["tail", "-f", "/dev/null", "--pid", str(program.pid), f"/nowhere/{token}"],
                               stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        wait_until(lambda: any(token.encode() in text for _, text in leaks.SAID.texts), 5, "the command line seen")
    finally:
        end(program)
        end(sleeper)
    found(watched, "the command line of tail", "a personal token", token)


def test_what_a_command_prints(watched):
    token = watched.ok("POST", "/api/v1/tokens", {"label": "planted"})["token"]
    done = subprocess.CompletedProcess([], 1, "", f"error: the token {token} is unknown\n")
    leaks.SAID.command(["/usr/bin/tidegate", "token", "add"], done)
    found(watched, "the errors of tidegate token add", "a personal token", token)


def test_a_private_key(watched):
    watched.stop()
    (watched.state / "copied").write_bytes((watched.state / "ssh" / "ssh_host_ed25519_key").read_bytes())
    found(watched, "state/copied", "a private key")


def test_what_nobody_could_have_as_a_secret_is_not_one(watched):
    add(watched.log_path, "tgp_" + "A" * 43)
    watched.call("GET", "/api/v1/whoami", token="tgp_" + "A" * 43)
    watched.close()


def test_a_run_without_a_leak_is_quick(watched):
    """What the search adds to each gateway's life."""
    for number in range(50):
        watched.ok("POST", "/api/v1/tokens", {"label": f"n{number}"})
    watched.stop()
    begun = time.perf_counter()
    assert watched.watched.leaks() == []
    assert time.perf_counter() - begun < 2
