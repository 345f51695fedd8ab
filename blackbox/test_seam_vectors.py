"""Rows of the token seam that no other file shows: who is let in by what, in which words, and what an outage says.

Each test carries the name of its row in vectors.py, which is the table of all of them.
"""

import concurrent.futures
import contextlib
import datetime
import itertools
import os
import secrets
import time

import clock
import pytest
from browsers import Browser
from clock import moment
from fleet import Fleet, new_node_token
from gateway import Gateway
from people import PHRASE, Person, set_password
from sshkeys import KeyPair
from streams import AUDIT, PUBLIC, TICKETS, carried, ticket
from tunnels import Tunnel, new_name
from websocket import Refused, WebSocket

WHOAMI, REGISTER, HEARTBEAT = "/api/v1/whoami", "/api/v1/agent/register", "/api/v1/agent/heartbeat"
RENEW = "/api/v1/tokens/current/renew"
DRAIN, SHARED = secrets.token_urlsafe(32), secrets.token_hex(16)
ENVIRONMENT = {"TIDEGATE_DRAIN_SECRET": DRAIN, "AGENT_API_KEY": SHARED}
DAY = 86_400
needs_a_clock = pytest.mark.skipif(clock.lacking() is not None, reason=str(clock.lacking()))
_sources = itertools.count(1)


@pytest.fixture(scope="module")
def fleet():
    with Fleet() as fleet:
        yield fleet


@pytest.fixture(scope="module")
def seam(fleet):
    """A gateway at which every kind of credential is somebody's."""
    extra = ["--fleet-url", fleet.url, "--trusted-proxies", "127.0.0.1"]
    with Gateway(environment=ENVIRONMENT, extra=extra) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def good(seam, fleet):
    """A credential of each kind that may ask who it is."""
    return credentials(seam, fleet)


def credentials(gateway, fleet):
    owner = gateway.ok("POST", "/api/v1/users", {"name": new_name("u"), "role": "operator"})["id"]
    return {
        "personal": Person(gateway).token, "service": Person(gateway, kind="service").token,
        "agent": Tunnel(gateway).agent_key, "node": fleet.knows(owner), "environment": DRAIN,
    }  # fmt: skip


KINDS = ["personal", "service", "agent", "node", "environment"]


def refused(answer, status, code):
    assert (answer.status, answer.code) == (status, code), answer
    return answer


def authorized(gateway, value, path=WHOAMI, method="GET", body=None, **more):
    """A request with this Authorization header, as it stands."""
    return gateway.api.call(method, path, body, headers={"Authorization": value} | more)


def report(gateway):
    return {"public_key": KeyPair(gateway.home, "seam").line, "host_keys": [], "os": "test", "agent_version": "0"}


# --- what is read of a request ---


def test_h1_what_takes_no_credential_asks_for_none(seam):
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.yaml"):
        assert seam.api.call("GET", path).status == 200
    # What isn't there is not there, for nobody too: no 401 that would tell it from what is.
    assert seam.api.call("GET", "/api/v1/nothing").status == 404


@pytest.mark.parametrize("kind", KINDS)
def test_h2_h3_the_scheme_and_the_spaces_around_a_credential(seam, good, kind):
    for value in ("Bearer {}", "bearer {}", "BEARER {}", "Bearer   {}", "Bearer {}  ", "Bearer   {}  "):
        assert authorized(seam, value.format(good[kind])).status == 200, value


@pytest.mark.parametrize("kind", KINDS)
def test_h4_anything_else_is_nobody(seam, good, kind):
    token = good[kind]
    refused(seam.api.call("GET", WHOAMI), 401, "UNAUTHENTICATED")
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    for value in (f"Basic {token}", token, f"Bearer {wrong}", "Bearer", "Bearer ", f"Bearer{token}", f"Bearer x {token}",
                  f"Bearer {token} x", f"Bearer {token},Bearer {token}", f"Digest {token}"):  # fmt: skip
        refused(authorized(seam, value, **{"X-Forwarded-For": f"198.18.7.{next(_sources)}"}), 401, "UNAUTHENTICATED")


