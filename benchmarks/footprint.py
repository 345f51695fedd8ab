#!/usr/bin/env python3
"""Size, start and idle memory of each program, beside ssh-tunnel-gateway's server and agent from PyPI."""

import contextlib
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

import report
from report import mebibytes, median, milliseconds, progress, tail, tail_percent
from resident import MEASURES, memory, settled, start_seconds

import programs
from api import API
from commands import descendants, end, processes, run
from foreign import API_KEY, ForeignAgent, ForeignServer, venv
from gateway import Gateway
from machine import PrivateMachine
from waiting import wait_until

NAMES = ("tidegate", "tidegate-agent", "tidegate-keys")
# What every Debian or Ubuntu has anyway; libraries elsewhere have to be shipped with the program.
SYSTEM = ("/lib", "/usr/lib", "/usr/local/lib")
NOT_THEIRS = ("pip", "setuptools", "pkg_resources", "_distutils_hack")


# --- on disk ---


def shipped_libraries(path):
    """Files of shared libraries that the program needs and the system does not have."""
    found = re.findall(r"=> (/\S+)", run(["ldd", path]).stdout)
    return [pathlib.Path(text) for text in found if not text.startswith(SYSTEM)]


def folder_bytes(folder, without=()):
    return sum(
        path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
        and not path.relative_to(folder).parts[0].startswith(without)
    )  # fmt: skip


def sizes(book):
    rows = []
    with tempfile.TemporaryDirectory(dir=programs.session_folder()) as folder:
        for name in NAMES:
            path = programs.folder_of_binaries() / name
            stripped = pathlib.Path(folder) / name
            run(["strip", "-o", stripped, path], check=True)
            libraries = sum(library.stat().st_size for library in shipped_libraries(path))
            rows.append([name, path.stat().st_size, stripped.stat().st_size, libraries,
                         stripped.stat().st_size + libraries])  # fmt: skip
    (packages,) = venv().glob("lib/python*/site-packages")
    theirs = folder_bytes(packages, NOT_THEIRS)
    book.keep("bytes on disk", {row[0]: row[1:] for row in rows} | {"PyPI": theirs})
    book.table("On disk", ["", "as built", "stripped", "libraries to ship", "to install"],
               [[name, *map(mebibytes, row)] for name, *row in rows]
               + [["PyPI: server and agent, without Python itself", None, None, None, mebibytes(theirs)]])  # fmt: skip


# --- start ---


def wall(argv, runs):
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - begun)
    return times


def starts(book, runs):
    rows, kept = [], {}
    ours = [(name, programs.folder_of_binaries() / name) for name in NAMES]
    theirs = [(f"PyPI {name}", venv() / "bin" / f"ssh-tunnel-{name}") for name in ("server", "agent")]
    for name, path in [*ours, *theirs]:
        for word in ("--version", "--help"):
            times = kept[f"{name} {word}"] = wall([path, word], runs)
            rows.append([f"{name} {word}", milliseconds(median(times)), milliseconds(tail(times))])
    book.keep("seconds of a short run", kept)
    book.table(f"From spawning it to its end, {runs} runs", ["", "median", f"p{tail_percent(runs)}"], rows)


def serving(book, runs):
    with Gateway() as gateway:
        ours = []
        for _ in range(runs):
            gateway.stop()
            ours.append(start_seconds(gateway))
    theirs = []
    folder = programs.session_folder() / "their-start"
    folder.mkdir(mode=0o755)
    server = ForeignServer(folder, programs.ordinary_user())
    server.stop()
    for _ in range(runs):
        begun = time.perf_counter()
        process = server_again(server)
        try:
            wait_until(lambda: answers(server.port), 30, "their server's answer", every=0.001)
            theirs.append(time.perf_counter() - begun)
        finally:
            end(process)
    book.keep("seconds to serving", {"gateway": ours, "PyPI server": theirs})
    rows = [("tidegate serve, /readyz says 200", ours), ("PyPI server, any HTTP answer", theirs)]
    book.table(f"From spawning it to its first answer, {runs} runs", ["", "median", f"p{tail_percent(runs)}"],
               [[name, milliseconds(median(times)), milliseconds(tail(times))] for name, times in rows])  # fmt: skip


def server_again(server):
    """Its program on the same files; ForeignServer makes an sshd and more besides."""
    with open(server.log_path, "ab") as log:
        return subprocess.Popen(
            [*programs.as_user(server.account), venv() / "bin" / "ssh-tunnel-server"], stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, env=server.env | {"PATH": "/usr/bin:/bin", "HOME": str(server.folder)}, cwd="/",
            start_new_session=True,
        )  # fmt: skip


