"""The panel's pages in a real browser: signing in, the second factor, programs' codes, and what ends with a session."""

import contextlib
import datetime
import http.server
import json
import re
import socket
import threading
import time

import pytest
from browsers import site, totp
from gateway import Gateway, default_mode
from logins import DeviceLogin
from pages import PHONE, Profile, chromium
from people import PHRASE, Person, set_password
from test_device_login import begin, poll
from waiting import wait_until

OPEN_STREAM = """async () => {
    const {csrf_token} = await (await fetch("/api/v1/auth/status")).json();
    const answer = await fetch("/api/v1/auth/ws-ticket", {
        method: "POST", headers: {"Content-Type": "application/json", "X-CSRF-Token": csrf_token},
        body: JSON.stringify({endpoint: "/api/v1/audit/stream"})});
    const {ticket} = await answer.json();
    const address = location.origin.replace("http", "ws") + "/api/v1/audit/stream";
    window.socket = new WebSocket(address, ["tidegate.v1", "tidegate.ticket." + ticket]);
    window.ended = null;
    return await new Promise(done => {
        socket.onopen = () => done("open");
        socket.onclose = event => { window.ended = event.code; done("closed"); };
    });
}"""


@pytest.fixture
def person(site):
    """Somebody with a password and no second factor yet."""
    person = Person(site, "operator")
    set_password(site, person.name)
    return person


@pytest.fixture
def profile(chromium, site):
    with Profile(chromium, site, "192.0.2.20") as profile:
        yield profile


@pytest.fixture
def signed_in(profile):
    profile.sign_in("admin", PHRASE)
    profile.at("/")
    return profile


def code_page(profile, code):
    profile.open("/device")
    profile.page.get_by_label("Code").fill(code)
    with profile.page.expect_navigation() as navigation:
        profile.press("Look it up")
    return navigation.value


# --- signing in ---


def test_a_wrong_password_then_the_right_one(site, profile):
    assert profile.open("/").status == 200
    profile.at("/sign-in")
    wrong = profile.sign_in("admin", "wrong horse battery")
    assert wrong.status == 401 and profile.page.get_by_role("alert").is_visible()
    assert profile.page.get_by_label("User name").input_value() == "admin"
    assert profile.page.get_by_label("Password").input_value() == ""
    profile.page.get_by_label("Password").fill(PHRASE)
    profile.press("Sign in")
    profile.at("/")
    assert "Where you are signed in" in profile.text and "192.0.2.20" in profile.text
    (cookie,) = profile.cookies().values()
    assert cookie["httpOnly"] and cookie["sameSite"] == "Lax" and cookie["name"] == f"tidegate-{site.port}"
    assert profile.page.evaluate("document.cookie") == ""


def test_it_goes_on_where_one_wanted_to_go_and_nowhere_else(profile):
    profile.open("/device")
    profile.at("/sign-in?return_to=%2Fdevice")
    profile.page.get_by_label("User name").fill("admin")
    profile.page.get_by_label("Password").fill(PHRASE)
    profile.press("Sign in")
    profile.at("/device")
    profile.context.clear_cookies()
    profile.sign_in("admin", PHRASE, path="/sign-in?return_to=//127.0.0.1:1/")
    profile.at("/")