def test_h11_a_path_beside_a_route_opens_nothing(seam, good):
    for path in (WHOAMI + "x", WHOAMI + "/x", "/api/v1/x/../whoami", WHOAMI + "%2f"):
        for token in (None, good["personal"]):
            assert seam.api.call("GET", path, token=token).status in (400, 404), path
    # With a slash more it is the same route with the same door, or none.
    for path in ("/api/v1/users/", "/api/v1//users", "//api/v1/users"):
        assert seam.api.call("GET", path).status in (401, 404), path
        assert seam.api.call("GET", path, token=good["environment"]).status in (403, 404), path


@pytest.mark.parametrize("value", ["Token x", "token x", "Token " + "a" * 40])
def test_m2_another_scheme(seam, value):
    refused(authorized(seam, value), 401, "UNAUTHENTICATED")
    refused(authorized(seam, value, REGISTER, "POST", report(seam)), 401, "UNAUTHENTICATED")


# --- who can't be asked ---


def test_h6_h7_h8_a_fleet_that_is_away_is_no_refusal_and_nobody_elses_outage():
    with Fleet() as own, Gateway(environment=ENVIRONMENT, extra=["--fleet-url", own.url]) as gateway:
        known = credentials(gateway, own)
        own.stop()
        refused(gateway.call("GET", WHOAMI, token=known["node"]), 503, "PROVIDER_UNAVAILABLE")
        refused(gateway.call("GET", WHOAMI, token=new_node_token()), 503, "PROVIDER_UNAVAILABLE")
        refused(gateway.call("GET", WHOAMI, token=None), 401, "UNAUTHENTICATED")
        refused(authorized(gateway, f"Basic {known['node']}"), 401, "UNAUTHENTICATED")
        for kind in ("personal", "service", "agent", "environment"):
            assert gateway.call("GET", WHOAMI, token=known[kind]).status == 200, kind


class LostStore:
    """A gateway whose store goes to pieces under it, and a credential of each kind that it has or hasn't seen before."""

    def __init__(self, gateway, fleet):
        self.gateway, self.fleet = gateway, fleet
        set_password(gateway)
        self.seen, self.fresh = credentials(gateway, fleet), credentials(gateway, fleet)
        self.machine = gateway.ok("POST", "/api/v1/machines", {"name": new_name()})
        self.browser = Browser(gateway)
        assert self.browser.sign_in("admin", PHRASE).status == 200
        challenge = {"client_name": "x", "code_challenge": "A" * 43}
        self.device = gateway.ok("POST", "/api/v1/auth/device", challenge, token=None)
        gateway.stop()
        gateway.start()
        for token in self.seen.values():
            assert gateway.call("GET", WHOAMI, token=token).status == 200
        self.ticket = ticket(gateway)
        self._lose()

    def _lose(self):
        """The whole file, while the gateway reads it: every page it hasn't in memory is garbage now."""
        database = self.gateway.database
        size = os.path.getsize(database)
        for path in (database, database.with_name(database.name + "-wal")):
            if path.exists():
                path.write_bytes(os.urandom(max(size, path.stat().st_size)))


@pytest.fixture(scope="module")
def lost():
    with Fleet() as own, Gateway(environment=ENVIRONMENT, extra=["--fleet-url", own.url]) as gateway:
        yield LostStore(gateway, own)


def test_m6_what_was_known_before_goes_on_without_a_store(lost):
    for kind, token in lost.seen.items():
        assert lost.gateway.call("GET", WHOAMI, token=token).status == 200, kind
    # H7: one that never needs the store.
    assert lost.gateway.call("GET", WHOAMI, token=DRAIN).status == 200
    # H6: and who has nothing is told so.
    refused(lost.gateway.call("GET", WHOAMI, token=None), 401, "UNAUTHENTICATED")


