"""clients/python against the real server: the shared cache, the REST API, streams across cut connections, chat."""

import asyncio
import concurrent.futures
import inspect
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

import pytest
from conftest import BINARY, ROOT, free_port, unique, wait_until
from redis_process import RedisProcess

pytest.importorskip("httpx", reason="skipped: httpx is not installed (apt install python3-httpx)")
PACKAGE = ROOT / "clients" / "python"
sys.path.insert(0, str(PACKAGE))

import skirmish  # noqa: E402

PATH_OF_PACKAGE = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PACKAGE), os.environ.get("PYTHONPATH", "")])}


@pytest.fixture(scope="module")
def own_redis(short_tmp):
    with RedisProcess(short_tmp / unique("py")) as process:
        yield process


@pytest.fixture
def cache(own_redis):
    with skirmish.Cache(own_redis.url) as cache:
        yield cache


def run_async(work):
    return asyncio.run(asyncio.wait_for(work, 120))


# ---- the package ----------------------------------------------------------------------------------------------------
def test_the_scripts_are_the_servers():
    for name in ("claim", "fill", "fail"):
        assert (PACKAGE / f"skirmish/lua/{name}.lua").read_bytes() == (ROOT / f"src/cache/{name}.lua").read_bytes(), name


@pytest.mark.parametrize("ours, theirs", [(skirmish.Client, skirmish.AsyncClient), (skirmish.Cache, skirmish.AsyncCache),
                                          (skirmish.EventStream, skirmish.AsyncEventStream), (skirmish.Chat, skirmish.AsyncChat)])
def test_threads_and_asyncio_have_the_same_methods(ours, theirs):
    def methods(kind):
        return {name: [p for p in inspect.signature(m).parameters] for name, m in inspect.getmembers(kind, inspect.isfunction)
                if not name.startswith("_")}
    assert methods(ours) == methods(theirs) and len(methods(ours)) >= 2


@pytest.mark.skipif(subprocess.run([sys.executable, "-c", "import mypy"], capture_output=True).returncode,
                    reason="skipped: mypy is not installed (apt install mypy)")
def test_mypy_is_content(tmp_path):
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), "skirmish",
                           str(ROOT / "examples/python_service/service.py")],
                          cwd=PACKAGE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(subprocess.run([sys.executable, "-c", "import setuptools, wheel, pip"], capture_output=True).returncode,
                    reason="skipped: pip is not installed (apt install python3-pip python3-setuptools python3-wheel)")
def test_pip_installs_the_folder(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "python")  # setuptools builds inside it
    done = subprocess.run([sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", "--target",
                           str(tmp_path / "installed"), str(tmp_path / "python")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "installed/skirmish/py.typed").exists()
    script = "import skirmish; print(skirmish.__file__, len(skirmish._cache_steps.script('fill')))"
    told = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "installed"),
                                                                             os.environ.get("PYTHONPATH", "")])}).stdout
    assert told.startswith(str(tmp_path / "installed")) and int(told.split()[1]) > 500


def test_the_readmes_examples_run(server, tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.S)
    assert len(blocks) >= 5
    for n, block in enumerate(blocks):
        script = tmp_path / f"example{n}.py"
        script.write_text(block.replace("http://127.0.0.1:8090", server.url).replace("redis://127.0.0.1:6379/0", server.redis_url))
        done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60,
                              env={**PATH_OF_PACKAGE, "SKIRMISH_KEY": server.key})
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        for expected in re.findall(r"# prints (.*)$", block, re.M):
            assert expected in done.stdout, (block, done.stdout)


# ---- plain keys -----------------------------------------------------------------------------------------------------
def test_plain_keys(cache, own_redis):
    cache.set_key("greeting", "héllo", expiry_s=60)
    assert cache.get_key("greeting") == "héllo" and cache.get_key("none") is None and cache.get_key("none", "x") == "x"
    assert 59_000 < redis_of(own_redis).pttl("greeting") <= 60_000
    assert cache.delete_key("greeting") is True and cache.delete_key("greeting") is False
    for wrong in (0, -1):
        with pytest.raises(ValueError):
            cache.set_key("greeting", "x", expiry_s=wrong)
    raw = b"\xff\x00\xfe"
    redis_of(own_redis).set("raw", raw)
    cache.set_key("copy", cache.get_key("raw"))
    assert redis_of(own_redis).get("copy") == raw, "what is no UTF-8 passes through unchanged"


