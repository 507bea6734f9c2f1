#!/usr/bin/env python3
"""The page of the service in a real browser: page_test.py --bin FOLDER --out FOLDER [-v] [TestCase.test]

Screenshots go to the folder --out. Needs chromium and chromedriver (scripts/setup --tests).
"""
import argparse
import hashlib
import os
import pathlib
import sys
import time
import unittest

from browser import CONTROL, ENTER, ESCAPE, TAB, Browser
from service import run_cases, Service

bin_dir = out_dir = None
CONFIG = ("docker:\n  enabled: true\n  pool_min: 1\n  pool_max: 2\n" if os.environ.get("DOCKER_HOST")
          else "docker:\n  enabled: false\n")


class Page(unittest.TestCase):
    flags, config, tokens = (), "docker:\n  enabled: false\n", None

    @classmethod
    def setUpClass(cls):
        cls.service = Service(bin_dir, *cls.flags, config=cls.config, tokens=cls.tokens)
        cls.browser = Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.service.stop()

    def setUp(self):
        host, port = self.service.tcp()
        self.url = f"http://{host}:{port}/"
        self.browser.looks()
        self.browser.open(self.url)
        self.ready()
        self.browser.complaints()

    def ready(self):
        self.wait("#phase", lambda text: text != "connecting")

    def tearDown(self):
        self.assertEqual([one["message"] for one in self.browser.complaints() if one["level"] in ("SEVERE", "WARNING")], [])

    def wait(self, selector, condition, seconds=30):
        text = ""

        def look():
            nonlocal text
            text = self.browser.text(selector)
            return condition(text)
        try:
            self.browser.wait(look, selector, seconds)
        except AssertionError:
            self.fail(f"{selector} says {text!r}")
        return text

    def program(self, code, stdin="", timeout=None):
        self.browser.fill("#code", code)
        self.browser.run("document.getElementById('stdin').value = arguments[0]", stdin)
        if timeout:
            self.browser.run("document.getElementById('timeout').value = arguments[0]", timeout)

    def run_it(self, code, status, **more):
        self.program(code, **more)
        self.browser.click("#run")
        self.wait("#status", lambda text: text.startswith(status))


