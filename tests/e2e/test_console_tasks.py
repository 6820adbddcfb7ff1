"""The pages of tasks in a real browser against the real server: everything that an operator does with tasks."""

import subprocess

import pytest
from browser import Keys, needs_browser
from conftest import BINARY, Server, unique, wait_until
from test_console import Site, browser  # noqa: F401
from test_tasks import call, outcome

pytestmark = needs_browser

SETTINGS = {"SKIRMISH_TASKS_SEND_QUEUES": "mail,slow"}


@pytest.fixture(scope="module")
def site(short_tmp, browser):  # noqa: F811
    server = Server(short_tmp / unique("con"), SETTINGS).start()
    if server.http("GET", "/api/schedules").status == 404:
        server.stop()
        pytest.skip("skipped: this server does not offer the routes of tasks")
    s = Site(server, browser)
    s.log_in()
    yield s
    s.close()
    server.stop()


@pytest.fixture(autouse=True)
def without_complaints(site):
    """Whatever a test does, the page writes no error and violates no policy."""
    site.complaints()
    yield
    assert site.complaints() == []


def dialog(browser, verb, **fields):  # noqa: F811
    """Fills the window in which something is asked, and confirms it."""
    wait_until(lambda: browser.all("dialog[open] button[type=submit]"), 10, "the question")
    for name, value in fields.items():
        field = browser.all(f"dialog [name={name}]")[0]
        field.clear()
        field.send_keys(value)
    submit = browser.all("dialog button[type=submit]")[0]
    assert submit.text == verb and submit.is_enabled()
    submit.click()
    wait_until(lambda: not browser.all("dialog[open]"), 15, f"the end of the window: {browser.text('dialog')}")


def row(browser, text):  # noqa: F811
    return wait_until(lambda: next((one for one in browser.all("main tbody tr") if text in one.text), None), 15, f"a row with {text}")


def press_in(element, text):
    next(one for one in element.find_elements("css selector", "button") if one.text == text).click()


def rows(browser):  # noqa: F811
    return len([one for one in browser.all("main tbody tr") if one.get_attribute("class") != "spacer"])


# ---- the history ----------------------------------------------------------------------------------------------------
def test_failed_tasks_are_found_by_state_and_by_argument(site, browser):  # noqa: F811
    server = site.server
    needle = unique("needle")
    for i in range(5):
        outcome(server, call(server, "echo", i))
    failed = call(server, "send_notification", needle, "hello")
    assert outcome(server, failed)["state"] == "FAILURE"
    site.go("tasks")
    wait_until(lambda: rows(browser) >= 6, 15, "the tasks")
    press_in(browser.all(".task-states")[0], next(one.text for one in browser.all(".task-states button") if "Failed" in one.text))
    wait_until(lambda: "state=FAILURE" in browser.run("return location.hash"), 5, "the filter in the address")
    wait_until(lambda: rows(browser) and all("Failed" in one.text for one in browser.all("main tbody tr")), 15, "failed tasks only")
    site.go(f"tasks?arguments={needle}")
    wait_until(lambda: rows(browser) == 1, 15, "the one task")
    browser.all("main tbody a")[0].click()
    browser.wait_text("send_notification", "main h1")
    browser.wait_text("LookupError", "main .value")
    assert needle not in browser.text("main .on-demand"), "arguments are shown on demand"
    browser.all("main .on-demand summary")[0].click()
    browser.wait_text(needle, "main .on-demand")
    steps = [one.text.split("\n")[0] for one in browser.all(".timeline li")]
    assert steps[-1].startswith("Failed") and any(one.startswith("Started") for one in steps)


def test_a_task_is_retried_with_its_arguments(site, browser):  # noqa: F811
    server = site.server
    failed = call(server, "send_notification", unique("later"), "hello")
    assert outcome(server, failed)["state"] == "FAILURE"
    site.go(f"tasks/{failed}")
    browser.button("Retry")
    dialog(browser, "Retry")
    wait_until(lambda: failed not in browser.run("return location.hash"), 10, "the page of the new task")
    again = browser.run("return location.hash").split("/")[-1]
    assert outcome(server, again)["state"] == "FAILURE"
    browser.wait_text("Failed", "main .state")


