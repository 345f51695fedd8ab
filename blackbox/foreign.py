"""Other people's programs from PyPI, unmodified: ssh-tunnel-gateway 0.4.3, its agent and its server."""

import contextlib
import functools
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile

import programs
import pytest
from commands import descendants, end, log_text, run
from machine import PrivateSSHD, Visitor
from networks import free_ports, listening
from sshkeys import KeyPair
from tunnels import new_name
from waiting import wait_until

PACKAGE = "ssh-tunnel-gateway==0.4.3"
API_KEY = "a-shared-key-of-the-fleet"


@functools.cache
def venv(package=PACKAGE):
    """A venv with the package, made once for the run; what pip says when that fails is the test's failure."""
    folder = programs.session_folder() / package.partition("==")[0]
    made = run([sys.executable, "-m", "venv", folder], deadline=120)
    if made.returncode != 0:
        pytest.fail(f"no venv for {package} (is python3-venv installed?):\n{made.stdout}{made.stderr}")
    installed = run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package],
                    deadline=600)  # fmt: skip
    if installed.returncode != 0:
        pytest.fail(f"pip could not install {package} (is the package index reachable?):\n{installed.stderr[-3000:]}")
    return folder


def decrypted(answer, api_key=API_KEY):
    """The private key of a register answer, opened by the agent's own code."""
    code = (
        "import json, sys\nfrom ssh_tunnel_agent.crypto import EncryptedBlob, decrypt_private_key\n"
        "asked = json.load(sys.stdin)\n"
        "sys.stdout.write(decrypt_private_key(EncryptedBlob(**asked['blob']), asked['key']).decode())"
    )
    asked = json.dumps({"blob": answer["encrypted_private_key"], "key": api_key})
    return run([venv() / "bin" / "python", "-c", code], check=True, input=asked).stdout


class HandedKey:
    """What a register answer gives, as files: `.private`, `.port`, `.answer`."""

    def __init__(self, gateway, agent_id, api_key=API_KEY):
        self.gateway = gateway
        answer = gateway.api.call("POST", "/", {"action": "register", "agent_id": agent_id}, headers={"X-API-Key": api_key})
        assert answer.status == 200, answer
        self.answer = answer.body
        self.port = self.answer["port_b"]
        self.private = pathlib.Path(tempfile.mkdtemp(dir=gateway.home)) / "agent.pem"
        self.private.write_text(decrypted(self.answer, api_key))
        self.private.chmod(0o600)
        self.ssh = None

    def command(self, *options):
        return [*self.gateway.ssh_arguments(self.private), *options, self.gateway.address]

    def open(self, target=9, deadline=15):
        """`ssh -R` with it; waits until this very process has the port. As an agent does, it tries again when the one that
        it displaces has not let go of the port yet."""
        forward = f"{self.answer['reverse_bind_host']}:{self.port}:127.0.0.1:{target}"
        log_path = self.private.with_suffix(".log")

        def start():
            with open(log_path, "wb") as log:
                self.ssh = subprocess.Popen(
                    self.command("-v", "-N", "-T", "-o", "ExitOnForwardFailure=yes", "-R", forward),
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                )  # fmt: skip

        def bound():
            if self.ssh.poll() is not None:
                said = log_text(log_path)
                if "remote port forwarding failed" not in said:
                    raise AssertionError(f"ssh -R ended with {self.ssh.returncode}: {said[-2000:]}")
                start()
            return "remote forward success" in log_text(log_path)

        start()
        wait_until(bound, deadline, lambda: f"the port bound: {log_text(log_path)[-2000:]}")
        return self

    def logs_in(self):
        """True when sshd lets it in now. It may not run anything, so the refusal of a session is a yes."""
        done = run([*self.command("-v", "-T"), "true"], deadline=30)
        assert done.returncode != 0
        if "Authenticated to" in done.stderr:
            return True
        assert "Permission denied (publickey)" in done.stderr, done.stderr
        return False

    def close(self):
        end(self.ssh, 5)


