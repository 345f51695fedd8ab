"""A browser as far as the API can tell: it keeps cookies, and sends what its pages know with each change."""

import base64
import hashlib
import hmac
import http.cookies
import struct
import time

import pytest
from gateway import Gateway, default_mode
from people import PHRASE, set_password


class Browser:
    """Signs in to `gateway` from `source` (given by a trusted proxy) and keeps the session's cookie and token."""

    def __init__(self, gateway, source=None):
        self.gateway, self.source = gateway, source
        self.cookies, self.token = {}, None

    def call(self, method, path, body=None, headers=None, token=True):
        sent = {"User-Agent": "Blackbox/1.0"} | (headers or {})
        if self.source:
            sent["X-Forwarded-For"] = self.source
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if token and self.token and method not in ("GET", "HEAD"):
            sent["X-CSRF-Token"] = self.token
        answer = self.gateway.api.call(method, path, body, headers=sent)
        for text in answer.new_cookies:
            for name, morsel in http.cookies.SimpleCookie(text).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return answer

    def sign_in(self, name, password, **more):
        answer = self.call("POST", "/api/v1/auth/password-login", {"username": name, "password": password, **more})
        if answer.status == 200:
            self.token = answer.body["csrf_token"]
        return answer

    def signed_in(self):
        return self.call("GET", "/api/v1/auth/status").status == 200


def totp(secret, at=None, steps=0):
    """RFC 6238, so that the product is held against another's reading of it."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    counter = int((time.time() if at is None else at) // 30) + steps
    digest = hmac.new(key, struct.pack(">Q", counter), hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset:offset + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


@pytest.fixture(scope="module")
def site():
    with Gateway(default_mode(), extra=["--trusted-proxies", "127.0.0.1"]) as gateway:
        set_password(gateway)
        yield gateway


@pytest.fixture
def browser(site):
    browser = Browser(site, "192.0.2.10")
    assert browser.sign_in("admin", PHRASE).status == 200
    return browser
