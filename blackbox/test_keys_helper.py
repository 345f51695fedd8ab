"""`tidegate-keys`, which sshd asks at each login: quick, silent when in doubt, and answered only when sshd asks."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import threading
import time

import programs
import pytest
from commands import run
from gateway import Gateway, available_modes
from sshkeys import KeyPair
from tunnels import Jump, Tunnel

HELPER = programs.folder_of_binaries() / "tidegate-keys"
LIMIT = 2.0


@pytest.fixture
def key(tmp_path):
    return KeyPair(tmp_path)


def ask(key, path, user="tidegate", account=None, program=HELPER):
    """(what it printed, seconds)."""
    begun = time.monotonic()
    command = [*programs.as_user(account), program, "--socket", path, user, key.fingerprint, "ssh-ed25519"]
    done = run(command, deadline=10)
    return done.stdout, time.monotonic() - begun


class Silent:
    """A listener that behaves as a gateway in trouble does."""

    def __init__(self, path, backlog=16, answer=None):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(backlog)
        self.kept = []
        if answer is not None:
            threading.Thread(target=self._serve, args=(answer,), daemon=True).start()

    def _serve(self, answer):
        with contextlib.suppress(OSError):
            while True:
                visitor, _ = self.socket.accept()
                self.kept.append(visitor)
                threading.Thread(target=answer, args=(visitor,), daemon=True).start()

    def close(self):
        self.socket.close()
        for visitor in self.kept:
            visitor.close()


def trickle(visitor):
    never = threading.Event()
    with contextlib.suppress(OSError):
        for byte in b"restrict,port-forwarding " * 100:
            visitor.sendall(bytes([byte]))
            never.wait(0.2)


def flood(visitor):
    with contextlib.suppress(OSError):
        while True:
            visitor.sendall(b"a" * 65536)


def two_lines(visitor):
    with contextlib.suppress(OSError):
        visitor.recv(512)
        visitor.sendall(b"restrict ssh-ed25519 AAAA\nssh-ed25519 BBBB\n")
        visitor.close()


TROUBLES = {
    "accepts and is silent": lambda visitor: None,
    "hangs up": lambda visitor: visitor.close(),
    "trickles": trickle,
    "floods": flood,
    "answers two lines": two_lines,
    "answers control characters": lambda visitor: (
        visitor.sendall(b"restrict \x1b[2J ssh-ed25519 A\n"),
        visitor.close(),
    ),
    "answers half a line": lambda visitor: (visitor.sendall(b"restrict,port-forw"), visitor.close()),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_gateway_in_trouble(tmp_path, key, trouble):
    path = tmp_path / "s"
    listener = Silent(path, answer=TROUBLES[trouble])
    try:
        printed, lasted = ask(key, path)
    finally:
        listener.close()
    assert printed == "" and lasted < LIMIT


def test_a_gateway_that_never_accepts(tmp_path, key, figures):
    """Its accept queue is full: connect() itself would wait."""
    path = tmp_path / "s"
    listener = Silent(path, backlog=0)
    waiting = []
    try:
        for _ in range(4):
            visitor = socket.socket(socket.AF_UNIX)
            visitor.setblocking(False)
            waiting.append(visitor)
            with contextlib.suppress(BlockingIOError):
                visitor.connect(str(path))
        printed, lasted = ask(key, path)
        figures.note("tidegate-keys beside a full accept queue gave up after", f"{lasted * 1000:.0f} ms")
    finally:
        listener.close()
        for visitor in waiting:
            visitor.close()
    assert printed == "" and lasted < LIMIT


def test_no_gateway(tmp_path, key):
    printed, lasted = ask(key, tmp_path / "nothing")
    assert printed == "" and lasted < LIMIT
    (tmp_path / "plain").write_text("")
    assert ask(key, tmp_path / "plain")[0] == ""


@pytest.mark.parametrize(
    "words",
    [[], ["--socket"], ["--socket", "/x"], ["a", "b", "c"], ["--socket", "x" * 300, "u", "f", "t"],
     ["--socket", "/nonexistent", "u" * 5000, "SHA256:a", "ssh-ed25519"],
     ["--socket", "/nonexistent", "tidegate", "SHA256:a\nssh-ed25519", "ssh-ed25519"]],
    ids=range(7),
)  # fmt: skip
def test_a_wrong_call_prints_no_key(words):
    done = run([HELPER, *words], deadline=5)
    assert done.stdout == "", done


def helper_mode():
    lacking = available_modes()
    return next((mode for mode in ("root", "user-helper") if mode not in lacking), None)


@pytest.fixture(scope="module")
def asked():
    """A gateway that the helper asks, with a key it would let in when sshd asks."""
    mode = helper_mode()
    if not mode:
        pytest.skip(f"{programs.INSTALLED_HELPER} is not installed")
    with Gateway(mode) as gateway:
        yield gateway, Jump(gateway, [Tunnel(gateway).name])


def test_only_sshd_is_answered(asked):
    """The right user and a registered key, but no sshd above it: any local program could ask otherwise."""
    gateway, jump = asked
    settings = (gateway.state / "ssh" / "sshd_config").read_text().split()
    path = settings[settings.index("--socket") + 1]
    users = [None, *[pwd.getpwnam(name) for name in ("nobody",)]]
    if programs.is_root():
        users += [pwd.getpwnam("tidegate-keys"), programs.ordinary_user()]
    for account in users:
        printed, lasted = ask(jump.key, path, gateway.ssh_user, account, programs.INSTALLED_HELPER)
        assert printed == "" and lasted < LIMIT, account


def test_the_helper_needs_no_library_of_ours():
    """sshd runs it at each login, in whatever environment: nothing is looked up at run time."""
    if not shutil.which("ldd"):
        pytest.skip("no ldd here")
    done = run(["ldd", HELPER])
    assert "swift" not in done.stdout.lower() and ("not a dynamic" in done.stderr or "statically" in done.stdout)


def test_a_stopped_gateway_answers_nobody(asked, figures):
    """SIGSTOP is the worst of all: every socket is there, nothing answers. A login in flight ends refused."""
    gateway, jump = asked
    port = gateway.first_lease
    command = [word.replace("ConnectTimeout=15", "ConnectTimeout=3") for word in jump.command(port)]
    os.kill(gateway.process.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        done = run(command, deadline=20)
        assert done.returncode == 255 and time.monotonic() - begun < 10
    finally:
        os.kill(gateway.process.pid, signal.SIGCONT)
    assert "open failed" in run(jump.command(port), deadline=20).stderr