def test_a_world_has_its_own_keys(own_redis):
    with skirmish.Cache(own_redis.url, world="w1") as cache:
        cache.set_key("k", "v")
        cache.get_or_load("value", lambda: "loaded")
    assert redis_of(own_redis).get("{w1}:k") == b"v" and redis_of(own_redis).get("{w1}:value") == b"loaded"


def redis_of(process):
    import redis
    return redis.Redis.from_url(process.url)


# ---- the cache ------------------------------------------------------------------------------------------------------
def test_a_value_is_loaded_once_by_threads_tasks_and_processes(own_redis, tmp_path):
    """50 readers: 15 threads, 15 tasks, 4 processes of 5. Each load writes a line."""
    loads = tmp_path / "loads"
    script = f"""
import sys, threading, time, skirmish
cache = skirmish.Cache({own_redis.url!r})
def load():
    with open({str(loads)!r}, "a") as f: f.write("process\\n")
    time.sleep(0.3)
    return "value"
print("ready", flush=True); sys.stdin.readline()
answers = []
threads = [threading.Thread(target=lambda: answers.append(cache.get_or_load("shared", load).text)) for _ in range(5)]
[t.start() for t in threads]; [t.join() for t in threads]
assert answers == ["value"] * 5, answers
"""
    processes = [subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                  env=PATH_OF_PACKAGE) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"

    def load():
        with open(loads, "a") as f:
            f.write("here\n")
        time.sleep(0.3)
        return "value"

    async def load_async():
        return await asyncio.to_thread(load)

    async def tasks():
        async with skirmish.AsyncCache(own_redis.url) as cache:
            return [a.text for a in await asyncio.gather(*(cache.get_or_load("shared", load_async) for _ in range(15)))]

    with skirmish.Cache(own_redis.url) as cache, concurrent.futures.ThreadPoolExecutor(16) as pool:
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        async_answers = pool.submit(asyncio.run, tasks())
        threads = [pool.submit(cache.get_or_load, "shared", load) for _ in range(15)]
        assert [f.result(60).text for f in threads] == ["value"] * 15 and async_answers.result(60) == ["value"] * 15
    for process in processes:
        assert process.wait(60) == 0
    assert len(loads.read_text().splitlines()) == 1


def test_server_and_python_share_profiles(server):
    """Each reads what the other stored, drops what the other stored, and 50 readers of a cold profile load it once."""
    def loads():
        return sum(float(line.rsplit(" ", 1)[1]) for line in server.http("GET", "/metrics", key=None).body.decode().splitlines()
                   if line.startswith('skirmish_cache_loads_total{cache="profiles"'))

    player = server.new_player("Ada")
    name = f"user:{player}"
    profile = server.redis().hgetall(name)
    with skirmish.Cache(server.redis_url, skirmish.PROFILES) as cache:
        # What the server stored.
        answer = cache.get_or_load(name, lambda: pytest.fail("it is cached"))
        assert answer.source == "hit" and answer.fields == profile and profile["name"] == "Ada"
        # What Python loads: a name that SQL does not have shows who answered.
        cache.invalidate_cache(name)
        assert cache.get_or_load(name, lambda: {**profile, "name": "From Python"}).source == "miss"
        got = server.http("GET", f"/api/players/{player}")
        assert (got.json["name"], got.headers["X-Cache"]) == ("From Python", "hit")
        # Python's invalidation reaches the copy in the server's memory.
        cache.invalidate_cache(name)
        wait_until(lambda: server.http("GET", f"/api/players/{player}").json["name"] == "Ada", 5, "the profile of SQL")
        # The server's invalidation reaches Python, also a load that began before.
        began, go_on = threading.Event(), threading.Event()
        tried = []

        def slow_load():
            tried.append(1)
            began.set()
            assert go_on.wait(20)
            return {**profile, "name": "Ada" if len(tried) == 1 else "Grace"}

        cache.invalidate_cache(name)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answered = pool.submit(cache.get_or_load, name, slow_load)
            assert began.wait(20)
            assert server.http("PATCH", f"/api/players/{player}", {"name": "Grace"}).status == 200
            go_on.set()
            # The server may have stored its own reading in between; what was read before the change is not stored.
            assert answered.result(20).fields["name"] == "Grace"
        assert server.redis().hget(name, "name") in ("Grace", None)
        assert server.http("GET", f"/api/players/{player}").json["name"] == "Grace"

        # 25 readers here and 25 of the server; Python's load is under way when the server's readers come.
        cache.invalidate_cache(name)
        python_loads = []

        def load():
            python_loads.append(1)
            time.sleep(0.2)
            return {**profile, "name": "Once"}

        before = loads()
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            ours = [pool.submit(cache.get_or_load, name, load) for _ in range(25)]
            wait_until(lambda: python_loads, 20, "Python's load")
            theirs = [pool.submit(server.http, "GET", f"/api/players/{player}") for _ in range(25)]
            assert {f.result(30).fields["name"] for f in ours} == {"Once"}
            assert {f.result(30).json["name"] for f in theirs} == {"Once"}
        assert (len(python_loads), loads() - before) == (1, 0)
        # Both at the same moment, whoever is first.
        for _ in range(5):
            cache.invalidate_cache(name)
            python_loads.clear()
            before = loads()
            with concurrent.futures.ThreadPoolExecutor(50) as pool:
                mixed = [pool.submit(*((cache.get_or_load, name, load) if n % 2 else (server.http, "GET", f"/api/players/{player}")))
                         for n in range(50)]
                for f in mixed:
                    f.result(30)
            assert len(python_loads) + loads() - before == 1


