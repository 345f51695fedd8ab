"""A real browser before the panel: Chromium, driven by Playwright, as people meet the pages."""

import os
import shutil

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PHONE = {"width": 390, "height": 844}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def chromium():
    """One browser for a module; each `Profile` of it has cookies of its own."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sync_playwright = None
    if not program or not sync_playwright:
        lacking = "Chromium" if not program else "Playwright"
        # A run that nobody watches must not pass for want of a browser.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{lacking} is not installed: run 'make setup'")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        yield browser
        browser.close()


class Profile:
    """A browser that has never been here. It remembers what the page's policy refused, which is a fault of ours."""

    def __init__(self, chromium, gateway, source=None, root=None, **options):
        self.root = root or gateway.api.url
        if source:
            # As a trusted proxy says.
            options["extra_http_headers"] = {"X-Forwarded-For": source}
        self.context = chromium.new_context(ignore_https_errors=True, **options)
        self.context.set_default_timeout(10_000)
        self.refusals, self.errors = [], []
        self.context.on("console", self._note)
        self.context.on("weberror", lambda error: self.errors.append(str(error.error)))
        self.page = self.context.new_page()

    def _note(self, message):
        if "Content Security Policy" in message.text or "Content-Security-Policy" in message.text:
            self.refusals.append(message.text)

    def open(self, path="/", page=None):
        """Opens a path of the panel and answers its response."""
        return (page or self.page).goto(self.root + path)

    def press(self, name, page=None):
        (page or self.page).get_by_role("button", name=name, exact=True).click()

    def at(self, path):
        assert self.page.url == self.root + path, f"{self.page.url}: {self.text}"

    @property
    def text(self):
        return self.page.locator("body").inner_text()

    def sign_in(self, name, password, code=None, path="/sign-in"):
        """The pages' own way; answers the last response."""
        self.open(path)
        self.page.get_by_label("User name").fill(name)
        self.page.get_by_label("Password").fill(password)
        with self.page.expect_navigation() as first:
            self.press("Sign in")
        if code is None:
            return first.value
        self.page.get_by_label("Code").fill(code)
        with self.page.expect_navigation() as second:
            self.press("Sign in")
        return second.value

    def cookies(self):
        return {cookie["name"]: cookie for cookie in self.context.cookies()}

    def overflow(self):
        """How many pixels of the page lie beside the window."""
        return self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth")  # fmt: skip

    def violations(self):
        """What axe-core finds wrong, one line each."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page, options={"runOnly": RULES}).response["violations"]
        return [f"{one['id']}: {one['help']}: {[node['html'] for node in one['nodes']]}" for one in found]

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.context.close()
        if kind is None:
            assert not self.refusals and not self.errors, (self.refusals, self.errors)
