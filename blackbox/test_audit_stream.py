"""Following the audit trail over a WebSocket: what comes, who is cut off when, and what a bad peer can't do."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import threading
import time

import clock
import programs
import pytest
from gateway import Gateway
from streams import AUDIT, PUBLIC, TICKETS, carried, cursor, next_event, open_audit, ticket
from test_limits import memory
from waiting import wait_until
from websocket import BINARY, CLOSE, PING, PONG, TEXT, Closed, Refused, WebSocket, frame


def add_token(gateway, label="follower", ttl=600):
    return gateway.ok("POST", "/api/v1/tokens", {"label": label, "ttl": ttl})


def test_events_come_as_they_happen(gateway, figures):
    with open_audit(gateway) as stream:
        opened = next_event(stream, "stream.opened")
        assert opened["details"] == {"endpoint": AUDIT}
        begun = time.monotonic()
        made = add_token(gateway, "seen live")
        event = next_event(stream, "token.added")
        figures.note("audit stream: from the change to the event", f"{(time.monotonic() - begun) * 1000:.0f} ms")
        assert event["subject"] == f"token:{made['id']}"
        # The same shape as in the list.
        assert event in gateway.ok("GET", "/api/v1/audit/events?action=token.added")


def test_going_on_after_a_cursor(gateway):
    start = cursor(gateway)
    labels = [f"missed {number}" for number in range(5)]
    for label in labels:
        add_token(gateway, label)
    with open_audit(gateway, after=start) as stream:
        seen, ids = [], set()
        while len(seen) < len(labels):
            event = json.loads(stream.text())
            if event["action"] == "token.added" and event["details"]["label"] in labels:
                seen.append(event["details"]["label"])
            assert event["id"] not in ids
            ids.add(event["id"])
        assert seen == labels
    for bad in ("x", "1", "~", "1~x", "x~00000000-0000-4000-8000-000000000000"):
        with pytest.raises(Refused) as refusal:
            open_audit(gateway, after=bad)
        assert refusal.value.answer.status == 400


def test_revoking_the_token_closes_its_sockets(gateway, figures):
    mine, other = add_token(gateway), add_token(gateway, "other")
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(open_audit(gateway, mine["token"])) for _ in range(5)]
        kept = stack.enter_context(open_audit(gateway, other["token"]))
        unused = ticket(gateway, mine["token"])
        begun = time.monotonic()
        gateway.ok("DELETE", f"/api/v1/tokens/{mine['id']}")
        for stream in streams:
            code, _ = stream.closing()
            assert code == 4401
        seconds = time.monotonic() - begun
        figures.note("revoke to closed: 5 WebSockets", f"{seconds * 1000:.0f} ms")
        assert seconds < 1
        with pytest.raises(Refused) as refusal:
            WebSocket(gateway.api, AUDIT, (PUBLIC, carried(unused)))
        assert refusal.value.answer.code == "TICKET_REFUSED"
        add_token(gateway, "after")
        assert next_event(kept, "token.added")


@pytest.mark.parametrize("change", [{"disabled": True}, {"role": "operator"}, {"allow_from": ["192.0.2.0/24"]}])
def test_taking_from_the_user_closes_the_sockets(gateway, figures, change):
    name = f"auditor-{time.monotonic_ns()}"
    gateway.ok("POST", "/api/v1/users", {"name": name, "kind": "service", "role": "admin"})
    token = gateway.ok("POST", "/api/v1/tokens", {"label": "theirs", "user": name})["token"]
    with open_audit(gateway, token) as stream, open_audit(gateway) as kept:
        unused = ticket(gateway, token)
        begun = time.monotonic()
        gateway.ok("PATCH", f"/api/v1/users/{name}", change)
        assert stream.closing()[0] == 4401
        seconds = time.monotonic() - begun
        figures.note(f"user changed to closed: {next(iter(change))}", f"{seconds * 1000:.0f} ms")
        assert seconds < 1
        with pytest.raises(Refused) as refusal:
            WebSocket(gateway.api, AUDIT, (PUBLIC, carried(unused)))
        assert refusal.value.answer.code == "TICKET_REFUSED"
        assert next_event(kept, "user.changed")


def test_whoever_may_not_read_the_trail_gets_no_ticket(gateway):
    narrow = gateway.ok("POST", "/api/v1/tokens", {"label": "narrow", "scopes": ["machines:read"]})["token"]
    assert gateway.call("POST", TICKETS, {"endpoint": AUDIT}, token=narrow).status == 403
    reader = gateway.ok("POST", "/api/v1/tokens", {"label": "reader", "scopes": ["audit:read"]})["token"]
    open_audit(gateway, reader).close()


@pytest.mark.skipif(clock.lacking() is not None, reason=str(clock.lacking()))
def test_a_token_that_expires_takes_its_sockets_with_it():
    with contextlib.closing(clock.Clock()) as own, Gateway(environment=own.environment) as gateway:
        brief, lasting = add_token(gateway, ttl=60), add_token(gateway, ttl=600)
        with open_audit(gateway, brief["token"]) as stream, open_audit(gateway, lasting["token"]) as kept:
            own.set(seconds=61)
            code, seconds = stream.closing()
            assert code == 4401 and seconds < 2.5
            kept.send(PING, b"still there?")
            while True:
                opcode, payload = kept.receive()
                if opcode == PONG:
                    assert payload == b"still there?"
                    break


@pytest.mark.parametrize(
    "bytes_sent, code",
    [(frame(TEXT, b"hello"), 1003), (frame(BINARY, b"x" * 4096), 1003), (frame(BINARY, b"x" * 4097), 1009),
     (b"\x82\xff" + b"\x7f" * 8 + b"1234", 1009), (b"\x82\xff" + b"\xff" * 8 + b"1234", 1009),
     (frame(TEXT, b"\xff"), 1007), (frame(TEXT, b"hi", masked=False), 1002), (frame(TEXT, b"hi", reserved=4), 1002),
     (frame(3, b"x"), 1002), (frame(11, b""), 1002), (frame(PING, b"x", fin=False), 1002), (frame(PING, b"x" * 126), 1002),
     (frame(0, b"x"), 1002), (frame(CLOSE, b"\x03"), 1002), (frame(CLOSE, b"\x03\xee"), 1002),
     (frame(CLOSE, b"\x03\xe8bye"), 1000), (frame(CLOSE, b"\x0f\xa0"), 4000), (frame(CLOSE), 1000),
     (b"".join(frame(TEXT if n == 0 else 0, b"x" * 1000, fin=False) for n in range(8)), 1009)],
)  # fmt: skip
def test_what_a_client_may_not_send(gateway, bytes_sent, code):
    with open_audit(gateway) as stream:
        stream.socket.sendall(bytes_sent)
        assert stream.closing()[0] == code
    assert gateway.call("GET", "/healthz").status == 200


def test_frames_behind_the_request_in_one_piece(gateway):
    one = ticket(gateway)
    lines = ["GET " + AUDIT + " HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: upgrade",
             "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
             f"Sec-WebSocket-Protocol: {PUBLIC}, {carried(one)}"]  # fmt: skip
    connection = gateway.api.connection()
    connection.connect()
    connection.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + frame(PING, b"early") + frame(CLOSE, b"\x03\xe8"))
    received = b""
    with contextlib.suppress(OSError):
        while more := connection.sock.recv(65536):
            received += more
    head, _, rest = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"\x8a\x05early" in rest and rest.endswith(b"\x88\x02\x03\xe8")


def open_streams(gateway):
    text = gateway.api.call("GET", "/metrics").raw.decode()
    return float(re.search(r"^tidegate_streams ([0-9.]+)", text, re.M).group(1))


def test_a_half_frame_and_a_vanished_peer_hold_nothing_up(gateway):
    wait_until(lambda: open_streams(gateway) == 0, 10, "no stream open")
    for _ in range(20):
        stream = open_audit(gateway)
        stream.socket.sendall(frame(TEXT, b"x" * 100)[:50])
        stream.close()
    wait_until(lambda: open_streams(gateway) == 0, 10, "streams of peers that are gone forgotten")


def test_sockets_of_one_principal_are_bounded(gateway):
    token = add_token(gateway, "greedy")["token"]
    with contextlib.ExitStack() as stack:
        refused = None
        for _ in range(70):
            try:
                stack.enter_context(open_audit(gateway, token))
            except Refused as error:
                refused = error.answer
                break
        assert refused is not None and (refused.status, refused.code) == (429, "LIMIT_REACHED")
    wait_until(lambda: _opens(gateway, token), 10, "room again")


def _opens(gateway, token):
    with contextlib.suppress(Refused):
        open_audit(gateway, token).close()
        return True
    return False


OLD_EVENTS = 20_000
BEGINNING = "0~00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def long_trail():
    """A gateway with more in its audit trail than any socket buffers."""
    with Gateway() as gateway:
        (sample,) = gateway.ok("GET", "/api/v1/audit/events?limit=1")
        gateway.stop()
        owner = gateway.database.stat()
        with contextlib.closing(sqlite3.connect(gateway.database)) as store:
            columns = [name for _, name, *_ in store.execute("PRAGMA table_info(audit_event)")]
            row = store.execute("SELECT * FROM audit_event WHERE id = ?", (sample["id"],)).fetchone()
            row = dict(zip(columns, row, strict=True))
            for number in range(OLD_EVENTS):
                old = {"id": f"00000000-0000-4000-8000-{number + 1:012x}", "at": number + 1, "sequence": None,
                       "action": "old.happened", "details": json.dumps({"padding": "x" * 400})}  # fmt: skip
                values = row | old
                store.execute(
                    f"INSERT INTO audit_event ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
                    tuple(values.values()),
                )
            store.commit()
        for path in gateway.state.glob("tidegate.db*"):
            os.chown(path, owner.st_uid, owner.st_gid)
        gateway.start()
        yield gateway


def told_within(gateway, stream, count):
    """The longest time from a change to its event, over `count` changes made as fast as they go."""
    done, arrived = {}, {}

    def read():
        while len(arrived) < count:
            event = json.loads(stream.text(30))
            if event["action"] == "machine.added":
                arrived[event["subject"]] = time.monotonic()

    reader = threading.Thread(target=_quietly, args=(read,))
    reader.start()
    for number in range(count):
        body = {"name": f"m-{number}-{time.monotonic_ns()}"}
        machine = gateway.ok("POST", "/api/v1/machines", body)["machine"]
        done[f"machine:{machine['id']}"] = time.monotonic()
    reader.join(30)
    assert arrived.keys() == done.keys()
    return max(arrived[subject] - done[subject] for subject in done)


def test_a_slow_reader_stalls_nobody_and_misses_nothing(long_trail, figures):
    gateway = long_trail
    count = 400
    with contextlib.ExitStack() as stack:
        stuck = stack.enter_context(open_audit(gateway, after=BEGINNING, receive_buffer=4096))
        quick = stack.enter_context(open_audit(gateway))
        before = memory(gateway, "VmRSS")
        # More than what is kept for one who doesn't read.
        longest = told_within(gateway, quick, count)
        grown = memory(gateway, "VmRSS") - before
        figures.note("audit stream beside a reader that is stuck: longest delay", f"{longest * 1000:.0f} ms")
        figures.note("audit stream beside a reader that is stuck: memory", f"{grown / 1048576:+.1f} MiB")
        # The one that is stuck would be waited for 30 s; how long it takes is a figure.
        assert longest < 15
        assert grown < 32 * 1048576
        old, added = [], []
        while len(added) < count:
            event = json.loads(stuck.text(15))
            if event["action"] == "old.happened":
                old.append(event["id"])
            elif event["action"] == "machine.added":
                added.append(event["id"])
        assert old == [f"00000000-0000-4000-8000-{number + 1:012x}" for number in range(OLD_EVENTS)]
        assert len(set(added)) == len(added) == count


@pytest.mark.long
def test_a_reader_that_never_reads_is_cut_off(long_trail, figures):
    gateway = long_trail
    with open_audit(gateway, after=BEGINNING, receive_buffer=4096), open_audit(gateway) as quick:
        begun = time.monotonic()
        wait_until(lambda: open_streams(gateway) == 1, 60, "the end of the one that doesn't read", every=0.2)
        figures.note("audit stream: a reader that never reads is cut off after", f"{time.monotonic() - begun:.0f} s")
        assert told_within(gateway, quick, 10) < 2


def _quietly(work):
    with contextlib.suppress(Closed, OSError):
        work()


def test_stopping_closes_with_1001(figures):
    with Gateway() as gateway, contextlib.ExitStack() as stack:
        streams = [stack.enter_context(open_audit(gateway)) for _ in range(10)]
        begun = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        for stream in streams:
            assert stream.closing()[0] == 1001
        assert gateway.process.wait(15) == 0
        seconds = time.monotonic() - begun
        figures.note("stop with 10 WebSockets open", f"{seconds:.2f} s")
        assert seconds < 8


def test_over_tls():
    with Gateway(tls=True) as gateway, open_audit(gateway) as stream:
        add_token(gateway, "by tls")
        assert next_event(stream, "token.added")


class Following:
    """`tidegate audit events --follow --json` in the background."""

    def __init__(self, gateway, *words, environment=None):
        self.process = subprocess.Popen(
            [programs.tidegate(), "audit", "events", "--follow", "--json", *words], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=gateway.client_environment | (environment or {}),
        )  # fmt: skip
        self.events = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def actions(self):
        return [event["action"] for event in list(self.events)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def test_the_command_follows_across_a_restart():
    with Gateway() as gateway:
        with Following(gateway) as following:
            wait_until(lambda: "stream.opened" in following.actions(), 10, "the stream open")
            first = add_token(gateway, "before")
            wait_until(lambda: f"token:{first['id']}" in [e["subject"] for e in following.events], 10, "the first event")
            gateway.stop()
            gateway.start()
            second = add_token(gateway, "meanwhile")
            wait_until(lambda: f"token:{second['id']}" in [e["subject"] for e in following.events], 40, "the second event")
            ids = [event["id"] for event in following.events]
            assert len(ids) == len(set(ids)), "an event was printed twice"
            assert following.process.poll() is None
        # On admin.sock too, as the operator of the host.
        environment = {"TIDEGATE_URL": "", "TIDEGATE_TOKEN_FILE": ""}
        with Following(gateway, "--state-dir", str(gateway.state), environment=environment) as following:
            wait_until(lambda: following.actions() or following.process.poll() is not None, 10, "an event by admin.sock")
            assert following.events[0]["actor"] == "local-administrator"


def test_the_command_ends_with_a_refusal():
    with Gateway() as gateway:
        made = add_token(gateway)
        token = {"TIDEGATE_TOKEN": made["token"], "TIDEGATE_TOKEN_FILE": ""}
        with Following(gateway, environment=token) as following:
            wait_until(lambda: following.actions(), 10, "the stream open")
            gateway.ok("DELETE", f"/api/v1/tokens/{made['id']}")
            assert following.process.wait(15) == 1
            assert "4401" in following.process.stderr.read()
        done = gateway.cli("audit", "events", "--follow", check=False, environment={"TIDEGATE_TOKEN": "tgp_" + "A" * 43})
        assert done.returncode == 1 and done.stdout == ""
