"""Recovery data: snapshots of game servers, and an example server that is killed and recovers exactly."""

import asyncio
import json
import os
import pathlib
import random
import signal
import subprocess
import sys

import pytest
from conftest import Server, unique, wait_until

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples/game_server.py"


def put(server, place, body, query="", **more):
    return server.http("PUT", f"/api/recovery/{place}{query}", body, **more)


def items(server, place):
    return server.http("GET", f"/api/recovery/{place}").json["items"]


def test_the_last_snapshots_are_kept_and_read_back(server):
    place = f"{unique('eu')}/world"
    assert items(server, place) == []
    assert server.http("GET", f"/api/recovery/{place}/latest").status == 404
    ids = []
    for n in range(7):
        stored = put(server, place, {"n": n})
        assert stored.status == 201 and stored.json["cursor"] is None, stored
        ids.append(stored.json["id"])
    listed = items(server, place)
    assert [s["id"] for s in listed] == ids[:1:-1], "the last five, the newest first"
    assert ids == sorted(ids, key=int)
    assert {s["stream"] for s in listed} == {None} and listed[0]["size_bytes"] == len(json.dumps({"n": 6}))
    assert server.http("GET", f"/api/recovery/{place}/latest").json == {"n": 6}
    assert server.http("GET", f"/api/recovery/{place}/{ids[3]}").json == {"n": 3}
    assert server.http("GET", f"/api/recovery/{place}/{ids[1]}").status == 404
    # Nothing of the dropped ones is left.
    bodies = [f for f in server.redis().hkeys(f"recovery:{place.replace('/', '@')}") if f.startswith("body:")]
    assert sorted(bodies) == sorted(f"body:{i}" for i in ids[2:])
    assert server.http("DELETE", f"/api/recovery/{place}").status == 204
    assert items(server, place) == []
    assert server.http("DELETE", f"/api/recovery/{place}").status == 404


def test_bytes_up_to_a_mebibyte(server):
    place = f"{unique('eu')}/bytes"
    blob = random.Random(1).randbytes(1 << 20)
    kind = {"Content-Type": "application/octet-stream"}
    assert put(server, place, None, raw=blob, headers=kind).status == 201
    back = server.http("GET", f"/api/recovery/{place}/latest")
    assert back.body == blob and back.headers["Content-Type"] == "application/octet-stream"
    refused = put(server, place, None, raw=blob + b"x", headers=kind)
    assert refused.status == 413 and len(items(server, place)) == 1


def test_what_is_no_snapshot_is_refused(server):
    place = f"{unique('eu')}/bad"
    for query in ("?stream=s", "?seq=1", "?stream=a%20b&seq=1", "?stream=s&seq=-1", "?stream=s&seq=x", "?stream=s&seq=9999999999999999"):
        assert put(server, place, {}, query).status == 400, query
    assert put(server, place, None, raw=b"{").status == 400
    assert put(server, place, None, raw=b"<x/>", headers={"Content-Type": "text/xml"}).status == 415
    ahead = put(server, place, {}, f"?stream={unique('s')}&seq=1")
    assert ahead.status == 409 and "committed 0" in ahead.json["detail"], ahead
    assert items(server, place) == []


def test_a_server_has_so_many_keys(own_server):
    own_server.stop()
    own_server.env["SKIRMISH_STATE_RECOVERY_KEYS_LIMIT"] = "2"
    own_server.start()
    name = unique("eu")
    assert [put(own_server, f"{name}/{key}", 1).status for key in ("a", "b", "c", "a")] == [201, 201, 409, 201]
    assert put(own_server, f"{unique('eu')}/c", 1).status == 201
    assert own_server.http("DELETE", f"/api/recovery/{name}/a").status == 204
    assert put(own_server, f"{name}/c", 1).status == 201


