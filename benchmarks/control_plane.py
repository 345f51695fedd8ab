#!/usr/bin/env python3
"""Registrations and heartbeats a second, beside the server of ssh-tunnel-gateway under the same requests.

The stored agents all ask in turn. Every agent of the dialect makes a connection for each request, as these agents do;
tidegate's own keep theirs. Each cell is measured in every round, theirs and ours one after the other, and each round
begins with the same stores. Registering again is what is measured: a new key each time, on the port that is there.
"""

import contextlib
import itertools
import random

import load_program as load
import report
from foreign_server import HEADERS, SeededServer
from report import factor, median, progress, whole
from stored_gateway import ADDRESS, PORTS, StoredGateway, cpu_seconds

import programs

# Requests a run. Theirs answers few, and one agent registers seldom: ours keeps the keys nobody logged in with.
THEIRS = {"register": {1: 16, 8: 32, 32: 64}, "heartbeat": {10: 300, 1000: 130, 5000: 64}}
OURS = {"register": 3000, "heartbeat": 6000}
REGISTRATIONS_PER_AGENT = 20


class Cell:
    """One server, action and number of clients; its figures of each round."""

    def __init__(self, url, pid, requests, clients, count, **options):
        self.url, self.pid, self.requests, self.clients, self.count, self.options = (
            url, pid, requests, clients, count, options)  # fmt: skip
        self.rounds, self.work = [], []

    def measure(self):
        before = cpu_seconds(self.pid())
        measured = load.play(self.requests, self.url, self.clients, count=self.count, **self.options)
        self.work.append((cpu_seconds(self.pid()) - before) / measured["requests"])
        self.rounds.append(measured)

    @property
    def rates(self):
        return [measured["rate"] for measured in self.rounds]

    def latency(self, name):
        return median([measured["latency"][name] for measured in self.rounds]) / 1000

    @property
    def columns(self):
        return [whole(median(self.rates)), f"{self.latency('p50_us'):.1f} / {self.latency('p99_us'):.1f}"]


def requests_of(agents, machines, chance):
    """Files for both actions, dialect and native; the agents come in an order that no index knows."""
    agents, machines = chance.sample(agents, len(agents)), chance.sample(machines, len(machines))
    return {
        ("dialect", "register"): load.written(load.dialect("register", agent.agent_id) for agent in agents),
        ("dialect", "heartbeat"): load.written(load.dialect("heartbeat", agent.agent_id) for agent in agents),
        ("native", "register"): load.written(map(load.native_register, machines)),
        ("native", "heartbeat"): load.written(map(load.native_heartbeat, machines)),
    }


def nearest(table, key):
    return table[min(table, key=lambda known: abs(known - key))]


def cells_of(gateway, server, level, files, action, clients, part):
    """What is compared, in the order in which it is measured; `part` of the usual number of requests."""
    cells = {}
    if server:
        count = round(part * nearest(THEIRS[action], clients if action == "register" else level))
        cells["theirs"] = Cell(server.url, lambda: server.process.pid, files["dialect", action], clients, count,
                               headers=HEADERS, fresh=True)  # fmt: skip
    count = round(part * OURS[action])
    if action == "register":
        count = min(count, level * REGISTRATIONS_PER_AGENT)
    for kind, options in (("dialect", {"headers": HEADERS, "fresh": True}), ("native", {})):
        cells[kind] = Cell(gateway.api.url, lambda: gateway.process.pid, files[kind, action], clients, count, **options)
    return cells


def ceiling(concurrency, count, rounds):
    """The load program against a server that does nothing, with the requests of the benchmark."""
    requests = load.written([load.dialect("heartbeat", "agent")])
    with load.trivial_server() as url:
        for clients, fresh in itertools.product(concurrency, (False, True)):
            runs = [load.play(requests, url, clients, count=count, fresh=fresh) for _ in range(rounds)]
            p50, p99 = (median([one["latency"][name] for one in runs]) / 1000 for name in ("p50_us", "p99_us"))
            yield [f"{clients}, {'a connection each' if fresh else 'kept connections'}",
                   whole(median([one["rate"] for one in runs])), f"{p50:.2f} / {p99:.2f}"]  # fmt: skip


def compare(paper, action, measured, levels, concurrency):
    rows = []
    for level, clients in itertools.product(levels, concurrency):
        cells = measured[level, action, clients]
        theirs = cells["theirs"]
        row = [f"{level:,}, {clients}", *theirs.columns]
        for kind in ("dialect", "native"):
            low, high = report.ratio_interval(cells[kind].rates, theirs.rates)
            times = report.ratio(cells[kind].rates, theirs.rates)
            row += [*cells[kind].columns, f"{times:,.0f}× ({low:,.0f}–{high:,.0f})"]
        rows.append(row)
    title = {"register": "Registering again", "heartbeat": "Heartbeats"}[action]
    paper.table(f"{title}, a second", ["agents stored, clients", "theirs", "p50 / p99 ms", "ours, dialect",
                "p50 / p99 ms", "times theirs", "ours, native", "p50 / p99 ms", "times theirs"], rows)  # fmt: skip


