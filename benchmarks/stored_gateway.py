"""A gateway with machines already in its store, which every round begins with anew."""

import os
import pathlib
import shutil

import report  # noqa: F401  (makes the harness importable)
import seeding

from foreign import API_KEY
from gateway import Gateway
from networks import port_is_free

# What is leased. On an address of loopback that nothing else uses, no listener and no outgoing connection of this host
# ever sits on one of these ports.
ADDRESS = "127.0.0.2"
PORTS = range(20_000, 60_000)


class StoredGateway(Gateway):
    """`shared` agents of the dialect with a lease each, `native` enrolled machines, of which `leased` hold a lease.

    The defaults of the product, but for the ports, which are PORTS of `lease_address`. Any number of such gateways can
    stand side by side: nobody binds what they lease here.
    """

    def __init__(self, shared=0, native=0, leased=None, lease_address=ADDRESS, environment=None, key_lines=()):
        super().__init__(start=False, leases=1, extra=["--lease-bind", lease_address],
                         environment={"API_KEY": API_KEY} | (environment or {}))  # fmt: skip
        self.first_lease, self.last_lease = PORTS[0], PORTS[-1]
        try:
            self.start()
            self.stop()
            ports = (port for port in PORTS
                     if port not in (self.port, self.ssh_port) and port_is_free(port, lease_address))  # fmt: skip
            with seeding.Seeding(self.database, lease_address) as store:
                self.agents = store.shared_key_agents(shared, API_KEY, ports)
                leases = [next(ports) for _ in range(native if leased is None else leased)]
                self.machines = store.machines(native, leases, key_lines)
            # Sealing what came with them is no part of any round.
            self.start(60)
            seeding.wait_sealed(self)
            self.stop()
            self.kept, self.kept_key = self.folder / "kept.db", self.folder / "kept.key"
            shutil.copy2(self.database, self.kept)
            shutil.copy2(self.state / "audit.key", self.kept_key)
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
        # The trail as it was then, too: a key that is ahead would begin a new chain.
        (self.state / "audit.key").write_bytes(self.kept_key.read_bytes())
        (self.state / "audit" / "audit.jsonl").unlink(missing_ok=True)
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
