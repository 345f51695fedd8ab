"""The trail sent elsewhere: syslog over each transport, a signed webhook, and what happens while the other end is away."""

import contextlib
import hashlib
import hmac
import http.server
import json
import pathlib
import re
import socket
import ssl
import tempfile
import threading
import time

import programs
import pytest
from commands import run
from gateway import Gateway
from networks import free_ports, give_back_ports
from trail import AuditFiles
from tunnels import new_name
from waiting import wait_until

SECRET = "a-secret-for-the-webhook"
HEADER = re.compile(r'<(\d+)>1 (\S+) (\S+) tidegate - (\S+) \[tidegate@32473((?: \w+="(?:[^"\\\]]|\\.)*")*)\] (\{.*\})', re.DOTALL)


def add(gateway):
    name = new_name("sent")
    return gateway.ok("POST", "/api/v1/machines", {"name": name})["machine"]["id"]


def parsed(message):
    match = HEADER.fullmatch(message)
    assert match, message
    data = {name: re.sub(r"\\(.)", r"\1", value) for name, value in re.findall(r' (\w+)="((?:[^"\\\]]|\\.)*)"', match[5])}
    return match[4], data, json.loads(match[6])


class Receiver:
    """Takes syslog; `messages` are those that came, `stop` and `start` its absence and return."""

    def __init__(self, kind, folder):
        self.kind, self.folder, self.messages, self.faults = kind, folder, [], []
        self.port = free_ports()
        self.path = folder / "log.sock"
        self.socket = None
        if kind == "tls":
            for words in (["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                           "-subj", "/CN=collector", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem",
                           "-out", folder / "ca.pem"],):  # fmt: skip
                run(["openssl", *words], check=True)
        self.start()

    @property
    def url(self):
        return f"unix:{self.path}" if self.kind == "unix" else f"{self.kind}://127.0.0.1:{self.port}"

    def start(self):
        if self.kind in ("udp", "unix"):
            family = socket.AF_UNIX if self.kind == "unix" else socket.AF_INET
            self.socket = socket.socket(family, socket.SOCK_DGRAM)
            self.path.unlink(missing_ok=True)
            self.socket.bind(str(self.path) if self.kind == "unix" else ("127.0.0.1", self.port))
            if self.kind == "unix":
                self.path.chmod(0o666)
        else:
            self.socket = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, args=(self.socket,), daemon=True).start()

    def stop(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for each in getattr(self, "connections", []):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self.path.unlink(missing_ok=True)

    def close(self):
        self.stop()
        give_back_ports(self.port)

    def _serve(self, listener):
        self.connections = []
        with contextlib.suppress(OSError):
            while True:
                if self.kind in ("udp", "unix"):
                    data = listener.recv(65536)
                    if not data:
                        return
                    self.messages.append(data.decode())
                    continue
                connection, _ = listener.accept()
                if self.kind == "tls":
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(self.folder / "ca.pem", self.folder / "key.pem")
                    connection = context.wrap_socket(connection, server_side=True)
                self.connections.append(connection)
                threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection):
        """Octet counting, RFC 6587, 3.4.1."""
        rest = b""
        with contextlib.suppress(OSError):
            while data := connection.recv(65536):
                rest += data
                while b" " in rest:
                    length, _, tail = rest.partition(b" ")
                    if not length.isdigit():
                        self.faults.append(rest)
                        return
                    if len(tail) < int(length):
                        break
                    self.messages.append(tail[: int(length)].decode())
                    rest = tail[int(length) :]

    def events(self):
        return [line for kind, _, line in map(parsed, [*self.messages]) if kind != "audit.seal"]


