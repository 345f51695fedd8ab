#!/usr/bin/env python3
"""What a gateway's memory, file and start cost by stored agents and keys: bytes for each one more."""

import concurrent.futures
import contextlib
import itertools

import load_program as load
import report
from report import mebibytes, median, milliseconds, progress, whole
from resident import MEASURES, settled, start_seconds
from seeding import Seeding, wait_sealed

from commands import run
from gateway import Gateway, default_mode
from sshkeys import client_options

LEASE_PORTS = range(10_000, 60_001)
# sshd ends a connection at its sixth failure; the fifth key leaves one.
KEYS_A_CONNECTION = 5


class Filled:
    """A gateway with so many agents and keys in its store; `agents` may be more than there are ports for."""

    def __init__(self, agents=0, keys=0):
        self.agents, self.keys = agents, keys
        self.gateway = Gateway()
        try:
            self.gateway.first_lease, self.gateway.last_lease = LEASE_PORTS[0], LEASE_PORTS[-1]
            self.gateway.stop()
            taken = (self.gateway.port, self.gateway.ssh_port)
            ports = (port for port in LEASE_PORTS if port not in taken)
            with Seeding(self.gateway.database, check=False) as seeding:
                # A jump key is for a machine with a lease; a thousand of them are enough for any number of keys.
                self.machines = seeding.machines(max(agents, min(keys, 1000)), ports)
                self.lines = seeding.jump_keys(keys, [machine for machine in self.machines if machine.port])
            # Before the gateway begins a log beside it, which grows and is emptied at its own pace.
            self.file = self.gateway.database.stat().st_size
        except BaseException:
            self.close()
            raise

    def close(self):
        self.gateway.close()

    @property
    def leases(self):
        return sum(machine.port is not None for machine in self.machines)

    @property
    def pid(self):
        return self.gateway.process.pid

    def start(self, times):
        """Seconds of each start; the last one stays up."""
        seconds = []
        for _ in range(times):
            self.gateway.stop()
            seconds.append(start_seconds(self.gateway))
        wait_sealed(self.gateway)
        return seconds

    def heartbeats(self):
        """Every agent with a lease reports once, as it does each minute."""
        leased = [machine for machine in self.machines if machine.port]
        requests = load.written(map(load.native_heartbeat, leased))
        load.play(requests, self.gateway.api.url, clients=8, count=self.leases)

    def look_up(self, lines):
        """Has sshd ask for these keys: a client offers their public halves, and then has nothing to sign with."""
        folder = self.gateway.home
        known, user = self.gateway.known_hosts(), self.gateway.ssh_user
        groups = [lines[first : first + KEYS_A_CONNECTION] for first in range(0, len(lines), KEYS_A_CONNECTION)]

        def offer(number, lines):
            options = client_options("none", known)[4:]
            for place, line in enumerate(lines):
                path = folder / f"offered-{number}-{place}.pub"
                path.write_text(line + "\n")
                options += ["-i", str(path)]
            words = ["ssh", "-v", "-F", "none", *options, "-p", str(self.gateway.ssh_port), "-l", user]
            done = run([*words, self.gateway.address, "true"], deadline=60)
            return done.stderr.count("Server accepts key")

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            accepted = sum(pool.map(offer, itertools.count(), groups))
        assert accepted == len(lines), f"sshd was told {accepted} of {len(lines)} keys"


def row(filled, what, starts, *stages):
    figures = [milliseconds(median(starts), 0), mebibytes(filled.file)]
    for stage in stages:
        figures += [None, None, None] if stage is None else [mebibytes(stage[name]) for name in MEASURES]
    return [*what, *figures]


def slope(book, heading, unit, points):
    """Bytes for each one more, between every two sizes that follow each other; `points` are (count, stages)."""
    if len(points) < 2:
        return
    names = list(points[0][1])
    rows = []
    for (low, before), (high, after) in itertools.pairwise(points):
        rows.append([f"{low:,} to {high:,}", *[whole((after[name] - before[name]) / (high - low)) for name in names]])
    book.table(heading, [unit, *names], rows)


