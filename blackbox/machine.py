"""A private machine: its own sshd, on loopback only, and the agent that dials out of it."""

import contextlib
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

import leaks
import programs
from commands import descendants, end, log_text, processes, run
from networks import HostItself, free_ports
from sshkeys import KeyPair, client_config
from tunnels import Stream, new_name
from waiting import wait_until


class PrivateSSHD:
    """A real sshd in the foreground with its own host key; `lines` are added to its configuration, first."""

    def __init__(self, folder, keys=(), lines=(), network=None, address="127.0.0.1", port=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(mode=0o755, exist_ok=True)
        self.network = network or HostItself()
        self.address, self.port = address, port or free_ports()
        self.host_key = KeyPair(self.folder, "host")
        self.authorized = self.folder / "authorized_keys"
        self.authorized.write_text("".join(f"{line}\n" for line in keys))
        self.authorized.chmod(0o644)
        self.log_path = self.folder / "sshd.log"
        self.config = self.folder / "sshd_config"
        sftp = next((path for path in ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server")
                     if os.path.exists(path)), "internal-sftp")  # fmt: skip
        text = [
            *lines, f"ListenAddress {address}:{self.port}", f"HostKey {self.host_key.private}", "UsePAM no",
            "StrictModes no", f"AuthorizedKeysFile {self.authorized}", "PasswordAuthentication no",
            "KbdInteractiveAuthentication no", "PidFile none", "PermitRootLogin prohibit-password",
            f"Subsystem sftp {sftp}", "MaxStartups 200", "MaxSessions 50", "UseDNS no", "LogLevel VERBOSE",
        ]  # fmt: skip
        self.config.write_text("\n".join(text) + "\n")
        self.process = None
        if programs.is_root():
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        self.start()

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.network.enter, programs.sshd(), "-D", "-e", "-f", str(self.config)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        mark = f"Server listening on {self.address} port {self.port}"
        wait_until(lambda: mark in log_text(self.log_path) or self.process.poll() is not None, 10, "sshd listening")
        assert self.process.poll() is None, log_text(self.log_path)

    def close(self):
        children = descendants(self.process.pid) if self.process and self.process.poll() is None else ()
        end(self.process, 5)
        for pid in children:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGTERM)


