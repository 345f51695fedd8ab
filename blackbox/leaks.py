"""Every secret of a run, and the search for them in what the run leaves behind.

Clients and fixtures `note` the secrets they read in answers, send, or make up. When a gateway or a machine ends, what it
wrote is searched for all that were noted since it began: its logs, the store's files and their copies, the audit trail, its
last metrics, and with them what commands printed and every command line seen on this host. A secret that the gateway keeps
as a digest must not be there, with its prefix or without.
"""

import contextlib
import itertools
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import time

SHAPE = re.compile(rb"(?<![A-Za-z0-9])(?:(tg[a-z]_|cak_)([A-Za-z0-9_-]{43})(?![A-Za-z0-9_-])|(mcn_)([A-Za-z0-9._~+/=-]{16,512}))")
# Fields of requests and answers that hold a secret without a prefix.
FIELDS = ("password", "current_password", "new_password", "csrf_token", "user_code", "code_verifier", "secret")
NAMED = re.compile(rb'"(%s)"\s*:\s*"([^"\\]{9,512})"' % b"|".join(name.encode() for name in FIELDS))
KINDS = {
    "tgp_": "a personal token", "tgs_": "a service token", "cak_": "an agent key", "tge_": "an enrolment token",
    "tga_": "the secret of admin.sock", "tgi_": "a set-up secret", "tgw_": "a ticket", "tgb_": "a session's cookie",
    "tgf_": "a sign-in that waits", "tgd_": "a device code", "mcn_": "a node token",
}  # fmt: skip
PRIVATE_KEY = b"PRIVATE KEY-----"

# Which files may hold secrets, below a gateway's folder and below a machine's. Everything else there is searched.
KEEPERS = {
    r"admin\.token": "--bootstrap-token-file: the first administrator's token, 0600",
    r"state/admin\.secret": "opens admin.sock, 0600, new at each start",
    r"state/setup-secret": "buys the first administrator, 0600",
    r"state/master\.key": "unseals what the store holds sealed, 0600",
    r"state/audit\.key": "signs the next seal, 0600",
    r"state/ssh/ssh_host_[a-z0-9]+_key": "the gateway's host key, 0600",
    r"home/(?:.+/)?credentials\.json": "what `tidegate login` keeps, 0600",
    r"(?:agent|clone)/agent\.key": "the machine's own key, 0600",
    r"(?:agent|clone)/keys/.+": "key pairs that the agent made, 0600",
    r"enrolment\.token": "how a test hands the token to `tidegate-agent enrol`, 0600",
    r"(?:home/|sshd/|home/visitor-[^/]+/)?[a-z]+-[0-9]+": "a key pair of a test, and no other secret",
    r"tls/[a-z]+\.key": "a certificate's key that a test made",
}
# Commands whose work is to print a secret once; of these only what they print as an error is searched.
PRINTS_A_SECRET = {
    ("token", "add"), ("token", "renew"), ("machine", "add"), ("machine", "enrol"), ("agent-key", "add"), ("tenant", "add"),
    ("auth", "totp"), ("key", "add"),
}  # fmt: skip
LIMIT = 64 << 10


class Made:
    """Secrets by their text, with what they are and when one of them was last met."""

    def __init__(self):
        self._found, self._count = {}, itertools.count(1)

    def note(self, kind, text):
        """A text that isn't random enough to be anybody's secret (`AAAA…`) is left out: tests make such up."""
        data = text if isinstance(text, bytes) else str(text).encode("utf-8", "replace")
        if len(data) >= 9 and len(set(data)) >= 6 and b"\n" not in data and b"\0" not in data:
            self._found[data] = (kind, next(self._count))

    def note_shapes(self, data):
        for prefix, body, node, rest in SHAPE.findall(data):
            body = body or rest
            if len(set(body)) >= 10:
                self.note(KINDS.get((prefix or node).decode(), "a credential"), body)

    def mark(self):
        return next(self._count)

    def since(self, mark):
        # A copy in one step: other threads go on noting.
        return {text: kind for text, (kind, when) in self._found.copy().items() if when >= mark}


