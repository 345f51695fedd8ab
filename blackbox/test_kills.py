"""kill -9 at random moments under load: what was answered is there, what was not is whole, nothing stays behind."""

import copy
import time

import pytest
from chaos import Chaos
from gateway import Gateway, default_mode
from ledger import GONE, LIVE
from look import Look
from networks import Canary
from reckoning import faults
from remains import Remains
from tunnels import Tunnel
from waiting import until_moment, wait_until


def killed(mode, count, chance, figures):
    with Chaos(mode, chance) as chaos:
        chaos.run(count)
        chaos.finish()
        chaos.note(figures)


def test_kills(chance, figures):
    killed(default_mode(), 20, chance, figures)


@pytest.mark.long
def test_kills_in_full(chance, figures):
    killed(default_mode(), 200, chance, figures)


@pytest.mark.long
def test_kills_in_the_other_modes(every_mode, chance, figures):
    for mode in every_mode:
        if mode != default_mode():
            killed(mode, 20, chance, figures)


# --- the first start of all ---


def first_start(mode, kill_after=None):
    """How long it takes, when another one was killed before it after so many seconds."""
    with Gateway(mode, leases=20, start=False) as gateway:
        if kill_after is not None:
            gateway.launch()
            until_moment(time.monotonic() + kill_after)
            gateway.kill()
        begun = time.monotonic()
        gateway.start()
        duration = time.monotonic() - begun
        assert gateway.token_file.exists(), f"nobody can sign in:\n{gateway.log_end}"
        assert gateway.call("GET", "/api/v1/gateway").status == 200
        for left in gateway.folder.glob(".tidegate-*"):
            # Where its folder is not the gateway's own, half a token file may stay; it lets nobody in.
            assert gateway.call("GET", "/api/v1/whoami", token=left.read_text().strip() or "none").status == 401
        remains = Remains(gateway, [])
        wait_until(lambda: not remains.strays(), 5, lambda: "\n".join(remains.strays()))
        return duration


def killed_in_first_start(mode, count, chance, figures):
    usual = first_start(mode)
    starts = [first_start(mode, chance.uniform(0, 1.1 * usual)) for _ in range(count)]
    figures.times(f"start after a kill in the first start, {mode}", starts)


def test_kills_in_the_first_start(chance, figures):
    killed_in_first_start(default_mode(), 6, chance, figures)


@pytest.mark.long
def test_kills_in_the_first_start_in_full(every_mode, chance, figures):
    for mode in every_mode:
        killed_in_first_start(mode, 60, chance, figures)


# --- would the checks see what they are there for? ---


def leased(look):
    return [row for row in look.machines.values() if row["lease"]]


def key_row(ledger, look, state, purpose="jump"):
    keys = (key for key in ledger.keys.values() if key.possible == {state} and key.purpose == purpose)
    return look.keys[next(keys).line]


def credential(ledger, state):
    return next(text for text, fact in ledger.credentials.items() if fact.possible == {state})


def removed(ledger):
    return next(name for name, fact in ledger.machines.items() if fact.possible == {GONE})


def lose_machine(_, look):
    del look.machines[leased(look)[0]["agent_id"]]


def double_port(_, look):
    first, second = leased(look)[:2]
    first["lease"]["port"] = second["lease"]["port"]


def move_lease(_, look):
    leased(look)[0]["lease"]["port"] = (set(look.leases) - {row["lease"]["port"] for row in leased(look)}).pop()


def go_back(_, look):
    leased(look)[0]["lease"]["generation"] -= 1


def revive_machine(ledger, look):
    look.machines[removed(ledger)] = leased(look)[0]


def invent_machine(_, look):
    look.machines["stranger"] = leased(look)[0]


def revive_key(ledger, look):
    key_row(ledger, look, GONE)["revoked_at"] = None


def lose_key(ledger, look):
    del look.keys[key_row(ledger, look, LIVE, "handed")["public_key"]]


def revoke_without_event(ledger, look):
    key_row(ledger, look, LIVE)["revoked_at"] = "2026-01-01T00:00:00Z"


def let_in(ledger, look):
    look.statuses[credential(ledger, GONE)] = 200


def keep_out(ledger, look):
    look.statuses[credential(ledger, LIVE)] = 401


def lose_event(ledger, look):
    look.trail.of_machine("machine.removed", removed(ledger)).clear()


def repeat_event(ledger, look):
    events = look.trail.of_machine("machine.removed", removed(ledger))
    events.append(events[0])


def acknowledge_nothing(ledger, _):
    ledger.fold([({"n": 0, "at": 0, "kind": "machine.add", "machine": "nobody"}, {"n": 0, "status": 201, "got": {}})])


DOCTORED = {
    lose_machine: "has to be {'live'}", double_port: "is leased to", move_lease: "was told", go_back: "has generation",
    revive_machine: "came back", invent_machine: "nobody asked for it", revive_key: "is live, has to be {'gone'}",
    lose_key: "events, ", revoke_without_event: "half revoked", let_in: "is answered 200", keep_out: "is answered 401",
    lose_event: "0 audit events for machine.removed", repeat_event: "2 audit events for machine.removed",
    acknowledge_nothing: "nobody is absent",
}  # fmt: skip


def test_the_reckoning_finds_what_is_wrong(chance):
    with Chaos(default_mode(), chance, machines=0) as chaos:
        chaos.load.resume()
        chaos.answered(400)
        chaos.load.pause()
        chaos.ledger.fold(chaos.journal.read())
        look = Look(chaos.gateway, chaos.trail, chaos.ledger.credentials)
    assert faults(chaos.ledger, look, everything=True) == []
    for doctor, words in DOCTORED.items():
        ledger, seen = copy.deepcopy((chaos.ledger, look))
        doctor(ledger, seen)
        found = faults(ledger, seen, everything=True)
        assert any(words in fault for fault in found), f"{doctor.__name__}: {found}"


def test_a_tunnel_of_no_machine_is_found(chance):
    """To the remains a tunnel that they were told nothing of is what a forgotten sshd would be."""
    with Chaos(default_mode(), chance, machines=0) as chaos:
        tunnel = Tunnel(chaos.gateway, Canary().port)
        assert chaos.remains.strays() == []
        tunnel.open()
        try:
            (stray,) = chaos.remains.strays()
            assert f"port {tunnel.port} is listened on" in stray
        finally:
            tunnel.close()
