"""The pages of players, map, boards, levels, chat and events in a real browser against the real server."""

import pytest
from browser import Keys, needs_browser
from conftest import Server, unique, wait_until
from test_console import Site, browser  # noqa: F401
from test_console_tasks import dialog, press_in, row

pytestmark = needs_browser

# A profile, a board or a position may be gone between two readings of a page.
MEANT = (" 404 ",)


@pytest.fixture(scope="module")
def site(short_tmp, browser):  # noqa: F811
    server = Server(short_tmp / unique("con"), args=["--demo"]).start()
    if server.http("GET", "/api/positions").status in (404, 405):
        server.stop()
        pytest.skip("skipped: this server does not offer the lists of the world")
    s = Site(server, browser)
    s.log_in()
    wait_until(lambda: server.http("GET", "/api/leaderboards/global").json["items"], 30, "a first score")
    yield s
    s.close()
    server.stop()


@pytest.fixture(autouse=True)
def without_complaints(site):
    site.complaints()
    yield
    assert [one for one in site.complaints() if not any(what in one for what in MEANT)] == []


def someone(site):
    return site.server.http("GET", "/api/leaderboards/global?limit=1").json["items"][0]["player_id"]


# ---- players ----------------------------------------------------------------------------------------------------------
def test_a_player_is_found_by_id_name_and_email(site, browser):  # noqa: F811
    player, name = unique(), unique("Zoe")
    site.server.http("POST", "/api/players", {"player_id": player, "name": name, "email": f"{name}@example.com"})
    for text in (player, name[:-2], f"{name}@ex"):
        site.go(f"players?q={text}")
        row(browser, player)
    site.go("players?q=nobody-is-called-so")
    browser.wait_text("No player begins like this.", "main")
    site.go("players?online=true")
    row(browser, "online")


def test_a_conflict_shows_both_and_lets_the_operator_decide(site, browser):  # noqa: F811
    player = site.server.new_player("Before")
    site.go(f"players/{player}")
    browser.button("Change")
    field = browser.all("main input[name=name]")[0]
    field.clear()
    field.send_keys("Mine")
    assert site.server.http("PATCH", f"/api/players/{player}", {"name": "Theirs"}).status == 200
    browser.button("Save")
    browser.wait_text("Somebody else has changed this player meanwhile.", "main")
    browser.wait_text("Theirs", "main .theirs")
    assert browser.all("main input[name=name]")[0].get_attribute("value") == "Mine"
    browser.button("Save mine")
    browser.wait_text("Mine", "main h1")
    assert site.server.http("GET", f"/api/players/{player}").json["name"] == "Mine"
    site.browser.complaints()  # the 412


def test_a_profile_shows_what_a_player_has_and_does(site, browser):  # noqa: F811
    player = someone(site)
    site.server.http("POST", f"/api/players/{player}/inventory", {"item": "lantern", "quantity": 3})
    site.go(f"players/{player}")
    row(browser, "lantern")
    row(browser, "global")
    wait_until(lambda: browser.all(".event-list li"), 15, "its actions")


def test_notes_are_written_for_other_operators(site, browser):  # noqa: F811
    player = site.server.new_player("Noted")
    site.go(f"players/{player}")
    browser.wait_text("No operator has noted anything.", "main")
    browser.button("Add a note")
    dialog(browser, "Save", text="Was warned.\nTwice. <b>bold</b>")
    browser.wait_text("Was warned.\nTwice. <b>bold</b>", "main .message")
    browser.wait_text("first start", "main .message")  # the label of the key
    site.log_in(site.key("viewer"))
    try:
        site.go(f"players/{player}")
        browser.wait_text("Twice.", "main .message")
        assert not {"Add a note", "Delete"} & {one.text for one in browser.all("main button")}
    finally:
        browser.complaints()
        site.log_in()
    site.go(f"players/{player}")
    browser.wait_text("Twice.", "main .message")
    press_in(browser.all("main .message")[0], "Delete")
    dialog(browser, "Delete")
    browser.wait_text("No operator has noted anything.", "main")


