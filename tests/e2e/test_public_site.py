"""What a site's visitor gets without a key: the map's squares, and what other sites may read."""

import concurrent.futures

import pytest
from conftest import Server, unique, wait_until

SITE = {"SKIRMISH_SITE_SHOWS": "status, map:100", "SKIRMISH_STATUS_CORS_ORIGINS": "https://fans.example, http://127.0.0.1:1"}


@pytest.fixture(scope="module")
def site(short_tmp):
    s = Server(short_tmp / unique("site"), SITE).start()
    yield s
    s.stop()


def move(server, player, lat, lon):
    event = {"type": "move", "player_id": player, "lat": lat, "lon": lon}
    assert server.http("POST", "/api/interactions", event).status == 200


# ---- the map --------------------------------------------------------------------------------------------------------
def test_the_map_rounds_positions_and_names_nobody(site):
    players = [site.new_player() for _ in range(3)]
    move(site, players[0], 48.8569, 2.3518)
    move(site, players[1], 48.8570, 2.3519)
    move(site, players[2], -33.9, 18.4)

    def read():
        answer = site.http("GET", "/api/positions/density", key=None)
        assert answer.status == 200 and answer.headers["Cache-Control"] == "public, max-age=10"
        return answer if answer.json["total"] == 3 else None
    answer = wait_until(read, 40, "the three")  # what was read before is kept for ten seconds
    found = answer.json
    assert abs(found["cell_deg"] - 0.8993) < 0.001
    cells = sorted(zip(found["lat"], found["lon"], found["players"]))
    assert [players for *_, players in cells] == [1, 2]
    for lat, lon, _ in cells:
        # The middle of a square: a multiple of half its side, whoever stands in it.
        for place in (lat, lon):
            halves = place / found["cell_deg"] * 2
            assert abs(halves - round(halves)) < 0.01 and round(halves) % 2 == 1
    assert abs(cells[1][0] - 48.8569) <= 0.45 and abs(cells[1][1] - 2.3518) <= 0.45
    assert not any(player.encode() in answer.body for player in players)


def test_however_many_look_redis_is_read_once(site):
    wait_until(lambda: site.http("GET", "/api/positions/density", key=None).status == 200)
    calls = lambda: sum(one["calls"] for name, one in site.redis().info("commandstats").items() if name in ("cmdstat_evalsha", "cmdstat_eval"))  # noqa: E731
    before, reads = calls(), 200
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: site.http("GET", "/api/positions/density", key=None).status, range(reads)))
    assert found == [200] * reads
    # Background loops run scripts, too: some each second.
    assert calls() - before < reads / 2


def test_without_leave_there_is_no_map(server):
    assert "map" not in server.http("GET", "/api/site", key=None).json["shows"]
    answer = server.http("GET", "/api/positions/density", key=None)
    assert answer.status == 404 and answer.json["detail"] == "this site shows no map"


@pytest.mark.parametrize("shows, told", [("maps", "there is no part `maps`"), ("map:", "must be 1 to 1000 km"), ("map:0", "must be 1 to 1000 km"),
                                         ("map:1001", "must be 1 to 1000 km"), ("status, map:x", "must be 1 to 1000 km")])
def test_a_part_that_there_is_not_is_said_at_the_start(short_tmp, shows, told):
    s = Server(short_tmp / unique("site"), {"SKIRMISH_SITE_SHOWS": shows})
    done = s.run("serve", "--data-dir", str(s.data_dir), "--listen", s.listen, check=False)
    assert done.returncode != 0 and told in done.stderr


# ---- other sites ----------------------------------------------------------------------------------------------------
def allowed(server, path, origin, **more):
    return server.http("GET", path, key=None, headers={"Origin": origin} if origin else {}, **more).headers["Access-Control-Allow-Origin"]


@pytest.mark.parametrize("path", ["/server/status", "/api/leaderboards/global?limit=5", "/api/leaderboards/nonesuch-board"])
def test_sites_with_a_widget_may_read_what_it_shows(site, path):
    assert allowed(site, path, "https://fans.example") == "https://fans.example"
    assert allowed(site, path, "https://fans.example.evil") is None
    assert allowed(site, path, None) is None
    assert "Origin" in site.http("GET", path, key=None).headers.get_all("Vary", [""])[0] or "Origin" in str(site.http("GET", path, key=None).headers)


def test_nothing_else_is_for_other_sites(site):
    for path in ("/api/site", "/api/levels", "/api/positions/density", "/healthz", "/api/leaderboards/global/ranks?ids=a"):
        assert allowed(site, path, "https://fans.example") is None, path
    # To show a widget is not to use a key.
    assert site.http("GET", "/api/servers", headers={"Origin": "https://fans.example"}).status == 403


def test_without_the_setting_no_other_site_may_read(server):
    assert allowed(server, "/api/leaderboards/global", "https://fans.example") is None


def test_all_sites_may_when_all_are_named(short_tmp):
    s = Server(short_tmp / unique("site"), {"SKIRMISH_STATUS_CORS_ORIGINS": "*"}).start()
    try:
        for path in ("/api/leaderboards/global", "/server/status"):
            assert allowed(s, path, "https://anyone.example") == "*", path
    finally:
        s.stop()
