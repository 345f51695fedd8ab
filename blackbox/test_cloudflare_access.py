"""Signing in by what Cloudflare Access puts into a request; its keys are served, and its assertions signed, here."""

import contextlib
import http.server
import json
import threading
import time

import pytest
from answers import problem
from browsers import Browser
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from gateway import Gateway, default_mode
from jwks import public_jwk, signed

PATH, AUDIENCE = "/api/v1/auth/cloudflare-access", "f00dfeed" * 8


class Team:
    """Serves a key set at the place Access has it, counts who asks, and signs assertions."""

    def __init__(self):
        self.keys = {"one": rsa.generate_private_key(65537, 2048)}
        self.signer, self.asked, self.away, self.redirects = "one", 0, False, False
        team = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                team.asked += 1
                if team.redirects:
                    self.send_response(302)
                    self.send_header("Location", "/elsewhere")
                    self.end_headers()
                    return
                good = self.path == "/cdn-cgi/access/certs" and not team.away
                body = json.dumps({"keys": [public_jwk(key, kid) for kid, key in team.keys.items()]}).encode()
                self.send_response(200 if good else 500)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def assertion(self, key=None, header=None, **claims):
        now = int(time.time())
        usual = {"iss": self.url, "aud": [AUDIENCE], "sub": "7335d417", "email": "grace@example.org", "type": "app",
                 "iat": now, "exp": now + 86_400, "identity_nonce": "x", "country": "DE"}  # fmt: skip
        claims = {name: value for name, value in (usual | claims).items() if value is not None}
        return signed(key or self.keys[self.signer], self.signer, claims, header)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def team():
    with contextlib.closing(Team()) as team:
        yield team


@pytest.fixture(scope="module")
def site(team):
    extra = ["--cloudflare-access-team", team.url, "--cloudflare-access-audience", AUDIENCE,
             "--cloudflare-access-default-role", "viewer", "--trusted-proxies", "127.0.0.1"]  # fmt: skip
    with Gateway(default_mode(), extra=extra) as gateway:
        yield gateway


def enter(site, assertion, source="192.0.2.80", **headers):
    browser = Browser(site, source)
    return browser, browser.call("POST", PATH, headers={"Cf-Access-Jwt-Assertion": assertion} | headers)


def test_an_assertion_becomes_a_session_and_the_same_account_each_time(site, team):
    browser, answer = enter(site, team.assertion())
    assert answer.status == 200 and answer.body["user"]["name"] == "grace" and answer.body["user"]["role"] == "viewer"
    assert answer.body["session"]["method"] == "cloudflare-access"
    assert browser.signed_in()
    _, again = enter(site, team.assertion(email="other@example.org"))
    assert again.body["user"]["id"] == answer.body["user"]["id"]
    assert "HttpOnly" in answer.new_cookies[0] and "SameSite=Lax" in answer.new_cookies[0]


def test_the_header_alone_opens_nothing(site, team):
    answer = site.api.call("GET", "/api/v1/auth/status", headers={"Cf-Access-Jwt-Assertion": team.assertion()})
    problem(answer, 401, "UNAUTHENTICATED")


def test_another_site_makes_nobody_sign_in(site, team):
    _, answer = enter(site, team.assertion(), **{"Sec-Fetch-Site": "cross-site"})
    problem(answer, 403, "CSRF_REFUSED")
    _, answer = enter(site, team.assertion(), Origin="https://evil.example")
    problem(answer, 403, "CSRF_REFUSED")


def test_an_assertion_of_more_than_twelve_hours_ago_is_refused_whatever_it_says(site, team):
    now = int(time.time())
    _, answer = enter(site, team.assertion(iat=now - 12 * 3600 - 2, exp=now + 86_400))
    problem(answer, 403, "PROVIDER_REFUSED")
    _, answer = enter(site, team.assertion(iat=now - 12 * 3600 + 60))
    assert answer.status == 200
    assert answer.body["session"]["method"] == "cloudflare-access"


