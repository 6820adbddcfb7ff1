"""clients/typescript against the real server, in Node and in Chromium: what it does, and the examples of its README."""

import json
import os
import re
import shutil
import subprocess
import tempfile

import pytest
from conftest import ROOT, Server, free_port, unique, wait_until
from cutting_proxy import CuttingProxy

CLIENT = ROOT / "clients/typescript"
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
CUTS = 20

pytestmark = pytest.mark.skipif(not (CLIENT / "node_modules").exists() or not shutil.which("node"),
                                reason="skipped: the client's npm packages are not installed (./dev setup test)")


def npm(*args):
    done = subprocess.run(["npm", "--prefix", str(CLIENT), "run", "-s", *args], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def built():
    npm("build")
    npm("build-tests")


@pytest.fixture(scope="module")
def server(short_tmp):
    # A stream of a player sends more than a player may, again and again.
    s = Server(short_tmp / unique("ts"), {"SKIRMISH_RATE_LIMITS": "players.burst=1000000"}).start()
    yield s
    s.stop()


@pytest.fixture
def proxy(server):
    p = CuttingProxy(int(server.listen.rsplit(":", 1)[1]))
    yield p
    p.close()


# ---- the two runtimes -----------------------------------------------------------------------------------------------
def in_node(script, *args, env=None, cwd=None):
    return subprocess.Popen(["node", str(script), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd,
                            env={**os.environ, **(env or {})})


def output(process, seconds=120):
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        process.kill()
    assert process.returncode == 0, f"{out}\n{err}"
    return out


class Node:
    """A game server: it has a key, and connects directly."""

    def __init__(self, server, proxy):
        self.server = server
        self.port = proxy.port
        self.proxy = proxy

    def start(self, scenario, world):
        urls = {"url": self.server.url, "cut_url": f"http://127.0.0.1:{self.port}"}
        process = in_node(CLIENT / "build/test/e2e/run.js", scenario, json.dumps({**urls, **world}))
        return lambda: json.loads(output(process))


SITE = """
{user} daemon off; pid {directory}/pid; error_log {directory}/error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off; types {{ text/html html; text/javascript js; }}
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/f;
  uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  server {{
    listen 127.0.0.1:{port};
    root {directory}/pages;
    location /game/api/ {{
      proxy_pass http://{upstream}/api/;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $http_connection;
    }}
  }}
}}
"""


class Site:
    """A game's own site: its pages, and the API below /game/ by nginx. Connections to it are cut before nginx."""

    def __init__(self, directory, server):
        self.directory, self.port = directory, free_port()
        game = directory / "pages/game"
        game.mkdir(parents=True)
        shutil.copytree(CLIENT / "dist", game / "skirmish-client")
        shutil.copytree(CLIENT / "build", game / "build")
        (game / "test.html").write_text('<!doctype html><meta charset="utf-8"><title>test</title>')
        (game / "deaths.html").write_text(examples()["In a page"])
        conf = directory / "nginx.conf"
        # Else its workers could not read a private folder.
        user = "user root;" if os.geteuid() == 0 else ""
        conf.write_text(SITE.format(user=user, directory=directory, port=self.port, upstream=server.listen))
        self.process = subprocess.Popen([NGINX, "-c", str(conf)], stderr=subprocess.DEVNULL)
        self.proxy = CuttingProxy(self.port)
        self.url = f"http://127.0.0.1:{self.proxy.port}/game/"

    def stop(self):
        self.proxy.close()
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="module")
def site(built, server, short_tmp):
    if not NGINX:
        pytest.skip("skipped: nginx is not installed (apt install nginx-light)")
    directory = short_tmp / unique("site")
    directory.mkdir()
    s = Site(directory, server)
    yield s
    s.stop()


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver", reason="skipped: python3-selenium is not installed")
    from selenium.webdriver.chrome.service import Service
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("skipped: chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    profile = tempfile.mkdtemp(prefix="sk-chromium-")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    window = webdriver.Chrome(service=Service(driver), options=options)
    window.set_script_timeout(120)
    yield window
    window.quit()
    shutil.rmtree(profile, ignore_errors=True)


class Chromium:
    """A player in a page: it has a session token."""

    def __init__(self, browser, site):
        self.browser, self.site, self.proxy = browser, site, site.proxy

    def start(self, scenario, world):
        self.browser.get(self.site.url + "test.html")
        urls = {"url": self.site.url, "cut_url": self.site.url}
        # It runs on while the test goes on, which asks for its result later.
        self.browser.execute_script("""
            const [scenario, world] = arguments;
            window.result = import('./build/test/e2e/scenarios.js')
              .then(({scenarios}) => scenarios[scenario](world))
              .then((value) => ({value}), (problem) => ({problem: String(problem.stack ?? problem)}));""", scenario, {**urls, **world})
        return self.result

    def result(self):
        done = self.browser.execute_async_script("window.result.then(arguments[arguments.length - 1])")
        assert "problem" not in done, done["problem"]
        return done["value"]


@pytest.fixture(params=["node", "chromium"])
def runtime(request, built, server):
    if request.param == "node":
        yield Node(server, request.getfixturevalue("proxy"))
    else:
        chromium = Chromium(request.getfixturevalue("browser"), request.getfixturevalue("site"))
        yield chromium
        chromium.browser.get("about:blank")  # Its sockets are closed.


def session_of(server, player):
    answer = server.http("POST", f"/api/players/{player}/sessions", {})
    assert answer.status == 201, answer
    return answer.json["token"]


@pytest.fixture
def world(server, runtime):
    """Two players, and who speaks for the first."""
    player, target = server.new_player(), server.new_player()
    who = {"key": server.key} if isinstance(runtime, Node) else {"token": session_of(server, player)}
    return {"player": player, "target": target, **who}


# ---- types ----------------------------------------------------------------------------------------------------------
def test_the_types_are_current(server):
    done = subprocess.run(["node", str(CLIENT / "scripts/generate.mjs"), f"{server.url}/openapi.json", "--check"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_generator_stops_at_what_it_does_not_know(server, tmp_path):
    document = server.http("GET", "/openapi.json", key=None).json
    document["components"]["schemas"]["problem"]["oneOf"] = []
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    done = subprocess.run(["node", str(CLIENT / "scripts/generate.mjs"), str(tmp_path / "openapi.json"), "--check"],
                          capture_output=True, text=True)
    assert done.returncode != 0 and "oneOf" in done.stderr


# ---- what it does ---------------------------------------------------------------------------------------------------
def log_of(server, player):
    """The weapons of a player's attacks in the order of their commits."""
    weapons, cursor = [], None
    while True:
        page = server.http("GET", f"/api/interactions?limit=1000{f'&since={cursor}' if cursor else ''}").json
        assert not page["trimmed"]
        weapons += [e.get("weapon") for e in page["items"] if e.get("attacker_id") == player]
        cursor = page["cursor"]
        if not page["next_cursor"]:
            return weapons


def test_a_stream_that_is_cut_loses_and_repeats_nothing(server, runtime, world):
    server.http("POST", "/api/interactions", {"type": "respawn", "player_id": world["target"], "hp": 1_000_000})
    runtime.proxy.cut_count = 0
    runtime.proxy.plan(CUTS, b"stream=")
    said = runtime.start("stream", world)()
    assert runtime.proxy.cut_count == CUTS
    assert said["opened"] > CUTS
    assert said["ends"] == []
    assert said["rejections"] <= 1  # The last cut may have come before it.
    assert log_of(server, world["player"]) == [f"w{n}" for n in range(said["count"])]
    assert server.http("GET", f"/api/players/{world['target']}/state").json["hp"] == 1_000_000 - said["count"]
    assert server.http("GET", f"/api/players/{world['player']}/state").json["damage_dealt"] == said["count"]


def test_a_channel_that_is_cut_misses_and_repeats_nothing(server, runtime, world):
    channel, texts = f"team:{unique()}", []

    def say(text):
        answer = server.http("POST", f"/api/chat/{channel}/messages", {"from": world["player"], "text": text})
        assert answer.status == 201, answer
        texts.append(text)

    result = runtime.start("listen", {**world, "channel": channel})
    cut_count = 0
    while cut_count < CUTS:
        for _ in range(5):
            say(unique("text"))
        wait_until(lambda: runtime.proxy.connections, 20, "a connection")
        cut_count += bool(runtime.proxy.cut())
    say("end")
    said = result()
    assert said["gaps"] == 0 and said["ids_ascend"]
    assert said["texts"] == texts


@pytest.mark.parametrize("scenario", ["requests", "socket"])
def test_what_a_caller_does(runtime, world, scenario):
    runtime.start(scenario, world)()


def test_a_revoked_key_ends_a_stream(server, built, proxy):
    made = server.http("POST", "/api/keys", {"role": "server", "label": "short"}).json
    world = {"key": made["key"], "player": server.new_player(), "target": server.new_player(), "count": 200_000}
    proxy.plan(1, b"stream=", 2_000, 2_000)
    result = Node(server, proxy).start("stream", world)
    wait_until(lambda: proxy.cut_count == 1, 30, "the first frames")
    assert server.http("DELETE", f"/api/keys/{made['key_id']}").status in (200, 204)
    with pytest.raises(AssertionError, match="ClosedError"):
        result()


# ---- the README -----------------------------------------------------------------------------------------------------
def examples():
    """The code blocks of the README, by the heading above them."""
    text = (CLIENT / "README.md").read_text()
    sections = re.split(r"^## ", text, flags=re.M)[1:]
    return {section.split("\n", 1)[0]: block.group(1)
            for section in sections if (block := re.search(r"^```(?:js|html)\n(.*?)^```", section, re.M | re.S))}


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """A folder in which the package is installed as npm would do it."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "node_modules").mkdir()
    (folder / "node_modules/skirmish-client").symlink_to(CLIENT)
    (folder / "node_modules/ws").symlink_to(CLIENT / "node_modules/ws")
    return folder


@pytest.mark.parametrize("heading, printed", [
    ("Requests", ["Ann 1"]),
    ("WebSocket", ["the connection is open", "ann: good game", "the connection is ended"]),
    ("Event streams", ["not applied: respawn there is no player nobody", "damage dealt: 100"]),
])
def test_an_example_for_node(server, installed, heading, printed):
    script = installed / examples()[heading].split("\n", 1)[0].removeprefix("// ")
    script.write_text(examples()[heading])
    out = output(in_node(script, env={"SKIRMISH_URL": server.url, "SKIRMISH_KEY": server.key}, cwd=installed))
    assert [line for line in out.splitlines() if line in printed] == printed, out


def test_the_example_for_a_page(server, browser, site):
    for player, more in (("joe", {"password": "correct horse battery"}), ("prey", {})):
        answer = server.http("POST", "/api/players", {"player_id": player, "name": player, **more})
        assert answer.status in (201, 409), answer
    server.http("POST", "/api/interactions", {"type": "respawn", "player_id": "prey", "hp": 100})
    browser.get_log("browser")
    browser.get(site.url + "deaths.html")
    seen = lambda: browser.execute_script("return document.querySelector('#deaths').textContent")  # noqa: E731
    wait_until(lambda: seen() == "prey was killed by joe", 20, "the death")
    problems = [entry for entry in browser.get_log("browser") if "favicon" not in entry["message"]]
    assert problems == []
