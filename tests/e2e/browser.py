"""Debian's Chromium, headless, and what the tests of the pages ask of it."""

import base64
import shutil
import subprocess

import pytest
from conftest import ROOT, wait_until

WEB = ROOT / "web"
DIST = WEB / "dist"
SHOTS = ROOT / "build/screenshots"

try:
    from selenium import webdriver
    from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException, WebDriverException
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    webdriver = None

is_missing = (webdriver is None or not shutil.which("chromedriver") or not shutil.which("chromium") or
              not (WEB / "node_modules/axe-core").exists())
needs_browser = pytest.mark.skipif(is_missing, reason="skipped: chromium, chromium-driver, python3-selenium or the pages' "
                                                      "npm packages are not installed (./dev setup test)")

# Before any script of a page: what violates its policy, and what its WebSockets send.
WATCH = """
window.reports = [];
document.addEventListener('securitypolicyviolation', (e) => reports.push(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`));
window.sent = [];
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (text) { sent.push(text); if (sent.length > 1000) sent.shift(); return send.call(this, text); };
"""


def build_pages():
    done = subprocess.run(["npm", "--prefix", str(WEB), "run", "-s", "build"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


class Browser:
    def __init__(self, *more_arguments):
        options = webdriver.ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                         "--lang=en-US", "--enable-precise-memory-info", *more_arguments):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        self.axe = (WEB / "node_modules/axe-core/axe.min.js").read_text()
        self.size(1400)

    def quit(self):
        self.driver.quit()

    def size(self, width, height=900):
        self.width, self.height = width, height
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})

    # ---- pages ----
    def open(self, url):
        """Loads it anew, even when only the fragment differs."""
        self.driver.get("about:blank")
        self.driver.get(url)

    def forget(self, url):
        """As a visitor who was never there."""
        self.driver.get(url)
        self.driver.delete_all_cookies()
        self.driver.execute_script("localStorage.clear()")

    def prefer(self, **choices):
        for name, value in choices.items():
            self.driver.execute_script("localStorage.setItem(arguments[0], arguments[1])", f"skirmish.{name}", value)

    def theme(self, name):
        """Chooses a theme as a visitor does."""
        self.run("""
            const select = [...document.querySelectorAll('.preferences select')].find((one) => one.querySelector('[value=dark]'));
            select.value = arguments[0];
            select.dispatchEvent(new Event('change', {bubbles: true}));""", name)
        wait_until(lambda: self.run("return document.documentElement.dataset.theme") == name, 5, f"the theme {name}")

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector="body"):
        """The text of the first such element; empty while there is none."""
        try:
            return self.driver.find_element(By.CSS_SELECTOR, selector).text
        except (NoSuchElementException, StaleElementReferenceException):
            return ""

    def click(self, selector):
        wait_until(lambda: self.all(selector), 10, f"an element {selector}")
        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    def button(self, text):
        found = [one for one in self.all("button") if one.text.strip() == text and one.is_displayed()]
        assert found, f"no button {text!r} among {[one.text for one in self.all('button')]}"
        found[-1].click()

    def press(self, *keys):
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def wait_text(self, text, selector="body", seconds=15):
        def found():
            try:
                return text in self.text(selector)
            except WebDriverException:
                return False
        wait_until(found, seconds, f"{text!r} in {selector}; it has {self.text(selector)[:800]!r}")

    def settle(self, seconds=10):
        """Until no skeleton is left."""
        wait_until(lambda: self.all("h1") and not self.all(".skeleton"), seconds, f"the end of loading of {self.driver.current_url}")

    # ---- what must not be ----
    def complaints(self, allowed=()):
        """Console errors and policy reports since the last call, without those that contain one of `allowed`."""
        lines = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
        lines += self.run("return window.reports ?? []")
        return [line for line in lines if not any(one in line for one in allowed)]

    def violations(self):
        """What axe-core finds that is serious or critical."""
        if not self.run("return 'axe' in window"):
            self.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": self.axe})
        found = self.driver.execute_async_script("""
            const done = arguments[arguments.length - 1];
            axe.run(document, {resultTypes: ['violations']}).then(({violations}) => done(violations), (e) => done([{impact: 'critical', id: String(e), nodes: []}]));
        """)
        return [f"{one['id']}: {'; '.join(str(node['target']) + ' ' + node.get('failureSummary', '')[:200] for node in one['nodes'][:4])}"
                for one in found if one["impact"] in ("serious", "critical")]

    def shoot(self, name):
        """A picture of the whole page, in build/screenshots."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        height = max(self.height, min(6000, self.run("return document.documentElement.scrollHeight")))
        picture = self.driver.execute_cdp_cmd("Page.captureScreenshot", {
            "captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": self.width, "height": height, "scale": 1}})
        (SHOTS / f"{name}.png").write_bytes(base64.b64decode(picture["data"]))

    def overflow(self):
        """By how many pixels the page is wider than the window."""
        return self.run("return document.documentElement.scrollWidth") - self.width