@pytest.mark.parametrize("claims", [
    {"iss": "https://evil.cloudflareaccess.com"}, {"aud": ["0" * 64]}, {"aud": [AUDIENCE, "0" * 64]}, {"aud": None},
    {"sub": ""}, {"sub": None}, {"type": "org"}, {"exp": 1}, {"exp": None}, {"iat": None}, {"iat": 4_000_000_000},
    {"nbf": 4_000_000_000}, {"sub": "a\u202eb"}, {"sub": ["7335d417"]}, {"iat": "now"},
], ids=str)  # fmt: skip
def test_an_assertion_with_anything_wrong_is_nobodys(site, team, claims):
    problem(enter(site, team.assertion(**claims))[1], 403, "PROVIDER_REFUSED")


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "HS256"}, {"alg": "RS512"}, {"alg": "ES256"}, {"crit": ["x"]},
                                    {"typ": "at+jwt"}, {"alg": None}, {"kid": 5}], ids=str)  # fmt: skip
def test_a_header_that_asks_for_less_is_refused(site, team, header):
    problem(enter(site, team.assertion(header=header))[1], 403, "PROVIDER_REFUSED")


@pytest.mark.parametrize("text", ["", "a", "a.b.c", "." * 3, "A" * 5_000, "eyJhbGciOiJub25lIn0.e30."])
def test_what_is_no_assertion_is_refused(site, team, text):
    problem(enter(site, text)[1], 403, "PROVIDER_REFUSED")
    problem(Browser(site, "192.0.2.81").call("POST", PATH), 403, "PROVIDER_REFUSED")


def test_a_strangers_key_is_no_key_and_makes_the_gateway_ask_once_a_minute(site, team):
    stranger = ec.generate_private_key(ec.SECP256R1())
    problem(enter(site, team.assertion(key=stranger))[1], 403, "PROVIDER_REFUSED")
    before = team.asked
    for _ in range(30):
        problem(enter(site, team.assertion(key=stranger, header={"kid": "made-up"}))[1], 403, "PROVIDER_REFUSED")
    assert team.asked - before <= 1


def test_a_key_that_changes_is_fetched(team):
    extra = ["--cloudflare-access-team", team.url, "--cloudflare-access-audience", AUDIENCE,
             "--cloudflare-access-default-role", "operator"]  # fmt: skip
    with Gateway(default_mode(), extra=extra) as gateway:
        assert enter(gateway, team.assertion(), None)[1].status == 200
        team.keys["two"], team.signer = ec.generate_private_key(ec.SECP256R1()), "two"
        try:
            assert enter(gateway, team.assertion(), None)[1].body["user"]["role"] == "operator"
        finally:
            team.keys.pop("two")
            team.signer = "one"


@pytest.mark.parametrize("fault", ["away", "redirects"])
def test_keys_that_cant_be_had_are_an_outage_and_nothing_else(team, fault):
    extra = ["--cloudflare-access-team", team.url, "--cloudflare-access-audience", AUDIENCE]
    setattr(team, fault, True)
    try:
        with Gateway(default_mode(), extra=extra) as gateway:
            problem(enter(gateway, team.assertion(), None)[1], 503, "PROVIDER_UNAVAILABLE")
            assert gateway.call("GET", "/api/v1/machines").status == 200
    finally:
        setattr(team, fault, False)


def test_newcomers_stay_out_unless_they_have_a_role_or_are_linked(team):
    extra = ["--cloudflare-access-team", team.url, "--cloudflare-access-audience", AUDIENCE]
    with Gateway(default_mode(), extra=extra) as gateway:
        problem(enter(gateway, team.assertion(), None)[1], 403, "NO_ROLE")
        gateway.cli("user", "add", "ada", "--role", "operator")
        gateway.cli("user", "link", "ada", "--issuer", team.url, "--subject", "7335d417")
        browser, answer = enter(gateway, team.assertion(), None)
        assert answer.status == 200 and answer.body["user"]["name"] == "ada"
        (identity,) = gateway.cli_json("user", "identities", "ada")
        assert identity["subject"] == "7335d417" and identity["gives_role"] is False
        gateway.cli("user", "unlink", "ada", identity["id"])
        assert not browser.signed_in()


def test_without_it_the_header_means_nothing(team):
    with Gateway(default_mode()) as gateway:
        problem(enter(gateway, team.assertion(), None)[1], 403, "SIGN_IN_UNAVAILABLE")