MADE = Made()
note, note_shapes = MADE.note, MADE.note_shapes


def note_request(body, token, headers):
    """What a client sends to prove itself."""
    if token:
        _note_credential(token)
    for name, value in (headers or {}).items():
        if value and name.lower() in ("authorization", "x-api-key"):
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            _note_credential(text.split()[-1] if text.split() else "")
    if isinstance(body, dict):
        for name in FIELDS:
            if isinstance(body.get(name), str):
                _note_named(name, body[name])


def _note_credential(text):
    data = text.encode("utf-8", "replace")
    if SHAPE.fullmatch(data):
        note_shapes(data)
    elif len(data) >= 16:
        note("a credential", data)


def _note_named(name, text):
    data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    if SHAPE.fullmatch(data):
        note_shapes(data)
    else:
        note(f"a {name}", data)


def note_answer(headers, raw):
    """What an answer hands out: by its shape, by its field's name, as a cookie."""
    for name, value in headers:
        if name.lower() == "set-cookie":
            text = value.split(";")[0].partition("=")[2]
            note_shapes(text.encode())
            note("a cookie", text)
    if not raw or len(raw) > LIMIT:
        return
    note_shapes(raw)
    for name, text in NAMED.findall(raw):
        _note_named(name.decode(), text)
    listed = re.search(rb'"recovery_codes"\s*:\s*\[([^\]]*)\]', raw)
    for code in re.findall(rb'"([^"]+)"', listed.group(1)) if listed else []:
        note_recovery_code(code.decode())


def note_recovery_code(code):
    for text in (code, code.replace("-", "")):
        note("a recovery code", text)


def note_environment(environment):
    """Secrets that a program is given in its environment."""
    for name, value in environment.items():
        if name in ("API_KEY", "API_KEYS") or name.endswith(("_SECRET", "_API_KEY", "_TOKEN")):
            for text in value.split(","):
                _note_credential(text.strip())


# --- what is said ---


