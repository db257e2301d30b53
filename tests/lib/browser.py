#!/usr/bin/env python3
"""The status page in a real browser: headless Chromium, driven by chromedriver (https://www.w3.org/TR/webdriver2/).

Usage: browser.py follow URL TEXT   says "open" once the page is there, "appeared" when TEXT is on it, "gone" when it no longer is; all that
                                    in one document, without loading it again
       browser.py plain URL TEXT    the same with scripts switched off, where it may only load itself again
       browser.py audit URL         what is wrong with it, light and dark, 360 and 1000 pixels wide; exit status 1 if anything is
"""
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

DEADLINE_S = 40
CONTRAST_MIN = 4.5
TARGET_MIN_PX = 24

# Each piece of text with its colour and the first ground behind it, as WCAG 2.2 computes contrast.
CONTRAST = """
const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const parse = text => text.match(/[\\d.]+/g).map(Number);
const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
const opaque = c => c.length < 4 || c[3] === 1;
function ground(element) {
    for (; element; element = element.parentElement) {
        const colour = parse(getComputedStyle(element).backgroundColor);
        if (opaque(colour)) return colour;
    }
    return [255, 255, 255];
}
const all = [];
function look(element, text, pseudo) {
    const a = light(parse(getComputedStyle(element, pseudo).color)), b = light(ground(element));
    all.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), text.slice(0, 40)]);
}
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (node.data.trim() && !['SCRIPT', 'STYLE', 'NOSCRIPT'].includes(element.tagName)) look(element, node.data.trim());
}
for (const input of document.querySelectorAll('input')) look(input, input.placeholder, '::placeholder');
return all.sort((a, b) => a[0] - b[0]);
"""

FOCUS = """
const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
return [e.tagName + (e.id ? '#' + e.id : ''), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2, box.height];
"""


class Browser:
    def __init__(self, scripts=True):
        self.folder = tempfile.mkdtemp(prefix="callsign-browser-")
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            self.base = "http://127.0.0.1:%d" % self.port()
            options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                                "--user-data-dir=" + self.folder]}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}, "browserName": "chrome"}
            session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
            self.base += "/session/" + session["sessionId"]
            if not scripts:
                self.devtools("Emulation.setScriptExecutionDisabled", value=True)
        except BaseException:
            self.close()
            raise

    def port(self):
        for line in self.driver.stdout:
            if "on port " in line and "successfully" in line:
                return int(line.split("on port ")[1].split(".")[0])
        raise RuntimeError("chromedriver did not start")

    def call(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def devtools(self, command, **parameters):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def text(self):
        """Of the document as it is, without asking a script for it. While another one takes its place there is none."""
        end = time.monotonic() + DEADLINE_S
        while True:
            try:
                root = self.devtools("DOM.getDocument", depth=0)["root"]["nodeId"]
                html = self.devtools("DOM.getOuterHTML", nodeId=root)["outerHTML"]
                if "</footer>" in html:
                    return re.sub("<[^>]*>", "", html)
            except urllib.error.HTTPError:
                pass
            if time.monotonic() > end:
                sys.exit("browser.py: there is no whole page")
            time.sleep(0.05)

    def press_tab(self):
        keys = [{"type": "keyDown", "value": "\ue004"}, {"type": "keyUp", "value": "\ue004"}]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": keys}]})

    def complaints(self):
        return [entry["message"] for entry in self.call("POST", "/se/log", {"type": "browser"}) if entry["level"] in ("WARNING", "SEVERE")]

    def close(self):
        if "/session/" in getattr(self, "base", ""):
            try:
                self.call("DELETE", "")
            except OSError:
                pass
        self.driver.terminate()
        self.driver.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def until(what, condition):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > end:
            sys.exit("browser.py: not %s within %d s" % (what, DEADLINE_S))
        time.sleep(0.1)
    print(what, flush=True)


def follow(browser, url, text):
    browser.open(url)
    browser.run("window.sameDocument = true; document.getElementById('q').focus();")
    has = "return document.getElementById('names').textContent.includes(arguments[0]);"
    print("open", flush=True)
    until("appeared", lambda: browser.run(has, text))
    until("gone", lambda: not browser.run(has, text))
    if browser.run("return [window.sameDocument, document.activeElement.id];") != [True, "q"]:
        sys.exit("browser.py: the page was loaded again, or the focus was lost")


def plain(browser, url, text):
    browser.open(url)
    print("open", flush=True)
    until("appeared", lambda: text in browser.text())
    until("gone", lambda: text not in browser.text())


def audit_keyboard(browser):
    reached = []
    browser.run("document.activeElement.blur();")
    for _ in range(3):
        browser.press_tab()
        name, visible, height = browser.run(FOCUS)
        reached.append(name)
        if not visible:
            yield "the focus on %s cannot be seen" % name
        if height < TARGET_MIN_PX and not name.startswith("A"):
            yield "%s is only %g px high" % (name, height)
    if reached != ["INPUT#q", "BUTTON", "A"]:
        yield "Tab goes to %s" % ", ".join(reached)


def audit_one(browser, url, width, scheme):
    browser.devtools("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500)
    browser.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open(url)
    wide, room = browser.run("const e = document.documentElement; return [e.scrollWidth, e.clientWidth];")
    if wide > room or room < width - 20:
        yield "it is %d px wide, in a window with room for %d" % (wide, room)
    texts = browser.run(CONTRAST)
    print("%s, %d px: %d texts, least contrast %.2f (%s)" % (scheme, width, len(texts), *texts[0]))
    for contrast, text in texts:
        if contrast < CONTRAST_MIN:
            yield 'contrast of "%s" is %.2f' % (text, contrast)
    small = browser.run("return [...document.querySelectorAll('body *')].map(e => parseFloat(getComputedStyle(e).fontSize))"
                        ".reduce((a, b) => Math.min(a, b));")
    if small < 12:
        yield "text of %g px" % small
    yield from audit_keyboard(browser)


def audit(browser, url):
    wrong = []
    for scheme in ("light", "dark"):
        for width in (360, 1000):
            wrong += ["%s, %d px: %s" % (scheme, width, line) for line in audit_one(browser, url, width, scheme)]
    wrong += ["the browser says: " + line for line in browser.complaints()]
    for element, count in browser.run("return ['main', 'h1', 'title', 'caption', 'label', 'html[lang]'].map(s => [s, document.querySelectorAll(s).length]);"):
        if count != 1:
            wrong.append("%d of %s" % (count, element))
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


def main():
    verbs = {"follow": (follow, 2), "plain": (plain, 2), "audit": (audit, 1)}
    if len(sys.argv) < 2 or sys.argv[1] not in verbs or len(sys.argv) != 2 + verbs[sys.argv[1]][1]:
        sys.exit(__doc__)
    browser = Browser(scripts=sys.argv[1] != "plain")
    try:
        sys.exit(verbs[sys.argv[1]][0](browser, *sys.argv[2:]))
    finally:
        browser.close()


if __name__ == "__main__":
    main()
