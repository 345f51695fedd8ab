"""Tickets that open one WebSocket: minted for whoever may, used up once, carried where nothing logs them."""

import concurrent.futures
import contextlib
import re

import pytest
from streams import AUDIT, PUBLIC, TICKETS, carried, open_audit, ticket
from websocket import Refused, WebSocket


def attempt(gateway, protocols, path=AUDIT, **options):
    """The answer to an upgrade that has to be refused."""
    with pytest.raises(Refused) as refusal:
        WebSocket(gateway.api, path, protocols, **options)
    return refusal.value.answer


def test_minting(gateway, machine):
    body = gateway.ok("POST", TICKETS, {"endpoint": AUDIT})
    assert re.fullmatch(r"tgw_[A-Za-z0-9_-]{43}", body["ticket"])
    assert body["ttl_seconds"] == 30
    # W2, W3: nobody gets one without a credential, and reading makes none.
    assert gateway.call("POST", TICKETS, {"endpoint": AUDIT}, token=None).status == 401
    assert gateway.call("GET", TICKETS).status == 405
    wrong = gateway.call("POST", TICKETS, {"endpoint": "/api/v1/machines"})
    assert (wrong.status, wrong.code) == (400, "INVALID_FIELD") and "endpoint" in wrong.body["detail"]
    agent_key = gateway.ok("POST", f"/api/v1/machines/{machine.agent_id}/keys", {})["key"]
    assert gateway.call("POST", TICKETS, {"endpoint": AUDIT}, token=agent_key).status == 403


def test_a_ticket_works_once_and_is_never_echoed(gateway):
    one = ticket(gateway)
    with WebSocket(gateway.api, AUDIT, (PUBLIC, carried(one))) as stream:
        # Case 18: only the public name comes back.
        assert stream.headers["sec-websocket-protocol"] == PUBLIC
        assert one not in str(stream.headers)
    answer = attempt(gateway, (PUBLIC, carried(one)))
    assert (answer.status, answer.code) == (401, "TICKET_REFUSED")
    assert one.encode() not in answer.raw


@pytest.mark.parametrize(
    "text", ["", "x", "tgw_", "tgw_" + "A" * 43, "A" * 4000, "tgp_" + "A" * 43, "tgw_" + "A" * 42 + "%"]
)
def test_what_is_no_ticket(gateway, text):
    answer = attempt(gateway, (PUBLIC, carried(text)))
    assert answer.status in (400, 401), answer
    # W6: it isn't logged either.
    assert len(text) < 20 or text not in gateway.log


def test_the_subprotocols_offered(gateway):
    # W9, and their like. Nothing of it uses the ticket up.
    one, two = ticket(gateway), ticket(gateway)
    for protocols in [
        (carried(one),), (PUBLIC, carried(one), carried(two)), (PUBLIC, PUBLIC, carried(one)), (PUBLIC, carried(one), ""),
        ("tidegate.v2", carried(one)), (PUBLIC, carried(one), carried(one)),
    ]:  # fmt: skip
        assert attempt(gateway, protocols).status == 400, protocols
    assert attempt(gateway, (PUBLIC,)).status == 401
    assert attempt(gateway, ()).status == 400
    WebSocket(gateway.api, AUDIT, ("tidegate.v2", carried(one), PUBLIC)).close()
    WebSocket(gateway.api, AUDIT, (PUBLIC, carried(two))).close()


def test_no_token_opens_a_socket(gateway):
    # W7, case 16: neither in a header nor in the query, and the ticket beside it isn't used up.
    one = ticket(gateway)
    offered = (PUBLIC, carried(one))
    assert attempt(gateway, offered, Authorization=f"Bearer {gateway.token}").status == 401
    assert attempt(gateway, (PUBLIC,), Authorization=f"Bearer {gateway.token}").status == 401
    for name in ("token", "ticket", "access_token", "Token"):
        assert attempt(gateway, offered, f"{AUDIT}?{name}={gateway.token}").status == 400
    assert gateway.token not in gateway.log
    WebSocket(gateway.api, AUDIT, offered).close()
    # And a ticket is no credential for anything else.
    for path in ("/api/v1/whoami", AUDIT):
        assert gateway.call("GET", path, token=ticket(gateway)).status == 401


def test_twenty_at_once(gateway):
    # W8: each with its own ticket gets in.
    with concurrent.futures.ThreadPoolExecutor(20) as pool, contextlib.ExitStack() as stack:
        for stream in pool.map(lambda _: open_audit(gateway), range(20)):
            stack.enter_context(stream)


def test_one_ticket_and_many_racers(gateway):
    # Case 9: fifty upgrades with one ticket, one of them wins.
    def race(one):
        try:
            return WebSocket(gateway.api, AUDIT, (PUBLIC, carried(one)))
        except Refused as refused:
            assert refused.answer.status == 401, refused.answer
            return None

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        for _ in range(5):
            opened = [stream for stream in pool.map(race, [ticket(gateway)] * 50) if stream]
            assert len(opened) == 1
            opened[0].close()


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "http://127.0.0.1", "https://{host}:{port}", "http://{host}:{port}.evil.example",
     "http://{host}:1", "http://{host}:{port}/", "http://{host}:{port} http://evil.example", "http://user@{host}:{port}"],
)  # fmt: skip
def test_pages_of_others(gateway, origin):
    # Cases 14 and 15: refused before the upgrade, and before the ticket is looked at.
    one = ticket(gateway)
    text = origin.format(host=gateway.api.host, port=gateway.api.port)
    answer = attempt(gateway, (PUBLIC, carried(one)), Origin=text)
    assert (answer.status, answer.code) == (403, "ORIGIN_REFUSED"), text
    WebSocket(gateway.api, AUDIT, (PUBLIC, carried(one)), Origin=gateway.api.url).close()


def test_handshakes_that_are_none(gateway):
    one = ticket(gateway)
    offered = (PUBLIC, carried(one))
    assert gateway.call("GET", AUDIT, token=None).status == 426
    for fields in ({"Upgrade": "h2c"}, {"Connection": "keep-alive"}, {"Sec_WebSocket_Version": "12"}):
        answer = attempt(gateway, offered, **fields)
        assert (answer.status, answer.code) == (426, "UPGRADE_REQUIRED"), fields
        assert answer.headers["sec-websocket-version"] == "13"
    for fields in ({"Sec_WebSocket_Key": None}, {"Sec_WebSocket_Key": "eA=="}, {"Content_Length": "4"}):
        assert attempt(gateway, offered, **fields).status == 400, fields
    # Upgrades to paths that know none are answered as any request is.
    assert attempt(gateway, offered, "/api/v1/whoami").status == 401
    assert attempt(gateway, offered, "/nothing").status == 404
    WebSocket(gateway.api, AUDIT, offered).close()


def test_an_upgrade_on_a_connection_that_was_used_before(gateway):
    # As a proxy with a pool of connections does it.
    connection = gateway.api.connection()
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    one = ticket(gateway)
    with WebSocket(gateway.api, AUDIT, (PUBLIC, carried(one)), connection=connection.sock) as stream:
        assert stream.headers["sec-websocket-protocol"] == PUBLIC


def test_too_many_tickets(gateway):
    token = gateway.ok("POST", "/api/v1/tokens", {"label": "hoarder"})["token"]
    statuses = [gateway.call("POST", TICKETS, {"endpoint": AUDIT}, token=token).status for _ in range(80)]
    assert set(statuses) == {201, 429}
    assert statuses.count(201) <= 64
