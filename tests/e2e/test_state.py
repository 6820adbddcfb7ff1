"""Temporary state: values with a life, preconditions, quotas, and whose a namespace is."""

import json
import random

import pytest
from conftest import Server, unique, wait_until

BYTES = {"Content-Type": "application/octet-stream"}


def put(server, place, body=None, query="", **more):
    return server.http("PUT", f"/api/state/{place}{query}", body, **more)


def get(server, place, **more):
    return server.http("GET", f"/api/state/{place}", **more)


def as_player(server, player):
    opened = server.http("POST", f"/api/players/{player}/sessions", {})
    return {"key": None, "headers": {"Authorization": f"Bearer {opened.json['token']}"}}


def test_values_come_back_as_they_were_sent(server):
    ns = unique("ns")
    text = '{"a": 1.50, "b": ["x",  null]}'
    made = put(server, f"{ns}/doc", raw=text.encode())
    assert made.status == 201 and made.json["size_bytes"] == len(text), made
    back = get(server, f"{ns}/doc")
    assert back.body == text.encode() and back.headers["Content-Type"] == "application/json"
    assert back.headers["ETag"] == made.headers["ETag"]
    blob = random.Random(2).randbytes(64 << 10)
    assert put(server, f"{ns}/blob", raw=blob, headers=BYTES).status == 201
    back = get(server, f"{ns}/blob")
    assert back.body == blob and back.headers["Content-Type"] == "application/octet-stream"
    assert put(server, f"{ns}/blob", raw=b"", headers=BYTES).status == 200
    assert get(server, f"{ns}/blob").body == b""
    assert server.http("DELETE", f"/api/state/{ns}/blob").status == 204
    assert get(server, f"{ns}/blob").status == 404
    assert server.http("DELETE", f"/api/state/{ns}/blob").status == 404


def test_what_is_no_value_is_refused_and_changes_nothing(server):
    ns = unique("ns")
    assert put(server, f"{ns}/k", raw=b"x" * ((64 << 10) + 1), headers=BYTES).status == 413
    for raw in (b"", b"{", b"\xff", b"[" * 40 + b"]" * 40, b"{} {}"):
        assert put(server, f"{ns}/k", raw=raw).status == 400, raw
    assert put(server, f"{ns}/k", raw=b"<x>", headers={"Content-Type": "text/html"}).status == 415
    for ttl in ("0", "-1", "x", "2592001", "1.5"):
        assert put(server, f"{ns}/k", 1, f"?ttl_s={ttl}").status == 400, ttl
    for name in ("a%20b", "%00", "x" * 65, "a@b"):
        assert put(server, f"{ns}/{name}", 1).status == 400, name
    assert put(server, f"{ns}/k", 1, headers={"If-Match": "nonsense"}).status == 400
    assert put(server, f"{ns}/k", 1, headers={"If-None-Match": '"1"'}).status == 400
    assert get(server, f"{ns}/k").status == 404 and get(server, ns).json["items"] == []


def test_preconditions(server):
    place = f"{unique('ns')}/k"
    assert put(server, place, 1, headers={"If-Match": "*"}).status == 412
    assert put(server, place, 1, headers={"If-Match": '"17"'}).status == 412
    first = put(server, place, 1, headers={"If-None-Match": "*"})
    assert first.status == 201
    refused = put(server, place, 2, headers={"If-None-Match": "*"})
    assert refused.status == 412 and refused.json["code"] == "conflict"
    second = put(server, place, 2, headers={"If-Match": first.headers["ETag"]})
    assert second.status == 200 and second.headers["ETag"] != first.headers["ETag"]
    assert put(server, place, 3, headers={"If-Match": first.headers["ETag"]}).status == 412
    assert server.http("DELETE", f"/api/state/{place}", headers={"If-Match": first.headers["ETag"]}).status == 412
    assert get(server, place).json == 2
    assert get(server, place, headers={"If-None-Match": second.headers["ETag"]}).status == 304
    assert get(server, place, headers={"If-None-Match": first.headers["ETag"]}).status == 200
    assert server.http("DELETE", f"/api/state/{place}", headers={"If-Match": second.headers["ETag"]}).status == 204
    # The same value again is another version.
    assert put(server, place, 2).headers["ETag"] not in (first.headers["ETag"], second.headers["ETag"])