def test_a_player_is_banned_and_deleted(site, browser):  # noqa: F811
    player = site.server.new_player("Rude")
    site.go(f"players/{player}")
    wait_until(lambda: any(one.text == "Ban" for one in browser.all("main button")), 10, "the button")
    browser.button("Ban")
    dialog(browser, "Ban", reason="insults in the chat")
    browser.wait_text("insults in the chat", "main .banned")
    browser.button("Lift")
    dialog(browser, "Lift")
    wait_until(lambda: not browser.all("main .banned"), 10, "the end of the ban")
    browser.button("Delete")
    dialog(browser, "Delete", confirm=player)
    wait_until(lambda: browser.run("return location.hash") == "#/players", 10, "the list")
    assert site.server.http("GET", f"/api/players/{player}").status == 404


# ---- the map ----------------------------------------------------------------------------------------------------------
def move(site, player, lat, lon):
    assert site.server.http("POST", "/api/interactions", {"type": "move", "player_id": player, "lat": lat, "lon": lon}).status == 200


def test_a_click_on_the_map_finds_the_player_and_follows(site, browser):  # noqa: F811
    player = site.server.new_player("Sailor")
    move(site, player, -40.0, 20.0)
    site.go("map?lat=-40&lon=20&zoom=14")
    browser.wait_text("1 player", ".map-note")
    canvas = browser.all(".world-map canvas")[0]
    canvas.click()
    browser.wait_text(player, "main")
    browser.button("Follow")
    move(site, player, -41.0, 25.0)
    wait_until(lambda: "lat=-41" in browser.run("return location.hash"), 15, "the map following")
    canvas.send_keys(Keys.ARROW_LEFT)
    wait_until(lambda: "follow" not in browser.run("return location.hash"), 5, "the end of following")


CLOUD = """
const real = window.fetch;
window.fetch = async (url, init) => {
  if (!String(url).includes('api/positions')) return real(url, init);
  const items = Array.from({length: 100000}, (_, i) => ({player_id: `p${i}`, lat: 60 * Math.sin(i * 12.9898), lon: 170 * Math.sin(i * 78.233), age_s: i % 500}));
  return new Response(JSON.stringify({items, next_cursor: null, total: items.length, is_partial: false}), {headers: {'Content-Type': 'application/json'}});
};
const subscribe = WebSocket.prototype.send;
WebSocket.prototype.send = function (text) { if (!String(text).includes('"positions"')) subscribe.call(this, text); };
"""
DRAG = """
const done = arguments[0], canvas = document.querySelector('.world-map canvas'), start = performance.now(), before = Number(canvas.dataset.frames);
canvas.setPointerCapture = () => {};
const send = (type, x) => canvas.dispatchEvent(new PointerEvent(type, {pointerId: 1, clientX: 500 + x, clientY: 400, bubbles: true}));
send('pointerdown', 0);
let n = 0;
const step = () => {
  send('pointermove', n++ % 2 ? 20 : -20);
  if (performance.now() - start < 3000) requestAnimationFrame(step);
  else { send('pointercancel', 0); done((Number(canvas.dataset.frames) - before) / ((performance.now() - start) / 1000)); }
};
step();
"""


def test_a_hundred_thousand_players_are_a_fluent_density(site, browser):  # noqa: F811
    script = browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": CLOUD})
    try:
        site.go("map")
        browser.wait_text("100,000 players, as a density", ".map-note")
        wait_until(lambda: browser.run("return document.querySelector('.world-map canvas').dataset.drawn") == "density", 5, "the density")
        rate = browser.driver.execute_async_script(DRAG)
        print(f"{rate:.0f} frames/s of 100,000 points")
        assert rate >= 30
        browser.shoot("map-100000-1400-light")
    finally:
        browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script["identifier"]})


# ---- boards and levels ------------------------------------------------------------------------------------------------
def test_a_board_is_made_filled_looked_at_and_ended(site, browser):  # noqa: F811
    board, player = unique("cup"), site.server.new_player("Racer")
    site.go("boards")
    browser.button("Create board")
    dialog(browser, "Create board", board=board)
    browser.wait_text(board, "main h1")
    site.server.http("POST", f"/api/leaderboards/{board}/scores", {"player_id": player, "score": 42})
    row(browser, player)  # live
    site.go(f"boards/{board}?player={player}")
    wait_until(lambda: browser.all("main td strong"), 10, "the places around the player")
    browser.button("End season")
    dialog(browser, "End season", confirm=board)
    press_in(row(browser, "Show"), "Show")
    browser.wait_text("Top of season 1", "main")
    row(browser, "42")
    site.go("boards")
    row(browser, board)


