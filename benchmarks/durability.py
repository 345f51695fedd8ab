#!/usr/bin/env python3
"""Durable changes a second by the number of clients, beside what the disk syncs, and again with syncs of 4 ms.

A change counts when it was answered, which is after its commit was synced. Two kinds: tunnel keys, each added and
revoked again, and registrations of enrolled machines with a new key each. The slow syncs are made by a library that is
put before the C library's (slow_sync.c): what a disk costs that isn't as quick as the one of this machine.
"""

import contextlib
import itertools
import os
import pathlib

import load_program as load
import report
from report import median, progress, whole
from stored_gateway import StoredGateway

import programs
from commands import run

MACHINES = 1000
SLOW = 4000


def shim():
    """The compiled library, where the gateway's own user can read it."""
    source, made = pathlib.Path(__file__).with_name("slow_sync.c"), programs.session_folder() / "slow_sync.so"
    run(["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", made, source, "-ldl"], check=True)
    made.chmod(0o755)
    return {"LD_PRELOAD": str(made), "SLOW_SYNC_US": str(SLOW)}


class Changes:
    """One kind of change on one gateway by so many clients; figures of each round."""

    def __init__(self, gateway, requests, clients, seconds):
        self.gateway, self.requests, self.clients, self.seconds = gateway, requests, clients, seconds
        self.rounds, self.groups = [], []

    def measure(self):
        before = self.gateway.counters()
        self.rounds.append(load.play(self.requests, self.gateway.api.url, self.clients, seconds=self.seconds))
        after = self.gateway.counters()
        commits, changes = (after[name] - before[name] for name in (
            "tidegate_store_commits_total", "tidegate_store_changes_total"))  # fmt: skip
        self.groups.append(changes / commits)

    @property
    def rate(self):
        return median([measured["rate"] for measured in self.rounds])

    def latency(self, name):
        return median([measured["latency"][name] for measured in self.rounds]) / 1000

    @property
    def columns(self):
        return [whole(self.rate), f"{self.latency('p50_us'):.1f} / {self.latency('p99_us'):.1f}",
                f"{median(self.groups):.1f}"]  # fmt: skip


def prepare(stack, environment=None):
    """A running gateway, and the requests of both kinds for it."""
    gateway = stack.enter_context(StoredGateway(native=MACHINES, environment=environment))
    gateway.renew()
    body = {"public_key": "{key}", "machines": [gateway.machines[0].agent_id], "label": "benchmark"}
    keys = [load.request("POST", "/api/v1/tunnel-keys", body, gateway.token),
            load.after(load.request("DELETE", "/api/v1/tunnel-keys/{id}", None, gateway.token))]  # fmt: skip
    registrations = map(load.native_register, gateway.machines)
    return gateway, {"tunnel keys": load.written(keys), "registrations": load.written(registrations)}


def require_slow(gateway, environment, seconds):
    """A shim that isn't there would make the second half of this benchmark a lie."""
    maps = pathlib.Path(f"/proc/{gateway.process.pid}/maps").read_text()
    assert environment["LD_PRELOAD"] in maps, "the gateway runs without the slow syncs"
    measured = load.sync_rate(gateway.folder, seconds, environment)
    assert measured["latency"]["p50_us"] >= SLOW, measured
    return measured


def main():
    parser = report.arguments(__doc__)
    parser.add_argument("--rounds", type=int, help="default 3, quick 1")
    options = parser.parse_args()
    rounds, seconds = options.rounds or (1 if options.quick else 3), 0.5 if options.quick else 2
    concurrency = (1, 8, 32) if options.quick else (1, 2, 4, 8, 16, 32, 64, 128)
    paper = report.Report("Durability: changes that are on the disk when they are answered", options)
    with contextlib.ExitStack() as stack:
        environment = shim()
        sides = {"this disk": prepare(stack), "syncs of 4 ms": prepare(stack, environment)}
        slow, fast = sides["syncs of 4 ms"][0], sides["this disk"][0]
        syncs = {"this disk": [load.sync_rate(fast.folder, seconds)],
                 "syncs of 4 ms": [require_slow(slow, environment, seconds)]}  # fmt: skip
        cells = {
            (side, kind, clients): Changes(gateway, files[kind], clients, seconds)
            for side, (gateway, files) in sides.items() for kind, clients in itertools.product(files, concurrency)
        }  # fmt: skip
        for number in range(rounds):
            for (side, kind, clients), cell in cells.items():
                progress(f"round {number + 1} of {rounds}: {side}, {kind}, {clients} clients")
                cell.measure()
            syncs["this disk"].append(load.sync_rate(fast.folder, seconds))
            syncs["syncs of 4 ms"].append(load.sync_rate(slow.folder, seconds, environment))
        rows = [[side, whole(median([one["rate"] for one in runs])), *(
                 f"{median([one['latency'][name] for one in runs]) / 1000:.2f}" for name in ("p50_us", "p99_us"))]
                for side, runs in syncs.items()]  # fmt: skip
        paper.table("What the disk itself syncs: 4 KiB and fdatasync, one after the other",
                    ["disk", "a second", "p50 ms", "p99 ms"], rows)  # fmt: skip
        for side in sides:
            rows = [[clients, *cells[side, "tunnel keys", clients].columns,
                     *cells[side, "registrations", clients].columns] for clients in concurrency]  # fmt: skip
            paper.table(f"Changes a second, {side}", ["clients", "tunnel keys", "p50 / p99 ms", "mean group",
                        "registrations", "p50 / p99 ms", "mean group"], rows)  # fmt: skip
        for kind in ("tunnel keys", "registrations"):
            cell = cells["syncs of 4 ms", kind, 32]
            paper.note(f"{kind} at 32 clients with syncs of 4 ms: {cell.rate:,.0f} a second, which "
                       f"{'holds' if cell.rate >= 2000 else 'MISSES'} the bar of 2,000.")  # fmt: skip
        paper.keep("syncs", syncs)
        for (side, kind, clients), cell in cells.items():
            paper.keep(f"{side}, {kind}, {clients}", {"rounds": cell.rounds, "groups": cell.groups})
    paper.finish()


if __name__ == "__main__":
    main()