def test_m13_an_owner_who_cant_be_looked_up(lost):
    refused(lost.gateway.call("GET", WHOAMI, token=lost.fresh["node"]), 503, "DATABASE_UNAVAILABLE")
    assert lost.fleet.asked[lost.fresh["node"]] == 1


def test_n1_a_lost_store_is_said_to_every_kind_of_credential(lost):
    """503 for each, whether it would be good or not: a 401 would have it thrown away."""
    gateway = lost.gateway
    unknown = [prefix + secrets.token_urlsafe(32) for prefix in ("tgp_", "tgs_", "cak_")]
    for token in (*(lost.fresh[kind] for kind in ("personal", "service", "agent", "node")), *unknown):
        refused(gateway.call("GET", WHOAMI, token=token), 503, "DATABASE_UNAVAILABLE")
    for token in (lost.fresh["agent"], unknown[2]):
        refused(gateway.call("POST", HEARTBEAT, {"generation": 1}, token), 503, "DATABASE_UNAVAILABLE")
        refused(gateway.call("POST", REGISTER, report(gateway), token), 503, "DATABASE_UNAVAILABLE")
    # Agents' shared key is no way round: which machine it may be is in the store.
    shared = gateway.call("POST", REGISTER, report(gateway), SHARED,
                          headers={"X-Agent-ID": lost.machine["machine"]["agent_id"]})  # fmt: skip
    refused(shared, 503, "DATABASE_UNAVAILABLE")
    key = {"public_key": KeyPair(gateway.home).line}
    for token in (lost.machine["enrolment"]["token"], "tge_" + secrets.token_urlsafe(32)):
        refused(gateway.call("POST", "/api/v1/agent/enrol", key, token), 503, "DATABASE_UNAVAILABLE")
    setup = {"secret": "tgi_" + secrets.token_urlsafe(32)}
    refused(gateway.call("POST", "/api/v1/setup", setup, None), 503, "DATABASE_UNAVAILABLE")
    refused(lost.browser.call("GET", "/api/v1/auth/status"), 503, "DATABASE_UNAVAILABLE")
    refused(Browser(gateway).sign_in("admin", PHRASE), 503, "DATABASE_UNAVAILABLE")
    poll = {"device_code": lost.device["device_code"], "code_verifier": "v" * 43}
    refused(gateway.call("POST", "/api/v1/auth/device/token", poll, None), 503, "DATABASE_UNAVAILABLE")
    with pytest.raises(Refused) as refusal:
        WebSocket(gateway.api, AUDIT, (PUBLIC, carried(lost.ticket)))
    refused(refusal.value.answer, 503, "DATABASE_UNAVAILABLE")


# --- tickets ---


def test_w1_w2_a_session_asks_for_a_ticket(fresh_gateway):
    set_password(fresh_gateway)
    browser = Browser(fresh_gateway)
    assert browser.sign_in("admin", PHRASE).status == 200
    answer = browser.call("POST", TICKETS, {"endpoint": AUDIT})
    assert answer.status == 201 and len(answer.body["ticket"]) >= 32 and answer.body["ttl_seconds"] == 30
    WebSocket(fresh_gateway.api, AUDIT, (PUBLIC, carried(answer.body["ticket"]))).close()
    browser.call("POST", "/api/v1/auth/logout")
    refused(browser.call("POST", TICKETS, {"endpoint": AUDIT}), 401, "UNAUTHENTICATED")


@needs_a_clock
def test_w5_a_ticket_lives_thirty_seconds():
    """The thirtieth second itself, which no test can hold still here, is in TicketServiceTests."""
    with contextlib.closing(clock.Clock()) as own, Gateway(environment=own.environment) as gateway:
        young, old = ticket(gateway), ticket(gateway)
        own.set(seconds=28)
        WebSocket(gateway.api, AUDIT, (PUBLIC, carried(young))).close()
        own.set(seconds=31)
        with pytest.raises(Refused) as refusal:
            WebSocket(gateway.api, AUDIT, (PUBLIC, carried(old)))
        refused(refusal.value.answer, 401, "TICKET_REFUSED")


