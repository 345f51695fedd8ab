"""Ports, listeners and network namespaces."""

import contextlib
import itertools
import os
import random
import select
import socket
import threading

from commands import run

_taken = set()
_numbers = itertools.count(1)


def port_is_free(port, address="127.0.0.1"):
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True


def free_ports(count=1):
    """The first of `count` free ports in a row, outside the kernel's own range for outgoing connections.

    A long row is looked for above that range: below it a few hundred single ports of a whole run leave no such gap.
    """
    places = range(61_000, 65_501 - count, count) if count > 500 else range(10_240, 31_000 - count)
    for _ in range(10_000):
        first = random.SystemRandom().choice(places)
        wanted = range(first, first + count)
        if _taken.isdisjoint(wanted) and all(port_is_free(port) for port in wanted):
            _taken.update(wanted)
            return first
    raise AssertionError(f"no {count} free ports in a row; {len(_taken)} were handed out and not given back")


def give_back_ports(first, count=1):
    """What `free_ports` handed out may be handed out again."""
    _taken.difference_update(range(first, first + count))


def listening(port, address="127.0.0.1"):
    """True while somebody accepts connections there."""
    with contextlib.closing(socket.socket()) as probe:
        probe.settimeout(2)
        return probe.connect_ex((address, port)) == 0


class Canary:
    """A listener that greets, streams when asked to, and counts who came."""

    def __init__(self, family=socket.AF_INET, address=("127.0.0.1", 0), streaming=False):
        self.family, self.streaming, self.visits = family, streaming, 0
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(address)
        self.socket.listen(512)
        if family == socket.AF_UNIX:
            os.chmod(address, 0o777)
        self.ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self):
        return self.socket.getsockname()[1]

    def _accept(self):
        while not self.ended.is_set():
            if not select.select([self.socket], [], [], 0.1)[0]:
                continue
            try:
                visitor, _ = self.socket.accept()
            except OSError:
                return
            self.visits += 1
            threading.Thread(target=self._serve, args=(visitor,), daemon=True).start()

    def _serve(self, visitor):
        with contextlib.closing(visitor), contextlib.suppress(OSError):
            visitor.sendall(b"canary\n")
            if self.streaming:
                while not self.ended.wait(0.02):
                    visitor.sendall(b".")

    def close(self):
        self.ended.set()
        self.socket.close()


class Namespace:
    """A network namespace with nothing but its loopback and one link to this host; no packet is forwarded into it."""

    def __init__(self):
        number = next(_numbers)
        self.name = f"tidegate-{os.getpid()}-{number}"
        tail = f"{os.getpid() % 100000}x{number}"
        third = random.SystemRandom().randrange(1, 250)
        self.outside, self.inside = f"10.213.{third}.1", f"10.213.{third}.2"
        run(["ip", "netns", "add", self.name], check=True)
        try:
            run(["ip", "link", "add", f"tgh{tail}", "type", "veth", "peer", "name", f"tgm{tail}"], check=True)
            run(["ip", "link", "set", f"tgm{tail}", "netns", self.name], check=True)
            run(["ip", "addr", "add", f"{self.outside}/30", "dev", f"tgh{tail}"], check=True)
            run(["ip", "link", "set", f"tgh{tail}", "up"], check=True)
            run([*self.enter, "ip", "addr", "add", f"{self.inside}/30", "dev", f"tgm{tail}"], check=True)
            run([*self.enter, "ip", "link", "set", f"tgm{tail}", "up"], check=True)
            run([*self.enter, "ip", "link", "set", "lo", "up"], check=True)
        except BaseException:
            self.close()
            raise

    @property
    def enter(self):
        return ["ip", "netns", "exec", self.name]

    def close(self):
        run(["ip", "netns", "del", self.name])


class HostItself:
    """Stands in for a namespace where the kernel or the container does not permit one: loopback only."""

    outside = inside = "127.0.0.1"
    enter = []

    def close(self):
        pass


def private_network():
    """A namespace of its own, or this host's loopback with a word why."""
    if os.geteuid() != 0:
        print("networks: not root, so the machine shares this host's network; its sshd listens on loopback only")
        return HostItself()
    try:
        return Namespace()
    except (AssertionError, FileNotFoundError) as reason:
        print(f"networks: no network namespace here ({reason}); the machine shares this host's network")
        return HostItself()


def forget_namespaces():
    """Removes namespaces of this run that a failing fixture left."""
    if os.geteuid() == 0:
        for line in run(["ip", "netns", "list"]).stdout.splitlines():
            name = line.split()[0]
            if name.startswith(f"tidegate-{os.getpid()}-"):
                run(["ip", "netns", "del", name])
