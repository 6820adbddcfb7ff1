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


def test_bad_cookies_and_keys(server):
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
