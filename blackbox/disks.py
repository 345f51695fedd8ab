"""A file system of a few megabytes that a test may fill, and a gateway that lives on one."""

import contextlib
import json
import os
import pathlib

from commands import run
from gateway import Gateway
from tunnels import new_name
from waiting import wait_until


class SmallDisk:
    """A tmpfs of `size` MiB at `path`, root's; needs root. `fill` leaves not a byte, `free` gives all of it back."""

    def __init__(self, path, size):
        self.path = pathlib.Path(path)
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = self.path.stat()
        run(["mount", "-t", "tmpfs", "-o", f"size={size}m,mode=0700,uid={owner.st_uid},gid={owner.st_gid}", "tmpfs",
             self.path], check=True)  # fmt: skip
        self.filler = self.path / "filler"

    def left(self):
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def fill(self, leaving=0):
        """Writes until `leaving` bytes are left."""
        file = os.open(self.filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            for piece in (1 << 20, 1 << 16, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while self.left() - leaving >= piece or not leaving:
                        os.write(file, b"\0" * piece)
        finally:
            os.close(file)

    def free(self):
        self.filler.unlink(missing_ok=True)

    def close(self):
        """Also when something still has a file open there."""
        if run(["umount", self.path]).returncode != 0:
            run(["umount", "-l", self.path])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class SmallSite:
    """A gateway whose state directory is a small disk."""

    def __init__(self, mode, size, **environment):
        self.gateway = Gateway(mode, start=False, environment=environment, leases=1000)
        self.disk = None
        try:
            self.gateway.state.mkdir(mode=0o700)
            if self.gateway.account:
                os.chown(self.gateway.state, self.gateway.account.pw_uid, self.gateway.account.pw_gid)
            self.disk = SmallDisk(self.gateway.state, size)
            self.gateway.start()
        except BaseException:
            self.close()
            raise

    def close(self):
        # The folder is removed only when the disk is no longer mounted there.
        try:
            self.gateway.stop()
        finally:
            if self.disk:
                self.disk.close()
            self.gateway.close()

    def add_machine(self, name=None):
        return self.gateway.call("POST", "/api/v1/machines", {"name": name or new_name("more")})

    def fill(self):
        """Full, also the room that the log of the store had left."""
        wait_until(self._fuller, 30, "a change refused", every=0)

    def _fuller(self):
        self.disk.fill()
        return self.add_machine().status == 503

    def healed(self):
        """Room again, and without a restart changes are taken again."""
        self.disk.free()
        wait_until(lambda: self.add_machine().status == 201, 15, lambda: f"changes again:\n{self.gateway.log_end}")

    def trail(self):
        """The audit trail by the API, which reads the store."""
        path, rows = "/api/v1/audit/events?limit=500", []
        while True:
            answer = self.gateway.call("GET", path)
            assert answer.status == 200, answer
            rows += answer.body
            link = answer.headers.get("link", "")
            if 'rel="next"' not in link:
                return {row["id"]: row for row in rows}
            path = link.partition("<")[2].partition(">")[0].replace(self.gateway.api.url, "")

    def exported(self):
        """The same by the exported file: every line whole."""
        path = self.gateway.state / "audit" / "audit.jsonl"
        wait_until(lambda: path.read_text().endswith("\n"), 5, "a whole last line")
        return [row["id"] for row in map(json.loads, path.read_text().splitlines()) if "seal" not in row]

    def check_trail(self):
        """The file holds what the store holds, each event once."""
        events = set(self.trail())
        wait_until(
            lambda: events <= set(self.exported()), 15,
            lambda: f"the audit trail written out:\n{self.missing(events)}\n{self.gateway.log_end}", every=0.2)  # fmt: skip
        lines = self.exported()
        assert len(lines) == len(set(lines)), "an event is there twice"
        assert set(lines) <= set(self.trail()), "an event that never was"

    def missing(self, events):
        rows, written = self.trail(), set(self.exported())
        lacking = [rows.get(id, id) for id in events if id not in written]
        files = {str(file.relative_to(self.gateway.state)): file.stat().st_size
                 for file in self.gateway.state.rglob("*") if file.is_file()}  # fmt: skip
        room = f"{self.disk.left()} bytes are left beside {files}"
        return f"{len(lacking)} of {len(events)} events are missing, such as {lacking[:3]}; {room}"

    def resident(self):
        """Memory of the gateway in MiB."""
        status = pathlib.Path(f"/proc/{self.gateway.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024
