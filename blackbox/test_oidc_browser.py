"""The whole way with a real browser: our page, the provider's own login page, and back, signed in."""

import contextlib
import json

import pytest
from gateway import Gateway, default_mode
from openid_provider import CLIENT_SECRET, Glewlwyd, needed
from pages import chromium  # noqa: F401
from test_oidc import CALLBACK, START, settings

pytestmark = needed


@pytest.fixture(scope="module")
def world():
    gateway = Gateway(default_mode(), start=False, environment={"TIDEGATE_OIDC_CLIENT_SECRET": CLIENT_SECRET})
    # A name of its own: the provider is on the same address, and cookies know no ports.
    panel = f"http://gateway.localhost:{gateway.port}"
    with gateway, Glewlwyd(panel + CALLBACK) as provider:
        gateway.extra += [*settings(provider), "--panel-url", panel]
        gateway.start()
        yield gateway, provider, panel


@contextlib.contextmanager
def page_of_a_new_browser(chromium):
    context = chromium.new_context()
    try:
        yield context.new_page()
    finally:
        context.close()


def status(page, panel):
    """What our API says of the browser's session, asked by the browser."""
    return json.loads(page.goto(f"{panel}/api/v1/auth/status").text())


def sign_in_at_the_provider(page, name):
    from playwright.sync_api import TimeoutError as TimedOut

    page.fill("#username", name)
    page.fill("#password", "provider pass phrase")
    page.keyboard.press("Enter")
    # What the person agrees to, and on.
    for label in ("Grant", "Continue"):
        button = page.get_by_role("button", name=label, exact=False).first
        with contextlib.suppress(TimedOut):
            button.click(timeout=5_000)


def test_a_person_signs_in_with_the_provider_and_is_back(chromium, world):
    gateway, provider, panel = world
    provider.add_user("rosa", ["staff"])
    with page_of_a_new_browser(chromium) as page:
        page.goto(f"{panel}/device")
        page.get_by_role("link", name="Sign in with 127.0.0.1").click()
        page.wait_for_url(f"{provider.url}/**", timeout=15_000)
        sign_in_at_the_provider(page, "rosa")
        # Where they wanted to go before they were asked who they are.
        page.wait_for_url(f"{panel}/device", timeout=15_000)
        assert page.evaluate("document.cookie") == ""
        # The address with the code is in no history that the next page could read.
        assert "code=" not in page.evaluate("document.referrer")
        body = status(page, panel)
        assert body["user"]["name"] == "rosa" and body["user"]["role"] == "operator"
        cookies = {cookie["name"]: cookie for cookie in page.context.cookies(panel)}
        session = cookies[f"tidegate-{gateway.port}"]
        assert session["httpOnly"] and session["sameSite"] == "Lax"
        assert f"tidegate-oidc-{gateway.port}" not in cookies


def test_another_browser_with_the_same_address_is_not(chromium, world):
    gateway, provider, panel = world
    provider.add_user("sofia", ["staff"])
    with page_of_a_new_browser(chromium) as page:
        seen = []
        page.on("request", lambda request: seen.append(request.url))
        page.goto(f"{panel}{START}?return_to=/api/v1/auth/status")
        sign_in_at_the_provider(page, "sofia")
        page.wait_for_url(f"{panel}/api/v1/auth/status", timeout=15_000)
        back = next(url for url in seen if CALLBACK in url)
    with page_of_a_new_browser(chromium) as page:
        assert page.goto(back).status == 400
        assert status(page, panel)["status"] == 401