def test_levels_are_popular_and_changed(site, browser):  # noqa: F811
    level = site.server.http("POST", "/api/levels", {"name": unique("Cave")}).json
    site.go("levels?sort=all")
    row(browser, level["name"])
    browser.wait_text("Cache of the levels", "main")
    site.go(f"levels/{level['level_id']}")
    wait_until(lambda: any(one.text == "Change" for one in browser.all("main button")), 10, "the button")
    browser.wait_text(level["name"], "main h1")
    browser.button("Change")
    dialog(browser, "Save", difficulty="Hard")
    browser.wait_text("Hard", "main")


# ---- chat -------------------------------------------------------------------------------------------------------------
def test_chat_is_live_and_moderated(site, browser):  # noqa: F811
    player, text = site.server.new_player("Talker"), unique("hello")
    site.go("chat")
    row(browser, "general")
    site.go("chat/general")
    browser.wait_text("Live", ".connection")
    site.server.http("POST", "/api/chat/general/messages", {"from": player, "text": text})
    browser.wait_text(text, ".messages")
    message = next(one for one in browser.all(".message") if text in one.text)
    press_in(message, "Mute")
    dialog(browser, "Mute", reason="too loud")
    browser.wait_text("too loud", "main .barred")
    press_in(next(one for one in browser.all(".message") if text in one.text), "Delete")
    dialog(browser, "Delete")
    wait_until(lambda: text not in browser.text(".messages"), 10, "its end")
    site.go("chat/general?from=24h")
    wait_until(lambda: browser.all(".message") or "Nothing was said" in browser.text("main"), 10, "the history")
    assert text not in browser.text("main")


# ---- events -----------------------------------------------------------------------------------------------------------
def test_events_come_in_are_filtered_and_held(site, browser):  # noqa: F811
    player = site.server.new_player("Mover")
    site.go(f"events?player={player}&type=move")
    browser.wait_text("No kept event fits the filters.", "main")
    move(site, player, 10.0, 10.0)
    row(browser, player)
    browser.button("Pause")
    move(site, player, 11.0, 11.0)
    browser.wait_text("Paused", ".panel")
    assert len(browser.all("main tbody tr")) == 1
    browser.button("Go on")
    wait_until(lambda: len(browser.all("main tbody tr")) == 2, 15, "what came meanwhile")


# ---- all pages --------------------------------------------------------------------------------------------------------
def pages(site):
    player = someone(site)
    level = site.server.http("GET", "/api/levels?limit=1").json["items"][0]["level_id"]
    return {"players": "players", "player": f"players/{player}", "map": "map", "boards": "boards", "board": f"boards/global?player={player}",
            "levels": "levels", "level": f"levels/{level}", "chat": "chat", "channel": "chat/general", "events": "events"}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_pages_of_the_world(site, browser, theme):  # noqa: F811
    browser.prefer(theme=theme)
    found = {}
    try:
        for name, page in pages(site).items():
            site.go(page)
            found[name] = browser.violations()
            for width in (1400, 360):
                browser.size(width)
                browser.run("document.getAnimations().forEach((one) => one.finish?.())") if width < 600 else None
                browser.shoot(f"{name}-{width}-{theme}")
                assert browser.overflow() <= 0, (name, width)
            browser.size(1400)
    finally:
        browser.size(1400)
        browser.prefer(theme="light")
    assert {name: what for name, what in found.items() if what} == {}


def test_a_viewer_sees_the_world_and_no_buttons(site, browser):  # noqa: F811
    site.log_in(site.key("viewer"))
    changing = {"Create player", "Change", "Ban", "Lift", "Delete", "Give an item", "Create board", "End season", "Remove", "Create level", "Mute"}
    try:
        for name, page in pages(site).items():
            site.go(page)
            assert not {one.text.strip() for one in browser.all("main button")} & changing, name
            assert not browser.all("main .problem"), name
    finally:
        site.complaints()
        site.log_in()
