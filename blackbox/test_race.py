"""A revoke that lands between lookup and login: whichever comes first, nobody stays."""

import concurrent.futures
import time

import pytest
from commands import end
from gateway import Gateway
from networks import Canary
from tunnels import Jump, Stream, Tunnel
from waiting import until_moment

PARALLEL = 3
FULL = {"root": 1000, "user-helper": 1000, "user-plain": 1000}
NORMAL = {"root": 100, "user-helper": 30, "user-plain": 30}


class Attempt:
    """One key, one connection, one revoke; `order` says which is started first."""

    def __init__(self, gateway, tunnel, order, delay):
        self.gateway, self.tunnel, self.order, self.delay = gateway, tunnel, order, delay

    def run(self):
        # Registered when its turn comes: an owner may hold only so many keys at once.
        jump = Jump(self.gateway, [self.tunnel.name])
        self.path, self.command = jump.path, jump.command(self.tunnel.port)
        begun = time.monotonic()
        if self.order == "login first":
            stream = Stream(self.command)
            until_moment(begun + self.delay)
            revoked = self.revoke()
        else:
            with concurrent.futures.ThreadPoolExecutor(1) as other:
                answer = other.submit(self.revoke)
                until_moment(begun + self.delay / 10)
                stream = Stream(self.command)
                revoked = answer.result()
        try:
            limit = time.monotonic() + 10
            while not stream.pump(0.05) and time.monotonic() < limit:
                pass
            self.survived = stream.ended is None
            self.got_in = stream.last is not None
            self.after = (stream.last - revoked) if self.got_in else None
        finally:
            stream.close()
        return self

    def revoke(self):
        answer = self.gateway.call("DELETE", self.path)
        assert answer.status == 204, answer
        return time.monotonic()


def login_time(jump, port):
    """How long a login takes here with as many at once as the race has: its window is no longer than that."""

    def one(_):
        begun = time.monotonic()
        stream = jump.connect(port).wait_for(b"canary")
        stream.close()
        return time.monotonic() - begun

    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        return max(pool.map(one, range(2 * PARALLEL)))


def race(gateway, mode, order, count, chance, figures):
    target = Canary(streaming=True)
    tunnel = Tunnel(gateway, target.port).open()
    try:
        window = max(0.25, login_time(Jump(gateway, [tunnel.name]), tunnel.port) * 1.25)
        attempts = [Attempt(gateway, tunnel, order, chance.uniform(0, window)) for _ in range(count)]
        with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
            done = list(pool.map(Attempt.run, attempts))
        assert tunnel.ssh.poll() is None
    finally:
        end(tunnel.ssh)
        target.close()
    survivors = [attempt for attempt in done if attempt.survived]
    late = [attempt.after for attempt in done if attempt.got_in]
    figures.note(
        f"race, {order}, {mode}",
        f"{count} tries over {window * 1000:.0f} ms, {len(late)} got in first, {len(survivors)} survived, "
        f"last byte at most {max([0, *late]) * 1000:.0f} ms after the revoke's answer",
    )
    assert not survivors
    assert max([0, *late]) < 1


ORDERS = ["login first", "revoke first"]


@pytest.fixture(scope="module")
def racing_gateway(mode):
    with Gateway(mode) as gateway:
        yield gateway


@pytest.mark.parametrize("order", ORDERS)
def test_no_session_survives(racing_gateway, mode, order, chance, figures):
    race(racing_gateway, mode, order, NORMAL[mode], chance, figures)


@pytest.mark.long
@pytest.mark.parametrize("order", ORDERS)
def test_no_session_survives_in_full(racing_gateway, mode, order, chance, figures):
    race(racing_gateway, mode, order, FULL[mode], chance, figures)