def open_folder():
    """A folder of this run that the gateway's own user may look into."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=programs.session_folder()))
    folder.chmod(0o755)
    return folder


@pytest.mark.parametrize("kind", ["udp", "tcp", "tls", "unix"])
def test_syslog_gets_every_event_and_the_anchors(kind):
    folder = open_folder()
    receiver = Receiver(kind, folder)
    extra = ["--audit-syslog", receiver.url]
    if kind == "tls":
        extra += ["--outbound-ca-file", folder / "ca.pem"]
    try:
        with Gateway(extra=[str(word) for word in extra]) as gateway:
            files = AuditFiles(gateway)
            wait_until(lambda: waiting(gateway, "syslog") == 0, 15, "the destination known")
            ids = {add(gateway) for _ in range(20)}
            wait_until(lambda: ids <= {row["subject"].partition(":")[2] for row in receiver.events()}, 15, "all events")
            lines = files.settled()
            assert all(json.dumps(row, separators=(",", ":"), ensure_ascii=False) in lines for row in receiver.events())
            wait_until(lambda: parsed(receiver.messages[-1])[0] == "audit.seal", 5, "the anchor behind them")
            _, data, _ = parsed(receiver.messages[-1])
            assert files.verify(data["anchor"])["proven"] == data["anchor"]
            for kind_of, data, line in map(parsed, receiver.messages):
                assert kind_of == "audit.seal" or (data["seq"], data["subject"]) == (str(line["seq"]), line["subject"])
            assert not receiver.faults
    finally:
        receiver.close()


def test_a_receiver_that_was_away_misses_nothing():
    receiver = Receiver("tcp", open_folder())
    try:
        with Gateway(extra=["--audit-syslog", receiver.url]) as gateway:
            wait_until(lambda: waiting(gateway, "syslog") == 0, 15, "the destination known")
            first = add(gateway)
            wait_until(lambda: first in str(receiver.messages), 15, "the first event")
            receiver.stop()
            ids = [add(gateway) for _ in range(5)]
            warned = wait_until(lambda: gateway.api.call("GET", "/readyz").body.get("warnings"), 20, "a warning")
            assert "can't be sent to syslog" in str(warned) and gateway.api.call("GET", "/readyz").status == 200
            gateway.kill()
            receiver.start()
            gateway.start()
            ids.append(add(gateway))
            wait_until(lambda: all(each in str(receiver.messages) for each in ids), 30, "what it had missed")
            numbers = [row["seq"] for row in receiver.events()]
            # At least once: none is left out, some may have come twice.
            assert set(range(min(numbers), max(numbers) + 1)) == set(numbers)
    finally:
        receiver.close()


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        status = server.statuses.pop(0) if server.statuses else 204
        server.requests.append((dict(self.headers), body, status, self.path))
        self.send_response(status)
        if status in (301, 307):
            self.send_header("Location", f"http://127.0.0.1:{server.server_port}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def hooked(statuses=()):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.requests, server.statuses = [], list(statuses)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    secret = open_folder() / "secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o644)
    url = f"http://127.0.0.1:{server.server_port}/audit?key=hidden-in-the-url"
    try:
        with Gateway(extra=["--audit-webhook", url, "--audit-webhook-secret-file", str(secret)]) as gateway:
            wait_until(lambda: waiting(gateway, "webhook") == 0, 15, "the destination known")
            yield gateway, server
    finally:
        server.shutdown()
        server.server_close()


def delivered(server):
    return [row for _, body, status, _ in [*server.requests] if status == 204 for row in json.loads(body)["events"]]


def test_a_webhook_gets_signed_batches_and_anchors():
    with hooked() as (gateway, server):
        ids = {add(gateway) for _ in range(20)}
        wait_until(lambda: ids <= {row["subject"].partition(":")[2] for row in delivered(server)}, 15, "all events")
        files = AuditFiles(gateway)
        files.settled()
        for headers, body, _, path in server.requests:
            moment, code = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", headers["Tidegate-Signature"]).groups()
            assert abs(int(moment) - time.time()) < 60
            assert hmac.new(SECRET.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest() == code
            assert headers["Content-Type"] == "application/json" and path.startswith("/audit")
        numbers = [row["seq"] for row in delivered(server)]
        assert numbers == sorted(set(numbers))
        anchor = [json.loads(body)["anchor"] for _, body, _, _ in server.requests][-1]
        assert files.verify(anchor)["intact"]
        assert SECRET not in gateway.log and "hidden-in-the-url" not in gateway.log
        state = b"".join(path.read_bytes() for path in gateway.state.rglob("*") if path.is_file())
        assert SECRET.encode() not in state and b"hidden-in-the-url" not in state


def test_a_webhook_that_refuses_is_asked_again_and_a_redirect_is_not_followed():
    with hooked(statuses=[500, 307, 404]) as (gateway, server):
        first = add(gateway)
        wait_until(lambda: first in str(delivered(server)), 30, "the event, in the end")
        assert [status for _, _, status, _ in server.requests][:4] == [500, 307, 404, 204]
        assert all(path.startswith("/audit") for _, _, _, path in server.requests)
        bodies = [json.loads(body)["events"][0]["seq"] for _, body, _, _ in server.requests[:4]]
        assert len(set(bodies)) == 1, "each try begins with the same event"


@pytest.mark.parametrize("words, named", [
    (["--audit-syslog", "x"], "audit-syslog"), (["--audit-syslog", "http://127.0.0.1:514"], "audit-syslog"),
    (["--audit-syslog", "udp://127.0.0.1"], "audit-syslog"), (["--audit-syslog", "tcp://127.0.0.1:0"], "audit-syslog"),
    (["--audit-syslog", "unix:relative"], "audit-syslog"), (["--audit-webhook", "https://h.example/"], "go together"),
    (["--audit-webhook-secret-file", "/dev/null"], "go together"),
    (["--audit-webhook", "ftp://h.example/", "--audit-webhook-secret-file", "/dev/null"], "audit-webhook"),
    (["--audit-webhook", "http://h.example/", "--audit-webhook-secret-file", "/dev/null"], "audit-webhook"),
    (["--audit-webhook", "https://h.example/", "--audit-webhook-secret-file", "/dev/null"], "audit-webhook-secret-file"),
    (["--audit-webhook", "https://h.example/", "--audit-webhook-secret-file", "/nothing"], "audit-webhook-secret-file"),
])  # fmt: skip
def test_a_setting_that_is_wrong_is_named(words, named):
    with Gateway(start=False) as gateway:
        assert named in gateway.refused(*words)


def waiting(gateway, part):
    """Events still to be sent; None until the exporter has looked."""
    text = gateway.api.call("GET", "/metrics").raw.decode()
    lines = [line for line in text.splitlines() if line.startswith(f"tidegate_audit_{part}_waiting ")]
    return float(lines[0].split()[1]) if lines else None
