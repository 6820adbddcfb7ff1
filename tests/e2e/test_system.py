"""What the console's pages Now and System read: the channel `metrics`, servers, settings with their sources, the slow log."""

import asyncio
import calendar
import json
import os
import signal
import time

import pytest
from conftest import Server, unique, wait_until

NAMES = {"interactions_per_s", "commit_p50_ms", "commit_p99_ms", "requests_per_s", "route_p99_ms", "connections",
         "tasks_started_per_s", "tasks_failed_per_s", "task_p99_ms", "pending_mb", "pending_age_s", "window_lag_s", "online"}


@pytest.fixture(scope="module")
def own_server(short_tmp):
    (short_tmp / "system.toml").write_text('[audit]\nkeep = "10d"\n[chat]\nburst = 30\n[status]\nwebhook_url = "http://127.0.0.1:1/?t=secret"\n')
    server = Server(short_tmp / unique("sys"), {"SKIRMISH_CHAT_BURST": "40", "SKIRMISH_SERVER_THREADS": "2"},
                    ["--config", str(short_tmp / "system.toml"), "--set", "chat.rate=7"]).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def viewer(own_server):
    return own_server.http("POST", "/api/keys", {"role": "viewer"}).json["key"]


def seconds(text):
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))


async def subscribe(socket):
    await socket.send(json.dumps({"subscribe": {"channel": "metrics"}, "cid": "m"}))
    assert json.loads(await asyncio.wait_for(socket.recv(), 20)) == {"cid": "m", "subscribed": {"channel": "metrics"}}


async def next_data(socket):
    event = json.loads(await asyncio.wait_for(socket.recv(), 20))["event"]
    assert event["channel"] == "metrics"
    return event["data"]


# ---- the channel --------------------------------------------------------------------------------------------------

def test_all_at_once_and_then_each_second(own_server, viewer):
    async def read():
        async with own_server.ws(key=viewer) as socket:
            await subscribe(socket)
            ring = await next_data(socket)
            assert ring["step_s"] == 1 and set(ring["series"]) == NAMES
            assert {len(one) for one in ring["series"].values()} == {900}
            at, times = seconds(ring["until"]), []
            while len(times) < 4:
                data = await next_data(socket)
                if "series" in data:  # this machine was busy for more than a second
                    at, times = seconds(data["until"]), []
                    continue
                assert set(data["values"]) == NAMES
                assert seconds(data["at"]) == at + 1
                at += 1
                times.append(time.monotonic())
            assert times[-1] - times[0] > 1.5

    asyncio.run(read())


def test_what_happens_is_seen(own_server, viewer):
    server = own_server
    ann, bob = server.new_player(), server.new_player()

    async def read():
        async with server.ws(key=viewer) as socket:
            await subscribe(socket)
            await next_data(socket)
            lines = [{"type": "attack", "attacker_id": ann, "target_id": bob, "damage": 1}] * 50
            lines.append({"type": "move", "player_id": ann, "lat": 1, "lon": 1, "alt": 0, "ttl_s": 60})
            answer = await asyncio.to_thread(server.http, "POST", "/api/interactions", lines)
            assert answer.status == 200, answer
            task = await asyncio.to_thread(server.http, "POST", "/api/tasks", {"name": "send_notification", "args": [unique(), "x"]})
            assert task.status in (200, 201, 202), task
            events = failed = started = 0
            seen, deadline = {}, time.monotonic() + 30
            # Rates are of the time between two samples, which may be two seconds on a busy machine.
            while events < 25 or failed == 0 or started == 0 or seen.get("online") != 1:
                assert time.monotonic() < deadline, (events, failed, started, seen)
                data = await next_data(socket)
                series = {n: v[-30:] for n, v in data["series"].items()} if "series" in data else {n: [v] for n, v in data["values"].items()}
                events += sum(v or 0 for v in series["interactions_per_s"])
                failed += sum(v or 0 for v in series["tasks_failed_per_s"])
                started += sum(v or 0 for v in series["tasks_started_per_s"])
                seen.update({n: v[-1] for n, v in series.items() if v[-1] is not None})
            assert 0 < seen["commit_p50_ms"] <= seen["commit_p99_ms"] <= 10_000, seen
            assert seen["route_p99_ms"] > 0 and seen["task_p99_ms"] > 0, seen
            assert seen["connections"] >= 1 and seen["pending_mb"] >= 0 and seen["window_lag_s"] >= 0, seen

    asyncio.run(read())
    # Who comes later finds it in the ring.

    async def read_again():
        async with server.ws(key=viewer) as socket:
            await subscribe(socket)
            ring = await next_data(socket)
            assert max(v or 0 for v in ring["series"]["interactions_per_s"]) > 10
            assert ring["series"]["interactions_per_s"][0] is None, "before the server started"

    asyncio.run(read_again())