def test_python_waits_for_a_cpp_program(own_redis):
    """examples/cached_profiles loads `user:42` for 200 ms; 50 readers here get what it loaded, and load nothing."""
    program = pathlib.Path(BINARY).parent / "examples" / "cached_profiles"
    if not program.exists():
        pytest.skip("skipped: build the examples first")
    process = subprocess.Popen([str(program)], env={**os.environ, "REDIS_URL": own_redis.url}, stdout=subprocess.PIPE, text=True)
    wait_until(lambda: redis_of(own_redis).exists("cache:load:user:42"), 20, "the lease of the program")
    with skirmish.Cache(own_redis.url, skirmish.Policy(stored_as_hash=True)) as cache, \
            concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = [pool.submit(cache.get_or_load, "user:42", lambda: pytest.fail("another process loads it")) for _ in range(50)]
        assert {f.result(20).fields["name"] for f in answers} <= {"Ada", "Grace"}
    assert "the source was asked 2 times" in process.communicate(timeout=20)[0]


def test_what_python_stores_fences_off_a_cpp_load(own_redis):
    """Python stores while the program loads: the program discards what it loaded and answers with Python's value."""
    program = pathlib.Path(BINARY).parent / "examples" / "cached_profiles"
    if not program.exists():
        pytest.skip("skipped: build the examples first")
    with skirmish.Cache(own_redis.url, skirmish.Policy(stored_as_hash=True)) as cache:
        process = subprocess.Popen([str(program)], env={**os.environ, "REDIS_URL": own_redis.url}, stdout=subprocess.PIPE, text=True)
        wait_until(lambda: redis_of(own_redis).exists("cache:load:user:42"), 20, "the lease of the program")
        cache.set_cache("user:42", {"name": "Python", "level": "9"})
        told = process.communicate(timeout=20)[0]
    assert [line.split()[0] for line in told.splitlines()[:4]] == ["Python"] * 3 + ["Grace"]
    assert "the source was asked 2 times" in told


