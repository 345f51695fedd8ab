#!/usr/bin/env python3
"""How long a real ssh login takes when tidegate-keys answers sshd, beside the cheapest other answers there are."""

import contextlib
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import time

import report
from report import ROOT, factor, median, milliseconds, percentile, progress, ratio, ratio_interval, tail_percent
from seeding import Seeding, wait_sealed

import programs
from commands import run
from gateway import Gateway, available_modes
from machine import PrivateSSHD
from networks import Canary, HostItself, free_ports
from sshkeys import KeyPair, client_options, known_hosts_line

BAR = 1.05
BASE, AGAIN, REMEMBERED, READ = "C command", "C command, again", "tidegate-keys", "tidegate-keys, new key"
FILE, MANAGED = "authorized_keys file", "managed, tidegate-keys"
ORDER = (BASE, AGAIN, REMEMBERED, READ, MANAGED, FILE)
MACHINES = 100


class SSHD(PrivateSSHD):
    """One sshd of the comparison: its whole configuration is `text`, its host key is everybody's."""

    def __init__(self, folder, port, text, before=()):
        self.folder, self.network, self.address, self.port = folder, HostItself(), "127.0.0.1", port
        self.network.enter = list(before)
        self.config, self.log_path, self.process = folder / f"{port}.config", folder / f"{port}.log", None
        self.config.write_text(re.sub(r"^ListenAddress .*$", f"ListenAddress 127.0.0.1:{port}", text, flags=re.M))
        self.start()


class FixedLine:
    """The C command, where sshd takes a command from: root's own folder."""

    def __init__(self, line):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-benchmark-", dir="/usr/libexec"))
        self.folder.chmod(0o755)
        self.path = self.folder / "key_command"
        quoted = line.replace("\\", "\\\\").replace('"', '\\"')
        run(["cc", "-O2", "-static", f'-DLINE="{quoted}"', "-o", self.path, ROOT / "benchmarks" / "key_command.c"],
            check=True)  # fmt: skip

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def key_line(public, port):
    """What tidegate-keys prints for a jump key that reaches one machine."""
    return (
        f'restrict,port-forwarding,permitlisten="127.0.0.1:1",permitopen="127.0.0.1:{port}",'
        f'command="/usr/sbin/nologin",expiry-time="20991231235959Z" {public}'
    )


def changed(text, **settings):
    """`text` with other values for these settings."""
    for name, value in settings.items():
        text, count = re.subn(rf"^( *{name}) .*$", lambda found: f"{found[1]} {value}", text, flags=re.M)
        assert count, name
    return text


