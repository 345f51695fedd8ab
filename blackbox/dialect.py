"""Asking a gateway as agents of ssh-tunnel-gateway do, and gateways that serve them."""

import pytest
from foreign import API_KEY, HandedKey
from gateway import Gateway, default_mode
from tunnels import new_name

OTHER_KEY = "a-key-of-another-fleet"
KEYS = {"API_KEYS": f"{API_KEY}, {OTHER_KEY}"}


@pytest.fixture(scope="module")
def shared():
    """A gateway with two shared keys."""
    with Gateway(default_mode(), environment=KEYS) as gateway:
        yield gateway


@pytest.fixture
def own():
    """A gateway with one shared key, for a test that stops it."""
    with Gateway(default_mode(), environment={"API_KEY": API_KEY}) as gateway:
        yield gateway


@pytest.fixture
def handed(shared):
    """Registers and opens; everything is closed afterwards."""
    made = []

    def make(agent_id=None, api_key=API_KEY):
        made.append(HandedKey(shared, agent_id or new_name("handed"), api_key))
        return made[-1]

    yield make
    for key in made:
        key.close()


def ask(gateway, body=None, key=API_KEY, **options):
    headers = options.pop("headers", {}) | ({"X-API-Key": key} if key is not None else {})
    return gateway.api.call("POST", "/", body, headers=headers, **options)


def register(gateway, agent_id, key=API_KEY, **options):
    return ask(gateway, {"action": "register", "agent_id": agent_id}, key, **options)


def heartbeat(gateway, agent_id, key=API_KEY):
    return ask(gateway, {"action": "heartbeat", "agent_id": agent_id}, key)


def audited(gateway, action):
    return [e for e in gateway.ok("GET", "/api/v1/audit/events?limit=500") if e["action"] == action]


def opens(key):
    """The agent's own retry: false when the port was still held."""
    try:
        return key.open()
    except AssertionError:
        return None
