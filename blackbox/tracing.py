"""The system calls of a running gateway: when a request came, when the disk was synced, when the answer left."""

import pathlib
import re
import shutil
import signal
import subprocess

import pytest
from commands import log_text
from waiting import wait_until

CALLS = "read,recvfrom,recvmsg,write,writev,sendto,sendmsg,fsync,fdatasync,sync_file_range,msync"
LINE = re.compile(r"(?P<thread>\d+) +(?P<at>[\d.]+) (?P<rest>.*)")
CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)")
# How `-T` and the result end a line: `= 0 <0.000123>`.
END = re.compile(r"= (?P<result>-?\d+).* <(?P<seconds>[\d.]+)>$")
PEER = re.compile(r"^\d+<TCPv?6?:\[.*->[^>]*:(?P<port>\d+)\]>")
FILE = re.compile(r"^\d+<(?P<path>/[^>]*)>")


class Call:
    """One system call: `began` and `ended` in seconds, its result, and the file or the client's port it is about."""

    def __init__(self, name, arguments, began, result, seconds):
        self.name, self.began, self.ended, self.result = name, began, began + seconds, result
        peer, file = PEER.match(arguments), FILE.match(arguments)
        self.client = int(peer["port"]) if peer else None
        self.path = file["path"] if file else None

    def __repr__(self):
        return f"<{self.name} {self.client or self.path} {self.began:.6f} to {self.ended:.6f} = {self.result}>"


def parsed(text):
    """The finished calls of a log of `strace -f -ttt -T -yy`; one that others interrupt has two lines."""
    calls, waiting = [], {}
    for line in text.splitlines():
        found = LINE.match(line)
        if not found:
            continue
        thread, rest = found["thread"], found["rest"]
        if rest.startswith("<... "):
            call = waiting.pop(thread, None)
        else:
            begun = CALL.match(rest)
            call = (begun["name"], begun["arguments"], float(found["at"])) if begun else None
            if rest.endswith("<unfinished ...>"):
                waiting[thread] = call
                continue
        end = END.search(rest)
        if call and end:
            calls.append(Call(*call, int(end["result"]), float(end["seconds"])))
    return sorted(calls, key=lambda call: call.began)


class Trace:
    """Traces every thread of a process while it is open; `calls` are there afterwards."""

    def __init__(self, pid, folder):
        self.pid, self.log, self.words = pid, folder / "strace.log", folder / "strace.words"
        self.calls = None

    def __enter__(self):
        if not shutil.which("strace"):
            pytest.skip("strace is not installed: run 'make setup'")
        with open(self.words, "wb") as words:
            self.process = subprocess.Popen(
                ["strace", "-f", "-ttt", "-T", "-yy", "-s", "16", "-e", f"trace={CALLS}", "-e", "signal=none",
                 "-o", str(self.log), "-p", str(self.pid)],
                stdin=subprocess.DEVNULL, stdout=words, stderr=words,
            )  # fmt: skip
        wait_until(lambda: "attached" in log_text(self.words) or self.process.poll() is not None, 20, "strace attached")
        if self.process.poll() is not None:
            pytest.skip(f"this process may not be traced: {log_text(self.words)}")
        wait_until(self._has_all_threads, 20, "every thread traced")
        return self

    def _has_all_threads(self):
        tracer = f"TracerPid:\t{self.process.pid}\n"
        try:
            return all(tracer in path.read_text() for path in pathlib.Path(f"/proc/{self.pid}/task").glob("*/status"))
        except (FileNotFoundError, ProcessLookupError):
            return False

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        self.calls = parsed(log_text(self.log))

    # --- about one request, by the port its client had ---

    def arrival(self, client):
        """When the last of the request had been read, before its answer."""
        sent = self.departure(client)
        return max(call.ended for call in self.calls if call.client == client and call.result > 0
                   and call.name in ("read", "recvfrom", "recvmsg") and call.began < sent)  # fmt: skip

    def departure(self, client):
        """When the first byte of the answer was handed to the kernel."""
        return min(call.began for call in self.calls if call.client == client
                   and call.name in ("write", "writev", "sendto", "sendmsg"))  # fmt: skip

    def syncs(self, client, path):
        """Syncs of that file that began after the request had come and were done before the answer left."""
        arrived, sent = self.arrival(client), self.departure(client)
        return [call for call in self.calls if call.name in ("fsync", "fdatasync") and call.path == str(path)
                and call.result == 0 and call.began >= arrived and call.ended <= sent]  # fmt: skip
