"""A machine in its own network namespace, into which nothing forwards, reached in every documented way."""

import hashlib
import os
import re
import subprocess

import networks
import programs
import pytest
from commands import run
from gateway import Gateway, default_mode
from machine import PrivateMachine, Visitor
from sshkeys import KeyPair

SMALL, LARGE = 20 << 20, 100 << 20


@pytest.fixture(scope="module")
def network():
    network = networks.private_network()
    yield network
    network.close()


@pytest.fixture(scope="module")
def gateway(network):
    with Gateway(default_mode(), address=network.outside, tls=isinstance(network, networks.Namespace)) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def machine(gateway, network):
    with PrivateMachine(gateway, network) as machine:
        yield machine


@pytest.fixture(scope="module")
def visitor(gateway, machine):
    return Visitor(gateway, machine)


@pytest.fixture(scope="module")
def login_agent(machine, tmp_path_factory):
    """An ssh-agent that holds the login key, as a person's session would."""
    folder = tmp_path_factory.mktemp("agent")
    started = run(["ssh-agent", "-s", "-a", folder / "socket"], check=True).stdout
    pid = int(re.search(r"SSH_AGENT_PID=(\d+)", started).group(1))
    environment = {"SSH_AUTH_SOCK": str(folder / "socket")}
    run(["ssh-add", "-q", machine.login_key.private], check=True, env=os.environ | environment)
    yield environment
    os.kill(pid, 15)


@pytest.fixture(scope="module")
def payloads(tmp_path_factory):
    folder = tmp_path_factory.mktemp("payload")
    made = {}
    for size in (SMALL, LARGE):
        made[size] = folder / str(size)
        with open(made[size], "wb") as file:
            for _ in range(size >> 20):
                file.write(os.urandom(1 << 20))
    return made


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def there_and_back(payload, machine, send, fetch, tmp_path):
    """Copies to the machine and from it; every digest has to be that of the original."""
    remote, back = machine.folder / f"remote-{tmp_path.name}", tmp_path / "back"
    send(payload, remote)
    assert digest(remote) == digest(payload)
    fetch(remote, back)
    assert digest(back) == digest(payload)
    remote.unlink()


def test_nothing_but_the_tunnel_leads_there(gateway, machine, network):
    if isinstance(network, networks.HostItself):
        pytest.skip("no network namespace here: the machine's sshd listens on this host's loopback")
    table = run([*network.enter, "ss", "-Htln"], check=True).stdout.splitlines()
    assert [line.split()[3] for line in table] == [f"127.0.0.1:{machine.sshd.port}"]
    assert not networks.listening(machine.sshd.port, network.inside)
    assert not networks.listening(machine.sshd.port)
    assert networks.listening(machine.port)


def test_stock_ssh_with_a_jump(visitor, machine):
    done = visitor.run("echo reached; id -un", check=True)
    assert done.stdout.split() == ["reached", machine.login]


def test_host_keys_of_the_machine_are_published(machine):
    reported = machine.facts()["host_keys"]
    assert machine.sshd.host_key.line in [" ".join(line.split()[:2]) for line in reported]


def test_100_mib_both_ways_through_stock_ssh(visitor, machine, payloads, tmp_path):
    def send(source, target):
        with open(source, "rb") as file:
            run(visitor.command(f"cat > {target}"), deadline=120, check=True, stdin=file)

    def fetch(source, target):
        with open(target, "wb") as file:
            subprocess.run(
                visitor.command(f"cat {source}"), stdout=file, check=True, timeout=120, stdin=subprocess.DEVNULL
            )

    there_and_back(payloads[LARGE], machine, send, fetch, tmp_path)


def test_stock_scp_with_a_jump(visitor, machine, payloads, tmp_path):
    def send(source, target):
        run(visitor.command(str(source), f"{machine.login}@127.0.0.1:{target}", program="scp"), 60, check=True)

    def fetch(source, target):
        run(visitor.command(f"{machine.login}@127.0.0.1:{source}", str(target), program="scp"), 60, check=True)

    there_and_back(payloads[SMALL], machine, send, fetch, tmp_path)


def test_the_documented_configuration_block(gateway, machine, payloads, tmp_path):
    """`key add --ssh-config` writes it; from then on no program of ours takes part."""
    key = KeyPair(tmp_path, "person")
    config, known = tmp_path / "config", tmp_path / "known_hosts"
    gateway.cli(
        "key", "add", key.public, "--machine", machine.name, "--ssh-config", config, "--known-hosts", known, "--json"
    )
    text = config.read_text()
    assert "ProxyCommand" not in text and "ProxyJump" in text
    host = re.search(rf"^Host\s+(\S*{machine.name}\S*)", text, re.M).group(1)
    command = [
        "-F", config, "-i", machine.login_key.private, "-o", f"User={machine.login}", "-o", "BatchMode=yes",
        "-o", "StrictHostKeyChecking=yes", "-o", "GlobalKnownHostsFile=/dev/null",
    ]  # fmt: skip
    assert run(["ssh", *command, host, "echo", "reached"], check=True).stdout == "reached\n"
    there_and_back(
        payloads[SMALL], machine,
        lambda source, target: run(["scp", *command, source, f"{host}:{target}"], 60, check=True),
        lambda source, target: run(["scp", *command, f"{host}:{source}", target], 60, check=True),
        tmp_path,
    )  # fmt: skip


