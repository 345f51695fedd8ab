"""`--ssh external`: the system's own sshd with the printed drop-in carries tunnels, and an unsafe one is refused."""

import concurrent.futures
import time

import programs
import pytest
from commands import run
from gateway import Gateway, available_modes
from machine import PrivateMachine, PrivateSSHD
from networks import Canary, listening
from tunnels import Jump, Tunnel
from waiting import wait_until

pytestmark = pytest.mark.skipif("root" in available_modes(), reason="needs root and the installed helper")


class SystemSSHD:
    """An sshd that stands for the system's, and a program that answers `sshd -T` with its configuration."""

    def __init__(self, gateway, change=lambda text: text):
        self.gateway = gateway
        self.folder = gateway.folder / "system"
        self.folder.mkdir(mode=0o755)
        self.program = self.folder / "sshd"
        self.change = change

    def drop_in(self):
        command = [programs.tidegate(), "serve", *self.gateway.arguments, "--ssh", "external", "--print-drop-in"]
        return run(command, check=True, env=self.gateway.clean_environment()).stdout

    def start(self):
        self.sshd = PrivateSSHD(self.folder / "private", port=self.gateway.ssh_port)
        self.sshd.close()
        # The drop-in goes where an Include would put it: before everything else, its Match block last of all.
        base = self.sshd.config.read_text()
        head, match, block = self.change(self.drop_in()).partition("Match User ")
        assert match
        self.sshd.config.write_text(head + base + match + block)
        self.sshd.start()
        self.program.write_text(f'#!/bin/sh\nexec {programs.sshd()} -f {self.sshd.config} "$@"\n')
        self.program.chmod(0o755)
        return self

    def close(self):
        self.sshd.close()


@pytest.fixture
def unstarted():
    with Gateway("root", start=False) as gateway:
        yield gateway


def external(gateway, system):
    gateway.extra += ["--ssh", "external", "--sshd", str(system.program)]
    return gateway


def test_the_drop_in_is_accepted_and_carries_a_machine(unstarted, figures):
    system = SystemSSHD(unstarted).start()
    try:
        external(unstarted, system).start()
        target = Canary(streaming=True)
        tunnel = Tunnel(unstarted, target.port)
        known = unstarted.coordinates()["ssh_host_keys"]
        assert system.sshd.host_key.line in [" ".join(line.split()[:2]) for line in known]
        tunnel.open()
        jump = Jump(unstarted, [tunnel.name])
        stream = jump.connect(tunnel.port).wait_for(b"canary")
        begun = time.monotonic()
        unstarted.ok("DELETE", jump.path)
        cut = stream.wait_end() - begun
        figures.note("revoke to cut: jump key, external sshd", f"{cut * 1000:.0f} ms")
        assert cut < 1
        assert "Permission denied" in run(jump.command(tunnel.port)).stderr
        begun = time.monotonic()
        unstarted.ok("DELETE", tunnel.path)
        wait_until(lambda: tunnel.ssh.poll() is not None, 10, "the end of ssh -R", every=0.001)
        figures.note("revoke to cut: machine, external sshd", f"{(time.monotonic() - begun) * 1000:.0f} ms")
        assert time.monotonic() - begun < 1
        stream.close()
        target.close()
    finally:
        system.close()


def without(setting):
    return lambda text: "".join(line + "\n" for line in text.splitlines() if line.split()[:1] != [setting])


def changed(setting, value):
    return lambda text: without(setting)(text) + f"    {setting} {value}\n"


@pytest.mark.parametrize(
    ("setting", "change"),
    [
        ("allowstreamlocalforwarding", without("AllowStreamLocalForwarding")),
        ("gatewayports", changed("GatewayPorts", "yes")),
        ("authorizedkeysfile", changed("AuthorizedKeysFile", "/tmp/keys")),
        ("permittunnel", changed("PermitTunnel", "yes")),
        ("authorizedkeyscommand", without("AuthorizedKeysCommand")),
        ("unusedconnectiontimeout", changed("UnusedConnectionTimeout", "3")),
    ],
)
def test_an_unsafe_setting_is_named(unstarted, setting, change):
    system = SystemSSHD(unstarted, change).start()
    try:
        log = external(unstarted, system).refused()
        (reason,) = [line.lower() for line in log.splitlines() if "did not start" in line]
        assert f"{setting} is " in reason, reason
    finally:
        system.close()


# --- managed, with other settings ---


def test_leases_on_another_address():
    """Another address than 127.0.0.1 writes GatewayPorts clientspecified and says so; nothing else is bound."""
    with Gateway("root", extra=["--lease-bind", "127.0.0.5"]) as gateway:
        assert "lease-bind" in gateway.log.lower() or "127.0.0.5" in gateway.log
        with PrivateMachine(gateway) as machine:
            lease = machine.facts()["lease"]
            assert lease["address"] == "127.0.0.5"
            table = run(["ss", "-Htln", f"sport = :{lease['port']}"], check=True).stdout.splitlines()
            assert [line.split()[3] for line in table] == [f"127.0.0.5:{lease['port']}"]
            assert not listening(lease["port"])
            done = gateway.cli(
                "ssh", "-i", machine.login_key.private, "-l", machine.login, machine.name, "--", "echo", "reached"
            )
            assert done.stdout == "reached\n"


def test_many_logins_at_once(figures):
    """A team, or a CI, behind one address: paced, but nobody is refused."""
    with Gateway("root") as gateway:
        target = Canary()
        tunnel = Tunnel(gateway, target.port).open()
        jumps = [Jump(gateway, [tunnel.name]) for _ in range(40)]
        begun = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(len(jumps)) as pool:
            done = list(pool.map(lambda jump: run(jump.command(tunnel.port), deadline=60), jumps))
        figures.note("40 logins at once from one address", f"{time.monotonic() - begun:.1f} s")
        refused = [each.stderr for each in done if each.stdout != "canary\n"]
        assert not refused
        tunnel.close()
        target.close()


def test_a_key_for_two_machines_reaches_both_and_no_third():
    with Gateway("root") as gateway:
        targets = [Canary() for _ in range(3)]
        tunnels = [Tunnel(gateway, target.port).open() for target in targets]
        jump = Jump(gateway, [tunnels[0].name, tunnels[1].name])
        for tunnel in tunnels[:2]:
            jump.connect(tunnel.port).wait_for(b"canary").close()
        denied = run(jump.command(tunnels[2].port))
        assert "prohibited" in denied.stderr
        # A machine that goes takes its part of the key with it, and leaves the rest.
        gateway.ok("DELETE", tunnels[0].path)
        jump.connect(tunnels[1].port).wait_for(b"canary").close()
        assert run(jump.command(tunnels[0].port)).stdout == ""
        for part in (*tunnels, *targets):
            part.close()
