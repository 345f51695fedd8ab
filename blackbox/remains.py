"""What is left of a gateway and its agents after a kill: processes, listeners and files that nothing accounts for."""

import os
import pathlib
import re

from commands import processes, run


def group(pid):
    """The process group, or None when it has gone."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def sshd_start(pid):
    """When an sshd was started, in ticks since boot; None for what has ended, and for any other program."""
    try:
        head, _, tail = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = tail.split()
    return int(fields[19]) if "(sshd" in head and fields[0] not in "ZX" else None


def sockets(gateway):
    """(state, local port, processes) of every socket on the gateway's ssh port or a port of its lease range."""
    first, last = gateway.first_lease, gateway.last_lease
    wanted = f"( sport = :{gateway.ssh_port} or ( sport >= :{first} and sport <= :{last} ) )"
    rows = []
    for line in run(["ss", "-Htnpa", wanted], check=True).stdout.splitlines():
        words = line.split()
        rows.append((words[0], int(words[3].rpartition(":")[2]), {int(pid) for pid in re.findall(r"pid=(\d+)", line)}))
    return rows


def clients(machine, table=None):
    """(pid, parent, words) of every ssh with this machine's keys."""
    return [(pid, parent, words) for pid, parent, words in table or processes()
            if os.path.basename(words[0]) == "ssh" and str(machine.state) in " ".join(words)]  # fmt: skip


class Remains:
    """Remembers the sshd processes of a gateway, to know them again when nobody else does."""

    def __init__(self, gateway, machines):
        self.gateway, self.machines = gateway, machines
        self.rows, self.seen = [], set()
        self.configuration = None
        if launcher := self.launcher():
            words = next(words for pid, _, words in processes() if pid == launcher)
            self.configuration = pathlib.Path(words[words.index("--configuration") + 1])

    def launcher(self):
        """The process that kept root for the gateway that runs now, if it gave root up."""
        return next((pid for pid, parent, words in processes()
                     if parent == self.gateway.process.pid and "sshd-launcher" in words), None)  # fmt: skip

    def leaders(self):
        """The sshd of each live connection, which leads its process group."""
        return {row["pid"] for row in self.gateway.ok("GET", "/api/v1/connections")}

    def note(self):
        """Looks at the sockets, and remembers which sshd holds a connection to the gateway."""
        self.rows = sockets(self.gateway)
        held = set().union(*(pids for _, port, pids in self.rows if port == self.gateway.ssh_port))
        self.seen |= {(pid, sshd_start(pid)) for pid in held if sshd_start(pid)}
        self.seen = {(pid, start) for pid, start in self.seen if sshd_start(pid) == start}

    def tunnel(self, port):
        """The two sshd processes that listen on a leased port, the leader first; None while they aren't both there."""
        listeners = set().union(*(pids for state, at, pids in self.rows if (state, at) == ("LISTEN", port)))
        leaders = {group(pid) for pid in listeners & {pid for pid, _ in self.seen}}
        pair = sorted((pid for pid, _ in self.seen if group(pid) in leaders), key=lambda pid: (pid not in leaders, pid))
        return pair if len(leaders) == 1 and len(pair) > 1 and pair[0] in leaders else None

    def strays(self):
        """A sentence for everything that should have gone."""
        self.note()
        listed, table = self.leaders(), processes()
        lost = [pid for pid, _ in self.seen if group(pid) not in listed]
        found = [f"sshd {pid} of group {group(pid)} is in no connection" for pid in lost]
        found += self._listeners(listed)
        found += self._records(listed)
        found += self._launchers(table)
        for machine in self.machines:
            found += self._clients(machine, table)
        # Each file is written beside its place, and moved there when it is whole.
        found += [f"{path} was left" for path in self.gateway.state.rglob(".tidegate-*")]
        return found

    def _listeners(self, listed):
        leased = {machine.facts()["lease"]["port"] for machine in self.machines}
        return [f"port {port} is listened on by {pids}; leased are {leased}, connected {listed}"
                for state, port, pids in self.rows
                if state == "LISTEN" and pids & {pid for pid, _ in self.seen}
                and (port not in leased or not {group(pid) for pid in pids} <= listed)]  # fmt: skip

    def _records(self, listed):
        """What the gateway, and the launcher as root, wrote down of the processes they started."""
        folders = [self.gateway.state / "ssh" / "live"]
        if self.configuration:
            folders.append(self.configuration.parent.parent / "live")
        return [f"{entry} names no connection" for folder in folders for entry in folder.iterdir()
                if int(entry.name.partition(".")[0]) not in listed]  # fmt: skip

    def _launchers(self, table):
        if not self.configuration:
            return []
        found = [(pid, parent) for pid, parent, words in table
                 if "sshd-launcher" in words and str(self.configuration) in words]  # fmt: skip
        return [] if [parent for _, parent in found] == [self.gateway.process.pid] else [f"launchers: {found}"]

    def _clients(self, machine, table):
        """Each ssh with this machine's keys is a child of its agent, and one of them has the port."""
        own = clients(machine, table)
        found = [f"ssh {pid} below {parent} is not the agent's of {machine.name}" for pid, parent, _ in own
                 if parent != machine.process.pid]  # fmt: skip
        tunnels = [pid for pid, _, words in own if "-R" in words]
        return found + ([] if len(tunnels) == 1 else [f"{machine.name} has tunnels {tunnels}"])