class PrivateMachine:
    """A machine with its sshd and `tidegate-agent`, in a network namespace of its own when `network` is one."""

    def __init__(self, gateway, network=None, name=None, run_agent=True, enrol=True, agent_arguments=(),
                 agent_account=None, **environment):  # fmt: skip
        self.gateway, self.network = gateway, network or HostItself()
        self.name = name or new_name("box")
        self.login = pwd.getpwuid(os.geteuid()).pw_name
        self.agent_account = agent_account
        self.enter = [*self.network.enter, *programs.as_user(agent_account)]
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="machine-", dir=programs.session_folder()))
        self.folder.chmod(0o755)
        self.watched = leaks.Watched(self.folder)
        leaks.note_environment(environment)
        self.login_key = KeyPair(self.folder, "login")
        self.sshd = PrivateSSHD(self.folder / "sshd", [self.login_key.line], network=self.network)
        self.state, self.log_path = self.folder / "agent", self.folder / "agent.log"
        self.environment = environment
        self.arguments = [str(word) for word in agent_arguments]
        self.process = None
        if agent_account:
            os.chown(self.folder, agent_account.pw_uid, agent_account.pw_gid)
            self.environment |= {"HOME": agent_account.pw_dir, "USER": agent_account.pw_name}
        try:
            if enrol:
                self.enrol()
            if run_agent and enrol:
                self.start()
        except BaseException:
            self.close(search=False)
            raise

    @property
    def certificate_arguments(self):
        return ["--ca-file", str(self.gateway.certificates)] if self.gateway.certificates else []

    def agent_environment(self):
        return self.gateway.clean_environment() | self.environment

    def enrol(self, more=(), check=True, url=None):
        """`machine add`, then `tidegate-agent enrol` with what it gave."""
        added = self.gateway.cli_json("machine", "add", self.name)
        self.agent_id, self.enrolment = added["machine"]["agent_id"], added["enrolment"]
        token = self.folder / "enrolment.token"
        token.write_text(added["enrolment"]["token"] + "\n")
        token.chmod(0o600)
        if self.agent_account:
            os.chown(token, self.agent_account.pw_uid, self.agent_account.pw_gid)
        return run(
            [*self.enter, programs.agent(), "enrol", url or self.gateway.api.url, "--token-file", token, "--state-dir",
             self.state, *self.certificate_arguments, *more],
            check=check, env=self.agent_environment(),
        )  # fmt: skip

    @property
    def run_command(self):
        return [
            *self.enter, programs.agent(), "run", "--target", f"127.0.0.1:{self.sshd.port}", "--state-dir",
            str(self.state), *self.certificate_arguments, *self.arguments,
        ]  # fmt: skip

    def launch(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.run_command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.agent_environment(),
                start_new_session=True,
            )  # fmt: skip
        return self.process

    def start(self, deadline=25):
        self.launch()
        return self.wait_connected(deadline)

    def facts(self):
        return self.gateway.ok("GET", f"/api/v1/machines/{self.agent_id}")

    @property
    def log(self):
        return log_text(self.log_path) if self.log_path.exists() else ""

    def connected(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the agent ended with {self.process.returncode}:\n{self.log}")
        return self.facts()["connected"]

    def wait_connected(self, deadline=25):
        wait_until(self.connected, deadline, lambda: f"{self.name} connected; agent:\n{self.log[-3000:]}\ngateway:\n"
                   f"{self.gateway.log[-3000:]}", every=0.1)  # fmt: skip
        return self

    @property
    def port(self):
        return self.facts()["lease"]["port"]

    @property
    def session(self):
        return json.loads((self.state / "session.json").read_text())

    def children(self):
        """The agent's own `ssh` processes."""
        return descendants(self.process.pid)

    def tunnels(self):
        """Those of them that carry the machine's port."""
        return [pid for pid, _, words in processes() if "-R" in words and pid in self.children()]

    def stop(self, deadline=15):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(deadline)

    def close(self, search=True):
        children = self.children() if self.process and self.process.poll() is None else set()
        end(self.process, 10)
        for pid in children:
            with contextlib.suppress(OSError):
                if "ssh" in pathlib.Path(f"/proc/{pid}/comm").read_text():
                    os.kill(pid, signal.SIGTERM)
        self.sshd.close()
        found = self.watched.leaks() if search else []
        if not os.environ.get("TIDEGATE_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)
        assert not found, f"secrets were left in what they must not be in: {'; '.join(found)}"

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        self.close(search=failure is None)


class Visitor:
    """A person with stock OpenSSH: a jump key at the gateway, a login key at the machine, every host key pinned."""

    def __init__(self, gateway, machine):
        self.gateway, self.machine = gateway, machine
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="visitor-", dir=gateway.home))
        self.jump_key = KeyPair(self.folder, "jump")
        self.row = gateway.cli_json("key", "add", str(self.jump_key.public), "--machine", machine.name)
        self.id = self.row["id"]
        self.port = machine.port
        facts = gateway.coordinates()
        self.user, self.host, self.ssh_port = facts["ssh_user"], facts["ssh_host"], facts["ssh_port"]
        known = gateway.known_hosts(("127.0.0.1", self.port, machine.sshd.host_key.line))
        self.config = client_config(self.folder / "config", [self.jump_key.private, machine.login_key.private], known)

    def command(self, *words, program="ssh"):
        """`ssh -J` as anybody would type it."""
        jump = f"{self.user}@{self.host}:{self.ssh_port}"
        port = "-P" if program == "scp" else "-p"
        head = [program, "-F", str(self.config), "-J", jump, port, str(self.port)]
        return [*head, *words] if program == "scp" else [*head, f"{self.machine.login}@127.0.0.1", *words]

    def run(self, *words, **options):
        return run(self.command(*words), **options)

    def counting(self):
        """An open session in which the machine counts upwards, ten times a second."""
        return Stream(self.command("i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done"))


def counted_without_gap(stream):
    """True when an open session's numbers came whole and in order."""
    numbers = [int(line) for line in stream.received.decode().split("\n")[:-1]]
    return numbers == list(range(1, len(numbers) + 1))
