"""A gateway of its own for a test: throwaway folder, free ports, one of the three modes."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile

import leaks
import programs
from api import API
from commands import alive, descendants, end, log_text, run
from networks import free_ports, give_back_ports
from sshkeys import client_options, known_hosts_line
from waiting import wait_until

MODES = ("root", "user-helper", "user-plain")


def available_modes():
    """The modes this account can run, with the reason for each that it cannot."""
    reasons = {}
    if not programs.is_root():
        reasons["root"] = "needs root"
    if not programs.INSTALLED_HELPER.exists():
        reasons["root"] = reasons["user-helper"] = f"{programs.INSTALLED_HELPER} is missing: run 'make setup-helper'"
    return reasons


def default_mode():
    """The mode for tests that are not about modes."""
    return "user-plain" if "root" in available_modes() else "root"


class Gateway:
    """`tidegate serve` with its state; `stop`, `kill` and `start` act on the same folder and ports."""

    def __init__(self, mode=None, address="127.0.0.1", tls=False, extra=(), leases=120, environment=None, start=True,
                 ssh_address=None):  # fmt: skip
        self.mode = mode or default_mode()
        self.account = None if self.mode == "root" else programs.ordinary_user()
        above = programs.ORDINARY_HOME if self.account and programs.is_root() else programs.session_folder()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gateway-", dir=above))
        self.folder.chmod(0o755)
        self.state, self.log_path = self.folder / "state", self.folder / "gateway.log"
        self.token_file, self.home = self.folder / "admin.token", self.folder / "home"
        self.home.mkdir(mode=0o700)
        self.address, self.ssh_address = address, ssh_address or address
        self.port, self.ssh_port = free_ports(), free_ports()
        self.first_lease = free_ports(leases)
        self.last_lease = self.first_lease + leases - 1
        self.extra, self.environment = list(extra), dict(environment or {})
        self.watched = leaks.Watched(self.folder)
        leaks.note_environment(self.environment)
        self.certificates = None
        if tls:
            self._make_certificates()
        if self.account:
            os.chown(self.folder, self.account.pw_uid, self.account.pw_gid)
        self.api = API(address, self.port, self.certificates)
        self.process = None
        self.adopted = []
        if start:
            try:
                self.start()
            except BaseException:
                self.close(search=False)
                raise

    # --- the process ---

    def _make_certificates(self):
        folder = self.folder / "tls"
        folder.mkdir(mode=0o755)
        self.certificates = folder / "ca.pem"
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=test authority", "-keyout", folder / "ca.key", "-out", self.certificates], check=True)  # fmt: skip
        run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=gateway",
             "-keyout", folder / "gateway.key", "-out", folder / "gateway.csr"], check=True)  # fmt: skip
        (folder / "names").write_text(f"subjectAltName=IP:{self.address}\nbasicConstraints=CA:FALSE\n")
        run(["openssl", "x509", "-req", "-days", "2", "-in", folder / "gateway.csr", "-CA", self.certificates, "-CAkey",
             folder / "ca.key", "-CAcreateserial", "-extfile", folder / "names", "-out", folder / "gateway.pem"],
            check=True)  # fmt: skip
        if self.account:
            os.chown(folder / "gateway.key", self.account.pw_uid, self.account.pw_gid)
        else:
            # Started as root it gives root up before it reads the key again.
            shutil.chown(folder / "gateway.key", "tidegate-gateway")
        self.extra += ["--tls-certificate", str(folder / "gateway.pem"), "--tls-key", str(folder / "gateway.key")]

    @property
    def arguments(self):
        words = ["--state-dir", self.state, "--listen", f"{self.address}:{self.port}"]
        words += ["--ssh-listen", f"{self.ssh_address}:{self.ssh_port}"]
        words += ["--lease-ports", f"{self.first_lease}-{self.last_lease}", "--bootstrap-token-file", self.token_file]
        if self.mode == "user-helper":
            words += ["--keys-command", programs.INSTALLED_HELPER]
        elif self.mode == "user-plain":
            words += ["--keys-command", "none"]
        return [str(word) for word in words] + self.extra

    def clean_environment(self):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
        environment.pop("SSH_AUTH_SOCK", None)
        return environment

    def launch(self, *more):
        """Starts the process without waiting for it."""
        environment = self.clean_environment() | self.environment
        if self.account:
            environment |= {"HOME": self.account.pw_dir, "USER": self.account.pw_name, "LOGNAME": self.account.pw_name}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*programs.as_user(self.account), programs.tidegate(), "serve", *self.arguments, *map(str, more)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd="/", start_new_session=True,
            )  # fmt: skip
        return self.process

    def start(self, deadline=20):
        """Starts it and waits until /readyz says 200."""
        self.launch()
        wait_until(self.ready, deadline, lambda: f"the gateway ready; its log:\n{self.log_end}")
        return self

    def refused(self, *more, deadline=15):
        """Starts it with `more` arguments, requires that it ends by itself, and returns what it said."""
        self.launch(*more)
        try:
            code = self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it started: {self.log}") from None
        finally:
            end(self.process)
        assert code > 0, f"it crashed with {code}: {self.log[:1500]}"
        assert "Fatal error" not in self.log
        return self.log

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the gateway ended with {self.process.returncode}:\n{self.log_end}")
        with contextlib.suppress(OSError):
            return self.api.call("GET", "/readyz", deadline=3).status == 200
        return False

    def stop(self, deadline=20):
        """SIGTERM, and everything it promises to finish."""
        if self.process and self.process.poll() is None:
            self._keep_metrics()
            self.adopted += descendants(self.process.pid)
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(deadline)
        return self.process.returncode if self.process else None

    def kill(self):
        """What a crash is: SIGKILL to the gateway alone."""
        self.adopted += descendants(self.process.pid)
        self.process.kill()
        self.process.wait(5)

    def _keep_metrics(self):
        """What it would tell Prometheus last, for the search for secrets."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.watched.add("/metrics", self.api.call("GET", "/metrics", deadline=2).raw)

    def close(self, search=True):
        """Ends the gateway and what it left running on purpose, searches what it wrote for secrets, removes its folder."""
        if self.process and self.process.poll() is None:
            self._keep_metrics()
            self.adopted += descendants(self.process.pid)
        end(self.process, deadline=15)
        for pid in self.adopted:
            with contextlib.suppress(OSError):
                if alive(pid) and "sshd" in pathlib.Path(f"/proc/{pid}/comm").read_text():
                    os.kill(pid, signal.SIGTERM)
        give_back_ports(self.port)
        give_back_ports(self.ssh_port)
        give_back_ports(self.first_lease, self.last_lease - self.first_lease + 1)
        found = self.watched.leaks() if search else []
        if not os.environ.get("TIDEGATE_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)
        assert not found, f"secrets were left in what they must not be in: {'; '.join(found)}"

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        # A test that failed has said what is wrong.
        self.close(search=failure is None)

    @property
    def log(self):
        return log_text(self.log_path) if self.log_path.exists() else ""

    @property
    def log_end(self):
        return self.log[-3000:]

    # --- asking it ---

    @property
    def token(self):
        return self.token_file.read_text().strip()

    def call(self, method, path, body=None, token="", **options):
        """As the administrator, unless another token (or None) is given."""
        return self.api.call(method, path, body, self.token if token == "" else token, **options)

    def ok(self, method, path, body=None, token="", **options):
        """The decoded answer of a call that has to succeed."""
        answer = self.call(method, path, body, token, **options)
        assert answer.status in (200, 201, 204), f"{method} {path}: {answer}"
        return answer.body

    @property
    def client_environment(self):
        environment = self.clean_environment()
        environment |= {
            "TIDEGATE_URL": self.api.url, "TIDEGATE_TOKEN_FILE": str(self.token_file), "TIDEGATE_HOME": str(self.home),
            "PATH": f"{programs.folder_of_binaries()}:{environment['PATH']}",
        }  # fmt: skip
        if self.certificates:
            environment["TIDEGATE_CA_FILE"] = str(self.certificates)
        return environment

    def cli(self, *words, check=True, deadline=30, environment=None, **options):
        """Runs `tidegate WORDS` as a person would, with this gateway's address and token."""
        return run(
            [programs.tidegate(), *words], deadline, check, env=self.client_environment | (environment or {}), **options
        )

    def cli_json(self, *words):
        return json.loads(self.cli(*words, "--json").stdout)

    # --- its sshd ---

    def coordinates(self):
        return self.ok("GET", "/api/v1/gateway")

    @property
    def ssh_user(self):
        return self.coordinates()["ssh_user"]

    def known_hosts(self, *more):
        """A known_hosts file with this gateway's published keys and `more` (host, port, line) entries."""
        facts = self.coordinates()
        lines = [known_hosts_line(facts["ssh_host"], facts["ssh_port"], line) for line in facts["ssh_host_keys"]]
        lines += [known_hosts_line(*entry) for entry in more]
        with tempfile.NamedTemporaryFile("w", dir=self.home, prefix="known_hosts-", delete=False) as file:
            file.write("\n".join(lines) + "\n")
        return pathlib.Path(file.name)

    def ssh_arguments(self, key, user=None):
        """`ssh` with everything but its destination's options: append options, then `destination(...)`."""
        return ["ssh", *client_options(key, self.known_hosts()), "-p", str(self.ssh_port), "-l", user or self.ssh_user]

    @property
    def database(self):
        return self.state / "tidegate.db"

    def edit_database(self, *statement):
        """Changes one row behind a stopped gateway's back; the files stay with their owner."""
        owner = self.database.stat()
        connection = sqlite3.connect(self.database)
        try:
            changed = connection.execute(*statement).rowcount
            connection.commit()
        finally:
            connection.close()
        for path in self.state.glob("tidegate.db*"):
            os.chown(path, owner.st_uid, owner.st_gid)
        assert changed == 1, f"{changed} rows changed by {statement}"