def test_what_is_absent_stale_and_failing(cache, own_redis):
    asked = []

    def absent():
        asked.append(1)
        return None

    assert cache.get_or_load("nobody", absent).value is None and cache.get_or_load("nobody", absent).value is None
    assert len(asked) == 1 and redis_of(own_redis).get("cache:load:nobody") == b"none"

    def failing():
        asked.append(1)
        raise RuntimeError("the source is down")

    asked.clear()
    with pytest.raises(RuntimeError):
        cache.get_or_load("broken", failing)
    with pytest.raises(skirmish.CacheUnavailable):
        cache.get_or_load("broken", failing)
    assert len(asked) == 1
    # Past fresh_for, while the source fails, the old value serves.
    aging = cache.with_policy(skirmish.Policy(ttl_s=60, fresh_for_s=0.2, early_refresh=0))
    aging.set_cache("aging", "old")
    wait_until(lambda: redis_of(own_redis).pttl("aging") < 59_700, 5, "the end of its freshness")
    answer = aging.get_or_load("aging", failing)
    assert (answer.text, answer.source) == ("old", "stale")
    # Within stale_while_revalidate nobody waits; the reload follows.
    wait_until(lambda: not redis_of(own_redis).exists("cache:load:aging"), 5, "the end of the pause")
    revalidating = cache.with_policy(skirmish.Policy(ttl_s=60, fresh_for_s=0.2, stale_while_revalidate_s=30, early_refresh=0))
    answer = revalidating.get_or_load("aging", lambda: "new")
    assert (answer.text, answer.source) == ("old", "stale")
    wait_until(lambda: cache.get_cache("aging") == "new", 5, "the value that was reloaded behind")
    # Another type under the name is replaced.
    redis_of(own_redis).rpush("listed", "x")
    assert cache.get_or_load("listed", lambda: "text").text == "text" and redis_of(own_redis).get("listed") == b"text"
    with pytest.raises(TypeError):
        cache.set_cache("aging", {"a": "hash"})
    with pytest.raises(TypeError):
        cache.get_or_load("wrong", lambda: {"a": "hash"})
    with pytest.raises(ValueError):
        skirmish.Policy(ttl_s=0)


def test_an_async_source_that_hangs_is_given_up(own_redis):
    async def run():
        async with skirmish.AsyncCache(own_redis.url, skirmish.Policy(load_timeout_s=0.2)) as cache:
            async def hang():
                await asyncio.sleep(60)
            with pytest.raises(skirmish.CacheUnavailable):
                await cache.get_or_load("hung", hang)
            # A caller that goes away does not take the load from the others.
            async def slow():
                await asyncio.sleep(0.1)
                return "there"
            first = asyncio.create_task(cache.get_or_load("slow", slow))
            second = asyncio.create_task(cache.get_or_load("slow", slow))
            await asyncio.sleep(0.02)
            first.cancel()
            assert (await second).text == "there"

    run_async(run())


def test_without_redis_the_source_is_asked_and_invalidations_are_made_up_for(short_tmp):
    with RedisProcess(short_tmp / unique("py")) as process, skirmish.Cache(process.url) as cache:
        cache.set_cache("kept", "old")
        process.kill()
        assert cache.get_or_load("kept", lambda: "from the source").text == "from the source"
        cache.invalidate_cache("kept")
        with pytest.raises(skirmish.ConnectionFailed):
            cache.get_key("kept")
        process.start()
        assert redis_of(process).get("kept") == b"old"
        assert cache.get_or_load("kept", lambda: "new").text == "new", "before the next read, the invalidation was made up for"


# ---- the REST API ---------------------------------------------------------------------------------------------------
def test_the_rest_api(server):
    with skirmish.Client(server.url, key=server.key) as client:
        ann, bob, level = unique("ann:1"), unique(), unique("level")
        assert client.create_player("Änn", player_id=ann)["name"] == "Änn"
        client.create_player("Bob", player_id=bob)
        assert client.update_player(bob, name="Bobby")["name"] == "Bobby" and client.player(bob)["name"] == "Bobby"
        assert client.set_player_state(ann, hp=50)["hp"] == 50 and client.player_state(ann)["hp"] == 50
        assert client.send_events([{"type": "attack", "attacker_id": ann, "target_id": bob, "damage": 7, "id": unique()},
                                   {"type": "respawn", "player_id": unique("nobody"), "hp": 1}])["accepted"] == 1
        wait_until(lambda: attack_or_none(client, ann, bob), 20, "the attack's record")
        assert client.change_inventory(ann, "medkit", 3) == 3 and client.inventory(ann)["items"] == {"medkit": 3}
        client.create_level("A level", level_id=level)
        completion = unique()
        assert client.complete_level(level, ann, 31, completion_id=completion)["repeated"] is False
        assert client.complete_level(level, ann, 31, completion_id=completion)["repeated"] is True
        assert level in [found["level_id"] for found in client.levels(sort="popular", limit=1000)["items"]] or client.level(level)
        board, once = unique("board"), unique()
        for _ in range(2):
            client.submit_score(board, ann, 5, operator="increment", idempotency_key=once)
        assert client.leaderboard(board)["items"][0]["score"] == 5 and client.rank(board, ann)["rank"] == 1
        client.put_state(f"game:{ann}", "blob", b"\x00\xff", ttl_s=60)
        client.put_state(f"game:{ann}", "json", {"a": [1, None]}, ttl_s=60)
        assert client.get_state(f"game:{ann}", "blob") == b"\x00\xff" and client.get_state(f"game:{ann}", "json") == {"a": [1, None]}
        client.delete_state(f"game:{ann}", "blob")
        assert client.send_chat("general", "gg", speaker=ann)["text"] == "gg"
        assert client.chat_history("general")["items"][-1]["text"] == "gg"
        with skirmish.Client(server.url, token=client.create_session(ann)["token"]) as as_player:
            assert as_player.player(ann)["player_id"] == ann and as_player.create_ticket()["ticket"]
            with pytest.raises(skirmish.Problem) as refused:
                as_player.player(bob)
            assert (refused.value.status, refused.value.code) == (403, "forbidden")
        client.delete_player(bob)
        with pytest.raises(skirmish.Problem) as missing:
            client.player(bob)
        assert missing.value.code == "not_found" and missing.value.request_id and not missing.value.is_temporary
        with pytest.raises(skirmish.Problem) as bad:
            client.request("POST", "/api/players", json={"name": 5})
        assert bad.value.status == 400 and bad.value.errors[0]["pointer"] == "/name"
        with pytest.raises(ValueError):
            client.player("..")
        with pytest.raises(skirmish.Problem) as strange:
            client.player("a/../../metrics?x")
        assert strange.value.status in (400, 404)


