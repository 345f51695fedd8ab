"""A wall clock that a test sets for a gateway and its sshd, and for nothing else on this host."""

import datetime
import functools
import mmap
import pathlib
import shutil
import tempfile

import programs
from commands import run

SOURCE = pathlib.Path(__file__).with_name("clock_shim.c")


def lacking():
    """Why there is none here, or None."""
    return None if shutil.which("cc") else "no C compiler 'cc' to build the clock's shim with"


@functools.cache
def shim():
    """The compiled shim, where any account may load it from."""
    built = programs.session_folder() / "clock_shim.so"
    run(["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", built, SOURCE], deadline=60, check=True)
    built.chmod(0o755)
    return built


class Clock:
    """`set(days=30)` puts it that far from the true time; `environment` and `sshd` make programs go by it."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="clock-", dir=programs.session_folder()))
        self.folder.chmod(0o755)
        path = self.folder / "offset"
        path.write_bytes(bytes(8))
        path.chmod(0o644)
        with open(path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 8)
        self.offset = datetime.timedelta()
        self.environment = {"LD_PRELOAD": str(shim()), "CLOCK_SHIM_FILE": str(path)}
        # sshd judges expiry-time in key lines, and the gateway starts it with a bare environment.
        self.sshd = self.folder / "sshd"
        settings = " ".join(f"{name}={value}" for name, value in self.environment.items())
        self.sshd.write_text(f'#!/bin/sh\nexport {settings}\nexec {programs.sshd()} "$@"\n')
        self.sshd.chmod(0o755)

    def set(self, **distance):
        """Eight bytes in one store: no program ever sees half of a step."""
        self.offset = datetime.timedelta(**distance)
        micros = self.offset // datetime.timedelta(microseconds=1)
        memoryview(self.page).cast("q")[0] = micros

    def now(self):
        return datetime.datetime.now(datetime.timezone.utc) + self.offset

    def close(self):
        self.page.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def moment(text):
    """A time of an answer."""
    return datetime.datetime.fromisoformat(text)