def test_the_second_factor_from_setting_it_up_to_losing_it(chromium, site, person):
    with Profile(chromium, site, "192.0.2.21") as profile:
        page = profile.page
        profile.sign_in(person.name, PHRASE)
        page.get_by_role("link", name="Set it up").click()
        page.get_by_label("Your password").fill("wrong horse battery")
        profile.press("Begin")
        assert "present password" in page.get_by_role("alert").inner_text()
        page.get_by_label("Your password").fill(PHRASE)
        profile.press("Begin")
        secret = page.locator("#secret").inner_text().replace(" ", "")
        assert re.fullmatch(r"[A-Z2-7]{32}", secret)
        link = page.get_by_role("link", name="open in an authenticator").get_attribute("href")
        assert link.startswith("otpauth://totp/") and f"secret={secret}" in link
        page.get_by_label("Code").fill("000000")
        profile.press("Switch it on")
        assert page.get_by_role("alert").is_visible() and secret not in page.content()
        used = totp(secret)
        page.get_by_label("Code").fill(used)
        profile.press("Switch it on")
        codes = page.locator("#codes li").all_inner_texts()
        assert len(codes) == 10
        page.get_by_role("link", name="I have kept them").click()
        assert "10 of 10 recovery codes" in profile.text and codes[0] not in page.content()

    with Profile(chromium, site, "192.0.2.22") as profile:
        assert profile.sign_in(person.name, PHRASE).status == 200
        profile.at("/sign-in/code")
        profile.page.get_by_label("Code").fill(used)
        profile.press("Sign in")
        assert profile.page.get_by_role("alert").is_visible(), "a code works once"
        profile.page.get_by_label("Code").fill(totp(secret, steps=1))
        profile.press("Sign in")
        profile.at("/")
        assert "password, second factor" in profile.text and "no second factor" not in profile.text

    with Profile(chromium, site, "192.0.2.23") as profile:
        profile.sign_in(person.name, PHRASE, codes[0].lower())
        profile.at("/")
        assert "9 of 10 recovery codes" in profile.text
        profile.press("Sign out")
        profile.sign_in(person.name, PHRASE, codes[0])
        assert profile.page.get_by_role("alert").is_visible(), "a recovery code works once"
        profile.sign_in(person.name, PHRASE, codes[1])
        profile.open("/second-factor")
        profile.page.get_by_label("A code of your authenticator, or a recovery code").first.fill(codes[2])
        profile.press("Make new codes")
        fresh = profile.page.locator("#codes li").all_inner_texts()
        assert len(fresh) == 10 and not set(fresh) & set(codes)
        profile.open("/second-factor")
        profile.page.get_by_label("A code of your authenticator, or a recovery code").last.fill(fresh[0])
        profile.press("Switch off")
        assert "switched off" in profile.text
        profile.press("Sign out")
        profile.sign_in(person.name, PHRASE)
        profile.at("/")


def test_five_wrong_codes_begin_again(chromium, site, person):
    with Profile(chromium, site, "192.0.2.24") as profile:
        profile.sign_in(person.name, PHRASE)
        profile.open("/second-factor")
        profile.page.get_by_label("Your password").fill(PHRASE)
        profile.press("Begin")
        secret = profile.page.locator("#secret").inner_text()
        profile.page.get_by_label("Code").fill(totp(secret.replace(" ", "")))
        profile.press("Switch it on")
        profile.press("Sign out")
        profile.sign_in(person.name, PHRASE)
        for _ in range(6):
            profile.page.get_by_label("Code").fill("000000")
            profile.press("Sign in")
        profile.at("/sign-in?notice=begin-again")


def test_everything_works_without_scripts(chromium, site, tmp_path):
    with Profile(chromium, site, "192.0.2.25", java_script_enabled=False) as profile:
        profile.sign_in("admin", PHRASE)
        profile.at("/")
        with DeviceLogin(site, tmp_path) as login:
            code_page(profile, login.code)
            profile.page.get_by_label("Your password, once more").fill(PHRASE)
            profile.press("Approve")
            profile.at("/device?notice=approved")
            assert login.finish()[0] == 0
        profile.press("Sign out")
        profile.at("/sign-in?notice=signed-out")


# --- programs' codes ---