# --- tokens ---


@needs_a_clock
def test_p6_a_remembered_token_ends_with_its_time():
    with contextlib.closing(clock.Clock()) as own, Gateway(environment=own.environment) as gateway:
        brief = gateway.ok("POST", "/api/v1/tokens", {"label": "brief", "ttl": 60})["token"]
        long = gateway.ok("POST", "/api/v1/tokens", {"label": "long", "ttl": DAY})["token"]
        for _ in range(2):
            assert gateway.call("GET", WHOAMI, token=brief).status == 200
            assert gateway.call("GET", WHOAMI, token=long).status == 200
            own.set(seconds=55)
        own.set(seconds=60)
        refused(gateway.call("GET", WHOAMI, token=brief), 401, "UNAUTHENTICATED")
        assert gateway.call("GET", WHOAMI, token=long).status == 200


@needs_a_clock
def test_n8_a_renewal_is_for_as_long_as_the_token_was_made():
    with contextlib.closing(clock.Clock()) as own, Gateway(environment=own.environment) as gateway:
        hour = gateway.ok("POST", "/api/v1/tokens", {"label": "an hour", "ttl": 3_600})
        token = hour["token"]
        for minutes in (30, 80, 130):
            own.set(minutes=minutes)
            answer = gateway.call("POST", RENEW, token=token)
            assert answer.status == 200 and answer.body["renewed"], answer
            left = moment(answer.body["expires_at"]) - own.now()
            assert datetime.timedelta(minutes=59) < left <= datetime.timedelta(hours=1, seconds=1)
        own.set(minutes=191)
        refused(gateway.call("GET", WHOAMI, token=token), 401, "UNAUTHENTICATED")


@pytest.mark.parametrize("kind", ["unprefixed", "of another product", "node", "agent", "environment"])
def test_p4_what_isnt_a_token_isnt_renewed(seam, good, kind):
    other = {"unprefixed": secrets.token_urlsafe(32), "of another product": "mdt_" + secrets.token_hex(20)}
    status = 401 if kind in other else 400
    for _ in range(2):
        assert seam.call("POST", RENEW, token=other.get(kind) or good[kind]).status == status


def test_n9_a_revoke_that_races_with_its_use_stays(fresh_gateway, chance):
    """Readers fill the cache all the while: once the revoke is answered, no later request is let in."""
    gateway = fresh_gateway
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for _ in range(40):
            made = gateway.ok("POST", "/api/v1/tokens", {"label": "raced"})
            revoked = []

            def use(token=made["token"], revoked=revoked):
                late, end = [], time.monotonic() + 5
                while len(late) < 5 and time.monotonic() < end:
                    begun_after = bool(revoked)
                    status = gateway.call("GET", WHOAMI, token=token).status
                    assert status in (200, 401, 429)
                    if begun_after:
                        late.append(status)
                return late

            users = [pool.submit(use) for _ in range(6)]
            time.sleep(chance.uniform(0, 0.01))
            assert gateway.call("DELETE", f"/api/v1/tokens/{made['id']}").status == 204
            revoked.append(True)
            for user in users:
                assert 200 not in user.result()


# --- sources ---


def test_n5_a_made_up_forwarding_header_is_no_new_source_for_guesses(fresh_gateway):
    gateway = fresh_gateway
    set_password(gateway)
    statuses = []
    for number in range(14):
        headers = {"X-Forwarded-For": f"203.0.113.{number}, 198.51.100.{number}", "X-Real-IP": f"203.0.113.{number}"}
        body = {"username": "admin", "password": f"wrong horse {number}"}
        statuses.append(gateway.api.call("POST", "/api/v1/auth/password-login", body, headers=headers).status)
    assert statuses[0] == 401 and set(statuses[11:]) == {429}, statuses
    right = {"username": "admin", "password": PHRASE}
    assert gateway.api.call("POST", "/api/v1/auth/password-login", right,
                            headers={"X-Forwarded-For": "203.0.113.99"}).status == 429  # fmt: skip


