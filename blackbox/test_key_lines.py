"""A reverse key and a jump key may do one forward each; all else is refused, with real ssh, in each mode."""

import contextlib
import glob
import os
import pathlib
import pwd
import socket
import subprocess
import tempfile

import pytest
from commands import end, run
from networks import Canary, free_ports, listening
from sshkeys import KeyPair
from tunnels import Jump, Tunnel
from waiting import wait_until

REVERSE, JUMP = "reverse", "jump"


class Scene:
    """Two machines with live tunnels, a jump key to the first, and listeners that nobody may reach."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.target, self.canary = Canary(), Canary()
        self.mine, self.other = Tunnel(gateway, self.target.port).open(), Tunnel(gateway, self.canary.port).open()
        self.idle = Tunnel(gateway)
        self.jump = Jump(gateway, [self.mine.name])
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="scene-", dir=gateway.folder))
        self.folder.chmod(0o777)
        self.unix = Canary(socket.AF_UNIX, str(self.folder / "listening.sock"))
        facts = gateway.coordinates()
        self.user = facts["ssh_user"]
        self.known_hosts = gateway.known_hosts()
        # A reverse key of a machine that has no tunnel up: a refusal is the line's, not an address in use.
        self.keys = {REVERSE: self.idle.key.private, JUMP: self.jump.key.private}

    def arguments(self, kind, user=None):
        return self.gateway.ssh_arguments(self.keys[kind], user or self.user)

    def ssh(self, kind, *options, words=(), user=None, **more):
        command = [*self.arguments(kind, user), *options, self.gateway.address, *words]
        return run(command, deadline=20, **more)

    def forwarding(self, kind, *options):
        """A connection that only forwards and has to fail when the forward is refused; (ended, its words)."""
        process = subprocess.Popen(
            [*self.arguments(kind), "-N", "-o", "ExitOnForwardFailure=yes", *options, self.gateway.address],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        return process

    def close(self):
        for tunnel in (self.mine, self.other, self.idle):
            tunnel.close()
        for listener in (self.target, self.canary, self.unix):
            listener.close()


@pytest.fixture(scope="module")
def scene(gateway_in_mode):
    scene = Scene(gateway_in_mode)
    yield scene
    scene.close()


@pytest.fixture(params=[REVERSE, JUMP])
def kind(request):
    return request.param


def refused_by_the_server(process):
    """The connection ended because of the forward, having logged in (a failed login would prove nothing)."""
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        return False, "still connected"
    finally:
        end(process, 3)
    words = process.stderr.read()
    return process.returncode != 0 and "Permission denied (" not in words, words


# --- what they are for ---


def test_a_jump_key_reaches_its_machine(scene):
    done = scene.ssh(JUMP, "-W", f"127.0.0.1:{scene.mine.port}")
    assert done.stdout == "canary\n", done.stderr


def test_a_reverse_key_binds_its_port(scene):
    with contextlib.closing(scene.idle.open()):
        assert listening(scene.idle.port)


def test_a_leased_port_is_bound_on_loopback_alone(scene):
    table = run(["ss", "-Htln", f"sport = :{scene.mine.port}"], check=True).stdout.split()
    assert [word for word in table if word.endswith(f":{scene.mine.port}")] == [f"127.0.0.1:{scene.mine.port}"]


# --- nothing runs ---


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param((), ("id",), id="exec"),
        pytest.param(("-T",), (), id="shell"),
        pytest.param(("-tt",), (), id="pty"),
        pytest.param(("-tt",), ("id",), id="exec-on-a-pty"),
        pytest.param(("-s",), ("sftp",), id="sftp"),
        pytest.param(("-s",), ("netconf",), id="other-subsystem"),
        pytest.param(("-o", "SetEnv=LD_PRELOAD=/tmp/x.so"), ("id",), id="environment"),
    ],
)
def test_nothing_runs(scene, kind, options, words):
    # id, then an SFTP version packet: whoever answers either has run something.
    done = scene.ssh(kind, *options, words=words, input=b"id\n\x00\x00\x00\x05\x01\x00\x00\x00\x03", text=False)
    assert done.returncode != 0
    assert b"uid=" not in done.stdout and b"\x02\x00\x00\x00" not in done.stdout, done.stdout


def agent_sockets(user):
    """Where sshd would offer a forwarded agent to this account."""
    uid = pwd.getpwnam(user).pw_uid
    return {path for path in glob.glob("/tmp/ssh-*") if os.stat(path).st_uid == uid}


@pytest.mark.parametrize("option", ["-A", "-X", "-Y"])
def test_agent_and_x11_are_not_forwarded(scene, kind, option, tmp_path):
    started = run(["ssh-agent", "-s", "-a", tmp_path / "socket"], check=True).stdout
    pid = int(started.split("SSH_AGENT_PID=")[1].split(";")[0])
    environment = os.environ | {"SSH_AUTH_SOCK": str(tmp_path / "socket"), "DISPLAY": "127.0.0.1:77"}
    before = agent_sockets(scene.user)
    try:
        # IdentityAgent=none would keep ssh from offering the agent at all: the first value given wins.
        command = scene.arguments(kind)
        command = [word for word in command if word != "IdentityAgent=none"]
        command = [word for index, word in enumerate(command) if not (word == "-o" and command[index + 1 : index + 2]
                   and command[index + 1] in ("-o", "-p"))]  # fmt: skip
        done = run([*command, option, scene.gateway.address, "echo got $SSH_AUTH_SOCK $DISPLAY"], env=environment)
    finally:
        os.kill(pid, 15)
    assert done.returncode != 0 and "got" not in done.stdout
    assert agent_sockets(scene.user) == before
    assert not listening(6010)


# --- Unix sockets and tunnels ---


def answer_of_a_socket(scene, kind, path):
    """What comes back from `path` on the gateway through `-L`, if anything does."""
    port = free_ports()
    process = scene.forwarding(kind, "-L", f"127.0.0.1:{port}:{path}")
    try:
        wait_until(lambda: listening(port) or process.poll() is not None, 15, "the local end")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as visitor:
            visitor.settimeout(5)
            visitor.sendall(b"GET /api/v1/whoami HTTP/1.1\r\nHost: a\r\n\r\n")
            return visitor.recv(100)
    finally:
        end(process, 3)
    return b""


def test_no_way_to_a_unix_socket(scene, kind):
    assert answer_of_a_socket(scene, kind, scene.folder / "listening.sock") == b""
    assert scene.unix.visits == 0


def test_no_way_to_the_sockets_of_the_gateway(scene, kind):
    sockets = [*scene.gateway.state.rglob("*.sock"), pathlib.Path("/run/tidegate/keys.sock")]
    for path in sockets:
        assert answer_of_a_socket(scene, kind, path) == b"", path


def test_no_unix_socket_is_made(scene, kind):
    path = scene.folder / f"made-by-{kind}.sock"
    refused, words = refused_by_the_server(scene.forwarding(kind, "-R", f"{path}:127.0.0.1:{scene.canary.port}"))
    assert refused, words
    assert not path.exists()


def test_no_tun_device(scene, kind):
    process = scene.forwarding(kind, "-w", "0:0")
    refused, words = refused_by_the_server(process)
    assert refused, words
    assert "tun0" not in run(["ip", "-brief", "link"]).stdout


# --- forwards to somewhere else ---


@pytest.mark.parametrize("where", ["canary", "other-machine", "own-port-by-name", "own-port-by-v6", "gateway-ssh"])
def test_no_way_to_another_target(scene, kind, where):
    destination = {
        "canary": f"127.0.0.1:{scene.canary.port}",
        "other-machine": f"127.0.0.1:{scene.other.port}",
        "own-port-by-name": f"localhost:{scene.mine.port}",
        "own-port-by-v6": f"[::1]:{scene.mine.port}",
        "gateway-ssh": f"127.0.0.1:{scene.gateway.ssh_port}",
    }[where]
    before = scene.canary.visits
    done = scene.ssh(kind, "-W", destination)
    assert done.returncode != 0 and done.stdout == "", done.stdout
    assert "prohibited" in done.stderr or "forwarding failed" in done.stderr, done.stderr
    assert scene.canary.visits == before


def test_a_reverse_key_does_not_reach_its_own_machine_back(scene):
    scene.keys["mine"] = scene.mine.key.private
    before = scene.target.visits
    done = scene.ssh("mine", "-W", f"127.0.0.1:{scene.mine.port}")
    assert done.returncode != 0 and done.stdout == ""
    assert scene.target.visits == before


def test_a_jump_key_does_not_open_the_api(scene):
    done = scene.ssh(JUMP, "-W", f"127.0.0.1:{scene.gateway.port}", input="GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    assert done.returncode != 0 and done.stdout == ""


def test_no_socks_proxy(scene, kind):
    port, before = free_ports(), scene.canary.visits
    process = scene.forwarding(kind, "-D", f"127.0.0.1:{port}")
    try:
        wait_until(lambda: listening(port) or process.poll() is not None, 15, "the proxy's local end")
        for destination in (scene.canary.port, scene.other.port):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as visitor:
                visitor.settimeout(5)
                visitor.sendall(b"\x05\x01\x00")
                visitor.recv(2)
                visitor.sendall(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + destination.to_bytes(2))
                assert b"canary" not in visitor.recv(200)
    finally:
        end(process, 3)
    assert scene.canary.visits == before


@pytest.mark.parametrize(
    "listen",
    ["127.0.0.1:{free}", "127.0.0.1:0", "*:{own}", "0.0.0.0:{own}", "[::1]:{own}", "[::]:{own}", "localhost:{own}",
     "127.0.0.2:{own}", "{own}", "0", "127.0.0.1:{other}", "127.0.0.1:{lease}", ":{own}"],
)  # fmt: skip
def test_no_other_listener(scene, kind, listen):
    """Another port, another address, any address, a name for the same address, another machine's leased port."""
    free = free_ports()
    lease = next(port for port in range(scene.gateway.last_lease, 0, -1) if not listening(port))
    own = scene.idle.port if kind == REVERSE else scene.mine.port
    wanted = listen.format(free=free, own=own, other=scene.other.port, lease=lease)
    process = scene.forwarding(kind, "-R", f"{wanted}:127.0.0.1:{scene.canary.port}")
    refused, words = refused_by_the_server(process)
    assert refused, f"-R {wanted}: {words}"
    assert "remote port forwarding failed" in words, words


