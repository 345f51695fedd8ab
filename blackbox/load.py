"""Clients that change things at a gateway, all at once, for as long as it runs and while it does not."""

import base64
import contextlib
import http.client
import queue
import random
import secrets
import threading

from foreign import API_KEY
from tunnels import new_name
from waiting import wait_until

DEADLINE = 15
MACHINES = 3
# The gateway lets live a hundred tokens a user and ten agent keys a machine; those whose answer was lost count as well.
AGENT_KEYS = 4
TOKENS = 5


def random_key():
    """A public key that nobody has the private half of."""
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + secrets.token_bytes(32)
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


class Stopped(Exception):
    """The load ends."""


class Gate:
    """Lets clients through while it is open, and counts those that wait."""

    def __init__(self):
        self.changed, self.is_open, self.waiting = threading.Condition(), False, 0

    def set(self, is_open):
        with self.changed:
            self.is_open = is_open
            self.changed.notify_all()

    def enter(self):
        with self.changed:
            self.waiting += 1
            self.changed.wait_for(lambda: self.is_open)
            self.waiting -= 1


class Load:
    """Threads, each with machines of its own, and the gate at which they wait while somebody looks."""

    def __init__(self, gateway, journal, chance, native=5, dialect=3):
        self.gateway, self.journal = gateway, journal
        self.token = gateway.token
        self.gate, self.ending, self.faults = Gate(), threading.Event(), []
        self.spare_keys = queue.SimpleQueue()
        self.clients = [
            *(NativeClient(self, random.Random(chance.random())) for _ in range(native)),
            *(DialectClient(self, random.Random(chance.random())) for _ in range(dialect)),
        ]
        self.threads = [threading.Thread(target=client.run, daemon=True) for client in self.clients]
        for thread in self.threads:
            thread.start()

    def resume(self):
        self.gate.set(True)

    def hold(self):
        """Nobody sends anything new, nor tries again what was lost."""
        self.gate.set(False)

    def pause(self):
        """`hold`, and everything that was in flight has an outcome."""
        self.hold()
        wait_until(lambda: self.faults or self.gate.waiting == len(self.threads), 2 * DEADLINE, "the load at its gate")
        assert not self.faults, "\n".join(self.faults)

    def public_key(self):
        """(line, path of the private half or None): now and then one that can log in."""
        with contextlib.suppress(queue.Empty):
            pair = self.spare_keys.get_nowait()
            return pair.line, str(pair.private)
        return random_key(), None

    def close(self):
        self.ending.set()
        self.gate.set(True)
        for thread in self.threads:
            thread.join(2 * DEADLINE)


class Known:
    """A machine as the client that made it knows it."""

    def __init__(self, name):
        self.name = name
        self.agent_keys, self.jump_keys = [], []
        self.generation, self.made_keys = 0, 0


class Client:
    """Does one thing after another; what was lost it asks again, as it stands."""

    def __init__(self, load, chance):
        self.load, self.chance = load, chance
        self.machines, self.tokens = [], []

    def run(self):
        try:
            while True:
                self.step()
        except Stopped:
            pass
        except Exception as fault:
            self.load.faults.append(f"{type(self).__name__}: {type(fault).__name__}: {fault}")

    def step(self):
        if len(self.machines) < MACHINES:
            return self.add()
        machine = self.chance.choice(self.machines)
        actions = self.actions(machine)
        return self.chance.choices([action for action, _ in actions], [weight for _, weight in actions])[0](machine)

    def ask(self, kind, machine, method, path, body=None, bearer=None, shared=False, accept=(200, 201, 204),
            keep=(), **facts):  # fmt: skip
        """Asks until it is answered; `keep` names what of the answer goes into the journal."""
        journal, headers = self.load.journal, {"X-API-Key": API_KEY} if shared else None
        bearer = None if shared else bearer or self.load.token
        while True:
            self.load.gate.enter()
            if self.load.ending.is_set():
                raise Stopped
            number = journal.asked(kind, machine, facts)
            try:
                answer = self.load.gateway.api.call(method, path, body, bearer, headers, deadline=DEADLINE)
            except ConnectionRefusedError:
                journal.unsent(number, kind)
                self.load.ending.wait(self.chance.uniform(0.005, 0.02))
                continue
            except (OSError, http.client.HTTPException) as reason:
                journal.lost(number, kind, type(reason).__name__)
                continue
            got = {name: answer.body.get(name) for name in keep} if isinstance(answer.body, dict) else {}
            journal.answered(number, kind, answer.status, got)
            assert answer.status in accept, f"{kind} of {machine}: {answer}"
            return answer

    # --- what both kinds of machines have ---

    def add_jump(self, machine):
        line, private = self.load.public_key()
        made = self.ask("jump.add", machine.name, "POST", "/api/v1/tunnel-keys",
                        {"public_key": line, "machines": [machine.name], "label": "load"}, keep=("id",),
                        key=line, private=private)  # fmt: skip
        machine.jump_keys.append((made.body["id"], line))

    def revoke_jump(self, machine):
        if machine.jump_keys:
            identifier, line = machine.jump_keys.pop(self.chance.randrange(len(machine.jump_keys)))
            path = f"/api/v1/tunnel-keys/{identifier}"
            self.ask("jump.revoke", machine.name, "DELETE", path, key=line, id=identifier)

    def add_token(self, _):
        if len(self.tokens) < TOKENS:
            made = self.ask("token.add", None, "POST", "/api/v1/tokens", {"label": "load"}, keep=("id", "token"))
            self.tokens.append((made.body["id"], made.body["token"]))

    def revoke_token(self, _):
        if self.tokens:
            identifier, text = self.tokens.pop(0)
            self.ask("token.revoke", None, "DELETE", f"/api/v1/tokens/{identifier}", id=identifier, credential=text)

    def remove(self, machine):
        self.machines.remove(machine)
        self.ask("machine.remove", machine.name, "DELETE", f"/api/v1/machines/{machine.name}")