def attack_or_none(client, attacker, target):
    try:
        return client.attack(attacker, target)["damage"] == 7
    except skirmish.Problem:
        return False


def test_tasks_and_jobs(server):
    with skirmish.Client(server.url, key=server.key) as client:
        player = server.new_player()
        sent = client.send_task("send_notification", [player, "the gate opens"], countdown_s=1)
        wait_until(lambda: client.notifications(player)["items"], 30, "the notification")
        assert client.notifications(player)["items"][0]["text"] == "the gate opens"
        wait_until(lambda: client.task(sent["id"])["state"] == "SUCCESS", 20, "the task's end")
        assert client.read_notifications(player, client.notifications(player)["items"][0]["id"]) == 1
        job = client.create_job("escort", {"to": "gate"})["job_id"]
        assert client.assign_job(job, player)["state"] == "processing"
        wait_until(lambda: client.job(job)["worker_id"] == player, 20, "the assignment")
        assert client.end_job(job)["state"] == "done"


def test_the_rest_api_by_asyncio_and_without_a_server(server):
    async def run():
        async with skirmish.AsyncClient(server.url, key=server.key) as client:
            players = await asyncio.gather(*(client.create_player(f"P{n}") for n in range(20)))
            assert {(await client.player(p["player_id"]))["name"] for p in players} == {f"P{n}" for n in range(20)}
            with pytest.raises(skirmish.Problem):
                await client.player(unique())
        async with skirmish.AsyncClient(f"http://127.0.0.1:{free_port()}") as away:
            with pytest.raises(skirmish.ConnectionFailed):
                await away.server_status()

    run_async(run())
    with skirmish.Client(f"http://127.0.0.1:{free_port()}") as away:
        with pytest.raises(skirmish.ConnectionFailed):
            away.server_status()