def test_a_jump_key_does_not_bind_the_port_it_may_reach(scene):
    """The machine is away: its visitors must not meet an impostor."""
    jump = Jump(scene.gateway, [scene.idle.name])
    scene.keys["jump-to-idle"] = jump.key.private
    process = scene.forwarding("jump-to-idle", "-R", f"127.0.0.1:{scene.idle.port}:127.0.0.1:{scene.canary.port}")
    refused, words = refused_by_the_server(process)
    assert refused, words
    assert not listening(scene.idle.port)


# --- who may log in ---


@pytest.mark.parametrize("user", ["root", "nobody", "daemon", "no-such-user"])
def test_no_other_account(scene, kind, user):
    if user == scene.user:
        pytest.skip("the tests run as this account")
    done = scene.ssh(kind, "-W", f"127.0.0.1:{scene.mine.port}", user=user)
    assert done.returncode != 0 and done.stdout == ""
    assert "Permission denied" in done.stderr, done.stderr


def test_a_key_that_nobody_registered_is_refused(scene, tmp_path):
    scene.keys["stranger"] = KeyPair(tmp_path).private
    done = scene.ssh("stranger", "-W", f"127.0.0.1:{scene.mine.port}")
    assert "Permission denied" in done.stderr, done.stderr


def test_other_kinds_of_key_are_not_registered(scene, tmp_path):
    for words in (["-t", "rsa", "-b", "2048"], ["-t", "ecdsa"]):
        path = tmp_path / words[1]
        run(["ssh-keygen", "-q", *words, "-N", "", "-f", path], check=True)
        line = " ".join((tmp_path / f"{words[1]}.pub").read_text().split()[:2])
        answer = scene.gateway.call("POST", "/api/v1/tunnel-keys", {"public_key": line, "machines": [scene.mine.name]})
        assert (answer.status, answer.code) == (400, "INVALID_FIELD"), answer


def test_no_password_is_asked_for(scene):
    done = run(
        ["ssh", "-F", "none", "-v", "-o", "BatchMode=yes", "-o", "PubkeyAuthentication=no", "-o",
         f"UserKnownHostsFile={scene.known_hosts}", "-p", str(scene.gateway.ssh_port), "-l", scene.user,
         scene.gateway.address, "id"],
    )  # fmt: skip
    assert "Authentications that can continue: publickey\n" in done.stderr.replace("\r", ""), done.stderr