def test_a_waiting_task_is_revoked(site, browser):  # noqa: F811
    server = site.server
    waiting = call(server, "echo", 1, countdown_s=3600)
    wait_until(lambda: server.http("GET", f"/api/tasks/{waiting}").status == 200, 15, "the task in the history")
    site.go(f"tasks/{waiting}")
    browser.button("Revoke")
    dialog(browser, "Revoke")
    # The worker notes it; the task itself is revoked when its time comes.
    node = server.http("GET", "/api/workers").json["items"][0]["node"]
    site.go(f"workers/{node}?tab=revoked")
    row(browser, waiting)


def test_many_are_counted_before_they_are_retried(site, browser):  # noqa: F811
    server = site.server
    name = unique("many")
    for _ in range(3):
        outcome(server, call(server, "send_notification", name, "hello"))
    site.go(f"tasks?arguments={name}&state=FAILURE")
    wait_until(lambda: rows(browser) == 3, 15, "the failed tasks")
    browser.button("Retry all that fit")
    browser.wait_text("Retry 3 tasks that fit", "dialog")
    dialog(browser, "Retry")
    wait_until(lambda: len(server.http("GET", f"/api/tasks?arguments={name}&state=FAILURE").json["items"]) == 6, 20, "the second failures")


def test_new_tasks_wait_behind_a_button(site, browser):  # noqa: F811
    server = site.server
    outcome(server, call(server, "echo", "first"))
    site.go("tasks?name=echo")
    browser.wait_text("Live", ".connection")
    wait_until(lambda: rows(browser) > 0, 15, "tasks")
    before = rows(browser)
    # The subscription may be younger than the first of them.
    wait_until(lambda: outcome(server, call(server, "echo", "new")) and "Show" in browser.text(".list-tools"), 15, "the button")
    assert rows(browser) == before
    browser.all(".list-tools [role=status] button")[0].click()
    wait_until(lambda: rows(browser) > before, 15, "the new rows")


def test_charts_show_runtime_and_wait_by_name(site, browser):  # noqa: F811
    outcome(site.server, call(site.server, "echo", 1))
    site.go("tasks?view=charts")
    assert len(browser.all("main .chart")) == 3
    assert "echo" in row(browser, "echo").text
    browser.all("main .chart .as-table")[0].click()
    wait_until(lambda: browser.all("main .chart table"), 5, "the chart as a table")


# ---- queues -------------------------------------------------------------------------------------------------------------
def test_a_queue_is_paused_resumed_and_purged(site, browser):  # noqa: F811
    server = site.server
    for _ in range(4):
        call(server, "echo", 1, queue="slow")
    site.go("queues")
    line = row(browser, "slow")
    assert "No worker" in line.text
    press_in(line, "Pause")
    dialog(browser, "Pause")
    wait_until(lambda: "Paused" in row(browser, "slow").text, 10, "the pause")
    press_in(row(browser, "slow"), "Resume")
    dialog(browser, "Resume")
    wait_until(lambda: "Paused" not in row(browser, "slow").text, 10, "the end of the pause")
    press_in(row(browser, "slow"), "Purge")
    wait_until(lambda: browser.all("dialog[open]"), 5, "the question")
    assert not browser.all("dialog button[type=submit]")[0].is_enabled(), "the name has to be typed"
    dialog(browser, "Purge", confirm="slow", reason="a test")
    queue = lambda: next(q for q in server.http("GET", "/api/queues").json["items"] if q["name"] == "slow")  # noqa: E731
    wait_until(lambda: queue()["depth"] == 0, 10, "the empty queue")
    noted = wait_until(lambda: server.http("GET", "/api/audit?route=/api/queues/%7Bname%7D/purge").json["items"], 20, "the note")
    assert "a test" in str(noted[0]["target"])


