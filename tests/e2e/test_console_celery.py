"""Flower's remote controls, each pressed in a real browser, on real Celery workers beside ours."""

import os
import subprocess
import sys

import pytest
from browser import needs_browser
from conftest import ROOT, Server, unique, wait_until
from test_console import Site, browser  # noqa: F401
from test_console_tasks import dialog, press_in, row
from test_tasks import call, outcome

pytest.importorskip("celery", reason="skipped: Celery is not installed (apt install python3-celery)")
pytestmark = needs_browser


class CeleryWorker:
    def __init__(self, server, name, *arguments):
        self.node = f"{name}@test"
        url = f"redis+socket://{server.data_dir}/redis.sock"
        environment = {**os.environ, "REDIS": url, "C_FORCE_ROOT": "1", "PYTHONPATH": str(ROOT / "tests/interop")}
        self.log = server.data_dir.parent / f"{server.data_dir.name}-{name}.log"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "python_tasks", "worker", "-n", self.node, "-l", "WARNING", "-E", *arguments],
            cwd=server.data_dir, env=environment, stdout=subprocess.DEVNULL, stderr=open(self.log, "wb"))
        self.ask = lambda command: server.http("GET", f"/api/workers/{name}/{command}").json.get("answers", {}).get(self.node)
        wait_until(lambda: self.process.poll() is not None or self.ask("ping"), 60, f"the worker {name}")
        assert self.process.poll() is None, self.log.read_text()

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)


@pytest.fixture(scope="module")
def site(short_tmp, browser):  # noqa: F811
    server = Server(short_tmp / unique("cel"), {"SKIRMISH_TASKS_SEND_QUEUES": "py,other"}).start()
    s = Site(server, browser)
    s.log_in()
    yield s
    s.close()
    server.stop()


@pytest.fixture(scope="module")
def worker(site):
    one = CeleryWorker(site.server, "py1", "-Q", "py", "-c", "2", "--prefetch-multiplier", "4")
    yield one
    one.end()


@pytest.fixture(autouse=True)
def without_complaints(site):
    site.complaints()
    yield
    assert site.complaints() == []


def tab(site, worker, name):
    site.go(f"workers/{worker.node}?tab={name}")


def shown(browser, text, seconds=20):  # noqa: F811
    browser.wait_text(text, "main", seconds)


# ---- what a worker says of itself -----------------------------------------------------------------------------------
def test_celery_workers_stand_beside_ours(site, worker, browser):  # noqa: F811
    site.go("workers")
    row(browser, worker.node)
    row(browser, "serve-")
    row(browser, worker.node).find_element("css selector", "a").click()
    shown(browser, worker.node)
    for name, text in (("registered", "py.flaky"), ("queues", "py"), ("pool", "max-concurrency"), ("settings", "task_default_queue")):
        tab(site, worker, name)
        shown(browser, text)


def test_active_reserved_and_scheduled(site, worker, browser):  # noqa: F811
    server = site.server
    later = call(server, "py.echo", 1, queue="py", countdown_s=3600)
    sleeping = [call(server, "py.sleep", 120, queue="py") for _ in range(4)]
    try:
        tab(site, worker, "active")
        shown(browser, "py.sleep")
        wait_until(lambda: len(worker.ask("active") or []) == 2 and worker.ask("reserved"), 30, "two that run and others that wait")
        active = {one["id"] for one in worker.ask("active")}
        tab(site, worker, "reserved")
        row(browser, "py.sleep")
        links = [one.get_attribute("href").split("/")[-1] for one in browser.all("main tbody a")]
        assert links and set(links) <= set(sleeping) - active
        tab(site, worker, "scheduled")
        row(browser, "py.echo")
        assert any(later in one.get_attribute("href") for one in browser.all("main tbody a"))
        # Its time is known; who revokes it sees it among the revoked.
        site.go(f"tasks/{later}")
        browser.button("Revoke")
        dialog(browser, "Revoke")
        tab(site, worker, "revoked")
        row(browser, later)
        # Those that run are terminated, one by one.
        for task in sorted(active):
            site.go(f"tasks/{task}")
            wait_until(lambda: any(one.text == "Terminate" for one in browser.all("main button")), 15, "the button")
            browser.button("Terminate")
            dialog(browser, "Terminate")
            assert outcome(server, task)["state"] == "REVOKED"
    finally:
        for task in sleeping:
            server.http("DELETE", f"/api/tasks/{task}?terminate=true")
        wait_until(lambda: worker.ask("active") == [], 60, "an idle worker")