class ForeignAgent:
    """A machine with an sshd of its own and the PyPI agent."""

    def __init__(self, gateway, agent_id=None, api_key=API_KEY, url=None, ssh_port=None, start=True, **environment):
        self.gateway, self.agent_id = gateway, agent_id or new_name("agent")
        self.login = pwd.getpwuid(os.geteuid()).pw_name
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="foreign-", dir=programs.session_folder()))
        self.login_key = KeyPair(self.folder, "login")
        self.sshd = PrivateSSHD(self.folder / "sshd", [self.login_key.line])
        self.state, self.log_path = self.folder / "state", self.folder / "agent.log"
        self.environment = {
            "API_KEY": api_key, "API_URL": url or gateway.api.url, "AGENT_ID": self.agent_id,
            "STATE_DIR": str(self.state), "SSH_HOST": "127.0.0.1", "SSH_PORT": str(ssh_port or gateway.ssh_port),
            "LOCAL_TARGET_PORT": str(self.sshd.port), "SSH_KNOWN_HOSTS": str(self.folder / "known_hosts"),
            "SSH_OPTIONS": "-o GlobalKnownHostsFile=/dev/null -o IdentityAgent=none", "RECONNECT_DELAY": "1",
            "HEARTBEAT_FAILURE_DELAY_SECONDS": "1", "REGISTER_RETRY_SECONDS": "1", "HOME": str(self.folder),
        } | environment  # fmt: skip
        self.process = None
        if start:
            self.start()

    def start(self):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
        environment.pop("SSH_AUTH_SOCK", None)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [venv() / "bin" / "ssh-tunnel-agent"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment | self.environment, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        return self

    @property
    def log(self):
        return log_text(self.log_path) if self.log_path.exists() else ""

    @property
    def session(self):
        return json.loads((self.state / "session.json").read_text())

    @property
    def port(self):
        return self.session["port_b"]

    @property
    def name(self):
        return self.facts()["name"]

    def facts(self):
        return self.gateway.ok("GET", f"/api/v1/machines/{self.agent_id}")

    def reachable(self):
        """Its own sshd's greeting comes through the leased port."""
        return greets(self.port) if (self.state / "session.json").exists() else False

    def wait_reachable(self, deadline=30):
        wait_until(self.reachable, deadline, lambda: f"{self.agent_id} reachable; agent:\n{self.log[-3000:]}\ngateway:\n"
                   f"{self.gateway.log_end}", every=0.1)  # fmt: skip
        return self

    def visitor(self):
        return Visitor(self.gateway, self)

    def ssh_children(self):
        return descendants(self.process.pid)

    def stop(self):
        """Ends agent and ssh, as systemd would: the whole group."""
        if self.process and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(10)

    def close(self):
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
        self.sshd.close()
        if not os.environ.get("TIDEGATE_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def greets(port, address="127.0.0.1"):
    """True when an SSH server says its version there."""
    import socket

    try:
        with socket.create_connection((address, port), 2) as connection:
            connection.settimeout(3)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


class ForeignServer:
    """`ssh-tunnel-server` and an sshd before it, as its README has it: login user, authorized_keys, ports."""

    def __init__(self, folder, account, leases=20):
        self.folder = pathlib.Path(folder)
        self.account = account
        self.state = self.folder / "data"
        self.state.mkdir(parents=True)
        self.port = free_ports()
        self.first_lease = free_ports(leases)
        self.last_lease = self.first_lease + leases - 1
        self.authorized = self.folder / "authorized_keys"
        self.authorized.touch(mode=0o600)
        for path in (self.state, self.folder, self.authorized):
            os.chown(path, account.pw_uid, account.pw_gid)
        self.sshd = PrivateSSHD(
            self.folder / "sshd", lines=[f"AuthorizedKeysFile {self.authorized}", "GatewayPorts clientspecified"])
        self.env = {
            "API_KEY": API_KEY, "SERVER_HOST": "127.0.0.1", "SERVER_PORT": str(self.port), "STATE_DIR": str(self.state),
            "AUTHORIZED_KEYS_PATH": str(self.authorized), "PORT_RANGE_START": str(self.first_lease),
            "PORT_RANGE_END": str(self.last_lease), "SSH_USER": account.pw_name, "SSH_PUBLIC_HOST": "127.0.0.1",
            "AGENT_REVERSE_BIND_HOST": "127.0.0.1", "LEASE_TTL_DAYS": "3", "RELOAD": "0",
        }  # fmt: skip
        self.env_file = self.folder / "server.env"
        self.env_file.write_text("# the server's environment\n" + "".join(f'{k}="{v}"\n' for k, v in self.env.items()))
        self.log_path = self.folder / "server.log"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*programs.as_user(account), venv() / "bin" / "ssh-tunnel-server"], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env={"PATH": os.environ["PATH"], "HOME": str(self.folder)} | self.env, cwd="/",
                start_new_session=True,
            )  # fmt: skip
        wait_until(lambda: listening(self.port), 20, lambda: f"their server listening:\n{log_text(self.log_path)}")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def allocations(self):
        return self.state / "allocations.json"

    def stop(self):
        end(self.process)
        self.sshd.close()