class Comparison:
    """Everything that takes part at one number of stored keys."""

    def __init__(self, size, rounds, with_file):
        self.size, self.closing = size, contextlib.ExitStack()
        try:
            self._build(rounds, with_file)
        except BaseException:
            self.close()
            raise

    def _build(self, rounds, with_file):
        progress(f"{self.size:,} keys: filling the store")
        self.gateway = self._open(Gateway("root"))
        self.gateway.stop()
        self.port = self.gateway.first_lease
        # Each login with a key of its own, as far as there are that many; the first is the one that is always the same.
        self.keys = [KeyPair(self.gateway.home, "jump") for _ in range(min(self.size, rounds + 8))]
        with Seeding(self.gateway.database, check=self.size <= 10_000, audit=self.size <= 10_000) as seeding:
            machines = seeding.machines(MACHINES, range(self.port, self.port + MACHINES))
            seeding.jump_keys(len(self.keys), machines[:1], [key.line for key in self.keys])
            lines = seeding.jump_keys(self.size - len(self.keys), machines)
        self._open(Canary(address=("127.0.0.1", self.port)))
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="login-", dir=programs.session_folder()))
        self.folder.chmod(0o755)
        self.closing.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._managed()
        progress(f"{self.size:,} keys: starting the gateway")
        text = self._external()
        self.commands = {MANAGED: (self.managed.ssh_port, self.managed.known_hosts())}
        fixed = self._open(FixedLine(key_line(self.keys[0].line, self.port)))
        # The arguments are the same, and go unread.
        constant = changed(text, AuthorizedKeysCommand=f"{fixed.path} %u %f %t")
        self._serve(constant, BASE)
        self._serve(constant, AGAIN)
        self._serve(text, REMEMBERED, port=self.gateway.ssh_port)
        if len(self.keys) > rounds:
            self.commands[READ] = self.commands[REMEMBERED]
        if with_file:
            listed = self.folder / "listed_keys"
            with open(listed, "w", encoding="ascii") as file:
                # In the middle: what any key of the file costs on the average.
                lines.insert(len(lines) // 2, self.keys[0].line)
                file.writelines(key_line(line, self.port) + "\n" for line in lines)
            listed.chmod(0o644)
            self._serve(
                changed(text, AuthorizedKeysCommand="none", AuthorizedKeysCommandUser="nobody",
                        AuthorizedKeysFile=str(listed)), FILE)  # fmt: skip
        self.traced_text = {REMEMBERED: text, BASE: constant}

    def _open(self, part):
        self.closing.callback(part.close)
        return part

    def close(self):
        self.closing.close()

    def _managed(self):
        """A second gateway, with a copy of the store, that runs its own sshd."""
        self.managed = self._open(Gateway("root", start=False))
        first, last = self.managed.first_lease, self.managed.last_lease
        self.managed.first_lease, self.managed.last_lease = self.gateway.first_lease, self.gateway.last_lease
        self.managed.state.mkdir(mode=0o700)
        owner = self.gateway.database.stat()
        shutil.copy(self.gateway.database, self.managed.database)
        self.managed.database.chmod(0o600)
        shutil.copy(self.gateway.token_file, self.managed.token_file)
        for path in (self.managed.state, self.managed.database):
            shutil.chown(path, owner.st_uid, owner.st_gid)
        try:
            self.managed.start(180)
            wait_sealed(self.managed)
        finally:
            self.managed.first_lease, self.managed.last_lease = first, last

    def _external(self):
        """The text of an sshd that carries this gateway: its drop-in around a plain one. Starts the gateway."""
        first = PrivateSSHD(self.folder / "plain")
        first.close()
        self.host_key = first.host_key
        program = self.folder / "sshd"
        config = self.folder / f"{self.gateway.ssh_port}.config"
        program.write_text(f'#!/bin/sh\nexec {programs.sshd()} -f {config} "$@"\n')
        program.chmod(0o755)
        self.gateway.extra += ["--ssh", "external", "--sshd", str(program)]
        printed = run([programs.tidegate(), "serve", *self.gateway.arguments, "--print-drop-in"], check=True,
                      env=self.gateway.clean_environment()).stdout  # fmt: skip
        head, match, block = printed.partition("Match User ")
        text = head + first.config.read_text() + match + block
        config.write_text(text)
        try:
            self.gateway.start(180)
        except AssertionError:
            # Another gateway of this host has the standard socket; which one is ours, the refused start has said.
            wanted = re.findall(r"must be \S+ --socket (\S+)", self.gateway.log)
            if not wanted:
                raise
            text = re.sub(r"--socket \S+", f"--socket {wanted[-1]}", text)
            config.write_text(text)
            self.gateway.start(180)
        wait_sealed(self.gateway)
        return text

    def _serve(self, text, name, port=None, before=()):
        port = port or free_ports()
        sshd = self._open(SSHD(self.folder, port, text, before))
        known = self.folder / f"{port}.known_hosts"
        known.write_text(known_hosts_line("127.0.0.1", port, self.host_key.line) + "\n")
        self.commands[name] = (port, known)
        return sshd

    def login(self, name, number):
        """Seconds to the first byte of the listener behind the gateway, and to the end of `ssh`."""
        key = self.keys[1 + number % (len(self.keys) - 1)] if name == READ else self.keys[0]
        port, known = self.commands[name]
        command = ["ssh", *client_options(key.private, known), "-p", str(port), "-l", "tidegate", "-W",
                   f"127.0.0.1:{self.port}", "127.0.0.1"]  # fmt: skip
        begun = time.perf_counter()
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            first = process.stdout.read(1)
            came = time.perf_counter() - begun
            process.stdout.read()
            process.wait()
            ended = time.perf_counter() - begun
            assert first == b"c", f"{name}: {process.stderr.read()}\n{self.gateway.log_end}"
        return came, ended

    def helper_times(self, logins):
        """From exec to exit of the command itself, as strace saw it: the part of a login that is ours."""
        found = {}
        for name, text in self.traced_text.items():
            trace = self.folder / f"{name.replace(' ', '-')}.trace"
            # Stopping at these two calls alone adds little; -I1 lets a signal end strace and, with it, its sshd.
            before = ["strace", "-I1", "-f", "-q", "--seccomp-bpf", "-ttt", "-e", "trace=execve,exit_group",
                      "-e", "signal=none", "-o", str(trace)]  # fmt: skip
            with contextlib.closing(self._serve(text, f"{name}, traced", before=before)):
                for number in range(logins):
                    self.login(f"{name}, traced", number)
            path = re.search(r"^ *AuthorizedKeysCommand (\S+)", text, re.M)[1]
            found[name] = run_times(trace.read_text(), path)
        return found


def run_times(trace, path):
    """Seconds from `execve(path)` to the exit of the same process, for each run in a trace."""
    begun, times = {}, []
    for pid, moment, call in re.findall(r"^(\d+) +([\d.]+) (.*)$", trace, re.M):
        if call.startswith(f'execve("{path}"'):
            begun[pid] = float(moment)
        elif call.startswith("exit_group(") and pid in begun:
            times.append(float(moment) - begun.pop(pid))
    return times


def compare(book, size, rounds, file_rounds, traced):
    with contextlib.closing(Comparison(size, rounds, file_rounds > 0)) as comparison:
        names = [name for name in ORDER if name in comparison.commands]
        for name in names:
            comparison.login(name, rounds)
        times = {name: [] for name in names}
        ends = {name: [] for name in names}
        chance = random.Random(size)
        for number in range(rounds):
            if number % 10 == 0:
                progress(f"{size:,} keys: round {number} of {rounds}")
            # Another order in each round, so that nobody always follows the same one.
            for name in chance.sample(names, len(names)):
                if name == FILE and number >= file_rounds:
                    continue
                came, ended = comparison.login(name, number)
                times[name].append(came)
                ends[name].append(ended)
        book.keep(f"{size} keys: seconds to the first byte", times)
        book.keep(f"{size} keys: seconds to the end of ssh", ends)
        rows = []
        for name in names:
            values, base = times[name], times[BASE]
            low, high = ratio_interval(values, base)
            rows.append([name, len(values), milliseconds(median(values)), milliseconds(percentile(values, 25)),
                         milliseconds(percentile(values, 75)), milliseconds(percentile(values, tail_percent(rounds))),
                         factor(ratio(values, base)), f"{low:.3f} to {high:.3f}"])  # fmt: skip
        book.table(f"{size:,} keys: login, to the first byte through the gateway",
                   ["keys come from", "logins", "median", "quartile 1", "quartile 3", f"p{tail_percent(rounds)}",
                    "ratio", "95% of redraws"], rows)  # fmt: skip
        if traced and shutil.which("strace"):
            helpers = comparison.helper_times(traced)
            book.keep(f"{size} keys: seconds from exec to exit of the command", helpers)
            book.table(f"{size:,} keys: the command itself, from exec to exit (under strace, which adds to both)",
                       ["command", "runs", "median", "p90"],
                       [[name, len(values), milliseconds(median(values), 2), milliseconds(percentile(values, 90), 2)]
                        for name, values in helpers.items()])  # fmt: skip
        return times


def verdicts(book, results):
    rows = []
    for name in ORDER[1:]:
        measured = {size: ratio(times[name], times[BASE]) for size, times in results.items() if times.get(name)}
        rows.append([name, *[factor(measured[size]) if size in measured else None for size in results]])
    book.table("Ratio to the C command, by stored keys", ["keys come from", *[f"{size:,}" for size in results]], rows)
    for size, times in results.items():
        for name in (name for name in (REMEMBERED, READ) if name in times):
            value, (low, high) = ratio(times[name], times[BASE]), ratio_interval(times[name], times[BASE])
            word = "holds" if value <= BAR else "does NOT hold" if low > BAR else "is not shown, the noise spans it"
            book.note(
                f"- {name}, {size:,} keys: at most {BAR} times the C command {word} ({value:.3f}, {low:.3f} to "
                f"{high:.3f}; the same command on a second sshd: {ratio(times[AGAIN], times[BASE]):.3f})."
            )
    few, many = min(results), max(results)
    grown = ratio(results[many][REMEMBERED], results[many][BASE]) / ratio(results[few][REMEMBERED], results[few][BASE])
    book.note(f"- From {few:,} to {many:,} keys the ratio changes {grown:.3f} times.")


def main():
    parser = report.arguments(__doc__, "Needs root, cc, and the installed helper (make setup-helper).")
    parser.add_argument("--rounds", type=int, help="logins of each kind at each size (40)")
    parser.add_argument("--sizes", help="stored keys, comma separated (10,10000,1000000)")
    parser.add_argument("--file-rounds", type=int, default=10, help="logins with a key file of over 10,000 lines (10)")
    options = parser.parse_args()
    if "root" in available_modes():
        parser.error(available_modes()["root"])
    rounds = options.rounds or (2 if options.quick else 40)
    sizes = [int(text) for text in (options.sizes or ("10,500" if options.quick else "10,10000,1000000")).split(",")]
    book = report.Report("Login: who tells sshd the key", options)
    same = run(["cmp", programs.INSTALLED_HELPER, programs.folder_of_binaries() / "tidegate-keys"]).returncode == 0
    book.note(
        f"Real logins, `ssh -W` to a listener behind the gateway that greets; each kind once a round, in random order, "
        f"one at a time. Every kind but the managed one is the same sshd with the same configuration "
        f"(`--print-drop-in`) but for its three AuthorizedKeys lines. OpenSSH asks twice a login: for the key, and for "
        f"its signature. The helper is {programs.INSTALLED_HELPER}"
        + (", the one that was built." if same else ", NOT the one that was built: run make setup-helper.")
    )
    results = {}
    for size in sizes:
        file_rounds = rounds if size <= 10_000 else min(rounds, options.file_rounds)
        results[size] = compare(book, size, rounds, file_rounds, 1 if options.quick else 20)
    verdicts(book, results)
    book.finish()


if __name__ == "__main__":
    main()
