"""Real Chromium, and a page that is looked at in it."""
import shutil

import pytest
from playwright.sync_api import sync_playwright


def launch():
    """Yields the browser: for a fixture of a module."""
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("chromium is not installed; tests/tool/setup.sh test installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program,
                                             args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


class View:
    """An open page, and everything it asked for and complained about."""

    def __init__(self, browser, **context):
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.requests = []
        self.complaints = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._on_dialog)

    def _on_console(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _on_dialog(self, dialog):
        self.complaints.append("dialog: " + dialog.message)
        dialog.dismiss()

    def close(self):
        self.context.close()
