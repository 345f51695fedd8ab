#!/usr/bin/env python3
"""From starting an agent to reaching its machine's sshd through the leased port, beside ssh-tunnel-gateway's agent."""

import calendar
import contextlib
import random
import socket
import subprocess
import tempfile
import time

import report
from report import factor, median, milliseconds, percentile, progress, ratio, ratio_interval, tail, tail_percent

import programs
from commands import end, run
from foreign import API_KEY, ForeignAgent, ForeignServer
from gateway import Gateway
from machine import PrivateMachine
from networks import listening
from tunnels import Tunnel
from waiting import until_moment, wait_until

OURS, BARE = "tidegate-agent", "ssh -N -R alone"
DIALECT, THEIRS = "PyPI agent, our gateway", "PyPI agent, its own server"


def reached(port, running, deadline=60):
    """Returns when the first byte of an SSH server has come through `port`."""
    last = time.monotonic() + deadline
    while time.monotonic() < last:
        assert running(), "the agent ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.settimeout(5)
            if connection.recv(4) == b"SSH-":
                return
        until_moment(time.monotonic() + 0.001)
    raise AssertionError(f"nothing to reach through port {port} within {deadline} s")


class Ours:
    """An enrolled machine and `tidegate-agent run`."""

    def __init__(self, gateway):
        self.machine = PrivateMachine(gateway)
        self.port = self.machine.port
        self.stop, self.close = self.machine.stop, self.machine.close
        self.logged = 0

    def start(self):
        self.logged = len(self.machine.log)
        return self.machine.launch()

    def what(self):
        return self.machine.log


class Theirs:
    """The PyPI agent, at our gateway or at its own server."""

    def __init__(self, gateway=None, server=None):
        other = {"url": server.url, "ssh_port": server.sshd.port} if server else {}
        self.agent = ForeignAgent(gateway, **other)
        wait_until(self.agent.reachable, 60, lambda: f"the agent reachable: {self.agent.log[-3000:]}", every=0.1)
        self.port = self.agent.port
        self.stop, self.close = self.agent.stop, self.agent.close

    def start(self):
        return self.agent.start().process

    def what(self):
        return self.agent.log


class Bare:
    """The `ssh` of a machine that is registered already: what is left when an agent costs nothing."""

    def __init__(self, gateway, target_port):
        self.tunnel = Tunnel(gateway, target_port)
        self.port, self.close = self.tunnel.port, self.tunnel.close
        self.command = self.tunnel.ssh_command()

    def start(self):
        self.tunnel.ssh = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        return self.tunnel.ssh

    def stop(self):
        end(self.tunnel.ssh, 5)

    def what(self):
        return "ssh -R"


