"""Every route of the native API: who may call it, and what a body looks like."""

ADMIN, MACHINE, ENROLMENT, ANYBODY = "administrator", "machine", "enrolment token", "anybody"
UUID = "00000000-0000-4000-8000-000000000000"


class Route:
    """`path` with {agent_id} and {id}; `body` is None for routes without one."""

    def __init__(self, method, path, allowed, body=None, required=(), absent=404):
        self.method, self.path, self.allowed = method, path, allowed
        self.body, self.required, self.absent = body, required, absent

    def __repr__(self):
        return f"{self.method} {self.path}"

    def filled(self, agent_id="nobody-here", identifier=UUID):
        return self.path.replace("{agent_id}", agent_id).replace("{id}", identifier)


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTEx"

ROUTES = [
    Route("POST", "/api/v1/setup", {ANYBODY}, {"secret": "tgi_" + "A" * 43}, ("secret",)),
    Route("GET", "/api/v1/whoami", {ADMIN, MACHINE}),
    Route("GET", "/api/v1/gateway", {ADMIN, MACHINE}),
    Route("GET", "/api/v1/machines", {ADMIN}),
    Route("POST", "/api/v1/machines", {ADMIN}, {"name": "table"}, ("name",)),
    Route("GET", "/api/v1/machines/{agent_id}", {ADMIN}),
    Route("PATCH", "/api/v1/machines/{agent_id}", {ADMIN}, {"site": "here"}),
    Route("DELETE", "/api/v1/machines/{agent_id}", {ADMIN}),
    Route("POST", "/api/v1/machines/{agent_id}/enrolments", {ADMIN}, {}),
    Route("GET", "/api/v1/machines/{agent_id}/enrolments", {ADMIN}),
    Route("DELETE", "/api/v1/machines/{agent_id}/enrolments/{id}", {ADMIN}),
    Route("GET", "/api/v1/machines/{agent_id}/keys", {ADMIN}),
    Route("POST", "/api/v1/machines/{agent_id}/keys", {ADMIN}, {}),
    Route("DELETE", "/api/v1/machines/{agent_id}/keys/{id}", {ADMIN}),
    Route("GET", "/api/v1/tunnel-keys", {ADMIN}),
    Route("POST", "/api/v1/tunnel-keys", {ADMIN}, {"public_key": KEY, "machines": ["none"]},
          ("public_key", "machines")),
    Route("DELETE", "/api/v1/tunnel-keys/{id}", {ADMIN}),
    Route("GET", "/api/v1/tokens", {ADMIN}),
    Route("POST", "/api/v1/tokens", {ADMIN}, {"label": "table"}, ("label",)),
    Route("DELETE", "/api/v1/tokens/{id}", {ADMIN}),
    Route("POST", "/api/v1/node-tokens/forget", {ADMIN}),
    Route("GET", "/api/v1/connections", {ADMIN}),
    Route("POST", "/api/v1/auth/password-login", {ANYBODY}, {"username": "table", "password": "not a password"},
          ("username", "password")),
    Route("POST", "/api/v1/auth/logout", {ADMIN}),
    Route("GET", "/api/v1/auth/status", {ADMIN}),
    Route("GET", "/api/v1/auth/sessions", {ADMIN}),
    Route("DELETE", "/api/v1/auth/sessions/{id}", {ADMIN}),
    Route("POST", "/api/v1/auth/password", {ADMIN}, {"new_password": "short"}, ("new_password",)),
    Route("POST", "/api/v1/auth/totp", {ADMIN}, {}),
    Route("POST", "/api/v1/auth/totp/confirm", {ADMIN}, {"code": "000000"}, ("code",)),
    Route("POST", "/api/v1/auth/totp/recovery-codes", {ADMIN}, {"code": "000000"}, ("code",)),
    Route("POST", "/api/v1/auth/totp/disable", {ADMIN}, {"code": "000000"}, ("code",)),
    Route("POST", "/api/v1/auth/totp/reset", {ADMIN}, {"username": "table"}, ("username",)),
    Route("POST", "/api/v1/auth/device", {ANYBODY}, {"client_name": "table", "code_challenge": "A" * 42},
          ("client_name", "code_challenge")),
    Route("POST", "/api/v1/auth/device/token", {ANYBODY}, {"device_code": "tgd_" + "A" * 43, "code_verifier": "v" * 43},
          ("device_code", "code_verifier")),
    Route("GET", "/api/v1/audit/events", {ADMIN}),
    Route("POST", "/api/v1/auth/ws-ticket", {ADMIN}, {"endpoint": "/api/v1/audit/stream"}, ("endpoint",)),
    Route("POST", "/api/v1/agent/enrol", {ENROLMENT}, {"public_key": KEY}, ("public_key",)),
    Route("POST", "/api/v1/agent/register", {MACHINE},
          {"public_key": KEY, "host_keys": [], "os": "linux", "agent_version": "1"},
          ("public_key", "host_keys", "os", "agent_version")),
    Route("POST", "/api/v1/agent/heartbeat", {MACHINE}, {"generation": 1}, ("generation",)),
]  # fmt: skip

WITH_BODY = [route for route in ROUTES if route.body is not None]
LISTS = [route for route in ROUTES if route.method == "GET" and route.path.rsplit("/", 1)[1] not in
         ("whoami", "gateway", "status", "{agent_id}")]  # fmt: skip
PATHS = sorted({route.path for route in ROUTES})
