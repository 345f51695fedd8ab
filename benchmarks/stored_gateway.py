"""A gateway with machines already in its store, which every round begins with anew."""

import os
import pathlib
import shutil

import report  # noqa: F401  (makes the harness importable)
import seeding

from foreign import API_KEY
from gateway import Gateway
from networks import port_is_free

# Below the kernel's own range for outgoing connections, which would now and then sit on a leased port.
PORTS = range(1100, 32700)


def free_of(taken=()):
    """Ports to lease, one after another, without those that somebody listens on or that are in `taken`."""
    return (port for port in PORTS if port not in taken and port_is_free(port))


class StoredGateway(Gateway):
    """`shared` agents of the dialect with a lease each, `native` enrolled machines, of which `leased` hold a lease.

    The defaults of the product, but for the ports, which are PORTS of one address whatever the harness would choose.
    Any number of such gateways can stand side by side: nobody binds what they lease here.
    """

    def __init__(self, shared=0, native=0, leased=None, taken=(), environment=None, key_lines=()):
        super().__init__(start=False, environment={"API_KEY": API_KEY} | (environment or {}))
        self.first_lease, self.last_lease = PORTS[0], PORTS[-1]
        try:
            self.start()
            self.stop()
            ports = free_of({*taken, self.port, self.ssh_port})
            with seeding.Seeding(self.database) as store:
                self.agents = store.shared_key_agents(shared, API_KEY, ports)
                leases = [next(ports) for _ in range(native if leased is None else leased)]
                self.machines = store.machines(native, leases, key_lines)
            self.stored = shared + native
            self.kept = self.folder / "kept.db"
            shutil.copy2(self.database, self.kept)
        except BaseException:
            self.close()
            raise

    @property
    def leased_machines(self):
        return [machine for machine in self.machines if machine.port]

    def renew(self, deadline=60):
        """Stops it, puts the store back that was seeded, and starts it."""
        self.stop()
        owner = self.database.stat()
        for path in self.state.glob("tidegate.db*"):
            path.unlink()
        shutil.copyfile(self.kept, self.database)
        os.chmod(self.database, 0o600)
        os.chown(self.database, owner.st_uid, owner.st_gid)
        self.start(deadline)

    def counters(self):
        """The unlabelled numbers of /metrics."""
        text = self.api.call("GET", "/metrics").raw.decode()
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")
        return {name: float(value) for name, value in pairs if "{" not in name}


def cpu_seconds(pid):
    """What a process has worked so far, without its children."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