def test_a_program_is_signed_in_by_its_code(site, signed_in, tmp_path):
    page = signed_in.page
    with DeviceLogin(site, tmp_path) as login:
        assert login.address == f"{site.api.url}/device"
        now = datetime.datetime.now(datetime.timezone.utc)
        assert code_page(signed_in, login.code.replace("-", " ").lower()).status == 200
        assert page.locator("#client").inner_text() == f"tidegate on {socket.gethostname()}"
        assert page.locator("#source").inner_text() == site.address
        asked = datetime.datetime.fromisoformat(page.locator("#asked").get_attribute("datetime"))
        assert abs((now - asked).total_seconds()) < 10
        assert f"{asked:%Y-%m-%d %H:%M} UTC" in signed_in.text
        assert "run" not in page.locator(".scopes").inner_text() and "keys" in page.locator(".scopes").inner_text()
        # An administrator proves once more who they are.
        page.get_by_label("Your password, once more").fill("wrong horse battery")
        signed_in.press("Approve")
        assert "present password" in page.get_by_role("alert").inner_text()
        page.get_by_label("Your password, once more").fill(PHRASE)
        signed_in.press("Approve")
        signed_in.at("/device?notice=approved")
        assert "may act as you now" in signed_in.text
        code, out, err = login.finish()
        assert code == 0 and json.loads(out)["name"] == "admin", err
        used = code_page(signed_in, login.code)
        assert used.status == 404 and page.get_by_role("alert").is_visible()


def test_a_denied_program_is_told_so(site, signed_in, tmp_path):
    with DeviceLogin(site, tmp_path) as login:
        code_page(signed_in, login.code)
        signed_in.press("Deny")
        signed_in.at("/device?notice=denied")
        code, _, err = login.finish()
        assert code == 1 and "turned down" in err


def test_a_phished_code_is_noticed(site, signed_in):
    device, verifier = begin(site, "203.0.113.66")
    # The link that the victim is sent fills nothing in and approves nothing.
    signed_in.open(f"/device?user_code={device['user_code']}&code={device['user_code']}")
    assert signed_in.page.get_by_label("Code").input_value() == ""
    code_page(signed_in, device["user_code"])
    warning = signed_in.page.locator("#elsewhere").inner_text()
    assert "another address" in warning and "192.0.2.20" in warning
    assert signed_in.page.locator("#source").inner_text() == "203.0.113.66"
    assert signed_in.page.locator("#client").inner_text() == "tidegate on a thief's host"
    assert "just now" in signed_in.text
    signed_in.press("Deny")
    signed_in.at("/device?notice=denied")
    assert poll(site, device, verifier).code == "ACCESS_DENIED"


def test_who_is_no_administrator_gives_no_proof_again(chromium, site, person, tmp_path):
    with Profile(chromium, site, "192.0.2.26") as profile, DeviceLogin(site, tmp_path, "--all-scopes") as login:
        profile.sign_in(person.name, PHRASE)
        code_page(profile, login.code)
        assert profile.page.locator("#proof").count() == 0
        assert "change users" not in profile.text, "an operator can't give what an operator hasn't"
        profile.press("Approve")
        profile.at("/device?notice=approved")
        assert login.finish()[0] == 0


# --- what ends with a session ---


def test_signing_out_ends_every_session_and_its_sockets(chromium, site, figures):
    with Profile(chromium, site, "192.0.2.27") as one, Profile(chromium, site, "192.0.2.28") as other:
        one.sign_in("admin", PHRASE)
        other.sign_in("admin", PHRASE)
        # The panel's own pages may open no connection; the same session opens one from an answer of the API.
        stream = one.context.new_page()
        one.open("/healthz", stream)
        assert stream.evaluate(OPEN_STREAM) == "open"
        assert stream.evaluate("window.ended") is None
        other.press("Sign out")
        left = time.monotonic()
        other.at("/sign-in?notice=signed-out")
        wait_until(lambda: stream.evaluate("window.ended") == 4401, 1, "the stream closed", every=0.01)
        figures.note("sign-out in one browser closes another's stream", f"{(time.monotonic() - left) * 1000:.0f} ms")
        for profile in (one, other):
            profile.open("/")
            profile.at("/sign-in")
        assert not other.cookies()