def test_the_doctor_says_something(site, browser):  # noqa: F811
    site.go("queues")
    r = site.server.redis()
    r.sadd("_kombu.binding.unread", "unread")
    r.lpush("unread", "no message")
    browser.button("Examine")
    browser.wait_text("poison", "main", 30)
    r.delete("_kombu.binding.unread", "unread")


# ---- workers ------------------------------------------------------------------------------------------------------------
def test_a_worker_shows_what_it_does_and_is_controlled(site, browser):  # noqa: F811
    server = site.server
    node = wait_until(lambda: server.http("GET", "/api/workers").json["items"], 15)[0]["node"]
    sleeping = call(server, "sleep", 60)
    site.go("workers")
    row(browser, node).find_element("css selector", "a").click()
    browser.wait_text(node, "main h1")
    browser.wait_text("sleep", "main table")
    site.go(f"tasks/{sleeping}")
    browser.button("Terminate")
    dialog(browser, "Terminate")
    assert outcome(server, sleeping)["state"] == "REVOKED"
    site.go(f"workers/{node}?tab=registered")
    row(browser, "echo")
    press_in(row(browser, "echo"), "Rate limit")
    dialog(browser, "Apply", rate_limit="100/m")
    site.go(f"workers/{node}?tab=queues")
    row(browser, "skirmish")
    browser.button("Serve another queue")
    dialog(browser, "Apply", queue="mail")
    row(browser, "mail")
    press_in(row(browser, "mail"), "Stop serving")
    dialog(browser, "Stop serving")
    wait_until(lambda: "mail" not in browser.text("main table"), 10, "the end of that")
    for tab in ("reserved", "scheduled", "revoked", "pool", "settings"):
        site.go(f"workers/{node}?tab={tab}")
        assert not browser.all("main .problem"), tab


def test_a_shutdown_asks_for_the_name_and_a_reason(site, browser):  # noqa: F811
    node = site.server.http("GET", "/api/workers").json["items"][0]["node"]
    site.go(f"workers/{node}")
    browser.button("Shut down")
    wait_until(lambda: browser.all("dialog[open]"), 5, "the question")
    submit = browser.all("dialog button[type=submit]")[0]
    assert not submit.is_enabled()
    browser.all("dialog [name=confirm]")[0].send_keys(node)
    assert submit.is_enabled()
    assert browser.all("dialog [name=reason]")[0].get_attribute("required")
    browser.press(Keys.ESCAPE)


# ---- schedules ----------------------------------------------------------------------------------------------------------
def test_a_schedule_is_added_changed_run_and_removed(site, browser):  # noqa: F811
    server = site.server
    name = unique("nightly")
    site.go("schedules")
    browser.button("Add a schedule")
    dialog(browser, "Save", name=name, task="echo", every="12h", args='["from a schedule"]', queue="skirmish")
    press_in(row(browser, name), "Change")
    dialog(browser, "Save", every="", cron="0 3 * * *", timezone="Europe/Paris")
    wait_until(lambda: "0 3 * * * (Europe/Paris)" in row(browser, name).text, 10, "the change")
    press_in(row(browser, name), "Run now")
    dialog(browser, "Run now")
    wait_until(lambda: "#/tasks/" in browser.run("return location.hash"), 10, "the page of the task")
    assert outcome(server, browser.run("return location.hash").split("/")[-1])["result"] == "from a schedule"
    site.go("schedules")
    press_in(row(browser, name), "Remove")
    dialog(browser, "Remove", confirm=name)
    wait_until(lambda: name not in browser.text("main"), 10, "its end")


def test_a_schedule_that_is_wrong_is_said_in_its_window(site, browser):  # noqa: F811
    site.go("schedules")
    browser.button("Add a schedule")
    wait_until(lambda: browser.all("dialog[open]"), 5, "the question")
    for field, value in (("name", "wrong"), ("task", "echo"), ("cron", "99 * * * *")):
        browser.all(f"dialog [name={field}]")[0].send_keys(value)
    browser.all("dialog button[type=submit]")[0].click()
    wait_until(lambda: browser.all("dialog .problem"), 10, "the complaint")
    browser.all("dialog [name=kwargs]")[0].clear()
    browser.all("dialog [name=kwargs]")[0].send_keys("{")
    browser.all("dialog button[type=submit]")[0].click()
    browser.wait_text("this is not JSON", "dialog .problem")
    browser.press(Keys.ESCAPE)
    site.browser.complaints()  # the refusal


