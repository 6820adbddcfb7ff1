"""The console's server side: its files with their policy, and browser sessions of API keys."""

import asyncio
import gzip
import json
import re

import pytest
import websockets
from conftest import Server, unique, wait_until

POLICY = ("default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'",
          "require-trusted-types-for 'script'", "trusted-types 'none'")
PATH = "/api/console/session"


def log_in(server, key, **headers):
    answer = server.http("POST", PATH, {"key": key}, key=None, headers=headers)
    assert answer.status == 201, answer
    return answer, answer.headers["Set-Cookie"].split(";")[0]


def as_page(server, cookie, **more):
    return {"Cookie": cookie, "Origin": server.url, "Sec-Fetch-Site": "same-origin", **more}


def new_key(server, role):
    made = server.http("POST", "/api/keys", {"role": role, "label": f"the {role}"}).json
    return made["key_id"], made["key"]


def test_pages_may_run_nothing_but_their_own_files(server):
    for path in ("/", "/console", "/docs"):
        page = server.http("GET", path, key=None)
        assert page.status == 200 and page.headers["Content-Type"].startswith("text/html"), path
        assert all(part in page.headers["Content-Security-Policy"] for part in POLICY), path
        assert page.headers["X-Content-Type-Options"] == "nosniff" and page.headers["Referrer-Policy"] == "no-referrer"
        text = page.body.decode()
        assert not re.search(r"<style|<script(?![^>]*src=)|\son\w+=|style=", text), path
        for file in re.findall(r'(?:href|src)="([^":]+)"', text):
            assert not file.startswith("/"), "relative, so that any sub-path works"
            if file not in ("docs", "openapi.json"):
                assert server.http("GET", "/" + file, key=None).status == 200, (path, file)


