"""The gateway's HTTP API by `http.client`, so that nothing of ours stands between a test and the bytes."""

import http.client
import json
import ssl

import leaks


class Answer:
    """`status`, `headers` (lower-case names), `raw` bytes and `body` (decoded JSON, or None)."""

    def __init__(self, status, headers, raw):
        self.status, self.raw = status, raw
        self.headers = {name.lower(): value for name, value in headers}
        leaks.note_answer(headers, raw)
        self.new_cookies = [value for name, value in headers if name.lower() == "set-cookie"]
        try:
            self.body = json.loads(raw) if raw else None
        except ValueError:
            self.body = None

    @property
    def code(self):
        return self.body.get("error_code") if isinstance(self.body, dict) else None

    def __repr__(self):
        return f"<{self.status} {self.headers.get('content-type')} {self.raw[:300]!r}>"


class API:
    """One gateway's address; `certificates` makes it https with exactly these trusted."""

    def __init__(self, host, port, certificates=None):
        self.host, self.port, self.certificates = host, port, certificates

    @property
    def url(self):
        return f"{'https' if self.certificates else 'http'}://{self.host}:{self.port}"

    def connection(self, deadline=15):
        if self.certificates:
            context = ssl.create_default_context(cafile=str(self.certificates))
            return http.client.HTTPSConnection(self.host, self.port, timeout=deadline, context=context)
        return http.client.HTTPConnection(self.host, self.port, timeout=deadline)

    def call(self, method, path, body=None, token=None, headers=None, raw=None, deadline=15):
        """One request on a connection of its own. `body` is sent as JSON, `raw` as the bytes it is."""
        leaks.note_request(body, token, headers)
        sent = {}
        if body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            sent["Content-Type"] = "application/json"
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        for name, value in (headers or {}).items():
            sent.pop(name, None)
            if value is not None:
                sent[name] = value
        connection = self.connection(deadline)
        try:
            connection.request(method, path, body=raw, headers=sent)
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()
