"""Signing in with a real OpenID provider: Debian's glewlwyd."""

import contextlib
import json
import sqlite3
import urllib.parse

import pytest
from answers import problem
from browsers import Browser, totp
from commands import descendants
from gateway import Gateway, default_mode
from openid_provider import CLIENT, CLIENT_SECRET, Glewlwyd, needed
from people import operator
from waiting import wait_until

pytestmark = needed

START, CALLBACK = "/api/v1/auth/oidc/start", "/api/v1/auth/oidc/callback"
ROLES = ["--oidc-role", "cn=admins,ou=groups,dc=example=admin", "--oidc-role", "staff=operator"]
ADMINS = "cn=admins,ou=groups,dc=example"


def settings(provider):
    return ["--oidc-issuer", provider.issuer, "--oidc-client-id", CLIENT, *ROLES, "--trusted-proxies", "127.0.0.1"]


@pytest.fixture(scope="module")
def world():
    """A gateway and its provider, each knowing the other."""
    gateway = Gateway(default_mode(), start=False, environment={"TIDEGATE_OIDC_CLIENT_SECRET": CLIENT_SECRET})
    with gateway, Glewlwyd(f"http://127.0.0.1:{gateway.port}{CALLBACK}") as provider:
        gateway.extra += settings(provider)
        gateway.start()
        yield gateway, provider


def begin(browser, return_to=None):
    """To the provider: where the browser is sent."""
    query = "" if return_to is None else "?" + urllib.parse.urlencode({"return_to": return_to})
    answer = browser.call("GET", START + query)
    assert answer.status == 303, answer
    return answer.headers["location"]


def come_back(browser, location):
    parts = urllib.parse.urlsplit(location)
    assert parts.path == CALLBACK
    return browser.call("GET", f"{parts.path}?{parts.query}")


def sign_in(world, name, source="192.0.2.50", return_to=None):
    gateway, provider = world
    browser = Browser(gateway, source)
    answer = come_back(browser, provider.visit(begin(browser, return_to), name))
    return browser, answer


def who(browser):
    answer = browser.call("GET", "/api/v1/auth/status")
    assert answer.status == 200, answer
    return answer.body["user"]


def events(gateway, action):
    return [row for row in gateway.ok("GET", "/api/v1/audit/events?limit=1000") if row["action"] == action]


def test_somebody_new_gets_the_role_of_their_group_and_the_same_account_again(world):
    gateway, provider = world
    provider.add_user("ada", [ADMINS, "staff"])
    browser, answer = sign_in(world, "ada", return_to="/machines?x=1")
    assert answer.status == 303 and answer.headers["location"] == "/machines?x=1", answer
    assert answer.headers["cache-control"] == "no-store" and answer.headers["referrer-policy"] == "no-referrer"
    first = who(browser)
    assert (first["name"], first["role"]) == ("ada", "admin")
    assert who(sign_in(world, "ada")[0])["id"] == first["id"]
    assert browser.call("GET", "/api/v1/auth/sessions").body[0]["method"] == "oidc"
    added = next(row for row in events(gateway, "user.added") if row["subject"] == f"user:{first['id']}")
    assert added["details"]["issuer"] == provider.issuer


def test_who_is_called_like_an_existing_user_gets_an_account_of_their_own(world):
    gateway, provider = world
    provider.add_user("mallory", ["staff"], email="admin@example.org")
    provider.change_user("mallory", name="admin")
    user = who(sign_in(world, "mallory")[0])
    assert user["name"] == "admin-2" and user["role"] == "operator"


def test_no_group_is_no_account(world):
    gateway, provider = world
    provider.add_user("stranger", ["visitors"])
    browser, answer = sign_in(world, "stranger")
    problem(answer, 403, "NO_ROLE")
    assert browser.call("GET", "/api/v1/auth/status").status == 401
    assert "stranger" not in [user["name"] for user in gateway.ok("GET", "/api/v1/users")]


def test_a_group_that_is_gone_at_the_next_sign_in_shuts_everything(world):
    gateway, provider = world
    provider.add_user("bob", ["staff"])
    browser, _ = sign_in(world, "bob")
    user = who(browser)
    words = ["token", "add", "--user", user["name"], "--label", "ci", "--json"]
    token = json.loads(operator(gateway, *words).stdout)["token"]
    assert gateway.call("GET", "/api/v1/machines", token=token).status == 200
    provider.change_user("bob", groups=["visitors"])
    problem(sign_in(world, "bob")[1], 403, "NO_ROLE")
    assert browser.call("GET", "/api/v1/auth/status").status == 401
    assert gateway.call("GET", "/api/v1/machines", token=token).status in (401, 403)
    provider.change_user("bob", groups=["staff"])
    assert who(sign_in(world, "bob")[0])["id"] == user["id"]
    # But not when it was an administrator who shut the account.
    gateway.ok("PATCH", f"/api/v1/users/{user['name']}", {"disabled": True})
    problem(sign_in(world, "bob")[1], 403, "ACCOUNT_DISABLED")


