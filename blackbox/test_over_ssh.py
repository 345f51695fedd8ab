"""--over-ssh: every set-up that people have, with a gateway whose API no other host can reach."""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess

import networks
import programs
import pytest
from commands import run
from gateway import Gateway, default_mode
from machine import PrivateMachine, PrivateSSHD, Visitor
from sshkeys import KeyPair, known_hosts_line

AGENT_ACCOUNT, PERSON, TUNNEL_ONLY = "tidegate-test-agent", "tidegate-test-person", "tidegate-test-tunnel"

pytestmark = pytest.mark.skipif(not programs.is_root(), reason="needs root: accounts and an sshd that logs in to them")


@pytest.fixture(scope="module")
def network():
    network = networks.private_network()
    yield network
    network.close()


@pytest.fixture(scope="module")
def gateway(network):
    with Gateway(default_mode(), ssh_address=network.outside) as gateway:
        yield gateway


class HostSSHD:
    """The gateway host's own sshd, with a personal account and one that may only forward backwards."""

    def __init__(self, network, folder):
        self.folder = folder
        self.person = programs.make_account(PERSON, f"/var/lib/{PERSON}")
        self.tunnel_only = programs.make_account(TUNNEL_ONLY, f"/var/lib/{TUNNEL_ONLY}")
        self.key = KeyPair(folder, "personal")
        # Match blocks come last in a configuration, so the file is appended to and read again.
        self.sshd = PrivateSSHD(folder / "sshd", [self.key.line], ["AllowTcpForwarding yes"], address=network.outside)
        self.sshd.close()
        with self.sshd.config.open("a") as config:
            config.write(f"Match User {TUNNEL_ONLY}\n  AllowTcpForwarding remote\n")
        self.sshd.start()

    def close(self):
        self.sshd.close()


@pytest.fixture(scope="module")
def host_sshd(network, tmp_path_factory):
    folder = pathlib.Path(programs.session_folder()) / "host-sshd"
    folder.mkdir(mode=0o755)
    host = HostSSHD(network, folder)
    yield host
    host.close()


class Home:
    """The home of the account the agent runs as, with an ~/.ssh of its own for each test."""

    def __init__(self, gateway, host):
        self.gateway, self.host = gateway, host
        self.account = programs.make_account(AGENT_ACCOUNT, f"/var/lib/{AGENT_ACCOUNT}")
        self.path = pathlib.Path(self.account.pw_dir)
        self.ssh = self.path / ".ssh"
        shutil.rmtree(self.ssh, ignore_errors=True)
        self.ssh.mkdir(mode=0o700)
        facts = gateway.coordinates()
        known = [known_hosts_line(facts["ssh_host"], facts["ssh_port"], line) for line in facts["ssh_host_keys"]]
        known.append(known_hosts_line(host.sshd.address, host.sshd.port, host.sshd.host_key.line))
        self.write(".ssh/known_hosts", "\n".join(known) + "\n")

    def write(self, name, text):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
        for each in (self.path, *self.path.rglob("*")):
            os.chown(each, self.account.pw_uid, self.account.pw_gid)
        return path

    def give_key(self, name=".ssh/id_ed25519"):
        return self.write(name, self.host.key.private.read_text())

    def alias_of_host(self, name="gw", user=PERSON, more=""):
        sshd = self.host.sshd
        return f"Host {name}\n  HostName {sshd.address}\n  Port {sshd.port}\n  User {user}\n{more}"

    def alias_of_gateway(self, name="tide"):
        facts = self.gateway.coordinates()
        return f"Host {name}\n  HostName {facts['ssh_host']}\n  Port {facts['ssh_port']}\n  User {facts['ssh_user']}\n"


@pytest.fixture
def home(gateway, host_sshd):
    return Home(gateway, host_sshd)


@pytest.fixture
def box(gateway, network, home):
    machine = PrivateMachine(gateway, network, enrol=False, agent_account=home.account)
    yield machine
    machine.close()


def works(gateway, box, figures=None):
    """Connected, under the agent's own confined key at the gateway's sshd, and a person gets through."""
    box.wait_connected()
    reverse = [row for row in gateway.ok("GET", "/api/v1/connections") if row["purpose"] == "reverse"]
    assert reverse
    owner = run(["ss", "-Htlnp", f"sport = :{box.port}"], check=True).stdout
    pids = {int(part.split(",")[0]) for part in owner.split("pid=")[1:]}
    uids = {os.stat(f"/proc/{pid}").st_uid for pid in pids if os.path.exists(f"/proc/{pid}")}
    allowed = {pwd.getpwnam(gateway.ssh_user).pw_uid, 0}
    assert not uids or uids <= allowed, f"the port is held by {uids}: not by the gateway's sshd ({owner})"
    assert Visitor(gateway, box).run("echo", "reached", check=True).stdout == "reached\n"
    assert box.stop() == 0


def in_words(done, *words):
    assert done.returncode not in (0, -signal.SIGSEGV, -signal.SIGILL)
    text = (done.stdout + done.stderr).lower()
    assert text.strip() and "fatal error" not in text
    assert any(word.lower() in text for word in words), text


def test_the_api_is_out_of_reach_for_the_machine(gateway, network):
    if isinstance(network, networks.HostItself):
        pytest.skip("no network namespace here")
    for address in ("127.0.0.1", network.outside):
        probe = f"import socket; socket.create_connection(('{address}', {gateway.port}), 3)"
        assert run([*network.enter, "python3", "-c", probe]).returncode != 0


def test_personal_account_with_its_default_key(gateway, box, home):
    home.give_key()
    home.write(".ssh/config", home.alias_of_host())
    box.enrol(["--over-ssh", "gw"])
    box.arguments = ["--over-ssh", "gw"]
    box.start()
    works(gateway, box)


