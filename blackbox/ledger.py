"""What a journal says must be so, held against what a gateway shows."""

import base64
import collections
import hashlib

ABSENT, LIVE, GONE = "absent", "live", "gone"


def fingerprint(line):
    """As `ssh-keygen -l` prints it."""
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


class Fact:
    """Something that can be live or gone; more than one possibility while an answer is unknown."""

    def __init__(self, machine, **facts):
        self.machine, self.possible = machine, {ABSENT}
        self.__dict__.update(facts)

    def add(self, known):
        self.possible = {LIVE} if known else self.possible | {LIVE}

    def end(self, known):
        self.possible = {GONE} if known else self.possible | {GONE}


class MachineFact(Fact):
    """A machine with its registrations: `low` were acknowledged, at most `high` can have been committed."""

    def __init__(self, name, first_asked):
        super().__init__(name, port=None, low=0, high=0, seen=0, first_asked=first_asked)


class Ledger:
    """The journal folded into facts; `touched` are the machines it named since the last look."""

    def __init__(self):
        self.machines, self.keys, self.credentials = {}, {}, {}
        self.belongings = collections.defaultdict(list)
        # What the audit trail has to hold: action, machine or None, subject or None, details.
        self.events = []
        self.settled = 0
        self.touched, self.fresh = set(), set()
        self.acknowledged, self.resolved = collections.Counter(), collections.Counter()
        self.unknown = set()

    def fold(self, pairs):
        for asked, outcome in pairs:
            if "unsent" in outcome:
                continue
            known = "status" in outcome
            if known:
                self.acknowledged[asked["kind"]] += 1
            self._resolve(asked, outcome.get("status"))
            getattr(self, asked["kind"].replace(".", "_").replace("-", "_"))(asked, outcome.get("got", {}), known)

    def _resolve(self, asked, status):
        """Two kinds of requests tell, when they are asked again, whether they had been done the first time."""
        request = asked["kind"], asked["machine"], asked.get("key")
        if asked["kind"] not in ("machine.add", "jump.add"):
            return
        if status is None:
            self.unknown.add(request)
        elif request in self.unknown:
            self.unknown.remove(request)
            self.resolved["not done" if status == 201 else "done"] += 1

    @property
    def changes(self):
        return sum(count for kind, count in self.acknowledged.items() if "heartbeat" not in kind)

    def settle(self):
        """All of it was held against the gateway."""
        self.touched, self.fresh, self.settled = set(), set(), len(self.events)

    def _machine(self, asked):
        name = asked["machine"]
        self.touched.add(name)
        return self.machines.setdefault(name, MachineFact(name, asked["at"]))

    def _key(self, asked, line, purpose, by=None):
        if line not in self.keys:
            self.keys[line] = Fact(asked["machine"], purpose=purpose, line=line, by=by, private=asked.get("private"))
            self.belongings[asked["machine"]].append(self.keys[line])
        return self.keys[line]

    def _credential(self, text, machine):
        self.fresh.add(text)
        if text not in self.credentials:
            self.credentials[text] = Fact(machine, text=text)
            self.belongings[machine].append(self.credentials[text])
        return self.credentials[text]

    def _own_keys(self, machine):
        return [fact for fact in self.belongings[machine] if getattr(fact, "purpose", None) == "own"]

    def _event(self, action, machine=None, subject=None, **details):
        self.events.append((action, machine, subject, details))

    # --- one for each kind of request ---

    def machine_add(self, asked, _, known):
        self._machine(asked).add(known)
        if known:
            self._event("machine.added", asked["machine"], name=asked["machine"])

    def machine_remove(self, asked, _, known):
        self._machine(asked).end(known)
        for fact in self.belongings[asked["machine"]]:
            fact.end(known)
            if hasattr(fact, "text"):
                self.fresh.add(fact.text)
        if known:
            self._event("machine.removed", asked["machine"], name=asked["machine"])

    def enrolment_add(self, asked, _, known):
        self._machine(asked)

    def enrol(self, asked, got, known):
        self._machine(asked)
        # What it opens is replaced by the first registration.
        self._key(asked, asked["key"], "own").add(known)
        if known:
            self._credential(got["agent_key"], asked["machine"]).add(True)

    def register(self, asked, got, known):
        machine = self._machine(asked)
        for key in self._own_keys(asked["machine"]):
            if key.line != asked["key"]:
                key.end(known)
        self._key(asked, asked["key"], "own", by=asked["credential"]).add(known)
        if known:
            machine.low = machine.high = got["generation"]
            machine.port = got["port_b"]
            self._registered(asked["machine"], asked["key"], got["port_b"], generation=str(got["generation"]))
        else:
            # The same key asked again raises nothing.
            machine.high = machine.low + 1

    def dialect_register(self, asked, got, known):
        machine = self._machine(asked)
        machine.high += 1
        if machine.low == 0:
            machine.add(known)
        if known:
            machine.low += 1
            machine.port = got["port_b"]
            # Nobody logs in with a newer one, so every key that was handed out stays.
            self._key(asked, got["public_key"], "handed").add(True)
            self._registered(asked["machine"], got["public_key"], got["port_b"])

    def _registered(self, machine, line, port, **details):
        self._event("machine.registered", machine, fingerprint=fingerprint(line), port=str(port), **details)

    def heartbeat(self, asked, _, known):
        self._machine(asked)

    dialect_heartbeat = heartbeat

    def jump_add(self, asked, got, known):
        self._machine(asked)
        key = self._key(asked, asked["key"], "jump")
        key.add(known)
        if known:
            self._event("tunnel-key.added", subject=f"tunnel-key:{got['id']}", fingerprint=fingerprint(key.line))

    def jump_revoke(self, asked, _, known):
        self._machine(asked)
        self.keys[asked["key"]].end(known)
        if known:
            self._event("tunnel-key.revoked", subject=f"tunnel-key:{asked['id']}")

    def agent_key_add(self, asked, got, known):
        self._machine(asked)
        if known:
            self._credential(got["key"], asked["machine"]).add(True)
            self._event("agent-key.added", subject=f"agent-key:{got['id']}")

    def agent_key_revoke(self, asked, _, known):
        self._machine(asked)
        self._credential(asked["credential"], asked["machine"]).end(known)
        for key in self._own_keys(asked["machine"]):
            if key.by == asked["credential"]:
                key.end(known)
        if known:
            self._event("agent-key.revoked", subject=f"agent-key:{asked['id']}")

    def token_add(self, _, got, known):
        if known:
            self._credential(got["token"], None).add(True)
            self._event("token.added", subject=f"token:{got['id']}")

    def token_revoke(self, asked, _, known):
        self._credential(asked["credential"], None).end(known)
        if known:
            self._event("token.revoked", subject=f"token:{asked['id']}")
