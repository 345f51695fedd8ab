"""Machines whose agent is the test itself: enrolled and registered by the API, with a stock `ssh -R` started here."""

import concurrent.futures
import contextlib
import os
import select
import subprocess
import time
import uuid

from commands import end, run
from networks import Canary, listening
from sshkeys import KeyPair
from waiting import wait_until


def new_name(prefix="m"):
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


class Tunnel:
    """A machine on `gateway` with a lease; `open` runs its `ssh -N -R` towards `target_port` of this host."""

    def __init__(self, gateway, target_port=9, name=None, register=True):
        self.gateway, self.target_port, self.name = gateway, target_port, name or new_name()
        added = gateway.ok("POST", "/api/v1/machines", {"name": self.name})
        self.agent_id, self.enrolment = added["machine"]["agent_id"], added["enrolment"]
        self.path = f"/api/v1/machines/{self.agent_id}"
        self.first_key = KeyPair(gateway.home, "control")
        enrolled = gateway.ok(
            "POST", "/api/v1/agent/enrol", {"public_key": self.first_key.line}, token=self.enrolment["token"]
        )
        self.agent_key = enrolled["agent_key"]
        self.ssh = None
        self.key = None
        if register:
            self.register()

    def register(self, key=None):
        """A new process takes over: new key, generation raised."""
        self.key = key or KeyPair(self.gateway.home, "reverse")
        body = {"public_key": self.key.line, "host_keys": [], "os": "test", "agent_version": "0"}
        self.registered = self.gateway.ok("POST", "/api/v1/agent/register", body, token=self.agent_key)
        self.port, self.generation = self.registered["port_b"], self.registered["generation"]
        return self.registered

    def ssh_command(self, key=None):
        forward = f"127.0.0.1:{self.port}:127.0.0.1:{self.target_port}"
        return [
            *self.gateway.ssh_arguments((key or self.key).private), "-N", "-T", "-o", "ExitOnForwardFailure=yes",
            "-o", "ServerAliveInterval=15", "-R", forward, self.gateway.address,
        ]  # fmt: skip

    def open(self, key=None, deadline=15):
        """Starts the tunnel and waits until its port listens."""
        self.ssh = subprocess.Popen(
            self.ssh_command(key),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until(
            self._opened, deadline, lambda: f"port {self.port} of {self.name}; gateway:\n{self.gateway.log[-3000:]}"
        )
        return self

    def _opened(self):
        if self.ssh.poll() is not None:
            raise AssertionError(f"ssh -R ended with {self.ssh.returncode}: {self.ssh.stderr.read()}")
        return listening(self.port)

    def key_ids(self):
        return [row["id"] for row in self.gateway.ok("GET", f"{self.path}/keys") if not row.get("revoked_at")]

    def close(self):
        end(self.ssh, 5)


class Jump:
    """A registered jump key; `connect` holds `ssh -W` to a machine's port open and watches its bytes."""

    def __init__(self, gateway, machines, **body):
        self.gateway = gateway
        self.key = KeyPair(gateway.home, "jump")
        wanted = {"public_key": self.key.line, "machines": machines, "label": "test"} | body
        self.row = gateway.ok("POST", "/api/v1/tunnel-keys", wanted)
        self.id = self.row["id"]

    @property
    def path(self):
        return f"/api/v1/tunnel-keys/{self.id}"

    def command(self, port):
        return [*self.gateway.ssh_arguments(self.key.private), "-W", f"127.0.0.1:{port}", self.gateway.address]

    def connect(self, port):
        return Stream(self.command(port))


class Stream:
    """A command whose output is read as it comes: when the last byte came, and when it ended."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
        )
        os.set_blocking(self.process.stdout.fileno(), False)
        self.received, self.last, self.ended = b"", None, None

    def pump(self, seconds=0.0):
        """Takes what has come; true once the other end has closed."""
        if self.ended is None and select.select([self.process.stdout], [], [], seconds)[0]:
            with contextlib.suppress(BlockingIOError):
                data = os.read(self.process.stdout.fileno(), 1 << 16)
                if data:
                    self.received += data
                    self.last = time.monotonic()
                else:
                    self.ended = time.monotonic()
        return self.ended is not None

    def wait_for(self, text, deadline=15):
        def came():
            gone = self.pump()
            if gone and text not in self.received:
                raise AssertionError(f"ended without {text!r}: {self.received[-300:]!r} {self.process.stderr.read()!r}")
            return text in self.received

        wait_until(came, deadline, lambda: f"{text!r} in {self.received[-300:]!r}")
        return self

    def flowing(self, deadline=10):
        """Waits for bytes that come after this moment."""
        before = len(self.received)

        def more():
            assert not self.pump(), f"the stream ended: {self.process.stderr.read()!r}"
            return len(self.received) > before

        wait_until(more, deadline, "bytes on an open connection")

    def wait_end(self, deadline=10):
        """The moment it was cut."""
        wait_until(lambda: self.pump(0.002), deadline, "the end of a live connection", every=0.001)
        return self.ended

    def close(self):
        end(self.process, 5)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError, ValueError):
                pipe.close()


class Live:
    """A machine's tunnel and a visitor's stream through it, both up."""

    def __init__(self, gateway, **visitor):
        self.gateway = gateway
        self.target = Canary(streaming=True)
        self.tunnel = Tunnel(gateway, self.target.port).open()
        self.jump = self.visitor(**visitor)
        self.stream = self.jump.connect(self.tunnel.port).wait_for(b"canary")
        self.stream.flowing()

    def visitor(self):
        """The administrator's jump key."""
        return Jump(self.gateway, [self.tunnel.name])

    def cut(self, revoke, tunnel=True, stream=True):
        """Seconds from the start of `revoke()` until what has to be gone is gone."""
        begun = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(1) as other:
            ends = other.submit(self.stream.wait_end, 10) if stream else None
            revoke()
            if tunnel:
                wait_until(lambda: self.tunnel.ssh.poll() is not None, 10, "the end of ssh -R", every=0.001)
            gone = time.monotonic() - begun
            if ends:
                gone = max(gone, ends.result() - begun)
        return gone

    def refused_reverse(self):
        done = run(self.tunnel.ssh_command(), deadline=20)
        return "Permission denied" in done.stderr

    def refused_jump(self):
        done = run(self.jump.command(self.tunnel.port), deadline=20)
        return "Permission denied" in done.stderr and done.stdout == ""

    def close(self):
        self.stream.close()
        self.tunnel.close()
        self.target.close()