def test_an_entry_ends_and_gives_its_quota_back(own_server):
    server = own_server
    server.stop()
    server.env.update(SKIRMISH_STATE_ENTRIES_LIMIT="3", SKIRMISH_STATE_BYTES_LIMIT="64KiB")
    server.start()
    ns = unique("ns")
    assert [put(server, f"{ns}/{k}", 1).status for k in "abc"] == [201] * 3
    full = put(server, f"{ns}/d", 1)
    assert full.status == 409 and "entries" in full.json["detail"]
    assert put(server, f"{ns}/a", 2).status == 200, "what is there may change"
    assert put(server, f"{ns}/a", 3, "?ttl_s=1").status == 200
    wait_until(lambda: put(server, f"{ns}/d", 1).status == 201, 20, "the place of an entry that has ended")
    assert get(server, f"{ns}/a").status == 404
    assert [e["key"] for e in get(server, ns).json["items"]] == ["b", "c", "d"]

    ns = unique("ns")
    assert put(server, f"{ns}/a", raw=bytes(40 << 10), headers=BYTES).status == 201
    full = put(server, f"{ns}/b", raw=bytes(30 << 10), headers=BYTES)
    assert full.status == 409 and "bytes" in full.json["detail"]
    assert put(server, f"{ns}/a", raw=bytes(10 << 10), headers=BYTES).status == 200
    assert put(server, f"{ns}/b", raw=bytes(30 << 10), headers=BYTES).status == 201
    assert server.redis().hget(f"state_entries:{ns}", "@bytes") == str(40 << 10)
    assert server.http("DELETE", f"/api/state/{ns}/b").status == 204
    assert server.redis().hget(f"state_entries:{ns}", "@bytes") == str(10 << 10)


def test_nothing_is_left_of_a_namespace_whose_entries_have_ended(server):
    ns = unique("ns")
    for k in "abc":
        assert put(server, f"{ns}/{k}", 1, "?ttl_s=1").status == 201
    wait_until(lambda: not list(server.redis().scan_iter(f"state*:{ns}*", count=1000)), 20, "the end of its keys")


def test_lists_by_cursor(server):
    ns = unique("ns")
    keys = sorted(f"k{n}" for n in range(25))
    for k in random.Random(3).sample(keys, len(keys)):
        assert put(server, f"{ns}/{k}", {"k": k}).status == 201
    found, cursor = [], ""
    while cursor is not None:
        page = get(server, f"{ns}?limit=10" + (f"&cursor={cursor}" if cursor else "")).json
        assert len(page["items"]) <= 10
        found += page["items"]
        cursor = page["next_cursor"]
    assert [e["key"] for e in found] == keys
    assert get(server, f"{ns}/k7").headers["ETag"] == next(e["etag"] for e in found if e["key"] == "k7")
    assert get(server, f"{ns}?cursor=a%20b").status == 400
    assert server.http("DELETE", f"/api/state/{ns}").status == 204
    assert get(server, ns).json == {"items": [], "next_cursor": None}
    assert not list(server.redis().scan_iter(f"state*:{ns}*", count=1000))


def test_a_player_has_its_own_namespace_and_no_other(server):
    ann, bob = server.new_player(), server.new_player()
    key = server.run("apikey", "--data-dir", str(server.data_dir), "create", "--role", "server").stdout.strip()
    own, other = f"player:{ann}", f"player:{bob}"
    me = as_player(server, ann)
    assert put(server, f"{own}/settings", {"volume": 7}, **me).status == 201
    assert get(server, f"{own}/settings", **me).json == {"volume": 7}
    assert get(server, f"{own}/settings", key=key).json == {"volume": 7}
    for place in (other, unique("ns"), "player:", f"player:{ann}x", f"players:{ann}"):
        for method, path in (("PUT", f"/{place}/k"), ("GET", f"/{place}/k"), ("DELETE", f"/{place}/k"), ("GET", f"/{place}"),
                             ("DELETE", f"/{place}")):
            body = 1 if method == "PUT" else None
            assert server.http(method, "/api/state" + path, body, **me).status == 403, (method, path)
    assert server.http("PUT", f"/api/recovery/{ann}/k", 1, **me).status == 403
    assert get(server, f"{own}/settings", key=None).status == 401
    # A namespace of a player that there is not.
    assert put(server, f"player:{unique()}/k", 1).status == 404
    assert put(server, f"{other}/k", 1, key=key).status == 201
    assert server.http("DELETE", f"/api/players/{bob}").status == 204
    assert not list(server.redis().scan_iter(f"state*:{other}*", count=1000))


def test_a_players_quota_is_its_own(server):
    player = server.new_player()
    me = as_player(server, player)
    statuses = [put(server, f"player:{player}/k{n}", n, **me).status for n in range(101)]
    assert statuses == [201] * 100 + [409]


@pytest.mark.parametrize("name", ["state:{}@k", "state_entries:{}", "state_names:{}", "state_ends:{}"])
def test_something_else_under_a_key_of_ours_is_a_conflict(server, name):
    ns = unique("ns")
    assert put(server, f"{ns}/k", 1).status == 201
    key = name.format(ns)
    server.redis().delete(key)
    server.redis().set(key, "text")
    refused = put(server, f"{ns}/k", 2)
    assert refused.status == 409 and "Redis" in refused.json["detail"], refused
    assert server.redis().get(key) == "text"
    assert server.http("GET", "/readyz", key=None).status == 200
