"""A FastAPI service whose one route compares a header with a static key: what people write when they need just that."""

import contextlib
import functools
import subprocess
import sys

import report  # noqa: F401  (makes the harness importable)

import programs
from commands import end, run
from networks import free_ports, give_back_ports, listening
from waiting import wait_until

PACKAGES = ("fastapi==0.165.0", "uvicorn==0.54.0")
KEY = "a-static-key-of-forty-three-characters-0000"
SOURCE = f"""
import secrets
from fastapi import FastAPI, Header, HTTPException

app = FastAPI()

@app.get("/whoami")
async def whoami(authorization: str = Header(default="")):
    if not secrets.compare_digest(authorization.encode(), b"Bearer {KEY}"):
        raise HTTPException(401)
    return {{"kind": "user", "name": "static"}}
"""


@functools.cache
def venv():
    folder = programs.session_folder() / "static-key-service"
    run([sys.executable, "-m", "venv", folder], deadline=120, check=True)
    run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
        deadline=600, check=True)  # fmt: skip
    (folder / "service.py").write_text(SOURCE)
    return folder


@contextlib.contextmanager
def service():
    """Its URL while it runs, one process, without an access log."""
    port = free_ports()
    words = ["-m", "uvicorn", "service:app", "--host", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    process = subprocess.Popen([venv() / "bin" / "python", *words, "--no-access-log"], cwd=venv(),
                               stdin=subprocess.DEVNULL)  # fmt: skip
    try:
        wait_until(lambda: listening(port), 20, "the static-key service listening")
        yield f"http://127.0.0.1:{port}"
    finally:
        end(process)
        give_back_ports(port)