def steps(log, begun):
    """Seconds from `begun` (of the wall clock) to the lines that say registered, and that the tunnel is up."""
    found = []
    for mark in ("registered", "the tunnel is up"):
        (line,) = [line for line in log.splitlines() if mark in line]
        stamp, _, fraction = line.split()[0].rstrip("Z").partition(".")
        found.append(calendar.timegm(time.strptime(stamp, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction}0") - begun)
    return found


def measure(book, contenders, gateway, rounds):
    times, parts, chance = {name: [] for name in contenders}, [], random.Random(1)

    def rest(contender):
        """True once nothing of it is left: an agent that displaces its own live tunnel waits for that to end."""
        contender.stop()
        wait_until(lambda: not listening(contender.port), 30, "the port free again", every=0.005)
        text = gateway.api.call("GET", "/metrics").raw.decode()
        return "\ntidegate_ssh_processes 0.0\n" in text

    for contender in contenders.values():
        contender.stop()
    for contender in contenders.values():
        wait_until(lambda contender=contender: rest(contender), 30, "all tunnels ended", every=0.05)
    for number in range(rounds):
        if number % 10 == 0:
            progress(f"round {number} of {rounds}")
        for name in chance.sample(list(contenders), len(contenders)):
            contender = contenders[name]
            wall, begun = time.time(), time.perf_counter()
            process = contender.start()
            try:
                reached(contender.port, lambda process=process: process.poll() is None)
            except AssertionError as fault:
                raise AssertionError(f"{name}: {fault}\n{contender.what()[-3000:]}") from None
            times[name].append(time.perf_counter() - begun)
            if name == OURS:
                log = contender.machine
                mark = contender.logged
                wait_until(lambda: "the tunnel is up" in log.log[mark:], 10, "the agent's word")
                parts.append(steps(log.log[mark:], wall))
            wait_until(lambda contender=contender: rest(contender), 30, "all tunnels ended", every=0.02)
    return times, parts


def scans(port, rounds):
    """How long the look at the machine's own host keys takes, which the agent reports at its first registration."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        run(["ssh-keyscan", "-T", "5", "-p", port, "-t", "ed25519,ecdsa,rsa", "127.0.0.1"], check=True)
        times.append(time.perf_counter() - begun)
    return times


def main():
    parser = report.arguments(__doc__, "Installs ssh-tunnel-gateway 0.4.3 from PyPI into a throwaway folder.")
    parser.add_argument("--rounds", type=int, help="starts of each (30)")
    options = parser.parse_args()
    rounds = options.rounds or (3 if options.quick else 30)
    book = report.Report("Agent start to reachable machine", options)
    book.note(
        "Each agent is enrolled or registered already and its port is known; from spawning it to the first byte of its "
        "machine's sshd through 127.0.0.1:PORT, asked for each millisecond. One at a time, in random order each round; "
        "before each start the last tunnel's port and processes are gone. `ssh -N -R alone` presents a registered key: "
        "what every agent here has to wait for at least."
    )
    account = programs.ordinary_user()
    folder = tempfile.mkdtemp(prefix="their-server-", dir=programs.session_folder())
    with contextlib.ExitStack() as closing:
        gateway = closing.enter_context(Gateway(environment={"API_KEY": API_KEY}))
        server = ForeignServer(folder, account)
        closing.callback(server.stop)
        contenders = {OURS: Ours(gateway)}
        closing.callback(contenders[OURS].close)
        target = contenders[OURS].machine.sshd.port
        for name, make in ((DIALECT, lambda: Theirs(gateway)), (THEIRS, lambda: Theirs(server=server)),
                           (BARE, lambda: Bare(gateway, target))):  # fmt: skip
            contenders[name] = make()
            closing.callback(contenders[name].close)
        times, parts = measure(book, contenders, gateway, rounds)
        scanned = scans(target, max(3, rounds // 3))
    book.keep("seconds to reach the machine", times)
    book.keep("tidegate-agent: seconds to registered, to the tunnel up", parts)
    book.keep("seconds of ssh-keyscan", scanned)
    rows = []
    for name, values in times.items():
        low, high = ratio_interval(values, times[THEIRS])
        rows.append([name, len(values), milliseconds(median(values)), milliseconds(percentile(values, 25)),
                     milliseconds(percentile(values, 75)), milliseconds(tail(values)),
                     factor(ratio(values, times[THEIRS])), f"{low:.3f} to {high:.3f}"])  # fmt: skip
    book.table("Start to the first byte through the leased port",
               ["", "starts", "median", "quartile 1", "quartile 3", f"p{tail_percent(rounds)}", "ratio to its own",
                "95% of redraws"], rows)  # fmt: skip
    registered = [first for first, _ in parts]
    tunnel = [second - first for first, second in parts]
    book.table("Where tidegate-agent's time goes (from its log)", ["part", "median"],
               [["start, host keys, registration", milliseconds(median(registered))],
                ["… of which ssh-keyscan, run alone", milliseconds(median(scanned))],
                ["ssh until its tunnel is confirmed", milliseconds(median(tunnel))]])  # fmt: skip
    book.finish()


if __name__ == "__main__":
    main()
