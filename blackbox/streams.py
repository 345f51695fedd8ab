"""Opening the gateway's WebSockets as its clients do: a ticket first."""

import datetime
import json

from websocket import WebSocket

AUDIT = "/api/v1/audit/stream"
TICKETS = "/api/v1/auth/ws-ticket"
PUBLIC = "tidegate.v1"


def carried(ticket):
    """The subprotocol a ticket travels in."""
    return f"tidegate.ticket.{ticket}"


def ticket(gateway, token="", endpoint=AUDIT):
    body = gateway.ok("POST", TICKETS, {"endpoint": endpoint}, token=token)
    assert body["ttl_seconds"] == 30 and body["endpoint"] == endpoint
    return body["ticket"]


def open_audit(gateway, token="", after=None, **options):
    """The audit stream, by a fresh ticket of the token's owner."""
    path = AUDIT + (f"?after={after}" if after else "")
    return WebSocket(gateway.api, path, (PUBLIC, carried(ticket(gateway, token))), **options)


def next_event(stream, action, deadline=10):
    """The next audit event of that action."""
    while True:
        event = json.loads(stream.text(deadline))
        if event["action"] == action:
            return event


def cursor(gateway):
    """Where the trail ends now: what `after` takes."""
    (event,) = gateway.ok("GET", "/api/v1/audit/events?limit=1")
    moment = datetime.datetime.fromisoformat(event["at"])
    since = moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return f"{since // datetime.timedelta(microseconds=1)}~{event['id']}"