def test_one_session_is_ended_by_itself(chromium, site, person):
    with Profile(chromium, site, "192.0.2.29") as one, Profile(chromium, site, "192.0.2.30") as other:
        one.sign_in(person.name, PHRASE)
        other.sign_in(person.name, PHRASE)
        one.open("/")
        row = one.page.get_by_role("row").filter(has_text="192.0.2.30")
        row.get_by_role("button").click()
        one.at("/?notice=session-ended")
        assert "192.0.2.30" not in one.page.locator("table").inner_text()
        other.open("/")
        other.at("/sign-in")
        one.press("Sign out here only")
        one.at("/sign-in?notice=signed-out")


# --- what other pages and names can do ---


class Elsewhere:
    """Another site, on another port: its one page, and the cookies that came with each request."""

    def __init__(self, body):
        seen = self.seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                seen.append(self.headers.get("Cookie"))
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def form(action, **fields):
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    return f'<form method="post" action="{action}">{inputs}<button>Win</button></form>'


@pytest.mark.parametrize("policy", ["", '<meta name="referrer" content="no-referrer">'])
def test_another_site_signs_nobody_in_and_nobody_out(chromium, site, policy):
    page = policy + form(f"{site.api.url}/sign-in", name="admin", password=PHRASE)
    with Elsewhere(page) as elsewhere, Profile(chromium, site, "192.0.2.31") as profile:
        profile.page.goto(elsewhere.url)
        with profile.page.expect_navigation() as navigation:
            profile.press("Win")
        assert navigation.value.status == 403 and not profile.cookies()
        assert "didn't come from" in profile.text
    with Profile(chromium, site, "192.0.2.32") as profile:
        profile.sign_in("admin", PHRASE)
        token = profile.page.locator("input[name=csrf]").first.get_attribute("value")
        with Elsewhere(policy + form(f"{site.api.url}/sign-out", csrf=token)) as elsewhere:
            profile.page.goto(elsewhere.url)
            with profile.page.expect_navigation() as navigation:
                profile.press("Win")
            assert navigation.value.status == 403
        profile.open("/")
        profile.at("/")
        profile.press("Sign out")


def test_no_other_site_frames_a_page(chromium, site):
    with Elsewhere(f'<iframe src="{site.api.url}/sign-in"></iframe>') as elsewhere:
        profile = Profile(chromium, site)
        with contextlib.closing(profile.context):
            profile.page.goto(elsewhere.url)
            wait_until(lambda: profile.page.evaluate("1") and profile.refusals, 10, "the frame refused")
            assert "frame-ancestors" in profile.refusals[0]


def test_names_that_are_markup_stay_text(chromium, site):
    agent = '<script>document.title="x"</script>"><img src=x onerror="document.title=1">'
    with Profile(chromium, site, "192.0.2.33", user_agent=agent) as profile:
        profile.sign_in("admin", PHRASE)
        profile.open("/")
        assert agent in profile.page.locator("table").inner_text()
        assert profile.page.locator("main script, main img").count() == 0
        assert profile.page.title() == "Account · Tidegate"
        wrong = profile.open('/sign-in?return_to=/"><script>alert(1)</script>')
        assert wrong.status == 200 and "<script" not in profile.page.content().split("</head>")[1]
        profile.press("Sign out")


def test_the_policy_would_stop_a_script_that_got_in(chromium, site):
    profile = Profile(chromium, site)
    with contextlib.closing(profile.context):
        profile.open("/sign-in")
        profile.page.evaluate("""() => {
            const script = document.createElement("script");
            script.textContent = "document.title = 'taken'";
            document.body.append(script);
            const image = document.createElement("img");
            image.src = "http://127.0.0.1:1/";
            document.body.append(image);
        }""")
        wait_until(lambda: profile.page.evaluate("1") and len(profile.refusals) >= 2, 10, "two refusals")
        assert profile.page.title() == "Sign in · Tidegate"