def judge(paper, measured, levels, large, clients):
    """The two bars, said and not enforced: a busy machine is no fault of a script."""
    at, lines = (1000 if 1000 in levels else levels[-1]), []
    for action, kind in itertools.product(("register", "heartbeat"), ("dialect", "native")):
        cells = measured[at, action, clients]
        times = report.ratio(cells[kind].rates, cells["theirs"].rates)
        flat = report.ratio(measured[large, action, clients][kind].rates, cells[kind].rates)
        low, high = report.ratio_interval(measured[large, action, clients][kind].rates, cells[kind].rates)
        lines.append(f"- {action}, {kind}, {clients} clients: {times:,.0f} times theirs at {at:,} agents "
                     f"({'holds' if times >= 50 else 'MISSES'} the bar of 50); at {large:,} stored "
                     f"{factor(flat)} of that rate ({low:.2f}–{high:.2f})")  # fmt: skip
    paper.note("\n".join(lines))


def main():
    parser = report.arguments(__doc__)
    parser.add_argument("--rounds", type=int, help="default 5, quick 1")
    parser.add_argument("--large", type=int, help="stored agents of the largest gateway: default 100000, quick 3000")
    parser.add_argument("--seed", type=int, default=1, help="of the order in which agents ask")
    options = parser.parse_args()
    levels, concurrency = ((10, 200), (1, 8)) if options.quick else ((10, 1000, 5000), (1, 8, 32))
    rounds, large = options.rounds or (1 if options.quick else 5), options.large or (3000 if options.quick else 100_000)
    paper = report.Report("Control plane: registrations and heartbeats", options)
    chance = random.Random(options.seed)
    with contextlib.ExitStack() as stack:
        servers, gateways, files = {}, {}, {}
        for level in (*levels, large):
            progress(f"a store of {level:,} agents")
            # In the large one as many as there are ports hold a lease, half of them of the dialect.
            shared = min(level // 2, len(PORTS) * 12 // 25) if level == large else level
            native = level - shared if level == large else level
            gateway = stack.enter_context(StoredGateway(shared, native, min(native, shared)))
            gateways[level], files[level] = gateway, requests_of(gateway.agents, gateway.leased_machines, chance)
            if level != large:
                folder = programs.session_folder() / f"foreign-{level}"
                ids = [agent.agent_id for agent in gateway.agents]
                servers[level] = stack.enter_context(SeededServer(folder, ids))
        big = gateways[large]
        paper.note(f"A gateway of N has N agents of the dialect and N of its own with a lease each, from the ports "
                   f"{PORTS[0]}-{PORTS[-1]} of {ADDRESS}; the one of {large:,} has {len(big.agents):,} and "
                   f"{len(big.machines):,}, of which {len(big.leased_machines):,} hold a lease: those ask. Median of "
                   f"{rounds} rounds; theirs is asked so seldom that its p99 is in effect its slowest answer. "
                   "In brackets: where the ratio of the medians lies in 95 of 100 redrawn sets of rounds.")  # fmt: skip
        part = 0.25 if options.quick else 1
        measured = {
            (n, action, clients): cells_of(gateways[n], servers.get(n), n, files[n], action, clients, part)
            for n, action, clients in itertools.product((*levels, large), ("heartbeat", "register"), concurrency)
        }
        for number in range(rounds):
            for level in (*levels, large):
                gateways[level].renew()
            # Heartbeats first: a registration raises the generation they name.
            for action, clients, level in itertools.product(("heartbeat", "register"), concurrency, (*levels, large)):
                progress(f"round {number + 1} of {rounds}: {action}, {clients} clients, {level:,} agents")
                for cell in measured[level, action, clients].values():
                    cell.measure()
        for action in ("register", "heartbeat"):
            compare(paper, action, measured, levels, concurrency)
        most = concurrency[-1]
        paper.table(f"Ours by what is stored, {most} clients: a second", ["agents stored", "register, dialect",
                    "register, native", "heartbeat, dialect", "heartbeat, native"],
                    [[whole(level), *(whole(median(measured[level, action, most][kind].rates))
                      for action, kind in itertools.product(("register", "heartbeat"), ("dialect", "native")))]
                     for level in (*levels, large)])  # fmt: skip
        paper.table(f"Processor time of the server a request, {most} clients, ms",
                    ["agents stored, action", "theirs", "ours, dialect", "ours, native"],
                    [[f"{level:,}, {action}", *(f"{1000 * median(measured[level, action, most][kind].work):.2f}"
                      for kind in ("theirs", "dialect", "native"))]
                     for action, level in itertools.product(("register", "heartbeat"), levels)])  # fmt: skip
        judge(paper, measured, levels, large, most)
    count = 2000 if options.quick else 20_000
    paper.table("What the load program itself can do", ["clients", "requests a second", "p50 / p99 ms"],
                ceiling(concurrency, count, min(rounds, 3)))  # fmt: skip
    for (level, action, clients), cells in measured.items():
        for kind, cell in cells.items():
            paper.keep(f"{kind} {action} {level} {clients}", {"rounds": cell.rounds, "cpu_seconds": cell.work})
    paper.finish()


if __name__ == "__main__":
    main()