INSIDE, OUTSIDE = "203.0.113.9", "198.51.100.9"


def test_case_39_every_kind_of_credential_from_an_address_it_may_not_come_from(seam, fleet):
    """Bound by itself or by its user; the gateway's trusted proxy says where it comes from."""
    bound = {"allow_from": ["203.0.113.0/24"]}

    def ask(source, path=WHOAMI, method="GET", body=None, token=None):
        return seam.api.call(method, path, body, token, headers={"X-Forwarded-For": source})

    own = Person(seam)
    service = Person(seam, "operator", kind="service")
    limited = seam.ok("POST", "/api/v1/users", {"name": new_name("u"), "role": "operator"} | bound)
    machine = Tunnel(seam)
    senders = {
        "a person's token": own.new_token(**bound)["token"],
        "a service's token": service.new_token(**bound)["token"],
        "an agent key": seam.ok("POST", f"{machine.path}/keys", bound)["key"],
        "a node token": fleet.knows(limited["id"]),
    }
    seam.ok("PATCH", f"/api/v1/users/{own.name}", {"allow_from": ["203.0.113.0/25"]})
    senders["a token of a bound user"] = own.token
    for what, token in senders.items():
        assert ask(INSIDE, token=token).status == 200, what
        refused(ask(OUTSIDE, token=token), 403, "ADDRESS_NOT_ALLOWED")
    enrolment = seam.ok("POST", f"{machine.path}/enrolments", bound)["token"]
    key = {"public_key": KeyPair(seam.home).line}
    refused(ask(OUTSIDE, "/api/v1/agent/enrol", "POST", key, enrolment), 403, "ADDRESS_NOT_ALLOWED")
    assert ask(INSIDE, "/api/v1/agent/enrol", "POST", key, enrolment).status == 201
    # A ticket is asked for from where its token may come, and used from there.
    auditor = Person(seam, "admin", kind="service").new_token(**bound)["token"]
    refused(ask(OUTSIDE, TICKETS, "POST", {"endpoint": AUDIT}, auditor), 403, "ADDRESS_NOT_ALLOWED")
    asked = ask(INSIDE, TICKETS, "POST", {"endpoint": AUDIT}, auditor).body["ticket"]
    with pytest.raises(Refused) as refusal:
        WebSocket(seam.api, AUDIT, (PUBLIC, carried(asked)), X_Forwarded_For=OUTSIDE)
    refused(refusal.value.answer, 401, "TICKET_REFUSED")
    asked = ask(INSIDE, TICKETS, "POST", {"endpoint": AUDIT}, auditor).body["ticket"]
    WebSocket(seam.api, AUDIT, (PUBLIC, carried(asked)), X_Forwarded_For=INSIDE).close()


def test_case_39_a_browser_from_an_address_its_user_may_not_come_from(seam):
    bound = Person(seam, "operator")
    set_password(seam, bound.name)
    inside, outside = Browser(seam, INSIDE), Browser(seam, OUTSIDE)
    assert inside.sign_in(bound.name, PHRASE).status == outside.sign_in(bound.name, PHRASE).status == 200
    seam.ok("PATCH", f"/api/v1/users/{bound.name}", {"allow_from": ["203.0.113.0/24"]})
    status = "/api/v1/auth/status"
    answers = {inside.call("GET", status).status, Browser(seam, INSIDE).sign_in(bound.name, PHRASE).status}
    assert 200 in answers
    assert outside.call("GET", status).status in (401, 403)
    assert Browser(seam, OUTSIDE).sign_in(bound.name, PHRASE).status in (401, 403)
