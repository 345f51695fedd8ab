"""What strangers can hold or waste: connections, bodies, headers, time."""

import contextlib
import re
import resource
import select
import socket
import threading
import time

import pytest
from commands import descendants
from gateway import Gateway
from networks import Canary
from tunnels import Jump, Tunnel
from waiting import wait_until

HALF_OPEN = 2000


@pytest.fixture(scope="module", autouse=True)
def many_files():
    """Room for the sockets of a flood on our own side."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384) if hard > 0 else 16384, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def memory(gateway, field="VmHWM"):
    """Bytes from /proc/PID/status."""
    with open(f"/proc/{gateway.process.pid}/status", encoding="utf-8") as status:
        return int(re.search(rf"^{field}:\s+(\d+) kB", status.read(), re.M).group(1)) * 1024


def connect(gateway, source="127.0.0.1", port=None):
    return socket.create_connection((gateway.address, port or gateway.port), 15, (source, 0))


def good_request(gateway):
    begun = time.monotonic()
    assert gateway.call("GET", "/api/v1/whoami").status == 200
    return time.monotonic() - begun


def test_half_open_connections(fresh_gateway, figures):
    """2,000 peers that begin a request and go silent: others are served, and each is let go within 10 s."""
    gateway = fresh_gateway
    good_request(gateway)
    opened, ended = {}, []
    poll = select.epoll()
    try:
        for number in range(HALF_OPEN):
            # From many addresses of loopback, as from many hosts.
            peer = connect(gateway, f"127.0.{1 + number % 8}.{1 + number % 250}")
            with contextlib.suppress(OSError):
                peer.sendall((b"", b"GET /api", b"POST /api/v1/setup HTTP/1.1\r\nHost: a\r\nContent-Le")[number % 3])
            opened[peer.fileno()] = (peer, time.monotonic())
            poll.register(peer.fileno(), select.EPOLLIN | select.EPOLLHUP | select.EPOLLRDHUP)
            if number % 200 == 0:
                good_request(gateway)
        served = [good_request(gateway) for _ in range(10)]

        def reap():
            for number, _ in poll.poll(0):
                peer, begun = opened[number]
                with contextlib.suppress(OSError):
                    if peer.recv(65536):
                        continue
                ended.append(time.monotonic() - begun)
                poll.unregister(number)
                del opened[number]
                peer.close()
            return not opened

        wait_until(reap, 20, lambda: f"{len(opened)} half-open connections let go")
        figures.times("good request beside 2,000 half-open connections", served)
        figures.note("half-open connection let go after", f"at most {max(ended):.1f} s")
        assert max(served) < 1
        assert max(ended) <= 10.5
    finally:
        for peer, _ in opened.values():
            peer.close()
        poll.close()


@pytest.mark.parametrize(
    "token", [None, "tgp_" + "Z" * 43, "nonsense"], ids=["no key", "a wrong key", "a misshapen key"]
)
def test_fifty_megabytes_without_a_key(fresh_gateway, token, figures):
    """Answered before the body is read, with memory flat."""
    gateway, size = fresh_gateway, 50 << 20
    good_request(gateway)
    before = memory(gateway)
    head = f"POST /api/v1/machines HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n"
    head += f"Authorization: Bearer {token}\r\n" if token else ""
    sent, answer = 0, b""
    with connect(gateway) as peer:
        peer.sendall(head.encode() + b"\r\n")
        peer.setblocking(False)
        block, end = b"a" * 65536, time.monotonic() + 15
        while sent < size and not answer and time.monotonic() < end:
            readable, writable, _ = select.select([peer], [peer], [], 1)
            try:
                if readable:
                    answer = peer.recv(65536)
                    break
                if writable:
                    sent += peer.send(block)
            except (ConnectionResetError, BrokenPipeError):
                break
    status = int(answer.split(b" ")[1]) if answer else None
    grown = memory(gateway) - before
    figures.note(
        "50 MB without a key", f"{status} after {sent / (1 << 20):.1f} MiB sent, memory +{grown / (1 << 20):.1f} MiB"
    )
    assert status in (401, 413)
    assert sent < size / 2
    assert grown < 16 << 20


def test_fifty_megabytes_in_chunks(fresh_gateway):
    """Without a length to refuse by, too, and with a good token."""
    gateway = fresh_gateway
    before = memory(gateway)
    head = (
        "POST /api/v1/machines HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    )
    answer, sent = b"", 0
    with connect(gateway) as peer:
        peer.sendall(f"{head}Authorization: Bearer {gateway.token}\r\n\r\n".encode())
        peer.settimeout(10)
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while sent < 50 << 20 and not select.select([peer], [], [], 0)[0]:
                peer.sendall(b"10000\r\n" + b"a" * 65536 + b"\r\n")
                sent += 65536
        with contextlib.suppress(ConnectionResetError):
            answer = peer.recv(65536)
    assert not answer or answer.split(b" ")[1] == b"413", answer[:200]
    assert sent < 25 << 20
    assert memory(gateway) - before < 16 << 20
    good_request(gateway)


def test_headers_of_16_kib(gateway):
    for name, path in (("X-Long", "/api/v1/whoami"), (None, "/api/v1/whoami?" + "a" * 16384)):
        answer = gateway.call("GET", path, headers={name: "a" * 16384} if name else {})
        assert answer.status in ((431,) if name else (414, 431)), answer
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.body["error_code"] == "HEADERS_TOO_LARGE"
    answer = gateway.call("GET", "/api/v1/whoami", headers={f"X-{number}": "a" for number in range(2000)})
    assert answer.status == 431


def test_headers_of_4_kib_are_fine(gateway):
    assert gateway.call("GET", "/api/v1/whoami", headers={"X-Long": "a" * 4096}).status == 200


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("GET /", id="in the request line"),
        pytest.param("GET /healthz HTTP/1.1\r\nHost: a\r\nX: ", id="in a header"),
        pytest.param(
            "POST /api/v1/setup HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n",
            id="in a body",
        ),
    ],
)
def test_a_byte_a_second_is_too_slow(gateway, head, figures, request):
    """Slow is not the same as silent: the whole request has its time, however it trickles."""
    never = threading.Event()
    begun = time.monotonic()
    with connect(gateway) as peer:
        peer.sendall(head.encode())
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while time.monotonic() - begun < 45:
                if select.select([peer], [], [], 0)[0]:
                    break
                peer.sendall(b"a")
                never.wait(0.5)
        lasted = time.monotonic() - begun
    figures.note(f"slow peer ({request.node.callspec.id}) let go after", f"{lasted:.1f} s")
    assert lasted < 40


def test_a_silent_reader_does_not_stall_others(gateway):
    """Asks for much, reads nothing."""
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            peer = stack.enter_context(connect(gateway))
            asked = f"GET /api/v1/audit/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {gateway.token}\r\n\r\n"
            with contextlib.suppress(OSError):
                peer.setblocking(False)
                peer.sendall(asked.encode() * 20)
        assert max(good_request(gateway) for _ in range(5)) < 1


def test_silent_ssh_peers_do_not_keep_others_out(fresh_gateway, figures):
    """Unauthenticated connections are bounded per source and in all."""
    gateway = fresh_gateway
    target = Canary()
    tunnel = Tunnel(gateway, target.port).open()
    jump = Jump(gateway, [tunnel.name])
    with contextlib.ExitStack() as stack:
        for number in range(60):
            with contextlib.suppress(OSError):
                stack.enter_context(connect(gateway, f"127.0.9.{1 + number % 4}", gateway.ssh_port))
        begun = time.monotonic()
        jump.connect(tunnel.port).wait_for(b"canary").close()
        figures.note("a login beside 60 silent ssh peers", f"{(time.monotonic() - begun) * 1000:.0f} ms")
    tunnel.close()
    target.close()


def test_sshd_processes_of_silent_peers_are_bounded(fresh_gateway):
    gateway = fresh_gateway
    before = len(descendants(gateway.process.pid))
    with contextlib.ExitStack() as stack:
        for number in range(300):
            with contextlib.suppress(OSError):
                stack.enter_context(connect(gateway, f"127.0.{1 + number % 30}.7", gateway.ssh_port))
        assert len(descendants(gateway.process.pid)) - before <= 2 * 110


def test_refusals_are_coalesced(fresh_gateway):
    """2,000 wrong tokens are not 2,000 rows."""
    gateway = fresh_gateway
    before = len(gateway.ok("GET", "/api/v1/audit/events"))
    for number in range(300):
        assert gateway.api.call("GET", "/api/v1/whoami", token=f"tgp_{number:043d}").status in (401, 429)
    assert len(gateway.ok("GET", "/api/v1/audit/events")) - before < 20


def test_a_full_range_of_ports_is_said_so():
    with Gateway(leases=2) as gateway:
        ports = {Tunnel(gateway).port for _ in range(2)}
        assert ports == {gateway.first_lease, gateway.last_lease}
        third = Tunnel(gateway, register=False)
        body = {"public_key": third.first_key.line, "host_keys": [], "os": "", "agent_version": ""}
        answer = gateway.call("POST", "/api/v1/agent/register", body, token=third.agent_key)
        assert (answer.status, answer.code) == (503, "LEASE_RANGE_FULL"), answer


def test_a_port_held_by_a_stranger_is_skipped():
    with Gateway(leases=2, start=False) as gateway:
        stranger = Canary(address=("127.0.0.1", gateway.first_lease))
        gateway.start()
        tunnel = Tunnel(gateway)
        assert tunnel.port == gateway.last_lease
        # Ports are taken round robin from anywhere: the next machine has only the held one left, and is told so.
        second = Tunnel(gateway, register=False)
        body = {"public_key": second.first_key.line, "host_keys": [], "os": "", "agent_version": ""}
        answer = gateway.call("POST", "/api/v1/agent/register", body, token=second.agent_key)
        assert (answer.status, answer.code) == (503, "LEASE_RANGE_FULL"), answer
        assert f"port:{gateway.first_lease}" in str(gateway.ok("GET", "/api/v1/audit/events"))
        stranger.close()