def test_files_are_cached_by_their_content(server):
    page = server.http("GET", "/console", key=None)
    tag = page.headers["ETag"]
    assert page.headers["Cache-Control"] == "no-cache"
    again = server.http("GET", "/console", key=None, headers={"If-None-Match": tag})
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
    packed = server.http("GET", "/console", key=None, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and gzip.decompress(packed.body) == page.body
    assets = re.findall(r'(?:href|src)="(assets/[^"]+)"', page.body.decode())
    if not assets:
        pytest.skip("the pages were not built: no npm")
    for file in assets:
        answer = server.http("GET", "/" + file, key=None)
        assert "immutable" in answer.headers["Cache-Control"], file
    assert server.http("GET", "/widget.js", key=None).headers["Content-Type"].startswith("text/javascript")
    for missing in ("/assets/none.js", "/assets/..", "/assets/console.html"):
        assert server.http("GET", missing, key=None).status in (400, 404)


def test_a_session_may_what_its_key_may_and_scripts_cannot_read_it(server):
    _, viewer = new_key(server, "viewer")
    for key, role in ((server.key, "admin"), (viewer, "viewer")):
        answer, cookie = log_in(server, key)
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {x.strip() for x in answer.headers["Set-Cookie"].split(";")}
        assert "Secure" not in answer.headers["Set-Cookie"] and answer.headers["Cache-Control"] == "no-store"
        assert answer.json["role"] == role and key.split("_")[1] == answer.json["key_id"]
        assert key not in answer.headers["Set-Cookie"] + answer.body.decode()
        assert server.http("GET", PATH, key=None, headers={"Cookie": cookie}).json == answer.json
        assert server.http("GET", "/api/keys", key=None, headers={"Cookie": f"a=b; {cookie}; c=d"}).status == 200
        made = server.http("POST", "/api/keys", {"role": "server"}, key=None, headers=as_page(server, cookie))
        assert made.status == (201 if role == "admin" else 403)
        token = cookie.split("=")[1]
        stored = server.redis()
        assert not [k for k in stored.scan_iter(count=1000) if token in k]


def test_who_changes_something_by_cookie_is_noted(server):
    _, cookie = log_in(server, server.key)
    label = unique("noted")
    assert server.http("POST", "/api/keys", {"role": "server", "label": label}, key=None, headers=as_page(server, cookie)).status == 201
    wait_until(lambda: label in json.dumps(server.http("GET", "/api/audit?limit=50").json)
               or "/api/keys" in json.dumps(server.http("GET", "/api/audit?limit=50").json), 20, "the note")


def test_other_sites_cannot_use_the_cookie(server):
    _, cookie = log_in(server, server.key)
    body = {"role": "server"}
    foreign = {"Cookie": cookie, "Origin": "https://evil.example"}
    assert server.http("POST", "/api/keys", body, key=None, headers=foreign).status == 403
    assert server.http("GET", "/api/keys", key=None, headers=foreign).status == 403
    assert server.http("DELETE", PATH, key=None, headers=foreign).status == 403
    assert server.http("POST", PATH, {"key": server.key}, key=None, headers={"Origin": "https://evil.example"}).status == 403
    # Same-origin by Origin, yet sent for another site; and without any word from where.
    assert server.http("POST", "/api/keys", body, key=None, headers=as_page(server, cookie, **{"Sec-Fetch-Site": "cross-site"})).status == 403
    assert server.http("POST", "/api/keys", body, key=None, headers={"Cookie": cookie}).status == 403
    assert server.http("GET", PATH, key=None, headers={"Cookie": cookie}).status == 200, "still logged in"


async def opened(server, headers):
    try:
        async with server.ws(key=None, headers=headers) as socket:
            await socket.send(json.dumps({"subscribe": {"channel": "activity"}, "cid": "1"}))
            return json.loads(await asyncio.wait_for(socket.recv(), 20))
    except Exception as e:
        return getattr(e, "status_code", None) or getattr(getattr(e, "response", None), "status_code", None) or repr(e)


def test_a_websocket_by_cookie_needs_the_pages_origin(server):
    _, cookie = log_in(server, server.key)
    assert "subscribed" in json.dumps(asyncio.run(opened(server, {"Cookie": cookie, "Origin": server.url})))
    assert asyncio.run(opened(server, {"Cookie": cookie, "Origin": "https://evil.example"})) == 403


def test_pages_that_may_use_keys_may_not_use_the_cookie(short_tmp):
    friend = "http://play.example.com"
    server = Server(short_tmp / unique("friend"), {"SKIRMISH_HTTP_ALLOWED_ORIGINS": friend}).start()
    try:
        _, cookie = log_in(server, server.key)
        headers = {"Cookie": cookie, "Origin": friend}
        assert server.http("POST", "/api/players", {"name": "x"}, headers={"Origin": friend}).status == 201
        assert server.http("POST", "/api/players", {"name": "x"}, key=None, headers=headers).status == 403
        assert server.http("GET", "/api/keys", key=None, headers=headers).status == 403
        assert server.http("POST", PATH, {"key": server.key}, key=None, headers={"Origin": friend}).status == 403
    finally:
        server.stop()


def test_bad_cookies_and_keys(server):
    _, game = new_key(server, "server")
    assert server.http("POST", PATH, {"key": game}, key=None).status == 403
    for token in ("", "x", "cs_", "cs_" + "0" * 64, "cs_" + "g" * 64, "st_" + "0" * 64, "cs_" + "0" * 100_0, "\u00e9"):
        cookie = {"Cookie": "skirmish_console=" + token.encode("utf-8").decode("latin-1")}
        assert server.http("GET", PATH, key=None, headers=cookie).status == 401, token
        assert server.http("GET", "/api/keys", key=None, headers=cookie).status == 401, token
        assert server.http("GET", "/server/status", key=None, headers=cookie).status == 200
    for key in ("x", "sk_0123456789ab_" + "0" * 64, server.key[:-1] + ("0" if server.key[-1] != "0" else "1")):
        refused = server.http("POST", PATH, {"key": key}, key=None)
        assert refused.status == 401 and "Set-Cookie" not in refused.headers, key


def test_it_ends_with_its_key_and_by_logging_out(server):
    key_id, key = new_key(server, "admin")
    _, cookie = log_in(server, key)
    _, other = log_in(server, key)
    gone = server.http("DELETE", PATH, key=None, headers=as_page(server, cookie))
    assert gone.status == 204 and "Max-Age=0" in gone.headers["Set-Cookie"]
    wait_until(lambda: server.http("GET", "/api/keys", key=None, headers={"Cookie": cookie}).status == 401, 2, "the end")

    async def until_closed():
        async with server.ws(key=None, headers={"Cookie": other, "Origin": server.url}) as socket:
            await asyncio.to_thread(server.http, "DELETE", f"/api/keys/{key_id}")
            with pytest.raises(websockets.exceptions.ConnectionClosed):
                while True:
                    await asyncio.wait_for(socket.recv(), 5)

    asyncio.run(until_closed())

    async def until_logged_out():
        _, third = log_in(server, server.key)
        async with server.ws(key=None, headers={"Cookie": third, "Origin": server.url}) as socket:
            await asyncio.to_thread(server.http, "DELETE", PATH, key=None, headers=as_page(server, third))
            with pytest.raises(websockets.exceptions.ConnectionClosed):
                while True:
                    await asyncio.wait_for(socket.recv(), 3)

    asyncio.run(until_logged_out())
    wait_until(lambda: server.http("GET", PATH, key=None, headers={"Cookie": other}).status == 401, 2, "the end of the key")


def test_it_lasts_when_redis_is_away_and_over_a_restart(own_server):
    server = own_server
    _, cookie = log_in(server, server.key)
    server.stop()
    server.start()
    assert server.http("GET", PATH, key=None, headers={"Cookie": cookie}).status == 200


def test_the_cookie_is_secure_where_the_visitor_came_by_https(short_tmp):
    server = Server(short_tmp / unique("sec"), {"SKIRMISH_HTTP_TRUSTED_PROXIES": "127.0.0.1"}).start()
    try:
        answer, _ = log_in(server, server.key, **{"X-Forwarded-Proto": "https"})
        assert "Secure" in answer.headers["Set-Cookie"]
    finally:
        server.stop()


def test_the_page_for_visitors_is_a_matter_of_settings(short_tmp):
    folder = short_tmp / unique("site")
    server = Server(folder, {"SKIRMISH_SITE_NAME": "Дуэль", "SKIRMISH_SITE_SHOWS": "boards,status", "SKIRMISH_SITE_BOARDS": "kills"}).start()
    try:
        assert server.http("GET", "/api/site", key=None).json == {
            "name": "Дуэль", "text": "", "shows": ["boards", "status"], "boards": ["kills"]}
    finally:
        server.stop()
    refused = server.run("serve", "--data-dir", str(folder), "--listen", "127.0.0.1:0", check=False, timeout=30,
                         env={"SKIRMISH_SITE_SHOWS": "ads"})
    assert refused.returncode != 0 and "no part `ads`" in refused.stderr


def noted(server, key_id, wanted):
    """What the audit log has of logging in and out with a key, the newest first, once there are so many."""
    def look():
        found = [c for c in server.http("GET", f"/api/audit?route={PATH}&limit=1000").json["items"] if c["key_id"] == key_id]
        return found if len(found) >= wanted and all(c["status"] for c in found) else None
    return wait_until(look, 20, f"{wanted} notes of {key_id}")


def test_logging_in_and_out_is_noted_also_in_vain(own_server):
    server = own_server
    key_id, key = new_key(server, "viewer")
    answer, cookie = log_in(server, key)
    gone = server.http("DELETE", PATH, key=None, headers=as_page(server, cookie))
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
    refused = server.http("POST", PATH, {"key": wrong}, key=None)
    foreign = server.http("POST", PATH, {"key": key}, key=None, headers={"Origin": "https://evil.example"})
    assert (gone.status, refused.status, foreign.status) == (204, 401, 403)
    notes = noted(server, key_id, 4)
    assert [(c["method"], c["status"]) for c in reversed(notes)] == [("POST", 201), ("DELETE", 204), ("POST", 401), ("POST", 403)]
    assert [c["request_id"] for c in reversed(notes)] == [a.headers["X-Request-Id"] for a in (answer, gone, refused, foreign)]
    assert {c["address"] for c in notes} == {"127.0.0.1"} and {c["label"] for c in notes} == {"the viewer"}
    # A key of a game server, and what is no key: whose it is says only what has a key's form.
    game_id, game = new_key(server, "server")
    assert server.http("POST", PATH, {"key": game}, key=None).status == 403
    assert noted(server, game_id, 1)[0]["status"] == 403
    for text in ("hunter2", key.upper(), key[3:], "sk_" + "secret_word_" + "_" + "0" * 64):
        assert server.http("POST", PATH, {"key": text}, key=None).status == 401
    assert len(noted(server, "", 4)) == 4
    everything = json.dumps(server.http("GET", "/api/audit?limit=1000").json) + server.log_text()
    for secret in (key.split("_")[2], wrong.split("_")[2], game.split("_")[2], "hunter2", "secret_word"):
        assert secret not in everything


def test_failed_logins_are_few_and_lock_nobody_out(own_server):
    server = own_server
    key_id, key = new_key(server, "viewer")
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
    failed = [server.http("POST", PATH, {"key": wrong}, key=None, headers={"X-Forwarded-For": f"198.51.100.{n}"}) for n in range(14)]
    assert [a.status for a in failed] == [401] * 10 + [429] * 4
    assert failed[-1].json["code"] == "rate_limited" and 30 <= int(failed[-1].headers["Retry-After"]) <= 60
    log_in(server, key)
    assert len(noted(server, key_id, 11)) == 11, "those that came too fast are not noted"


def test_logins_of_an_address_and_of_a_key_are_limited(own_server):
    server = own_server
    _, key = new_key(server, "viewer")
    statuses = [server.http("POST", PATH, {"key": f"x{n}"}, key=None, headers={"X-Forwarded-For": "198.51.100.9"}).status for n in range(130)]
    assert statuses[:10] == [401] * 10 and set(statuses[10:]) == {429}
    last = server.http("POST", PATH, {"key": key}, key=None, headers={"X-Forwarded-For": "198.51.100.9"})
    assert last.status == 429 and "console-address" in last.json["detail"]
    many = [server.http("POST", PATH, {"key": key}, key=None, headers={"X-Forwarded-For": f"203.0.113.{n}"}) for n in range(140)]
    assert [a.status for a in many[:100]] == [201] * 100
    assert many[-1].status == 429 and "console-key" in many[-1].json["detail"]
    assert server.http("GET", "/api/keys", key=key).status == 200, "the key itself works"