# ---- dead letters -------------------------------------------------------------------------------------------------------
def test_dead_letters_are_looked_at_put_back_and_dropped(site, browser):  # noqa: F811
    server = site.server
    r = server.redis()
    for i in range(3):
        call(server, f"nobody.knows.{i}", queue="skirmish")
    wait_until(lambda: r.llen("skirmish:tasks:dead") >= 3, 60, "the dead letters")
    site.go("dead-letters")
    row(browser, "nobody.knows.1").find_elements("css selector", "td")[2].click()
    browser.wait_text("nobody.knows.1", "dialog h2")
    browser.press(Keys.ESCAPE)
    row(browser, "nobody.knows.0").find_element("css selector", "input").click()
    browser.button("Drop 1")
    dialog(browser, "Drop", reason="a test")
    wait_until(lambda: "nobody.knows.0" not in browser.text("main table"), 10, "its end")
    browser.button("Put all back")
    dialog(browser, "Put back")
    # Nobody knows them still.
    wait_until(lambda: r.llen("skirmish:tasks:dead") >= 2, 60, "the dead letters, again")
    site.go("dead-letters")
    browser.button("Drop all")
    dialog(browser, "Drop", confirm="all", reason="a test")
    browser.wait_text("No dead letters", "main")


# ---- all pages ----------------------------------------------------------------------------------------------------------
PAGES = ["tasks", "tasks?view=charts", "queues", "workers", "schedules", "dead-letters"]


def one_task(site):
    page = site.server.http("GET", "/api/tasks?state=FAILURE&limit=1").json["items"]
    return [f"tasks/{page[0]['id']}"] if page else []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_pages_of_tasks(site, browser, theme):  # noqa: F811
    browser.prefer(theme=theme)
    node = site.server.http("GET", "/api/workers").json["items"][0]["node"]
    found = {}
    try:
        for page in [*PAGES, *one_task(site), f"workers/{node}", f"workers/{node}?tab=pool"]:
            site.go(page)
            for summary in browser.all("main details summary"):
                summary.click()
            found[page] = browser.violations()
            browser.size(360)
            assert browser.overflow() <= 0, page
            browser.size(1400)
    finally:
        browser.size(1400)
        browser.prefer(theme="light")
    assert {page: what for page, what in found.items() if what} == {}


def test_a_viewer_may_look_and_nothing_else(site, browser):  # noqa: F811
    node = site.server.http("GET", "/api/workers").json["items"][0]["node"]
    site.log_in(site.key("viewer"))
    try:
        for page in [*PAGES, *one_task(site), f"workers/{node}"]:
            site.go(page)
            texts = {one.text.strip() for one in browser.all("main button:not(th button)")}
            changing = {"Retry", "Revoke", "Terminate", "Retry all that fit", "Revoke all that fit", "Pause", "Resume", "Purge",
                        "Shut down", "Add a schedule", "Change", "Remove", "Run now", "Drop all", "Put all back"}
            assert not texts & changing, page
            assert not browser.all("main .problem"), page
        assert site.complaints() == []
    finally:
        browser.complaints()
        site.log_in()


@pytest.mark.long
def test_a_lost_worker_is_shown_as_lost(site, browser):  # noqa: F811
    log = open(site.server.data_dir.parent / "lost-worker.log", "wb")
    worker = subprocess.Popen([BINARY, "worker", "--data-dir", str(site.server.data_dir), "-n", "frail", "-Q", "mail"], stderr=log)
    site.go("workers")
    row(browser, "frail@")
    worker.kill()
    worker.wait(20)
    wait_until(lambda: "Lost" in row(browser, "frail@").text, 60, "the loss")
    row(browser, "frail@").find_element("css selector", "a").click()
    browser.wait_text("it answers nothing", "main")
