"""Kills in the midst of writes, and what has to be true after each: the journal holds, the machines come back."""

import collections
import contextlib
import json
import pathlib
import shutil
import sqlite3
import tempfile
import time

import programs
from commands import run
from foreign import API_KEY, greets
from gateway import Gateway
from journal import Journal
from kills import Kills, deck
from ledger import GONE, LIVE, Ledger
from load import Load
from look import Look, Trail
from machine import PrivateMachine, Visitor
from reckoning import faults
from remains import Remains
from sshkeys import KeyPair, client_options
from trail import AuditFiles
from waiting import until_moment, wait_until

# Ports rest for a minute when their machine is removed.
LEASES = 1500
# Requests whose midst a kill is aimed at.
TARGETS = ["machine.add", "enrol", "register", "dialect.register", "jump.add", "jump.revoke", "agent-key.add",
           "agent-key.revoke", "token.add", "token.revoke", "machine.remove"]  # fmt: skip
# The agent's longest pause between two tries is a minute.
RECOVERY = 75
FULL_LOOK_EVERY = 10


class Chaos:
    """A gateway under load, with real machines beside it."""

    def __init__(self, mode, chance, machines=2):
        self.chance, self.made = chance, contextlib.ExitStack()
        self.killed, self.counts, self.tried = collections.Counter(), collections.Counter(), set()
        self.in_flight, self.returns = [], []
        try:
            self.gateway = self._keep(Gateway(mode, environment={"API_KEY": API_KEY}, leases=LEASES))
            self.machines = [self._keep(PrivateMachine(self.gateway)) for _ in range(machines)]
            self.visitors = [Visitor(self.gateway, machine) for machine in self.machines]
            self.journal = self._keep(Journal(programs.session_folder() / f"{self.gateway.folder.name}.journal"))
            self.load = self._keep(Load(self.gateway, self.journal, chance))
            self.ledger, self.trail, self.looked = Ledger(), Trail(), 0
            self.remains, self.standing = Remains(self.gateway, self.machines), {}
            self.kills = Kills(self.gateway, self.machines, self.remains, chance, self.struck)
            self.host_keys, self.known_hosts = self.gateway.coordinates()["ssh_host_keys"], self.gateway.known_hosts()
            self.wait_settled(self.machines)
        except BaseException:
            self.close()
            raise

    def _keep(self, made):
        self.made.callback(made.close)
        return made

    def close(self):
        """All of it, also when one thing fails to close."""
        self.made.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def run(self, count):
        self.look(everything=True)
        for number, kind in enumerate(deck(count, self.chance, bool(self.remains.configuration)), 1):
            try:
                self.kill(kind, everything=number % FULL_LOOK_EVERY == 0 or number == count)
            except AssertionError as fault:
                raise AssertionError(f"kill {number} of {count}, {kind}: {fault}") from fault
            self.killed[kind] += 1

    def kill(self, kind, everything):
        for _ in range(2):
            self.load.spare_keys.put(KeyPair(self.gateway.home, "load"))
        self.wait_settled(self.kills.renew_agents())
        # Half of the looks come before anybody asks again what was lost, half after the load has gone on.
        self.holds = self.chance.random() < 0.5
        self.load.resume()
        self.aim()
        hit = self.kills.run(kind)
        if not self.holds:
            self.answered(20)
        self.load.pause()
        self.look(everything)
        begun = time.monotonic()
        self.wait_settled(hit)
        if hit:
            self.returns.append(time.monotonic() - begun)
        if everything:
            assert all(visitor.run("true").returncode == 0 for visitor in self.visitors), "a visitor is not let in"

    def answered(self, count):
        """Waits for so many more answers."""
        outcomes = self.journal.outcomes
        enough = outcomes["answered"] + count
        wait_until(lambda: self.load.faults or outcomes["answered"] >= enough, 30, "the load going on", 0.001)

    def aim(self):
        """Returns at a random moment while a request of a random kind is in flight."""
        self.answered(self.chance.randint(10, 80))
        target, limit = self.chance.choice(TARGETS), time.monotonic() + 0.3
        flying = self.journal.in_flight
        # A kind that nobody asks for right now is no reason to wait: any other will do then.
        wait_until(
            lambda: flying[target] or time.monotonic() > limit and flying.total(), 10, "a request in flight", 0.0002
        )
        until_moment(time.monotonic() + self.chance.uniform(0, 0.004))

    def struck(self):
        self.in_flight.append(self.journal.in_flight.total())
        if self.holds:
            self.load.hold()

    # --- what has to be true ---

    def look(self, everything):
        """Holds the gateway against the journal: all of it, or the machines it has named since the last look."""
        ledger, begun = self.ledger, time.time()
        ledger.fold(self.journal.read())
        others = sorted(ledger.credentials.keys() - ledger.fresh)
        asked = self.chance.sample(others, min(len(others), 300 if everything else 20))
        keys_since = min((ledger.machines[name].first_asked for name in ledger.touched), default=begun) - 1
        look = Look(self.gateway, self.trail, [*ledger.fresh, *asked], None if everything else keys_since,
                    None if everything else self.looked - 1)  # fmt: skip
        found = faults(ledger, look, [machine.agent_id for machine in self.machines], everything)
        leased = sum(1 for row in look.machines.values() if row["lease"])
        if leased != gauge(self.gateway, "tidegate_leases"):
            found.append(f"{leased} machines have a lease, {gauge(self.gateway, 'tidegate_leases')} ports are leased")
        assert not found, f"{len(found)} faults:\n" + "\n".join(found[:20])
        ledger.settle()
        self.looked = begun
        self.counts["credentials"] += len(look.statuses)
        self.try_logins()

    def try_logins(self):
        """With ssh: one key that was revoked, and now and then one that was not."""
        self.try_login(GONE, lets_in=False)
        if self.chance.random() < 0.3:
            self.try_login(LIVE, lets_in=True)

    def try_login(self, state, lets_in):
        keys = [key for key in self.ledger.keys.values() if key.private and key.possible == {state}
                and (key.line, state) not in self.tried and self.ledger.machines[key.machine].low]  # fmt: skip
        if keys:
            key = self.chance.choice(keys)
            self.tried.add((key.line, state))
            assert self.logs_in(key.private) == lets_in, f"{key.purpose} key of {key.machine}: it is {state}"
            self.counts["logins let in" if lets_in else "logins refused"] += 1

    def logs_in(self, private):
        """It may run nothing, so the refusal of a session is a yes."""
        done = run(["ssh", *client_options(private, self.known_hosts), "-p", self.gateway.ssh_port, "-l",
                    self.gateway.ssh_user, "-v", "-T", self.gateway.address, "true"])  # fmt: skip
        if "Authenticated to" in done.stderr:
            return True
        assert "Permission denied (publickey)" in done.stderr, done.stderr
        return False

    def wait_settled(self, hit):
        """Machines that were hit come back to their port, the others never noticed, and nothing else is left."""
        away = set(self.machines)

        def all_back():
            self.remains.note()
            away.difference_update([machine for machine in away if self.is_back(machine, machine in hit)])
            return not away

        wait_until(all_back, RECOVERY, lambda: "\n".join(f"{one.facts()}\n{one.log[-2000:]}" for one in away), 0.05)
        wait_until(lambda: not self.remains.strays(), 10, lambda: "\n".join(self.remains.strays()), 0.05)
        assert self.gateway.coordinates()["ssh_host_keys"] == self.host_keys

    def is_back(self, machine, was_hit):
        """On its port, with a generation for each agent that there was; a tunnel that nobody hit is the same one."""
        facts, expected = machine.facts(), self.kills.starts[machine]
        port, generation, sshd = self.standing.get(machine, (facts["lease"]["port"], 0, None))
        lease = facts["lease"]
        assert lease["port"] == port and generation <= lease["generation"] <= expected, f"{facts}, was {self.standing}"
        tunnel = self.remains.tunnel(port)
        if not tunnel or lease["generation"] < expected or not facts["connected"] or was_hit and tunnel[0] == sshd:
            return False
        assert was_hit or tunnel[0] == sshd, (
            f"{machine.name} lost its tunnel though nobody hit it: {tunnel}, was {sshd}"
        )
        self.standing[machine] = port, expected, tunnel[0]
        return greets(port)

    # --- at the end ---

    def finish(self):
        """A clean stop, and what is in the files then."""
        self.load.close()
        assert self.gateway.stop() == 0, self.gateway.log_end
        report = AuditFiles(self.gateway).verify()
        assert report["intact"] and not report["unsealed"], report
        logs = [path.read_text().splitlines() for path in (self.gateway.state / "audit").iterdir()]
        rows = [json.loads(line) for log in logs for line in log]
        exported = collections.Counter(row["id"] for row in rows if "seal" not in row)
        assert set(exported.values()) == {1}, "audit.jsonl has an event more than once"
        assert self.trail.events.keys() <= exported.keys(), "audit.jsonl lacks events"
        copy = pathlib.Path(tempfile.mkdtemp(dir=self.gateway.folder))
        for path in self.gateway.state.glob("tidegate.db*"):
            shutil.copy(path, copy)
        with contextlib.closing(sqlite3.connect(copy / self.gateway.database.name)) as store:
            assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert store.execute("PRAGMA foreign_key_check").fetchall() == []
            for column in ("machine_id", "port"):
                twice = f"SELECT {column}, count(*) FROM lease GROUP BY {column} HAVING count(*) > 1"
                assert store.execute(twice).fetchall() == []

    def note(self, figures):
        ledger, outcomes = self.ledger, self.journal.outcomes
        name = f"kill -9 under load, {self.gateway.mode}"
        figures.note(name, f"{self.killed.total()} kills: {listing(self.killed)}")
        unknown = f"{outcomes['unknown']} with unknown outcome ({listing(ledger.resolved)} where that showed later)"
        figures.note(f"{name}, changes", f"{ledger.changes} acknowledged and found, {unknown}")
        flying = sorted(self.in_flight)
        figures.note(f"{name}, requests in flight", f"median {flying[len(flying) // 2]}, {flying[0]} to {flying[-1]}")
        figures.note(f"{name}, tried afterwards", listing(self.counts))
        figures.times(f"{name}, gateway ready again", self.kills.ready_again)
        figures.times(f"{name}, machines that were hit back", self.returns)


def listing(counter):
    return ", ".join(f"{count} {what}" for what, count in counter.most_common())


def gauge(gateway, name):
    text = gateway.api.call("GET", "/metrics").raw.decode()
    return int(float(next(line.split()[1] for line in text.splitlines() if line.startswith(name + " "))))
