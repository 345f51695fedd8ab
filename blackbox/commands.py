"""Running programs: with a deadline, with their output, and never left behind."""

import os
import signal
import subprocess

import leaks
from waiting import wait_until


def run(argv, deadline=30, check=False, **options):
    """A finished process with text output; a program that does not end within `deadline` seconds fails the test."""
    options.setdefault("stdin", subprocess.DEVNULL)
    if options.get("input") is not None:
        options.pop("stdin")
    options.setdefault("text", True)
    done = subprocess.run([str(word) for word in argv], capture_output=True, timeout=deadline, **options)
    leaks.SAID.command(argv, done)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}\nended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def end(process, deadline=10, number=signal.SIGTERM):
    """Ends a process we started, by its own id: the signal first, KILL when it does not listen."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(deadline)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


def alive(pid):
    """True for a process that runs; a zombie does not count."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes():
    """(pid, parent, command line) of everything that runs on this host."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                fields = stat.read().rpartition(")")[2].split()
            with open(f"/proc/{entry}/cmdline", "rb") as line:
                words = line.read().decode("utf-8", "replace").rstrip("\0").split("\0")
        except OSError:
            continue
        if fields[0] not in "ZX":
            found.append((int(entry), int(fields[1]), words))
    return found


def descendants(pid):
    """The ids of all processes below `pid`."""
    below, wave = set(), {pid}
    table = [(child, parent) for child, parent, _ in processes()]
    while wave:
        wave = {child for child, parent in table if parent in wave and child not in below}
        below |= wave
    return below


def log_text(path):
    """What a program has written to its log so far."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def logged(path, text, deadline=10):
    """Waits for a log to hold `text`."""
    return wait_until(
        lambda: text in log_text(path), deadline, lambda: f"{text!r} in {path}:\n{log_text(path)[-3000:]}"
    )
