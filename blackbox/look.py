"""What a gateway shows of itself through its API, as plain data."""

import collections
import datetime
import re

PAGE = 1000


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def listed(gateway, path, name, since):
    """Rows of a list that is newest first, page by page, until `name` is older than `since` (None: all of them)."""
    rows, path = [], f"{path}?limit={PAGE}"
    while path:
        answer = gateway.call("GET", path, deadline=60)
        assert answer.status == 200, answer
        rows += answer.body
        following = re.match(r"<([^>]*)>; rel=\"next\"", answer.headers.get("link", ""))
        path = following and following[1]
        if since is not None and rows and moment(rows[-1][name]) < since:
            break
    return [row for row in rows if since is None or moment(row[name]) >= since]


def unchanged(event, now):
    """An audit event gets its number when it is sealed, once; nothing else of it changes."""
    if now is None or event.get("seq") not in (None, now.get("seq")):
        return False
    return event | {"seq": None} == now | {"seq": None}


class Trail:
    """Audit events seen so far; each stays as it was."""

    def __init__(self):
        self.events, self.by_subject, self.machine_subjects = {}, collections.defaultdict(list), {}

    def take(self, rows):
        """Notes new events and returns them."""
        new = [row for row in rows if row["id"] not in self.events]
        for row in new:
            self.events[row["id"]] = row
            self.by_subject[row["action"], row["subject"]].append(row)
            if row["action"] == "machine.added":
                self.machine_subjects[row["details"]["agent_id"]] = row["subject"]
        return new

    def of_machine(self, action, name):
        subject = self.machine_subjects.get(name)
        return self.by_subject[action, subject] if subject else []


class Look:
    """Machines by agent_id, tunnel keys by public key, new audit events, and how each credential is answered."""

    def __init__(self, gateway, trail, credentials, keys_since=None, events_since=None):
        self.trail = trail
        rows = listed(gateway, "/api/v1/machines", "created_at", None)
        self.machines = {row["agent_id"]: row for row in rows}
        self.faults = [] if len(self.machines) == len(rows) else ["an agent_id is listed twice"]
        self.keys = {}
        for row in listed(gateway, "/api/v1/tunnel-keys", "created_at", keys_since):
            newest = self.keys.setdefault(row["public_key"], row)
            # An enrolment asked again takes the place of the first, with the same key.
            if newest is not row and not (row["purpose"] == "control" and row["revoked_at"]):
                self.faults.append(f"a key is listed twice: {row}")
        events = listed(gateway, "/api/v1/audit/events", "at", events_since)
        if events_since is None:
            there = {row["id"]: row for row in events}
            self.faults += [f"an audit event has gone or changed: {row}" for row in trail.events.values()
                            if not unchanged(row, there.get(row["id"]))]  # fmt: skip
        self.new_events = trail.take(events)
        self.statuses = {text: gateway.call("GET", "/api/v1/whoami", token=text).status for text in credentials}
        self.leases = range(gateway.first_lease, gateway.last_lease + 1)