def test_sampling_goes_on_while_nobody_reads_and_while_redis_is_away(own_server, viewer):
    async def read():
        async with own_server.ws(key=viewer) as socket:
            await subscribe(socket)
            await next_data(socket)
            pid = own_server.redis_pid()
            os.kill(pid, signal.SIGSTOP)
            try:
                # What Redis said is believed for some seconds; the rest goes on.
                deadline = time.monotonic() + 20
                while True:
                    values = (await next_data(socket)).get("values", {})
                    if values and values["online"] is None:
                        assert values["pending_mb"] is None and values["connections"] >= 1
                        break
                    assert time.monotonic() < deadline
            finally:
                os.kill(pid, signal.SIGCONT)
        began = seconds((await ring())["until"])
        await asyncio.sleep(3)  # time that passes is what is tested
        later = await ring()
        passed = seconds(later["until"]) - began
        known = [v for v in later["series"]["connections"][-passed:] if v is not None]
        assert passed >= 2 and len(known) >= passed - 1

    async def ring():
        async with own_server.ws(key=viewer) as socket:
            await subscribe(socket)
            return await next_data(socket)

    asyncio.run(read())


def test_the_age_of_what_is_not_flushed_is_seen(own_server, viewer):
    redis = own_server.redis()
    record = f"{int(time.time() * 1000) - 60_000}\nann:bob 5 2026-01-01T00:00:00Z m1\n"
    redis.set("attacks:filer", "another server", px=60_000)
    time.sleep(4)  # who had the lease may use it for 3 s
    redis.rpush("attacks:pending:7", record)
    redis.incrby("attacks:pending", len(record) + 2**20)

    async def read():
        async with own_server.ws(key=viewer) as socket:
            await subscribe(socket)
            deadline = time.monotonic() + 20
            while True:
                values = (await next_data(socket)).get("values", {})
                if (values.get("pending_age_s") or 0) > 0:
                    return values
                assert time.monotonic() < deadline, values

    try:
        seen = asyncio.run(read())
    finally:
        redis.delete("attacks:filer")  # the server goes on
    assert 60 <= seen["pending_age_s"] < 120 and 1 <= seen["pending_mb"] < 1.1, seen


def test_only_operators_read_it(own_server):
    key = own_server.http("POST", "/api/keys", {"role": "server"}).json["key"]

    async def ask():
        async with own_server.ws(key=key) as socket:
            await socket.send(json.dumps({"subscribe": {"channel": "metrics"}, "cid": "m"}))
            answer = json.loads(await asyncio.wait_for(socket.recv(), 20))
            assert answer["error"]["code"] == "forbidden", answer

    asyncio.run(ask())


# ---- what the routes tell ----------------------------------------------------------------------------------------

def test_settings_name_the_layer_that_set_them(own_server, viewer):
    answer = own_server.http("GET", "/api/config", key=viewer)
    rows = {row["name"]: row for row in answer.json["settings"]}
    assert rows["audit.keep"]["source"] == "file"
    assert rows["chat.burst"]["source"] == "environment" and rows["chat.burst"]["value"] == "40"
    assert rows["chat.rate"]["source"] == "argument" and rows["chat.rate"]["value"] == "7"
    assert rows["http.listen"]["source"] == "argument"
    assert rows["chat.text_limit"]["source"] == "default"
    webhook = rows["status.webhook_url"]
    assert webhook["source"] == "file" and "value" not in webhook and webhook["masked"]
    assert b"t=secret" not in answer.body


def test_servers_say_how_many_threads_serve(own_server, viewer):
    def here():
        return own_server.http("GET", "/api/servers", key=viewer).json["servers"]

    one = wait_until(here, 20, "the first announcement")[0]
    assert one["pid"] == own_server.process.pid and one["threads"] == 2 and one["role"] == "serve"


def test_the_slow_log_tells_commands_and_keys_but_no_values(own_server, viewer):
    redis = own_server.redis()
    redis.config_set("slowlog-log-slower-than", 0)
    try:
        redis.set("slow-test-key", "nobodys-business")
        redis.eval("return redis.call('GET', KEYS[1])", 1, "slow-test-key", "nobodys-argument")
    finally:
        redis.config_set("slowlog-log-slower-than", 10_000_000)
    answer = own_server.http("GET", "/api/backends", key=viewer)
    log = answer.json["redis"]["slow_log"]
    assert 2 <= len(log) <= 20
    told = {one["command"] for one in log}
    assert {"SET slow-test-key", "EVAL slow-test-key"} <= told, told
    assert all(one["duration_ms"] >= 0 and seconds(one["at"]) > 1_700_000_000 for one in log)
    assert b"nobodys" not in answer.body
    assert answer.json["sql"]["kind"] == "sqlite" and answer.json["sql"]["sessions"] > 0