class NativeClient(Client):
    """Adds machines and acts as their agents."""

    def add(self):
        name = new_name("native")
        added = self.ask("machine.add", name, "POST", "/api/v1/machines", {"name": name}, accept=(201, 409))
        machine = Known(name)
        if added.status == 201:
            enrolment = added.body["enrolment"]
        else:
            # Its first answer was lost, and with it the token.
            enrolment = self.ask("enrolment.add", name, "POST", f"/api/v1/machines/{name}/enrolments", {}).body
        line, private = self.load.public_key()
        enrolled = self.ask("enrol", name, "POST", "/api/v1/agent/enrol", {"public_key": line}, enrolment["token"],
                            keep=("agent_key",), key=line, private=private)  # fmt: skip
        machine.agent_keys.append((None, enrolled.body["agent_key"]))
        self.machines.append(machine)

    def actions(self, machine):
        return [(self.register, 4), (self.heartbeat, 2), (self.add_jump, 3), (self.revoke_jump, 3),
                (self.add_agent_key, 2), (self.revoke_agent_key, 2), (self.add_token, 1), (self.revoke_token, 1),
                (self.remove, 2)]  # fmt: skip

    def register(self, machine):
        line, private = self.load.public_key()
        _, credential = machine.agent_keys[-1]
        body = {"public_key": line, "host_keys": [], "os": "load", "agent_version": "0"}
        answer = self.ask("register", machine.name, "POST", "/api/v1/agent/register", body, credential,
                          keep=("port_b", "generation"), key=line, private=private, credential=credential)  # fmt: skip
        # Once, however often it was asked.
        assert answer.body["generation"] == machine.generation + 1, f"{machine.name}: {machine.generation}, {answer}"
        machine.generation += 1

    def heartbeat(self, machine):
        if machine.generation:
            self.ask("heartbeat", machine.name, "POST", "/api/v1/agent/heartbeat", {"generation": machine.generation},
                     machine.agent_keys[-1][1])  # fmt: skip

    def add_agent_key(self, machine):
        if machine.made_keys < AGENT_KEYS:
            machine.made_keys += 1
            made = self.ask("agent-key.add", machine.name, "POST", f"/api/v1/machines/{machine.name}/keys",
                            keep=("id", "key"))  # fmt: skip
            machine.agent_keys.append((made.body["id"], made.body["key"]))

    def revoke_agent_key(self, machine):
        own = [key for key in machine.agent_keys[1:] if key[0]]
        if own:
            identifier, text = self.chance.choice(own)
            machine.agent_keys.remove((identifier, text))
            self.ask("agent-key.revoke", machine.name, "DELETE", f"/api/v1/machines/{machine.name}/keys/{identifier}",
                     id=identifier, credential=text)  # fmt: skip


class DialectClient(Client):
    """Agents that share an API key and are handed theirs."""

    def add(self):
        machine = Known(new_name("shared"))
        self.register(machine)
        self.machines.append(machine)

    def actions(self, machine):
        return [(self.register, 4), (self.heartbeat, 2), (self.add_jump, 2), (self.revoke_jump, 2), (self.remove, 2)]

    def register(self, machine):
        self.ask("dialect.register", machine.name, "POST", "/", {"action": "register", "agent_id": machine.name},
                 shared=True, keep=("port_b", "public_key"))  # fmt: skip

    def heartbeat(self, machine):
        self.ask("dialect.heartbeat", machine.name, "POST", "/", {"action": "heartbeat", "agent_id": machine.name},
                 shared=True)  # fmt: skip
