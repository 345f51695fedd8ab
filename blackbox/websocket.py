"""A WebSocket client of our own (RFC 6455), so that a test can also send what a good one never would."""

import base64
import hashlib
import http.client
import os
import socket
import ssl
import struct
import time

from api import Answer

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Refused(Exception):
    """The upgrade was answered with something else than 101; `answer` is that answer."""

    def __init__(self, answer):
        super().__init__(repr(answer))
        self.answer = answer


class Closed(Exception):
    """The gateway closed with `code` (None: without a close frame)."""

    def __init__(self, code, reason=""):
        super().__init__(f"{code} {reason}")
        self.code, self.reason = code, reason


def frame(opcode, payload=b"", fin=True, masked=True, reserved=0):
    """One frame's bytes, as a client sends it unless told otherwise."""
    head = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    flag = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([flag | len(payload)])
    elif len(payload) < 65536:
        head += bytes([flag | 126]) + struct.pack("!H", len(payload))
    else:
        head += bytes([flag | 127]) + struct.pack("!Q", len(payload))
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def upgrade_headers(protocols=(), **fields):
    """The headers of a good request; a field given as None is left out, `_` stands for `-`."""
    headers = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
    }  # fmt: skip
    if protocols:
        headers["Sec-WebSocket-Protocol"] = ", ".join(protocols)
    for name, value in fields.items():
        headers.pop(name.replace("_", "-"), None)
        if value is not None:
            headers[name.replace("_", "-")] = value
    return headers


class WebSocket:
    """An open WebSocket; opening one that is refused raises `Refused`."""

    def __init__(self, api, path, protocols=(), deadline=10, source=None, connection=None, receive_buffer=None, **fields):
        self.socket = connection or self._connect(api, deadline, source, receive_buffer)
        headers = upgrade_headers(protocols, **fields)
        lines = [f"GET {path} HTTP/1.1", f"Host: {api.host}:{api.port}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        response = http.client.HTTPResponse(self.socket)
        response.begin()
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        if response.status != 101:
            answer = Answer(response.status, response.getheaders(), response.read())
            response.close()
            self.socket.close()
            raise Refused(answer)
        # What the response object has read ahead is already frames.
        self.buffer = response.fp.peek() if response.fp else b""
        expected = base64.b64encode(hashlib.sha1((headers["Sec-WebSocket-Key"] + GUID).encode()).digest()).decode()
        assert self.headers["sec-websocket-accept"] == expected

    @staticmethod
    def _connect(api, deadline, source, receive_buffer):
        plain = socket.socket()
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.settimeout(deadline)
        if source:
            plain.bind((source, 0))
        plain.connect((api.host, api.port))
        if not api.certificates:
            return plain
        context = ssl.create_default_context(cafile=str(api.certificates))
        return context.wrap_socket(plain, server_hostname=api.host)

    def send(self, opcode, payload=b"", **options):
        self.socket.sendall(frame(opcode, payload, **options))

    def _take(self, count):
        while len(self.buffer) < count:
            more = self.socket.recv(65536)
            if not more:
                raise Closed(None)
            self.buffer += more
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def receive(self, deadline=10):
        """The next frame: (opcode, payload). A close frame, or the end of the connection, raises `Closed`."""
        self.socket.settimeout(deadline)
        first, second = self._take(2)
        assert first & 0x70 == 0 and second & 0x80 == 0, "a server's frame has reserved bits or a mask"
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._take(8))
        opcode, payload = first & 0x0F, self._take(length)
        if opcode == CLOSE:
            code = struct.unpack("!H", payload[:2])[0] if payload else 1005
            raise Closed(code, payload[2:].decode())
        return opcode, payload

    def text(self, deadline=10):
        """The next text message; pings on the way are answered."""
        end = time.monotonic() + deadline
        while True:
            opcode, payload = self.receive(max(0.01, end - time.monotonic()))
            if opcode == PING:
                self.send(PONG, payload)
            elif opcode == TEXT:
                return payload.decode()

    def closing(self, deadline=10):
        """Reads on until it is closed; the code and the seconds that took."""
        begun = time.monotonic()
        try:
            while True:
                self.receive(max(0.01, deadline - (time.monotonic() - begun)))
        except Closed as closed:
            return closed.code, time.monotonic() - begun
        except ConnectionResetError:
            return None, time.monotonic() - begun

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
