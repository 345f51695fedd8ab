"""A real OpenID provider on loopback: Debian's glewlwyd over a throwaway SQLite file, as an ordinary user."""

import contextlib
import http.cookiejar
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import programs
import pytest
from commands import end, log_text
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwks import private_jwk
from networks import free_ports, give_back_ports
from waiting import wait_until

PROGRAM = pathlib.Path("/usr/bin/glewlwyd")
# A run that nobody watches must not pass for want of a provider: there its absence is an error.
needed = pytest.mark.skipif(
    not PROGRAM.exists() and not os.environ.get("CI"), reason=f"{PROGRAM} is missing: run 'make setup'")
SCHEMA = pathlib.Path("/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3")
MODULES = "/usr/lib/glewlwyd"
PAGES, PAGES_CONFIGURATION = pathlib.Path("/usr/share/glewlwyd/webapp"), "/usr/share/glewlwyd/templates/config.json"
CLIENT, CLIENT_SECRET = "tidegate", "cs-93fbd41fd7ae4c1f8e9d"

CONFIGURATION = """
port={port}
bind_address="127.0.0.1"
external_url="http://127.0.0.1:{port}/"
login_url="login.html"
api_prefix="api"
log_mode="console"
log_level="INFO"
cookie_secure=0
session_expiration=3600
session_key="GLEWLWYD2_SESSION_ID"
admin_session_authentication="cookie"
profile_session_authentication="cookie"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="{modules}/user"
client_module_path="{modules}/client"
user_auth_scheme_module_path="{modules}/scheme"
plugin_module_path="{modules}/plugin"
hash_algorithm="SHA512"
static_files_path="{pages}/"
static_files_mime_types = (
  {{ extension = ".html"  mime_type = "text/html" compress=0 }},
  {{ extension = ".js"  mime_type = "application/javascript" compress=0 }},
  {{ extension = ".json"  mime_type = "application/json" compress=0 }},
  {{ extension = ".css"  mime_type = "text/css" compress=0 }},
  {{ extension = "*"  mime_type = "application/octet-stream" compress=0 }}
)
database = {{ type = "sqlite3"; path = "{database}"; }};
"""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Redirects are looked at, not followed."""

    def redirect_request(self, *_):
        return None


class Session:
    """One browser's cookies at the provider."""

    def __init__(self):
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(NoRedirect, urllib.request.HTTPCookieProcessor(self.jar))

    def call(self, method, url, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        try:
            with self.opener.open(request, timeout=10) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()


class Glewlwyd:
    """The provider, with its one client; `add_user` and `set_groups` say who is who."""

    def __init__(self, redirect, algorithm="rsa", refreshes=True):
        self.port = free_ports()
        self.redirect, self.refreshes = redirect, refreshes
        self.account = programs.ordinary_user()
        above = programs.ORDINARY_HOME if programs.is_root() else programs.session_folder()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="provider-", dir=above))
        self.folder.chmod(0o755)
        self.database, self.log_path = self.folder / "glewlwyd.db", self.folder / "glewlwyd.log"
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            connection.executescript(SCHEMA.read_text())
            connection.execute(
                "UPDATE g_user_module_instance SET gumi_parameters = json_set(gumi_parameters,"
                " '$.data-format.groups', json(?))", (json.dumps({"multiple": True, "read": True, "write": True}),))  # fmt: skip
            connection.commit()
        self.configuration = self.folder / "glewlwyd.conf"
        self.configuration.write_text(CONFIGURATION.format(
            port=self.port, modules=MODULES, database=self.database, pages=self.make_pages()))
        if self.account:
            for path in (self.folder, self.database, self.configuration):
                os.chown(path, self.account.pw_uid, self.account.pw_gid)
        self.process = None
        self.admin = Session()
        self.key_number = 0
        try:
            self.start()
            self.add_plugin(algorithm)
        except BaseException:
            self.close()
            raise

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def issuer(self):
        return f"{self.url}/api/oidc"

    def make_pages(self):
        """The provider's own pages; Debian's package has a folder where their configuration should be."""
        pages = self.folder / "pages"
        shutil.copytree(PAGES, pages, ignore=shutil.ignore_patterns("config.json"))
        shutil.copy(PAGES_CONFIGURATION, pages / "config.json")
        for path in [pages, *pages.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        return pages

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*programs.as_user(self.account), str(PROGRAM), "-c", str(self.configuration)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True)  # fmt: skip

        def signed_in():
            assert self.process.poll() is None, log_text(self.log_path)
            with contextlib.suppress(OSError):
                body = {"username": "admin", "password": "password"}
                return self.admin.call("POST", f"{self.url}/api/auth/", body)[0] == 200
            return False

        wait_until(signed_in, 15, lambda: f"the provider's log:\n{log_text(self.log_path)}")

    def stop(self):
        end(self.process)

    def ok(self, method, path, body=None):
        status, _, raw = self.admin.call(method, f"{self.url}/api{path}", body)
        assert status == 200, f"{method} {path}: {status} {raw[:500]}"
        return json.loads(raw) if raw else None

    def new_key(self, algorithm):
        """A private key as a JWK, made by nobody who is tested."""
        self.key_number += 1
        rsa_key = algorithm == "rsa"
        key = rsa.generate_private_key(65537, 2048) if rsa_key else ec.generate_private_key(ec.SECP256R1())
        return private_jwk(key, f"key-{self.key_number}")

    def parameters(self, algorithm):
        return {
            "iss": self.issuer, "jwt-type": "rsa" if algorithm == "rsa" else "ecdsa", "jwt-key-size": "256",
            "jwks-private": json.dumps({"keys": [self.new_key(algorithm)]}), "jwks-show": True,
            "access-token-duration": 600, "refresh-token-duration": 3600, "code-duration": 60,
            "auth-type-code-enabled": True, "auth-type-implicit-enabled": False, "auth-type-token-enabled": False,
            "auth-type-refresh-enabled": self.refreshes, "auth-type-password-enabled": False,
            "auth-type-client-enabled": False, "auth-type-none-enabled": False, "auth-type-device-enabled": False,
            "auth-type-code-revoke-replayed": True, "oauth-as-iss-id": True, "pkce-allowed": True,
            "pkce-method-plain-allowed": False, "pkce-required": True, "subject-type": "public",
            "email-claim": "mandatory", "name-claim": "mandatory", "scope-claim": "no",
            "claims": [{"name": "groups", "user-property": "groups", "type": "string", "mandatory": True}],
            "allowed-scope": ["openid"],
        }  # fmt: skip

    def add_plugin(self, algorithm):
        self.ok("POST", "/mod/plugin/", {
            "module": "oidc", "name": "oidc", "display_name": "OpenID", "order_rank": 0,
            "parameters": self.parameters(algorithm)})  # fmt: skip
        self.ok("POST", "/client/", {
            "client_id": CLIENT, "password": CLIENT_SECRET, "confidential": True, "enabled": True, "scope": [],
            "redirect_uri": [self.redirect], "authorization_type": ["code", "refresh_token"],
            "token_endpoint_auth_method": ["client_secret_basic"]})  # fmt: skip

    def rotate(self, algorithm="rsa"):
        """Another key in the place of the old one, published and used at once."""
        plugin = self.ok("GET", "/mod/plugin/oidc")
        plugin["parameters"] = self.parameters(algorithm)
        self.ok("PUT", "/mod/plugin/oidc", plugin)
        self.ok("PUT", "/mod/plugin/oidc/reset", {})

    def add_user(self, name, groups=(), email=None):
        self.ok("POST", "/user/", {
            "username": name, "password": "provider pass phrase", "enabled": True, "scope": ["openid", "g_profile"],
            "name": name.capitalize(), "email": email or f"{name}@example.org", "groups": list(groups)})  # fmt: skip

    def change_user(self, username, **fields):
        user = self.ok("GET", f"/user/{username}")
        self.ok("PUT", f"/user/{username}", user | fields)

    def visit(self, location, name):
        """What a person does at the provider: sign in, agree, and be sent back; the address to go back to."""
        session = Session()
        status, _, raw = session.call(
            "POST", f"{self.url}/api/auth/", {"username": name, "password": "provider pass phrase"})  # fmt: skip
        assert status == 200, raw
        status, _, raw = session.call("PUT", f"{self.url}/api/auth/grant/{CLIENT}", {"scope": "openid"})
        assert status == 200, raw
        status, headers, raw = session.call("GET", location + "&g_continue")
        assert status == 302, (status, raw, log_text(self.log_path)[-2000:])
        return headers["Location"]

    def close(self):
        end(self.process)
        give_back_ports(self.port)
        if not os.environ.get("TIDEGATE_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