# ---- what it is told ------------------------------------------------------------------------------------------------
def test_a_rate_limit(site, worker, browser):  # noqa: F811
    tab(site, worker, "registered")
    press_in(row(browser, "py.add"), "Rate limit")
    dialog(browser, "Apply", rate_limit="100/m")
    shown(browser, "py.add [rate_limit=100/m]")


def test_a_time_limit(site, worker, browser):  # noqa: F811
    tab(site, worker, "registered")
    press_in(row(browser, "py.sleep"), "Time limit")
    # The soft one: Celery may wait for long for a process that the hard one has killed.
    dialog(browser, "Apply", hard="600", soft="1")
    ended = outcome(site.server, call(site.server, "py.sleep", 60, queue="py"), 60)
    assert ended["state"] == "FAILURE" and "SoftTimeLimitExceeded" in str(ended), ended
    tab(site, worker, "registered")
    press_in(row(browser, "py.sleep"), "Time limit")
    dialog(browser, "Apply", hard="600", soft="500")
    assert outcome(site.server, call(site.server, "py.sleep", 1.5, queue="py"))["state"] == "SUCCESS"


def test_the_pool_grows_and_shrinks(site, worker, browser):  # noqa: F811
    size = lambda: ((worker.ask("stats") or {}).get("pool") or {}).get("max-concurrency")  # noqa: E731
    wait_until(lambda: size() == 2, 30, "two processes")
    tab(site, worker, "pool")
    shown(browser, "max-concurrency")
    browser.button("Grow")
    dialog(browser, "Apply", n="2")
    wait_until(lambda: size() == 4, 20, "four processes")
    browser.button("Shrink")
    dialog(browser, "Apply", n="1")
    wait_until(lambda: size() == 3, 20, "three processes")


def test_another_queue_is_served_and_no_more(site, worker, browser):  # noqa: F811
    tab(site, worker, "queues")
    browser.button("Serve another queue")
    dialog(browser, "Apply", queue="other")
    row(browser, "other")
    assert outcome(site.server, call(site.server, "py.add", 2, 3, queue="other"))["result"] == 5
    press_in(row(browser, "other"), "Stop serving")
    dialog(browser, "Stop serving")
    wait_until(lambda: [one["name"] for one in worker.ask("active_queues") or []] == ["py"], 20, "the end of that")
    wait_until(lambda: "other" not in browser.text("main table"), 20, "one queue on the page")


def test_what_a_worker_refuses_is_said_in_its_window(site, worker, browser):  # noqa: F811
    tab(site, worker, "pool")
    shown(browser, "max-concurrency")
    browser.button("Autoscale")
    wait_until(lambda: browser.all("dialog [name=min]"), 10, "the question")
    browser.all("dialog [name=min]")[0].send_keys("1")
    browser.all("dialog [name=max]")[0].send_keys("5")
    browser.all("dialog button[type=submit]")[0].click()
    browser.wait_text("Autoscale not enabled", "dialog .problem")
    browser.all("dialog header button")[0].click()


def test_autoscale_of_a_worker_that_scales(site, browser):  # noqa: F811
    scaling = CeleryWorker(site.server, "py2", "-Q", "scaled", "--autoscale=3,1")
    try:
        tab(site, scaling, "pool")
        shown(browser, "max-concurrency")
        browser.button("Autoscale")
        dialog(browser, "Apply", min="2", max="6")
        told = wait_until(lambda: (scaling.ask("stats") or {}).get("autoscaler"), 20, "the autoscaler")
        assert (told["min"], told["max"]) == (2, 6)
    finally:
        scaling.end()


def test_events_are_switched_on(site, worker, browser):  # noqa: F811
    site.go(f"workers/{worker.node}")
    browser.button("Send events")
    dialog(browser, "Send events")


# The last: the worker ends.
def test_a_shutdown(site, worker, browser):  # noqa: F811
    site.go(f"workers/{worker.node}")
    browser.button("Shut down")
    dialog(browser, "Shut down", confirm=worker.node, reason="the end of the test")
    assert worker.process.wait(60) == 0, worker.log.read_text()
    site.go("workers")
    site.complaints()  # its page asked who had gone
    noted = wait_until(lambda: site.server.http("GET", "/api/audit?route=/api/workers/%7Bname%7D/%7Bcommand%7D").json["items"], 20, "the note")
    assert any("the end of the test" in str(one["target"]) for one in noted)