def test_an_answer_is_for_the_browser_that_asked_and_for_once(world):
    gateway, provider = world
    provider.add_user("carol", ["staff"])
    browser, other = Browser(gateway, "192.0.2.60"), Browser(gateway, "192.0.2.61")
    back = provider.visit(begin(browser), "carol")
    problem(come_back(other, back), 400, "SIGN_IN_NOT_BEGUN")
    begin(other)
    problem(come_back(other, back), 400, "SIGN_IN_NOT_BEGUN")
    kept = dict(browser.cookies)
    problem(come_back(browser, back.replace("state=", "state=x")), 400, "SIGN_IN_NOT_BEGUN")
    assert come_back(browser, back).status == 303
    browser.cookies = kept
    problem(come_back(browser, back), 400, "SIGN_IN_NOT_BEGUN")
    gateway.stop()
    gateway.start()
    problem(come_back(browser, back), 400, "SIGN_IN_NOT_BEGUN")


def test_the_answer_of_another_provider_is_not_taken(world):
    gateway, provider = world
    provider.add_user("dora", ["staff"])
    browser = Browser(gateway, "192.0.2.62")
    back = provider.visit(begin(browser), "dora")
    issuer = urllib.parse.quote(provider.issuer, safe="")
    assert issuer in back
    problem(come_back(browser, back.replace(issuer, "https%3A%2F%2Fevil.example")), 403, "PROVIDER_REFUSED")
    # The code went nowhere: it still works.
    assert come_back(browser, back).status == 303


def test_a_code_of_another_sign_in_is_refused(world):
    gateway, provider = world
    provider.add_user("eve", ["staff"])
    victim, thief = Browser(gateway, "192.0.2.63"), Browser(gateway, "192.0.2.64")
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(provider.visit(begin(thief), "eve")).query)["code"][0]
    state = urllib.parse.parse_qs(urllib.parse.urlsplit(begin(victim)).query)["state"][0]
    query = urllib.parse.urlencode({"state": state, "code": code, "iss": provider.issuer})
    problem(victim.call("GET", f"{CALLBACK}?{query}"), 403, "PROVIDER_REFUSED")


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "https://evil.example", "\\/evil", "", "/a\n/b",
                                  "/a//b", "javascript:alert(1)", "/" + "x" * 600])  # fmt: skip
def test_nobody_is_sent_to_another_host(world, path):
    answer = Browser(world[0]).call("GET", f"{START}?{urllib.parse.urlencode({'return_to': path})}")
    problem(answer, 400, "INVALID_FIELD")


def test_what_the_provider_refuses_is_told_without_its_words(world):
    browser = Browser(world[0], "192.0.2.65")
    state = urllib.parse.parse_qs(urllib.parse.urlsplit(begin(browser)).query)["state"][0]
    query = urllib.parse.urlencode(
        {"state": state, "error": "access_denied", "error_description": "<script>hello", "iss": world[1].issuer})  # fmt: skip
    answer = browser.call("GET", f"{CALLBACK}?{query}")
    problem(answer, 403, "PROVIDER_REFUSED")
    assert b"script" not in answer.raw and "hello" not in world[0].log


def test_an_own_second_factor_is_asked_for_too(world):
    gateway, provider = world
    provider.add_user("frank", ["staff"])
    browser, _ = sign_in(world, "frank")
    browser.token = browser.call("GET", "/api/v1/auth/status").body["csrf_token"]
    secret = browser.call("POST", "/api/v1/auth/totp", {}).body["secret"]
    assert browser.call("POST", "/api/v1/auth/totp/confirm", {"code": totp(secret)}).status == 200
    again, answer = sign_in(world, "frank", return_to="/x")
    assert answer.status == 303 and answer.headers["location"] == "/sign-in/code?return_to=%2Fx"
    assert again.call("GET", "/api/v1/auth/status").status == 401


def test_keys_that_change_are_fetched_again(world):
    gateway, provider = world
    provider.add_user("grace", ["staff"])
    assert sign_in(world, "grace")[1].status == 303
    provider.rotate()
    assert sign_in(world, "grace")[1].status == 303


def test_a_provider_that_is_away_is_said_and_harms_nothing(world):
    gateway, provider = world
    browser = Browser(gateway, "192.0.2.66")
    begin(browser)
    provider.stop()
    try:
        gateway.stop()
        gateway.start()
        problem(Browser(gateway).call("GET", START), 503, "PROVIDER_UNAVAILABLE")
        assert gateway.call("GET", "/api/v1/machines").status == 200
        assert "nobody signs in with it" in gateway.log
    finally:
        provider.start()

    def is_back():
        return Browser(gateway).call("GET", START).status == 303

    wait_until(is_back, 15, "signing in with the provider works again")


