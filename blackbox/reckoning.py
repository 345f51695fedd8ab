"""Where a gateway differs from what its clients were answered."""

import collections

from ledger import ABSENT, GONE, LIVE, fingerprint

HANDED_OUT = ("reverse", "control")


def faults(ledger, look, guests=(), everything=False):
    """A sentence for each difference; `guests` are machines that the ledger knows nothing of."""
    names = ledger.machines.keys() if everything else ledger.touched
    owned = collections.defaultdict(list)
    for row in look.keys.values():
        if row["purpose"] in HANDED_OUT and row["machines"]:
            owned[row["machines"][0]["agent_id"]].append(row)
    found = [*look.faults, *_ports(look), *_strangers(ledger, look, guests)]
    for name in names:
        found += _machine(ledger.machines[name], look, owned[name])
        for key in ledger.belongings[name]:
            if hasattr(key, "line"):
                found += _key(key, look)
    found += _credentials(ledger, look)
    found += _events(ledger.events if everything else ledger.events[ledger.settled :], look.trail)
    found += _halves(look)
    return found


def _ports(look):
    holders = collections.defaultdict(list)
    for name, row in look.machines.items():
        if row["lease"]:
            holders[row["lease"]["port"]].append(name)
    for port, names in holders.items():
        if len(names) > 1:
            yield f"port {port} is leased to {names}"
        if port not in look.leases:
            yield f"port {port} of {names} is none of this gateway's"


def _strangers(ledger, look, guests):
    for name in look.machines:
        if name not in ledger.machines and name not in guests:
            yield f"{name} is there and nobody asked for it"


def _machine(fact, look, keys):
    name, row = fact.machine, look.machines.get(fact.machine)
    trail = look.trail
    removed = trail.of_machine("machine.removed", name)
    actual = LIVE if row else GONE if removed else ABSENT
    if actual not in fact.possible:
        yield f"machine {name} is {actual}, has to be {fact.possible}"
    if len(trail.of_machine("machine.added", name)) != (actual != ABSENT):
        yield f"machine {name} is {actual} and was added {len(trail.of_machine('machine.added', name))} times"
    if not row:
        return
    if removed:
        yield f"machine {name} came back"
    if bool(row["enrolled_at"]) != bool(trail.of_machine("machine.enrolled", name)):
        yield f"machine {name} is half enrolled: {row}"
    lease = row["lease"]
    generation = lease["generation"] if lease else 0
    if not max(fact.low, fact.seen) <= generation <= fact.high:
        yield f"machine {name} has generation {generation}, has to be {fact.low} to {fact.high}, was {fact.seen}"
    fact.seen = max(fact.seen, generation)
    if lease and fact.port and lease["port"] != fact.port:
        yield f"machine {name} has port {lease['port']}, was told {fact.port}"
    # A registration is a generation, a key and an event, or none of them; asked again it is one more event of the same.
    registered = trail.of_machine("machine.registered", name)
    told = {(event["details"]["generation"], event["details"]["fingerprint"]) for event in registered}
    reverse = [key for key in keys if key["purpose"] == "reverse"]
    if not generation == len(told) == len({number for number, _ in told}) == len(reverse):
        yield f"machine {name}: generation {generation}, {len(registered)} events, {len(reverse)} keys"
    elif registered:
        newest = max(registered, key=lambda event: int(event["details"]["generation"]))
        if newest["details"]["port"] != str(lease["port"]):
            yield f"machine {name} has port {lease['port']}; its last registration says {newest}"
        alive = {key["fingerprint"] for key in keys if not key["revoked_at"]}
        if row["enrolled_at"] and not alive <= {newest["details"]["fingerprint"]}:
            yield f"machine {name} has a living key besides its last one: {alive}, {newest}"


def _key(key, look):
    row = look.keys.get(key.line)
    actual = ABSENT if not row else GONE if row["revoked_at"] else LIVE
    if actual not in key.possible:
        yield f"{key.purpose} key {fingerprint(key.line)} of {key.machine} is {actual}, has to be {key.possible}"


def _credentials(ledger, look):
    right = {LIVE: 200, GONE: 401}
    for text, status in look.statuses.items():
        fact = ledger.credentials[text]
        if status not in {right[state] for state in fact.possible}:
            yield f"a credential of {fact.machine} is answered {status}, has to be {fact.possible}"


def _events(expected, trail):
    """Each acknowledged change is in the audit trail, once; a registration as often as it was asked for."""
    for action, machine, subject, details in expected:
        candidates = trail.of_machine(action, machine) if machine else trail.by_subject[action, subject]
        fitting = [event for event in candidates if details.items() <= event["details"].items()]
        if not fitting or len(fitting) > 1 and action != "machine.registered":
            yield f"{len(fitting)} audit events for {action} of {machine or subject}, {details}"


def _halves(look):
    """A jump key and the events about it come together, whoever asked for them."""
    ids = {row["id"] for row in look.keys.values()}
    for event in look.new_events:
        if event["action"] == "tunnel-key.added" and event["subject"].partition(":")[2] not in ids:
            yield f"an audit event without its key: {event}"
    trail = look.trail
    for row in look.keys.values():
        if row["purpose"] != "jump":
            continue
        subject = f"tunnel-key:{row['id']}"
        added = trail.by_subject["tunnel-key.added", subject]
        if len(added) != 1:
            yield f"{len(added)} audit events for adding {row}"
            continue
        ended = trail.by_subject["tunnel-key.revoked", subject]
        removed = trail.of_machine("machine.removed", added[0]["details"]["machines"])
        if bool(row["revoked_at"]) != bool(ended or removed) or len(ended) > 1:
            yield f"half revoked: {row}, {ended}, {removed}"
