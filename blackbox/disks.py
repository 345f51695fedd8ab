"""A file system of a few megabytes that a test may fill."""

import contextlib
import os
import pathlib

from commands import run


class SmallDisk:
    """A tmpfs of `size` MiB at `path`, root's; needs root. `fill` leaves not a byte, `free` gives all of it back."""

    def __init__(self, path, size):
        self.path = pathlib.Path(path)
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = self.path.stat()
        run(["mount", "-t", "tmpfs", "-o", f"size={size}m,mode=0700,uid={owner.st_uid},gid={owner.st_gid}", "tmpfs",
             self.path], check=True)  # fmt: skip
        self.filler = self.path / "filler"

    def left(self):
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def fill(self, leaving=0):
        """Writes until `leaving` bytes are left."""
        file = os.open(self.filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            for piece in (1 << 20, 1 << 16, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while self.left() - leaving >= piece or not leaving:
                        os.write(file, b"\0" * piece)
        finally:
            os.close(file)

    def free(self):
        self.filler.unlink(missing_ok=True)

    def close(self):
        """Also when something still has a file open there."""
        if run(["umount", self.path]).returncode != 0:
            run(["umount", "-l", self.path])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