def test_neither_store_nor_log_holds_a_secret(world):
    gateway, provider = world
    provider.add_user("heidi", ["staff"])
    browser = Browser(gateway, "192.0.2.67")
    back = provider.visit(begin(browser), "heidi")
    begun = next(value for name, value in browser.cookies.items() if "oidc" in name)
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["code"][0]
    assert come_back(browser, back).status == 303
    with contextlib.closing(sqlite3.connect(f"file:{gateway.database}?mode=ro", uri=True)) as store:
        (sealed,) = store.execute(
            "SELECT refresh_token FROM outside_identity WHERE refresh_token IS NOT NULL ORDER BY created_at DESC").fetchone()  # fmt: skip
    assert len(sealed) > 40
    raw = b"".join(path.read_bytes() for path in gateway.state.glob("tidegate.db*"))
    for word in (code, CLIENT_SECRET, begun, begun.split(".")[0], *browser.cookies.values()):
        assert word.encode() not in raw and word not in gateway.log
    for pid in (gateway.process.pid, *descendants(gateway.process.pid)):
        with open(f"/proc/{pid}/environ", "rb") as environment:
            assert CLIENT_SECRET.encode() not in environment.read()


def test_a_change_of_groups_is_seen_without_signing_in_again(world):
    gateway, provider = world
    provider.add_user("ivan", ["staff"])
    browser, _ = sign_in(world, "ivan")
    user = who(browser)
    assert user["role"] == "operator"

    def as_if_ten_minutes_had_passed():
        gateway.stop()
        gateway.edit_database(
            "UPDATE outside_identity SET checked_at = checked_at - 601000000 WHERE user_id = ?", (user["id"],))  # fmt: skip
        gateway.start()

    provider.change_user("ivan", groups=[ADMINS])
    as_if_ten_minutes_had_passed()
    wait_until(lambda: who(browser)["role"] == "admin", 30, "the provider was asked again")
    provider.change_user("ivan", groups=["visitors"])
    as_if_ten_minutes_had_passed()
    wait_until(lambda: not browser.signed_in(), 30, "the provider was asked again")
    assert gateway.ok("GET", f"/api/v1/users/{user['name']}")["disabled_at"]


def test_a_linked_user_keeps_the_role_that_administrators_gave(world):
    gateway, provider = world
    provider.add_user("judy", ["visitors"])
    problem(sign_in(world, "judy")[1], 403, "NO_ROLE")
    with contextlib.closing(sqlite3.connect(provider.database)) as store:
        (subject,) = store.execute("SELECT gposi_sub FROM gpo_subject_identifier WHERE gposi_username = 'judy'").fetchone()
    gateway.cli("user", "add", "judith", "--role", "viewer")
    gateway.cli("user", "link", "judith", "--issuer", provider.issuer, "--subject", subject)
    browser, _ = sign_in(world, "judy")
    assert (who(browser)["name"], who(browser)["role"]) == ("judith", "viewer")
    (identity,) = gateway.cli_json("user", "identities", "judith")
    assert identity["last_sign_in_at"] and not identity["gives_role"]
    gateway.cli("user", "unlink", "judith", identity["id"])
    assert not browser.signed_in()


@pytest.mark.parametrize("words, said", [
    (["--oidc-issuer", "http://id.example", "--oidc-client-id", "x"], "oidc-issuer: plain http"),
    (["--oidc-issuer", "https://id.example"], "oidc-client-id must be"),
    (["--oidc-client-id", "x"], "oidc-client-id needs oidc-issuer"),
    (["--oidc-issuer", "https://id.example", "--oidc-client-id", "x", "--oidc-role", "a"], "oidc-role must be GROUP=ROLE"),
    (["--oidc-issuer", "https://id.example", "--oidc-client-id", "x", "--oidc-role", "a=root"], "a role is admin"),
    (["--oidc-issuer", "https://id.example", "--oidc-client-id", "x", "--oidc-role", "a=drain"], "a role is admin"),
    (["--oidc-issuer", "https://id.example", "--oidc-client-id", "x", "--oidc-role", "a=admin", "--oidc-role", "a=viewer"],
     "gives one group two roles"),
    (["--oidc-issuer", "https://id.example", "--oidc-client-id", "x", "--oidc-scopes", "email"], "one of them openid"),
    (["--oidc-issuer", "https://id.example", "--oidc-client-id", "x", "--oidc-client-secret-file", "/nowhere"],
     "can't be read"),
    (["--cloudflare-access-team", "acme"], "go together"),
    (["--cloudflare-access-team", "http://acme.example", "--cloudflare-access-audience", "x"], "cloudflare-access-team"),
    (["--cloudflare-access-default-role", "viewer"], "needs cloudflare-access-team"),
])  # fmt: skip
def test_a_setting_that_cant_be_meant_stops_the_start_by_its_name(words, said):
    with Gateway(default_mode(), start=False) as gateway:
        assert said in gateway.refused(*words)
