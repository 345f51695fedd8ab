"""kill -9, each kind with what has to happen before the gateway or an agent is started again."""

import contextlib
import os
import signal
import time

from commands import alive
from foreign import greets
from remains import clients
from waiting import until_moment, wait_until

# How many of twenty; the others hit the gateway alone.
SHARES = {
    "gateway and sshd": 3, "sshd monitor": 2, "agent": 2, "gateway and agent": 1, "launcher alone": 2,
    "gateway and launcher": 1, "gateway while it starts": 1,
}  # fmt: skip


def deck(count, chance, has_launcher):
    """Which kind comes when: each block of twenty has every kind with its share, in random order."""
    kinds = []
    while len(kinds) < count:
        block = [kind for kind, share in SHARES.items() for _ in range(share) if has_launcher or "launcher" not in kind]
        block += ["gateway alone"] * (20 - len(block))
        chance.shuffle(block)
        kinds += block
    return kinds[:count]


class Kills:
    """`run` strikes once; `struck` is called in the same moment. It returns with gateway and agents started again."""

    def __init__(self, gateway, machines, remains, chance, struck):
        self.gateway, self.machines, self.remains = gateway, machines, remains
        self.chance, self.struck = chance, struck
        self.ready_again = []
        # How often a machine lost its tunnel since its agent began, and how many agents it has had.
        self.losses, self.starts = dict.fromkeys(machines, 0), dict.fromkeys(machines, 1)

    def run(self, kind):
        """Returns the machines whose tunnel or agent was hit."""
        return getattr(self, kind.replace(" ", "_"))() or []

    def strike(self, first, *others):
        os.kill(first, signal.SIGKILL)
        for pid in others:
            # The death before it may have ended this one as well.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.struck()

    def shuffled(self, *pids):
        return self.chance.sample(pids, len(pids))

    def launchers(self):
        """The process that kept root, where there is one."""
        found = self.remains.launcher()
        return [found] if found else []

    def start(self, *gone):
        """On the same folder and ports; nothing of the one before stays."""
        self.gateway.process.wait(20)
        for pid in gone:
            wait_until(lambda pid=pid: not alive(pid), 5, f"the end of {pid}")
        begun = time.monotonic()
        self.gateway.start()
        self.ready_again.append(time.monotonic() - begun)

    # --- the gateway ---

    def gateway_alone(self):
        launchers = self.launchers()
        self.strike(self.gateway.process.pid)
        self.start(*launchers)

    def gateway_and_launcher(self):
        both = self.shuffled(self.gateway.process.pid, *self.launchers())
        self.strike(*both)
        self.start(*both)

    def launcher_alone(self):
        """The gateway could end no session any more, so it stops by itself and says so."""
        launchers = self.launchers()
        self.strike(*launchers)
        assert self.gateway.process.wait(20) == 1, self.gateway.log_end
        self.start(*launchers)

    def gateway_while_it_starts(self):
        self.strike(self.gateway.process.pid)
        self.gateway.process.wait(5)
        usual = sorted(self.ready_again)[len(self.ready_again) // 2] if self.ready_again else 0.2
        self.gateway.launch()
        until_moment(time.monotonic() + self.chance.uniform(0, 1.2 * usual))
        self.gateway.process.kill()
        self.start()

    # --- sshd ---

    def gateway_and_sshd(self):
        """A tunnel is a pair of sshd processes: any of them, in any order with the gateway."""
        owners = {pid: machine for machine, pids in self.tunnels().items() for pid in pids}
        victims = self.chance.sample(sorted(owners), self.chance.randint(1, len(owners)))
        self.strike(*self.shuffled(self.gateway.process.pid, *victims))
        self.start()
        return self.lost(*{owners[pid] for pid in victims})

    def sshd_monitor(self):
        """Without the gateway's help its child would go on listening."""
        machine, (leader, *_) = self.chance.choice(list(self.tunnels().items()))
        self.strike(leader)
        return self.lost(machine)

    def tunnels(self):
        """Each machine's sshd processes, the leader first."""
        ports = {machine: machine.facts()["lease"]["port"] for machine in self.machines}

        def whole():
            # Again until all are seen: the kernel's list is read in pieces and may lack what it moved meanwhile.
            self.remains.note()
            found = {machine: self.remains.tunnel(port) for machine, port in ports.items()}
            return found if all(found.values()) else None

        return wait_until(whole, 5, f"two sshd processes for each of {ports}")

    def lost(self, *machines):
        for machine in machines:
            self.losses[machine] += 1
        return machines

    # --- the agent ---

    def agent(self):
        machine = max(self.machines, key=self.losses.get)
        self.strike(machine.process.pid)
        return self.start_agent(machine)

    def gateway_and_agent(self):
        machine = max(self.machines, key=self.losses.get)
        self.strike(*self.shuffled(self.gateway.process.pid, machine.process.pid))
        self.start()
        return self.start_agent(machine)

    def renew_agents(self):
        """An agent that was cut off more than once waits the longer for each next try; a new one does not."""
        tired = [machine for machine in self.machines if self.losses[machine] > 1]
        for machine in tired:
            machine.stop()
            self.start_agent(machine)
        return tired

    def start_agent(self, machine):
        """Its ssh goes with it and its port becomes free, without anybody's doing."""
        machine.process.wait(5)
        wait_until(lambda: not clients(machine), 5, lambda: f"the end of {clients(machine)}")
        port = machine.facts()["lease"]["port"]
        wait_until(lambda: not greets(port), 10, f"port {port} of {machine.name} free")
        machine.launch()
        self.losses[machine] = 0
        self.starts[machine] += 1
        return [machine]
