"""A Fleet that says what a test scripts: a real HTTP service for `POST /api/v1/pat/verify`."""

import collections
import contextlib
import http.server
import json
import secrets
import socket
import ssl
import threading

import leaks
from networks import free_ports, give_back_ports

VERIFY = "/api/v1/pat/verify"
REASONS = ("format_invalid", "checksum_invalid", "token_not_found", "token_revoked", "token_expired", "owner_mismatch",
           "instance_mismatch")  # fmt: skip


def new_node_token():
    return "mcn_" + secrets.token_hex(24)


class Fleet:
    """Tokens it was not told of are `token_not_found`. `asked` counts the questions about each token."""

    def __init__(self, certificate=None):
        """`certificate`: a PEM file of chain and key, for https."""
        self.certificate = certificate
        self.port = free_ports()
        self.asked, self.requests = collections.Counter(), []
        self.answers, self.lock = {}, threading.Lock()
        self.server = None
        self.start()

    @property
    def url(self):
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    # --- what it says ---

    def knows(self, owner, instance=None, token=None):
        """A token that is good, of that owner and node; returns it."""
        token = token or new_node_token()
        return self.says({"valid": True, "owner_id": owner, "instance_id": instance}, token)

    def says(self, body, token=None):
        """A token about which it answers 200 with this body: JSON, or bytes as they are."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.does(lambda handler: handler.answer(200, raw), token)

    def does(self, action, token=None):
        """A token whose question is given to `action(handler)`."""
        token = token or new_node_token()
        leaks.note_shapes(token.encode())
        self.answers[token] = action
        return token

    # --- its life ---

    def start(self):
        fleet = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                try:
                    token = json.loads(raw)["token"]
                except (ValueError, KeyError, TypeError):
                    token = None
                with fleet.lock:
                    fleet.asked[token] += 1
                    fleet.requests.append((self.path, dict(self.headers), raw))
                if self.path != VERIFY or token is None:
                    return self.answer(404, b"{}")
                action = fleet.answers.get(token)
                if action:
                    return action(self)
                self.answer(200, b'{"valid": false, "reason": "token_not_found"}')

            def answer(self, status, raw, headers=()):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 256
            connections = []

            def process_request(self, request, client_address):
                self.connections.append(request)
                super().process_request(request, client_address)

            def handle_error(self, request, client_address):
                """The gateway may hang up on an answer that is too long or too late."""

        self.server = Server(("127.0.0.1", self.port), Handler)
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        """Nobody listens any more, and connections that were kept open are gone."""
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            for connection in self.server.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self.server = None

    def close(self):
        self.stop()
        give_back_ports(self.port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