class Programs(Page):
    config = CONFIG

    def test_it_loads_and_knows_the_service(self):
        self.assertEqual(self.browser.run("return document.title"), "hotcell")
        self.assertEqual(self.wait("#phase", lambda text: text == "ready"), "ready")
        self.assertIn("WASI", self.wait("#engines", lambda text: "WASI" in text))
        self.browser.open(self.url)  # loading it is quiet too
        self.ready()

    def test_a_program_shows_what_it_prints_while_it_runs(self):
        self.program("import sys, time\nprint('first ' + input(), flush=True)\nprint('wrong', file=sys.stderr, flush=True)\n"
                     "time.sleep(3)\nprint('<b>last</b>')", stdin="word")
        self.browser.click("#run")
        self.wait("#output", lambda text: "first word" in text and "wrong" in text)
        self.assertEqual(self.browser.text("#status"), "running")  # the end has not come yet
        self.wait("#status", lambda text: text == "completed")
        self.assertEqual(self.browser.run("return document.getElementById('output').textContent"),
                         "first word\nwrong\n<b>last</b>\n")
        self.assertEqual(self.browser.run("return document.querySelector('#output .err').textContent"), "wrong\n")
        self.assertRegex(self.browser.text("#usage"), r"^(WASI|Docker).* · [\d.]+ (µs|ms|s), CPU ")
        self.wait("#legend", lambda text: "completed" in text)

    def test_an_error_says_what_to_do(self):
        self.run_it("x = []\nwhile True: x.append(bytes(1 << 20))", "limit exceeded")
        text = self.browser.text("#error")
        self.assertIn("memory_limit", text)
        self.assertIn("What to do:", text)
        self.wait("#failures", lambda text: "memory_limit" in text)
        self.run_it("def f():\n  return 1/0\n\nf()", "failed, exit code 1")
        self.assertIn("line 2", self.browser.text("#error"))
        self.assertIn("ZeroDivisionError: division by zero", self.browser.text("#error"))
        self.run_it("print(1)", "completed")  # and is gone with the next run
        self.assertFalse(self.browser.visible("#error"))

    def test_what_is_refused_is_explained(self):
        self.program("print(1)", timeout=100_000)
        self.browser.click("#run")
        self.assertEqual(self.browser.text("#status"), "nothing has run yet")  # the field itself says why
        self.browser.run("document.getElementById('timeout').max = ''")
        self.browser.click("#run")
        self.wait("#status", lambda text: text == "refused")
        self.assertIn("timeout_seconds", self.browser.text("#error"))
        self.browser.complaints()  # a browser reports every 422 in its console

    def test_cancel(self):
        self.program("import time\nprint('begun', flush=True)\ntime.sleep(60)")
        self.browser.click("#run")
        self.wait("#output", lambda text: "begun" in text)
        begun = time.monotonic()
        self.browser.click("#cancel")
        self.wait("#status", lambda text: text == "cancelled")
        self.assertLess(time.monotonic() - begun, 20)
        self.assertIn("begun", self.browser.text("#output"))
        self.assertEqual(self.service.metric("hotcell_executions_in_flight"), 0)
        self.run_it("print('again')", "completed")

    def test_leaving_the_page_ends_the_program(self):
        self.program("while True: pass")
        self.browser.click("#run")
        self.wait("#status", lambda text: text == "running")
        self.browser.open("about:blank")
        self.browser.wait(lambda: self.service.metric("hotcell_executions_in_flight") == 0, "the program has ended")
        self.browser.open(self.url)
        self.ready()

    def test_by_keyboard_alone(self):
        self.browser.fill("#code", "")
        self.browser.type("#code", "if True:" + ENTER + TAB + "print('typed')")
        self.assertEqual(self.browser.run("return document.getElementById('code').value"), "if True:\n    print('typed')")
        self.browser.type("#code", CONTROL + ENTER)
        self.wait("#status", lambda text: text == "completed")
        self.assertEqual(self.browser.text("#output"), "typed")
        self.browser.type("#code", ESCAPE + TAB)
        self.assertNotEqual(self.browser.focused(), "code")  # nobody is caught in the field

    def test_files_that_it_left(self):
        self.run_it("open('small.txt', 'w').write('hello')\nopen('large.bin', 'wb').write(bytes(200000))\n"
                    "import base64\nopen('dot.png', 'wb').write(base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
                    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='))", "completed")
        text = self.browser.text("#files")
        for name in ("small.txt", "large.bin", "195.3 KiB"):
            self.assertIn(name, text)
        self.browser.wait(lambda: self.browser.run("return document.querySelector('#images img').naturalWidth") == 1, "the image")
        # What a click would save, caught where the browser would be handed it.
        self.browser.run("window.saved = {}; HTMLAnchorElement.prototype.click = function() {"
                         "fetch; window.saved[this.download] = this.href; };"
                         "const make = URL.createObjectURL; URL.createObjectURL = blob => { window.size = blob.size; return make(blob); };")
        for name, size in (("small.txt", 5), ("large.bin", 200000)):
            self.browser.click(f"button[aria-label='Save {name}']")
            self.browser.wait(lambda: self.browser.run("return window.saved[arguments[0]]", name), name)
            self.assertEqual(self.browser.run("return window.size"), size)

    def test_much_output_does_not_drown_the_page(self):
        self.run_it("for i in range(900): print('x' * 999)", "completed")
        self.assertLess(self.browser.run("return document.getElementById('output').textContent.length"), 420_000)
        self.assertIn("more than the page shows", self.browser.text("#output")[-60:])

    def test_it_goes_on_when_the_service_comes_back(self):
        address = self.service.tcp()
        command = self.service.command
        self.service.stop()
        self.wait("#phase", lambda text: text == "out of reach")
        try:
            self.service.command = [f"{address[0]}:{address[1]}" if part == "127.0.0.1:0" else part for part in command]
            self.service.start()
            self.wait("#phase", lambda text: text == "ready")
        finally:
            self.service.command = command
        self.browser.complaints()  # a browser reports every failed request in its console

    def test_no_script_of_others_runs(self):
        self.browser.run("const s = document.createElement('script'); s.textContent = 'window.evil = 1'; document.body.append(s)")
        self.assertIsNone(self.browser.run("return window.evil || null"))
        refused = self.browser.complaints()  # it has said so
        self.assertTrue(any("Content Security Policy" in one["message"] for one in refused), refused)

    def test_how_it_looks(self):
        for i in range(12):
            self.service.execute("print(1)")
        self.service.execute("raise ValueError('a value that nobody wanted')")
        self.service.execute("while True: pass", timeout_seconds=0.3)
        self.run_it("import math\n\nprint('n   n!')\nfor n in range(8):\n    print(n, ' ', math.factorial(n))\n"
                    "open('report.csv', 'w').write('n,factorial\\n')\nprint(total)", "failed")
        time.sleep(2.2)  # for the minute's picture to have these runs in it
        for name, looks in (("light", {}), ("dark", {"scheme": "dark"}),
                            ("phone", {"scheme": "dark", "width": 390, "height": 844, "phone": True})):
            with self.subTest(name):
                self.browser.looks(**looks)
                self.assertLessEqual(self.browser.run("return document.documentElement.scrollWidth - innerWidth"), 0)
                self.assertEqual(self.browser.run(CONTRAST), [])
                self.assertEqual(self.browser.run(UNNAMED), [])
                self.browser.run("scrollTo(0, 0)")
                self.browser.screenshot(out_dir / f"page-{name}.png")


# Texts whose contrast is below WCAG's AA (4.5 : 1), by the colours that the browser has computed.
CONTRAST = """
const parts = text => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const ground = node => { for (; node; node = node.parentElement) {
  const c = parts(getComputedStyle(node).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
const bad = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const node = walk.currentNode.parentElement;
  if (!walk.currentNode.textContent.trim() || !node.getClientRects().length || node.closest("script, style, :disabled, .skip")) continue;
  const a = light(parts(getComputedStyle(node).color)), b = light(ground(node));
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) bad.push(walk.currentNode.textContent.trim().slice(0, 40) + ": " + ratio.toFixed(2));
}
return bad;
"""
# Controls that a screen reader has no name for.
UNNAMED = """
return [...document.querySelectorAll("button, input, select, textarea, img, [role=img]")].filter(e => e.getClientRects().length)
  .filter(e => !(e.labels && e.labels.length) && !e.getAttribute("aria-label") && !e.textContent.trim() && !e.alt)
  .map(e => e.outerHTML.slice(0, 80));
"""


class Tokens(Page):
    tokens = [{"name": "me", "sha256": hashlib.sha256(b"hct_mine").hexdigest()}]

    def test_a_token_is_asked_for_and_kept_for_the_tab(self):
        self.browser.wait(lambda: self.browser.visible("#token-dialog"), "it asks")
        self.browser.type("#token", "hct_wrong" + ENTER)
        self.wait("#token-why", lambda text: "does not know this token" in text)
        self.browser.type("#token", "hct_mine" + ENTER)
        self.wait("#phase", lambda text: text == "ready")
        self.assertFalse(self.browser.visible("#token-dialog"))
        self.run_it("print('mine')", "completed")
        self.browser.complaints()  # a browser reports every 401 in its console
        self.browser.open(self.url)
        self.wait("#phase", lambda text: text == "ready")
        self.run_it("print('still mine')", "completed")
        self.assertEqual(self.browser.run("return localStorage.length + document.cookie.length"), 0)


def main():
    global bin_dir, out_dir
    options = argparse.ArgumentParser()
    options.add_argument("--bin", required=True, type=pathlib.Path, help="the folder of hotcelld and hotcell-worker")
    options.add_argument("--out", required=True, type=pathlib.Path, help="where the screenshots go")
    options, rest = options.parse_known_args()
    bin_dir, out_dir = options.bin.resolve(), options.out.resolve()
    run_cases(rest)


if __name__ == "__main__":
    main()