# ---- streams and chat -----------------------------------------------------------------------------------------------
class Cutter:
    """A proxy whose connections are cut on demand: without a close frame, in the middle of whatever is on its way."""

    def __init__(self, upstream):
        host, port = upstream.removeprefix("http://").split(":")
        self.upstream = host, int(port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.pairs, self.lock, self.cuts = [], threading.Lock(), 0
        self.drop_replies = False
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                here, _ = self.listener.accept()
            except OSError:
                return
            there = socket.create_connection(self.upstream)
            with self.lock:
                self.pairs.append((here, there))
            threading.Thread(target=self.pump, args=(here, there, False), daemon=True).start()
            threading.Thread(target=self.pump, args=(there, here, True), daemon=True).start()

    def pump(self, source, target, is_reply):
        try:
            while data := source.recv(1 << 16):
                if not (is_reply and self.drop_replies):
                    target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """Cuts what is connected; False when nothing is."""
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                try:
                    # The rest is lost: an RST.
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
                    end.shutdown(socket.SHUT_RDWR)
                    end.close()
                except OSError:
                    pass
        self.cuts += bool(pairs)
        return bool(pairs)

    def close(self):
        self.listener.close()
        self.cut()


@pytest.fixture
def cutter(server):
    proxy = Cutter(server.url)
    yield proxy
    proxy.close()


def test_a_stream_counts_each_frame_once_though_it_is_cut_20_times(server, cutter):
    player = server.new_player()
    frames = 600

    async def run():
        rejected = []
        async with skirmish.AsyncEventStream(cutter.url, unique("stream"), key=server.key, max_pending=50,
                                             on_rejected=rejected.append) as stream:
            async def cut():
                for n in range(20):
                    committed = stream.committed
                    while stream.committed < committed + 5:
                        await asyncio.sleep(0.002)
                    # Every other time the server's answers are lost first: what it committed is sent again.
                    cutter.drop_replies = n % 2 == 1
                    await asyncio.sleep(0.02 if cutter.drop_replies else 0)
                    made = stream.connections  # right before the cut: a busy server may have ended one by itself
                    assert cutter.cut()
                    cutter.drop_replies = False
                    while stream.connections == made:
                        await asyncio.sleep(0.002)

            cutting = asyncio.create_task(cut())
            sent = 0
            while sent < frames or not cutting.done():
                assert sent < 20_000
                seq = await stream.send([{"type": "item", "player_id": player, "item": "coin", "quantity": 1}], timeout_s=60)
                sent += 1
                assert seq == sent
                await asyncio.sleep(0.001)
            await cutting
            await stream.flush(60)
            assert stream.committed == sent and stream.pending == 0 and stream.connections >= 21
        assert not rejected
        return sent

    sent = run_async(run())
    assert cutter.cuts >= 20
    assert server.http("GET", f"/api/players/{player}/inventory").json["items"] == {"coin": sent}


def test_a_stream_for_threads_continues_where_another_process_ended(server, cutter):
    player, stream_id, rejected = server.new_player(), unique("stream"), []
    event = {"type": "item", "player_id": player, "item": "coin", "quantity": 1}
    with skirmish.EventStream(cutter.url, stream_id, key=server.key, on_rejected=rejected.append) as stream:
        assert stream.send([event]) == 1
        assert stream.send([event, {"type": "respawn", "player_id": unique("nobody"), "hp": 5}]) == 2
        stream.flush(30)
        cutter.cut()
        assert stream.send([event], timeout_s=30) == 3
    assert [(r.seq, r.index, r.code) for r in rejected] == [(2, 1, "not_found")]
    with skirmish.EventStream(server.url, stream_id, key=server.key) as stream:
        assert stream.send([event]) == 4
    assert server.http("GET", f"/api/players/{player}/inventory").json["items"] == {"coin": 4}


def test_a_stream_ends_for_good_when_it_must(server):
    with pytest.raises(skirmish.Closed) as bad_key:
        with skirmish.EventStream(server.url, unique("stream"), key="sk_" + "x" * 40) as stream:
            stream.send([], timeout_s=20)
    assert bad_key.value.code == 3500

    async def taken_over():
        stream_id = unique("stream")
        with pytest.raises(skirmish.Closed) as ended:
            async with skirmish.AsyncEventStream(server.url, stream_id, key=server.key) as old:
                await old.send([], timeout_s=20)
                await old.flush(20)
                async with skirmish.AsyncEventStream(server.url, stream_id, key=server.key) as new:
                    assert await new.send([], timeout_s=20) == 2
                    await new.flush(20)
                while True:
                    await old.send([], timeout_s=20)
                    await old.flush(20)
        assert ended.value.code == 3501

    run_async(taken_over())


def test_chat_without_gaps_or_repeats_though_it_is_cut(server, cutter):
    channel = f"team:{unique()}"

    async def run():
        got, total = [], 120
        async with skirmish.AsyncClient(server.url, key=server.key) as client, \
                skirmish.AsyncChat(cutter.url, [channel, "general"], key=server.key) as chat:
            async def talk():
                for n in range(total):
                    await client.send_chat(channel, str(n), speaker="ann")

            async def cut():
                for _ in range(10):
                    await asyncio.sleep(0.1)
                    cutter.cut()

            talking, cutting = asyncio.create_task(talk()), asyncio.create_task(cut())
            while len(got) < total:
                message = await chat.receive(60)
                if message.channel == channel:
                    got.append(message)
            await talking
            await cutting
            assert [m.text for m in got] == [str(n) for n in range(total)] and {m.speaker for m in got} == {"ann"}
            for _ in range(50):  # the last cut may not be mended yet
                try:
                    sent = await chat.send(channel, "by socket", speaker="ann")
                    break
                except skirmish.ConnectionFailed:
                    await asyncio.sleep(0.1)
            assert (await chat.receive(30)).id == sent == chat.last_ids()[channel]
            with pytest.raises(skirmish.Refused):
                await chat.send(channel, "", speaker="ann")

    run_async(run())
    with skirmish.Client(server.url, key=server.key) as client, skirmish.Chat(server.url, [channel], key=server.key) as chat:
        sent = client.send_chat(channel, "for threads", speaker="bob")
        assert chat.receive(30).id == sent["id"]
        with pytest.raises(skirmish.ConnectionFailed):
            chat.receive(0.05)
    with pytest.raises(skirmish.Refused):
        with skirmish.Chat(server.url, ["no such channel"], key=server.key):
            pass


# ---- the example service --------------------------------------------------------------------------------------------
class Service:
    """examples/python_service beside a server on a Redis that both reach by TCP."""

    def __init__(self, server, redis_url, broker, database):
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "examples/python_service/service.py"), "--listen", f"127.0.0.1:{self.port}",
             "--database", str(database)],
            env={**PATH_OF_PACKAGE, "SKIRMISH_URL": server.url, "SKIRMISH_KEY": server.key, "REDIS_URL": redis_url,
                 "BROKER_URL": broker}, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().startswith("ready"), "the service did not start"

    def ask(self, method, path, body=None):
        import httpx
        answer = httpx.request(method, f"http://127.0.0.1:{self.port}{path}", json=body, timeout=30)
        return answer.status_code, answer.json()

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def test_the_example_service(own_server):
    pytest.importorskip("celery", reason="skipped: Celery is not installed (apt install python3-celery)")
    server = own_server
    server.new_player()
    service = Service(server, server.redis_url, server.redis_url.replace("unix://", "redis+socket://"),
                      server.data_dir / "skirmish.db")
    try:
        ann = server.new_player("Ann")
        server.redis().delete(f"user:{ann}")
        status, user = service.ask("GET", f"/users/{ann}")
        assert (status, user["name"], user["cache"]) == (200, "Ann", "miss")
        assert service.ask("GET", f"/users/{ann}")[1]["cache"] == "hit"
        # One cache: the server finds what the service loaded, and the service what the server changed.
        assert server.http("GET", f"/api/players/{ann}").headers["X-Cache"] == "hit"
        assert server.http("PATCH", f"/api/players/{ann}", {"name": "Anna"}).status == 200
        assert service.ask("GET", f"/users/{ann}")[1]["name"] == "Anna"
        assert service.ask("GET", f"/users/{unique()}")[0] == 404

        job = server.http("POST", "/api/jobs", {"kind": "escort"}).json["job_id"]
        status, sent = service.ask("POST", f"/jobs/{job}/assignment", {"worker_id": ann})
        assert status == 202
        wait_until(lambda: service.ask("GET", f"/tasks/{sent['task_id']}")[1]["state"] == "SUCCESS", 30, "the assignment")
        assert service.ask("GET", f"/tasks/{sent['task_id']}")[1]["result"]["worker_id"] == ann
        assert service.ask("GET", f"/jobs/{job}")[1]["worker_id"] == ann

        begin = time.monotonic()
        status, sent = service.ask("POST", f"/users/{ann}/notifications", {"text": "the gate opens", "delay_s": 2})
        assert status == 202 and service.ask("GET", f"/users/{ann}/notifications")[1]["items"] == []
        wait_until(lambda: service.ask("GET", f"/users/{ann}/notifications")[1]["items"], 30, "the notification")
        assert time.monotonic() - begin >= 2
        assert service.ask("GET", f"/users/{ann}/notifications")[1]["items"][0]["text"] == "the gate opens"
        for path, body in ((f"/jobs/{job}/assignment", {}), (f"/users/{ann}/notifications", {"text": 5}),
                           (f"/users/{ann}/notifications", {"text": "x", "delay_s": -1}), (f"/jobs/{job}/assignment", [])):
            assert service.ask("POST", path, body)[0] == 400, (path, body)
    finally:
        service.stop()