def test_personal_account_with_an_explicit_key(gateway, box, home):
    key = home.give_key("keys/mine")
    home.write(".ssh/config", home.alias_of_host(more=f"  IdentityFile {key}\n  IdentitiesOnly yes\n"))
    box.enrol(["--over-ssh", "gw"])
    box.arguments = ["--over-ssh", "gw"]
    box.start()
    works(gateway, box)


def test_configuration_elsewhere_with_an_include(gateway, box, home):
    key = home.give_key("keys/mine")
    inner = home.write("elsewhere/hosts.conf", home.alias_of_host("inner-gw", more=f"  IdentityFile {key}\n"))
    outer = home.write("elsewhere/config", f"Include {inner}\n")
    box.enrol(["--over-ssh", "inner-gw", "--ssh-config", str(outer)])
    box.arguments = ["--over-ssh", "inner-gw", "--ssh-config", str(outer)]
    box.start()
    works(gateway, box)


def test_a_pattern_is_an_alias_too(gateway, box, home):
    home.give_key()
    sshd = home.host.sshd
    home.write(".ssh/config", f"Host gw-*\n  HostName {sshd.address}\n  Port {sshd.port}\n  User {PERSON}\n")
    box.enrol(["--over-ssh", "gw-north"])
    box.arguments = ["--over-ssh", "gw-north"]
    box.start()
    works(gateway, box)


def test_the_gateways_own_login(gateway, box, home):
    """Control and data share the agent's one key, which the gateway's sshd confines."""
    home.give_key()
    home.write(".ssh/config", home.alias_of_host() + home.alias_of_gateway())
    box.enrol(["--over-ssh", "gw"])
    home.ssh.joinpath("id_ed25519").unlink()
    box.arguments = ["--over-ssh", "tide"]
    box.start()
    works(gateway, box)


def test_settings_from_the_environment(gateway, box, home):
    home.give_key()
    home.write(".ssh/config", home.alias_of_host())
    box.enrol(["--over-ssh", "gw"])
    box.environment["TIDEGATE_AGENT_OVER_SSH"] = "gw"
    box.start()
    works(gateway, box)


def test_the_same_local_port_is_taken_when_free_else_another(gateway, box, home, network):
    """Something of the machine's own listens where the gateway's API would be."""
    if isinstance(network, networks.HostItself):
        pytest.skip("no network namespace here: the port is the gateway's own")
    home.give_key()
    home.write(".ssh/config", home.alias_of_host())
    hold = f"import socket; s = socket.socket(); s.bind(('127.0.0.1', {gateway.port})); print(1, flush=True); input()"
    holder = subprocess.Popen([*network.enter, "python3", "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        holder.stdout.readline()
        box.enrol(["--over-ssh", "gw"])
        box.arguments = ["--over-ssh", "gw"]
        box.start()
        works(gateway, box)
    finally:
        holder.kill()
        holder.wait(5)


def test_forwarding_backwards_only_is_refused_in_words(gateway, box, home):
    """The hardening that ssh-tunnel-gateway's README advises: no -L, so no control connection."""
    home.give_key()
    home.write(".ssh/config", home.alias_of_host(user=TUNNEL_ONLY))
    done = box.enrol(["--over-ssh", "gw"], check=False)
    in_words(done, "forward")


def test_the_gateways_own_login_before_enrolment_is_refused_in_words(gateway, box, home):
    home.write(".ssh/config", home.alias_of_gateway())
    in_words(box.enrol(["--over-ssh", "tide"], check=False), "permission denied", "refused", "tide")


def test_a_host_key_nobody_knows_is_refused_in_words(gateway, box, home):
    home.give_key()
    home.write(".ssh/config", home.alias_of_host())
    home.write(".ssh/known_hosts", "")
    in_words(box.enrol(["--over-ssh", "gw"], check=False), "host key")


def test_an_alias_that_is_missing_is_not_a_licence_for_plain_http(gateway, box, home, network):
    home.write(".ssh/config", home.alias_of_host())
    done = box.enrol(["--over-ssh", "nobody"], check=False, url=f"http://192.0.2.1:{gateway.port}")
    in_words(done, "http", "nobody")
    assert box.enrolment["token"] not in done.stdout + done.stderr


def test_an_alias_that_is_missing_warns_and_goes_straight_to_a_loopback_endpoint(gateway, home):
    home.write(".ssh/config", home.alias_of_host())
    machine = PrivateMachine(gateway, enrol=False, agent_account=home.account)
    try:
        done = machine.enrol(["--over-ssh", "nobody"])
        assert "nobody" in done.stdout + done.stderr
        machine.arguments = ["--over-ssh", "nobody"]
        machine.start()
        assert "nobody" in machine.log
        works(gateway, machine)
    finally:
        machine.close()


def test_an_alias_is_a_name_not_an_option(gateway, box, home, tmp_path):
    witness = pathlib.Path("/tmp") / f"tidegate-witness-{os.getpid()}"
    home.write(".ssh/config", "")
    done = box.enrol([f"--over-ssh=-oProxyCommand=touch {witness}"], check=False)
    assert done.returncode != 0 and not witness.exists()


def test_it_comes_back_when_the_hosts_sshd_restarts(gateway, box, home, host_sshd):
    home.give_key()
    home.write(".ssh/config", home.alias_of_host())
    box.enrol(["--over-ssh", "gw"])
    box.arguments = ["--over-ssh", "gw"]
    box.start()
    port = box.port
    host_sshd.sshd.close()
    host_sshd.sshd.start()
    works(gateway, box)
    assert box.facts()["lease"]["port"] == port