def test_snapshots_follow_their_stream(server):
    stream, place = unique("s"), f"{unique('eu')}/match"
    a, b = server.new_player(), server.new_player()

    def snapshot(seq):
        return put(server, place, {"seq": seq}, f"?stream={stream}&seq={seq}")

    def frame(seq):
        attack = {"type": "attack", "id": f"{stream}.{seq}", "attacker_id": a, "target_id": b, "damage": 1}
        return json.dumps({"seq": seq, "interactions": [attack]})

    def behind(cursor):
        page = server.http("GET", f"/api/interactions?since={cursor}&limit=1000").json
        assert not page["trimmed"]
        return [e["id"] for e in page["items"] if e.get("id", "").startswith(stream)]

    async def run():
        # Something is in the log, so that it has an end.
        server.http("POST", "/api/interactions", [{"type": "move", "player_id": a, "lat": 1, "lon": 1}])
        async with server.ws(f"/api/ws?stream={stream}") as socket:
            await socket.recv()
            first = await asyncio.to_thread(snapshot, 0)
            assert first.status == 201 and first.json["cursor"], first
            for n in range(1, 6):
                await socket.send(frame(n))
            while json.loads(await socket.recv()) != {"ack": 5}:
                pass
            assert (await asyncio.to_thread(snapshot, 6)).status == 409
            # Frames 4 and 5 came while this one was on its way: its cursor is that of the snapshot before.
            late = await asyncio.to_thread(snapshot, 3)
            assert late.status == 201 and late.json["cursor"] == first.json["cursor"]
            assert behind(late.json["cursor"]) == [f"{stream}.{n}" for n in range(1, 6)]
            exact = await asyncio.to_thread(snapshot, 5)
            assert exact.status == 201 and behind(exact.json["cursor"]) == []
            # A process of before, which still runs, does not put its older state over this.
            assert (await asyncio.to_thread(snapshot, 4)).status == 409
            await socket.send(frame(6))
            while json.loads(await socket.recv()) != {"ack": 6}:
                pass
            assert behind(exact.json["cursor"]) == [f"{stream}.6"]

    asyncio.run(run())
    latest = server.http("GET", f"/api/recovery/{place}/latest")
    assert (latest.headers["Snapshot-Stream"], latest.headers["Snapshot-Seq"]) == (stream, "5")
    assert [s["seq"] for s in items(server, place)] == [5, 3, 0]


class Life:
    """One process of the example game server."""

    def __init__(self, server, key, match, players, frames):
        self.process = subprocess.Popen(
            [sys.executable, str(EXAMPLE), "--url", server.url, "--match", match, "--players", ",".join(players), "--frames",
             str(frames), "--every", "20", "--pause", "0.002"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "SKIRMISH_KEY": key})
        self.lines = []

    def read_until(self, frame):
        """Reads what it says until it has acknowledged that frame."""
        for line in self.process.stdout:
            self.lines.append(line.split())
            if self.lines[-1][0] == "acknowledged" and int(self.lines[-1][1]) >= frame:
                return
        raise AssertionError(self.process.stderr.read())

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)


def test_a_killed_game_server_recovers_exactly(own_server):
    server, frames, per_frame = own_server, 400, 5
    key = server.run("apikey", "--data-dir", str(server.data_dir), "create", "--role", "server").stdout.strip()
    match, players = unique("m"), [server.new_player() for _ in range(4)]
    bystander = [server.new_player() for _ in range(2)]
    recovered_later = 0
    for stop_at in (7, 95, 133, 250, 305):
        life = Life(server, key, match, players, frames)
        life.read_until(stop_at)
        life.kill()
        # Others are in the same log.
        attack = {"type": "attack", "attacker_id": bystander[0], "target_id": bystander[1], "damage": 1}
        assert server.http("POST", "/api/interactions", [attack]).status == 200
        if life.lines[0][2] != "from":
            recovered_later += int(life.lines[0][1]) > int(life.lines[0][2])
    last = Life(server, key, match, players, frames)
    out, err = last.process.communicate(timeout=120)
    assert last.process.returncode == 0, err
    totals = json.loads(out.splitlines()[-1])

    # Each frame counts once, in the memory that was lost five times and in Skirmish.
    assert totals["seq"] == frames and totals["attacks"] == frames * per_frame
    assert totals["damage"] == {p: server.http("GET", f"/api/players/{p}/state").json["damage_dealt"] for p in players}
    # The snapshot alone would not have been enough.
    assert recovered_later > 0
