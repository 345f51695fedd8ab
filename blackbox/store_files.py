"""The files of a gateway's store as bytes: kept, put back, damaged, compared."""

import hashlib
import os
import shutil
import sqlite3

PAGE = 4096


class StoreFiles:
    """`tidegate.db` of a gateway, and the log and index beside it; the owner stays who it was at the beginning."""

    def __init__(self, gateway):
        self.gateway, self.path = gateway, gateway.database
        self.log, self.index = (self.path.with_name(self.path.name + tail) for tail in ("-wal", "-shm"))
        found = self.path.stat()
        self.owner = (found.st_uid, found.st_gid)

    def present(self):
        return sorted(self.path.parent.glob("tidegate.db*"))

    def keep(self):
        """What `put` brings back."""
        return {path.name: path.read_bytes() for path in self.present()}

    def put(self, kept):
        """Exactly the files of `kept`, whatever is there now."""
        for path in self.present():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        for name, content in kept.items():
            self.make(self.path.with_name(name), content)

    def make(self, path, content):
        path.write_bytes(content)
        path.chmod(0o600)
        os.chown(path, *self.owner)

    def seen(self):
        """For a comparison: what each name is, and the bytes of what holds facts: no index, no empty log."""
        return {
            path.name: (path.lstat().st_mode, path.lstat().st_uid, _content(path))
            for path in self.present()
            if path != self.index and not (path == self.log and path.lstat().st_size == 0)
        }

    def fold(self):
        """Moves the log into the file while no gateway runs, so that everything is in the file."""
        connection = sqlite3.connect(self.path)
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        connection.close()
        for path in self.present():
            os.chown(path, *self.owner)

    def commits(self):
        """Where in the log each commit of the current round ends; an older round has other salts."""
        content, ends, offset = self.log.read_bytes(), [], 32
        while offset + 24 + PAGE <= len(content) and content[offset + 8 : offset + 16] == content[16:24]:
            offset += 24 + PAGE
            if content[offset - PAGE - 20 : offset - PAGE - 16] != bytes(4):
                ends.append(offset)
        return ends

    def pages(self):
        return self.path.stat().st_size // PAGE


def _content(path):
    if path.is_symlink():
        return os.readlink(path)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def overwrite(path, offset, content):
    """Changes bytes in place, as a failing disk does: same file, same length."""
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(content)