class Said:
    """Outputs of commands and command lines of this host, in the order in which they came."""

    def __init__(self):
        self.texts = []
        self._known, self._looked, self._ended = set(), {}, threading.Event()
        self._thread = None

    def add(self, name, data):
        if data:
            self.texts.append((name, data if isinstance(data, bytes) else data.encode("utf-8", "replace")))

    def command(self, argv, done):
        """A finished `tidegate` or `tidegate-agent`."""
        words = [os.fspath(word) if isinstance(word, os.PathLike) else str(word) for word in argv]
        at = next((n for n, word in enumerate(words) if os.path.basename(word) in ("tidegate", "tidegate-agent")), None)
        if at is None:
            return
        name = [word for word in words[at + 1 :] if not word.startswith("-")][:3]
        what = " ".join([os.path.basename(words[at]), *name[:2]])
        as_bytes = [part.encode("utf-8", "replace") if isinstance(part, str) else part or b"" for part in (done.stdout, done.stderr)]
        for part in as_bytes:
            note_shapes(part[:LIMIT])
        if tuple(name[:2]) not in PRINTS_A_SECRET:
            self.add(f"the output of {what}", as_bytes[0])
        self.add(f"the errors of {what}", as_bytes[1])

    def watch(self):
        """Looks at command lines from now on."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()

    def _watch(self):
        while not self._ended.wait(0.25):
            self.look()

    def look(self):
        """Each process twice, since the first look may come between fork and exec."""
        looked = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            looked[entry] = self._looked.get(entry, 0) + 1
            if looked[entry] > 2:
                continue
            with contextlib.suppress(OSError), open(f"/proc/{entry}/cmdline", "rb") as file:
                line = file.read(LIMIT)
                if line and line not in self._known:
                    self._known.add(line)
                    program = os.path.basename(line.split(b"\0")[0].decode("utf-8", "replace"))
                    self.add(f"the command line of {program[:40]}", line)
        self._looked = looked


SAID = Said()


# --- the search ---

spent = {"searches": 0, "artefacts": 0, "bytes": 0, "secrets": 0, "seconds": 0.0}


def keeps(name):
    """Whether a file, named from its gateway's or machine's folder, is one that may hold secrets."""
    return any(re.fullmatch(pattern, name) for pattern in KEEPERS)


def is_own_key(name, path):
    """A key file that a test or another program made beside the gateway: closed to others, a private key and nothing else."""
    with contextlib.suppress(OSError):
        if not name.startswith("state/") and path.stat().st_mode & 0o077 == 0:
            text = path.read_bytes()[:LIMIT].strip()
            # Perhaps not whole: whoever wrote it may have been killed at it.
            return text.startswith(b"-----BEGIN") and text.count(b"-----BEGIN") == 1
    return False


class Watched:
    """A folder whose files are searched for every secret that is met from now on."""

    def __init__(self, folder):
        self.folder, self.mark, self.first = pathlib.Path(folder), MADE.mark(), len(SAID.texts)
        self.texts = []
        SAID.watch()

    def add(self, name, data):
        """Something else to be searched with it."""
        self.texts.append((name, data))

    def leaks(self):
        """A sentence for each artefact that holds a secret: its name and the secret's kind, never the secret."""
        begun = time.perf_counter()
        SAID.look()
        artefacts = []
        for path in sorted(self.folder.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            name = str(path.relative_to(self.folder))
            if keeps(name) or is_own_key(name, path):
                self._learn(path)
            else:
                artefacts.append((name, path))
        secrets = MADE.since(self.mark)
        texts = [*SAID.texts[self.first :], *self.texts]
        found = search(artefacts, texts, secrets)
        spent["searches"] += 1
        spent["artefacts"] += len(artefacts) + len(texts)
        spent["secrets"] = max(spent["secrets"], len(secrets))
        spent["seconds"] += time.perf_counter() - begun
        return found

    def _learn(self, path):
        """What is kept where it may be is nowhere else: also those that no answer ever told."""
        with contextlib.suppress(OSError):
            data = path.read_bytes()[:LIMIT]
            note_shapes(data)
            if path.name in ("master.key",):
                note(f"the content of {path.name}", data.strip())


def search(files, texts, secrets):
    """`files` are (name, path), `texts` (name, bytes), `secrets` kinds by their bytes. GNU grep looks for all at once."""
    kinds = {**secrets, PRIVATE_KEY: "a private key"}
    with tempfile.TemporaryDirectory(prefix="tidegate-search-") as folder:
        names = {os.fsencode(path): name for name, path in files}
        for number, (name, data) in enumerate(texts):
            path = os.path.join(folder, str(number))
            with open(path, "wb") as file:
                file.write(data)
            names[os.fsencode(path)] = name
        patterns = os.path.join(folder, "patterns")
        with open(patterns, "wb") as file:
            file.write(b"\n".join(kinds) + b"\n")
        found = set()
        paths = list(names)
        # A command line holds only so many names.
        for start in range(0, len(paths), 500):
            done = subprocess.run(
                ["grep", "-aoFHs", "-m", "50", "--null", "-f", patterns, "--", *paths[start : start + 500]],
                stdin=subprocess.DEVNULL, capture_output=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
            )  # fmt: skip
            assert done.returncode in (0, 1) or all(os.path.exists(path) for path in paths) is False, done.stderr
            for line in done.stdout.split(b"\n"):
                path, separator, match = line.partition(b"\0")
                if separator:
                    found.add(f"{names[path]} holds {kinds.get(match, 'a secret')}")
    return sorted(found)


def summary():
    """For the figures of the run."""
    return (f"{spent['searches']} searches of {spent['artefacts']} artefacts for up to {spent['secrets']} secrets, "
            f"{spent['seconds']:.1f} s in all")  # fmt: skip
