"""What a load asked and what it was answered, in a file that no kill of the gateway reaches."""

import collections
import json
import threading
import time


class Journal:
    """One JSON object a line: what is asked, before it is sent, and its outcome. `read` gives what came since."""

    def __init__(self, path):
        self.path = path
        self.file = open(path, "a", buffering=1, encoding="utf-8")
        self.lock = threading.Lock()
        self.count, self.position = 0, 0
        self.in_flight = collections.Counter()
        self.outcomes = collections.Counter()

    def asked(self, kind, machine, facts):
        with self.lock:
            self.count += 1
            self.in_flight[kind] += 1
            self._write({"n": self.count, "at": time.time(), "kind": kind, "machine": machine} | facts)
            return self.count

    def answered(self, number, kind, status, got):
        """The whole answer has been read."""
        self._outcome(kind, "answered", {"n": number, "status": status, "got": got})

    def lost(self, number, kind, reason):
        """The connection broke: done or not done, nobody knows."""
        self._outcome(kind, "unknown", {"n": number, "lost": reason})

    def unsent(self, number, kind):
        """Nobody listened: surely not done."""
        self._outcome(kind, "unsent", {"n": number, "unsent": True})

    def _outcome(self, kind, outcome, line):
        with self.lock:
            self.in_flight[kind] -= 1
            self.outcomes[outcome] += 1
            self._write(line)

    def _write(self, line):
        self.file.write(json.dumps(line) + "\n")

    def read(self):
        """Pairs of request and outcome written since the last call; call it while nothing is in flight."""
        with open(self.path, encoding="utf-8") as file:
            file.seek(self.position)
            lines = [json.loads(line) for line in file.readlines()]
            self.position = file.tell()
        asked = {line["n"]: line for line in lines if "kind" in line}
        outcomes = [line for line in lines if "kind" not in line]
        assert len(outcomes) == len(asked), "read while a request was in flight"
        return [(asked[outcome["n"]], outcome) for outcome in outcomes]

    def close(self):
        self.file.close()