def test_under_tls_the_cookie_is_the_hosts_alone(chromium):
    with Gateway(default_mode(), tls=True) as gateway, Profile(chromium, gateway) as profile:
        set_password(gateway)
        profile.sign_in("admin", PHRASE)
        profile.at("/")
        (cookie,) = profile.cookies().values()
        assert cookie["name"] == "__Host-tidegate" and cookie["secure"] and cookie["path"] == "/"
        assert cookie["httpOnly"] and cookie["sameSite"] == "Lax"


def test_a_panel_with_a_name_of_its_own_keeps_its_cookie_from_other_ports(chromium):
    gateway = Gateway(default_mode(), start=False)
    own = f"http://gateway.localhost:{gateway.port}"
    gateway.extra += ["--panel-url", own]
    with gateway, Elsewhere("<p>private</p>") as elsewhere:
        gateway.start()
        set_password(gateway)
        with Profile(chromium, gateway, root=own) as profile:
            profile.sign_in("admin", PHRASE)
            profile.at("/")
            profile.page.goto(elsewhere.url)
            assert set(elsewhere.seen) == {None}
            # By another of its names the gateway takes no form, and says where to go.
            profile.page.goto(f"{gateway.api.url}/sign-in")
            profile.page.get_by_label("User name").fill("admin")
            profile.page.get_by_label("Password").fill(PHRASE)
            profile.press("Sign in")
            profile.page.get_by_role("link", name="Open the panel").click()
            profile.at("/")


def test_over_plain_http_the_page_says_what_would_help(chromium):
    with Gateway(default_mode(), extra=["--panel-url", "http://gateway.example.org"]) as gateway:
        with Profile(chromium, gateway) as profile:
            assert profile.open("/sign-in").status == 403
            assert "--panel-url https://" in profile.text and profile.page.locator("form").count() == 0


# --- how it looks, and to whom ---


def every_page(profile, site, person):
    """Goes through the pages, and answers at each."""
    profile.open("/sign-in")
    yield "sign-in"
    profile.sign_in(person.name, "wrong horse battery")
    yield "sign-in-refused"
    profile.sign_in(person.name, PHRASE)
    yield "account"
    profile.open("/second-factor")
    yield "second-factor-off"
    profile.page.get_by_label("Your password").fill(PHRASE)
    profile.press("Begin")
    secret = profile.page.locator("#secret").inner_text().replace(" ", "")
    profile.page.locator("summary").click()
    yield "second-factor-offered"
    profile.page.get_by_label("Code").fill(totp(secret, steps=-1))
    profile.press("Switch it on")
    yield "recovery-codes"
    profile.open("/second-factor")
    yield "second-factor-on"
    profile.open("/device")
    yield "device"
    code_page(profile, begin(site)[0]["user_code"])
    yield "device-request"
    profile.press("Deny")
    yield "decided"
    profile.page.goto(f"{profile.root}/sign-out")
    yield "refusal"
    profile.open("/")
    profile.press("Sign out")
    yield "signed-out"
    profile.sign_in(person.name, PHRASE)
    yield "sign-in-code"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_every_page(chromium, site, scheme):
    person = Person(site, "admin")
    set_password(site, person.name)
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
    with Profile(chromium, site, "192.0.2.34", color_scheme=scheme, user_agent=agent) as profile:
        faults, seen = {}, []
        for name in every_page(profile, site, person):
            profile.page.set_viewport_size({"width": 1280, "height": 860})
            seen.append(name)
            faults[name] = profile.violations()
            for width in (PHONE["width"], 320):
                profile.page.set_viewport_size({"width": width, "height": PHONE["height"]})
                if profile.overflow() > 0:
                    faults[name].append(f"{profile.overflow()} px beside a window of {width}")
            profile.page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
            faults[name] += profile.violations()
        assert len(seen) == 13
        assert not any(faults.values()), json.dumps(faults, indent=1)