def agents(book, sizes, starts):
    rows, points = [], []
    for size in sizes:
        progress(f"{size:,} agents")
        with contextlib.closing(Filled(agents=size)) as filled:
            seconds = filled.start(starts)
            fresh = settled(filled.pid)
            beaten = None
            if filled.leases:
                filled.heartbeats()
                beaten = settled(filled.pid)
            book.keep(f"{size} agents", {"start": seconds, "fresh": fresh, "beaten": beaten, "file": filled.file})
            rows.append(row(filled, [f"{size:,}", whole(filled.leases)], seconds, fresh, beaten))
            if filled.leases == size:
                points.append((size, {
                    "Private_Dirty after the start": fresh["Private_Dirty"],
                    "after a heartbeat of each": (beaten or fresh)["Private_Dirty"], "file": filled.file,
                }))  # fmt: skip
    heads = [f"{name}, {when}" for when in ("started", "after heartbeats") for name in MEASURES]
    book.table("Enrolled agents", ["agents", "leases", "start", "file", *heads], rows)
    slope(book, "Bytes for each agent with a lease", "leases", points)


def keys(book, sizes, starts, lookups):
    rows, points = [], []
    for size in sizes:
        progress(f"{size:,} keys")
        with contextlib.closing(Filled(keys=size)) as filled:
            seconds = filled.start(starts)
            fresh = settled(filled.pid)
            book.keep(f"{size} keys", {"start": seconds, "fresh": fresh, "file": filled.file})
            rows.append(row(filled, [f"{size:,}"], seconds, fresh))
            points.append((size, {"Private_Dirty after the start": fresh["Private_Dirty"], "file": filled.file}))
            count = min(lookups, size)
            if size == sizes[-1] and count:
                measure_lookups(book, filled, count)
    book.table("Stored keys", ["keys", "start", "file", *MEASURES], rows)
    slope(book, "Bytes for each stored key", "keys", points)


def measure_lookups(book, filled, count):
    """The second half counts: the first warms up threads, allocators and the store's page caches."""
    half = count // 2
    progress(f"{half:,} of {filled.keys:,} keys looked up, then {half:,} others")
    filled.look_up(filled.lines[:half])
    before = settled(filled.pid)
    filled.look_up(filled.lines[half : 2 * half])
    after = settled(filled.pid)
    book.keep("lookups", {"count": half, "before": before, "after": after})
    book.table(f"{half:,} different keys, each looked up by sshd for the first time",
               ["", *MEASURES, "bytes a key"],
               [["before", *[mebibytes(before[name]) for name in MEASURES], None],
                ["after", *[mebibytes(after[name]) for name in MEASURES],
                 whole((after["Private_Dirty"] - before["Private_Dirty"]) / half)]])  # fmt: skip


def main():
    parser = report.arguments(__doc__)
    parser.add_argument("--agents", help="sizes, comma separated (0,1000,10000,49000,100000)")
    parser.add_argument("--keys", help="sizes, comma separated (10,10000,100000,1000000)")
    parser.add_argument("--lookups", type=int, help="keys that sshd asks for at the last size (10000; 0: none)")
    parser.add_argument("--starts", type=int, help="starts of the gateway at each size (5)")
    options = parser.parse_args()
    quick = options.quick

    def sizes(given, short, long):
        return [int(text) for text in (given or (short if quick else long)).split(",")]

    starts = options.starts or (1 if quick else 5)
    lookups = options.lookups if options.lookups is not None else (20 if quick else 10_000)
    book = report.Report("Memory, file and start of a gateway", options)
    book.note(
        f"The gateway's own process (mode {default_mode()}), from /proc/PID/smaps_rollup once it has come to "
        f"rest; its small launcher and the sshd processes are in footprint.py. One address has {len(LEASE_PORTS):,} "
        f"ports here (--lease-ports {LEASE_PORTS[0]}-{LEASE_PORTS[-1]}), so of more agents than that the others are "
        f"enrolled and have no lease. The file holds the audit trail of all of it, which is about half. A start is "
        f"from spawning the program to /readyz saying 200, median of {starts}, with the file in the page cache. The "
        f"first step of each “bytes for each” also has what fills once: SQLite's page cache of each connection."
    )
    agents(book, sizes(options.agents, "0,500", "0,1000,10000,49000,100000"), starts)
    keys(book, sizes(options.keys, "10,1000", "10,10000,100000,1000000"), starts, lookups)
    book.finish()


if __name__ == "__main__":
    main()