def test_tidegate_ssh(gateway, machine, login_agent):
    done = gateway.cli("ssh", "-l", machine.login, machine.name, "--", "echo", "reached", environment=login_agent)
    assert done.stdout == "reached\n"


def test_tidegate_ssh_passes_on_the_exit_code(gateway, machine, login_agent):
    done = gateway.cli("ssh", "-l", machine.login, machine.name, "--", "exit 42", environment=login_agent, check=False)
    assert done.returncode == 42


def test_tidegate_ssh_revokes_its_key_at_exit(gateway, machine, login_agent):
    before = {row["id"] for row in gateway.ok("GET", "/api/v1/tunnel-keys") if not row.get("revoked_at")}
    gateway.cli("ssh", "-l", machine.login, machine.name, "--", "true", environment=login_agent)
    after = {row["id"] for row in gateway.ok("GET", "/api/v1/tunnel-keys") if not row.get("revoked_at")}
    assert after <= before
    left = [path for path in gateway.home.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    assert not [path for path in left if not path.name.startswith(("jump-", "control-", "reverse-"))]


def test_tidegate_ssh_carries_bytes_whole(gateway, machine, login_agent, payloads, tmp_path):
    back = tmp_path / "back"
    with open(payloads[SMALL], "rb") as source, open(back, "wb") as target:
        done = subprocess.run(
            [programs.tidegate(), "ssh", "-l", machine.login, machine.name, "--", "cat"], stdin=source, stdout=target,
            stderr=subprocess.PIPE, env=gateway.client_environment | login_agent, timeout=60,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert digest(back) == digest(payloads[SMALL])


def test_tidegate_scp(gateway, machine, login_agent, payloads, tmp_path):
    where = f"{machine.login}@{machine.name}"
    there_and_back(
        payloads[SMALL], machine,
        lambda source, target: gateway.cli("scp", source, f"{where}:{target}", environment=login_agent, deadline=60),
        lambda source, target: gateway.cli("scp", f"{where}:{source}", target, environment=login_agent, deadline=60),
        tmp_path,
    )  # fmt: skip


def test_rsync_through_tidegate_ssh(gateway, machine, login_agent, payloads, tmp_path):
    where = f"{machine.login}@{machine.name}"
    environment = gateway.client_environment | login_agent

    def copy(source, target):
        run(["rsync", "-a", "-e", "tidegate ssh", source, target], 60, check=True, env=environment)

    there_and_back(
        payloads[SMALL], machine,
        lambda source, target: copy(source, f"{where}:{target}"),
        lambda source, target: copy(f"{where}:{source}", target),
        tmp_path,
    )  # fmt: skip


def test_rsync_through_a_stock_jump(visitor, machine, payloads, tmp_path):
    shell = " ".join(visitor.command()[:-1])
    where = f"{machine.login}@127.0.0.1"

    def copy(source, target):
        run(["rsync", "-a", "-e", shell, source, target], 60, check=True)

    there_and_back(
        payloads[SMALL], machine,
        lambda source, target: copy(source, f"{where}:{target}"),
        lambda source, target: copy(f"{where}:{source}", target),
        tmp_path,
    )  # fmt: skip


def test_written_ssh_configuration_makes_plain_ssh_work(gateway, machine, login_agent, tmp_path):
    """The Include with our ProxyCommand: ssh, scp and rsync by name, host keys pinned by it."""
    config = tmp_path / "tidegate.config"
    gateway.cli("ssh-config", "--write", config)
    environment = gateway.client_environment | login_agent
    command = ["-F", str(config), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
    host = f"{machine.name}.default.tidegate"
    done = run(["ssh", *command, "-l", machine.login, host, "echo reached"], env=environment)
    assert (done.returncode, done.stdout) == (0, "reached\n"), done.stderr
    for line in config.read_text().splitlines():
        if line.lower().startswith("host "):
            assert all(word.endswith(".tidegate") for word in line.split()[1:]), line


def test_a_machine_with_another_host_key_is_refused(gateway, machine, login_agent):
    """The pin is what the agent reported; a stranger's sshd behind the port does not pass."""
    other = KeyPair(gateway.home, "stranger")
    gateway_view = machine.facts()["host_keys"]
    assert other.line not in gateway_view
    known = gateway.known_hosts(("127.0.0.1", machine.port, other.line))
    visitor = Visitor(gateway, machine)
    text = visitor.config.read_text()
    visitor.config.write_text(re.sub(r"UserKnownHostsFile \S+", f"UserKnownHostsFile {known}", text))
    done = visitor.run("echo reached")
    assert done.returncode != 0 and "reached" not in done.stdout