def answers(port):
    with contextlib.suppress(OSError):
        return API("127.0.0.1", port).call("GET", "/").status > 0
    return False


# --- memory ---


def commands_below(pid, name):
    """Processes below `pid` of that program; sshd's sessions call themselves `sshd: …`."""
    below = descendants(pid)
    return [child for child, _, words in processes()
            if child in below and pathlib.Path(words[0].split(":")[0]).name == name]  # fmt: skip


def helper_memory():
    """tidegate-keys while it waits for its answer, which is nearly all that it ever needs."""
    with tempfile.TemporaryDirectory(dir=programs.session_folder()) as folder:
        path = f"{folder}/keys.sock"
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
            listener.bind(path)
            listener.listen()
            argv = [programs.folder_of_binaries() / "tidegate-keys", "--socket", path, "tidegate", "SHA256:" + "A" * 43]
            with subprocess.Popen([*argv, "ssh-ed25519"], stdout=subprocess.PIPE) as process:
                connection, _ = listener.accept()
                with connection:
                    assert connection.recv(512).startswith(b"lookup ")
                    found = memory(process.pid)
                    connection.sendall(b"-\n")
                process.wait()
    return found


def idle(book, quiet):
    rows = []

    def note(name, *pids):
        progress(f"memory of {name.strip()}")
        rows.append((name, settled(*pids, quiet=quiet)))

    with Gateway(environment={"API_KEY": API_KEY}) as gateway:
        note("tidegate serve, nothing stored, with a key that ssh-tunnel-gateway agents share", gateway.process.pid)
    with contextlib.ExitStack() as closing:
        gateway = closing.enter_context(Gateway())
        note("tidegate serve, nothing stored", gateway.process.pid)
        for launcher in commands_below(gateway.process.pid, "tidegate"):
            note("  its launcher, which keeps root", launcher)
        machine = closing.enter_context(PrivateMachine(gateway))
        note("tidegate-agent run", machine.process.pid)
        note("  its ssh", *machine.children())
        note("sshd of that tunnel, on the gateway", *commands_below(gateway.process.pid, "sshd"))
        rows.append(("tidegate-keys, one run", helper_memory()))
        folder = programs.session_folder() / "their-server"
        folder.mkdir(mode=0o755)
        server = ForeignServer(folder, programs.ordinary_user())
        closing.callback(server.stop)
        note("PyPI server, nothing stored", server.process.pid, *descendants(server.process.pid))
        agent = closing.enter_context(ForeignAgent(None, url=server.url, ssh_port=server.sshd.port))
        wait_until(agent.reachable, 60, lambda: f"the agent reachable: {agent.log[-3000:]}", every=0.1)
        ssh = commands_below(agent.process.pid, "ssh")
        note("PyPI agent", agent.process.pid, *(descendants(agent.process.pid) - set(ssh)))
        note("  its ssh", *ssh)
        note("sshd of that tunnel, at its server", *commands_below(server.sshd.process.pid, "sshd"))
    book.keep("idle memory", rows)
    book.table("Idle memory", ["", *MEASURES], [[name, *[mebibytes(found[part]) for part in MEASURES]]
                                                for name, found in rows])  # fmt: skip


def main():
    parser = report.arguments(__doc__, "Installs ssh-tunnel-gateway 0.4.3 from PyPI into a throwaway folder.")
    parser.add_argument("--runs", type=int, help="runs of each program (30)")
    options = parser.parse_args()
    runs = options.runs or (3 if options.quick else 30)
    book = report.Report("Footprint: size, start, memory", options)
    linked = {library.parent for name in NAMES for library in shipped_libraries(programs.folder_of_binaries() / name)}
    book.note(
        "Memory is from /proc/PID/smaps_rollup once the process has come to rest. Pss shares out pages that several "
        "processes map, so other gateways on this host make it smaller; Private_Dirty does not depend on them. "
        + (f"The programs need shared libraries of {', '.join(map(str, sorted(linked)))}." if linked
           else "The programs need no shared library that the system does not have.")
    )  # fmt: skip
    if shutil.which("strip"):
        sizes(book)
    else:
        book.note("No sizes: `strip` (binutils) is missing.")
    starts(book, runs)
    serving(book, max(3, runs // 3))
    # As long as nothing has moved for so long, it is at rest.
    idle(book, 1.0 if options.quick else 10.0)
    book.finish()


if __name__ == "__main__":
    main()
