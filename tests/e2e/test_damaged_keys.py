"""Whatever somebody has stored under a key of ours: no route says that we have failed, and all goes on once it is removed.

A route that needs what is damaged answers with a conflict that names the key, or with 503; others do without.
"""

import asyncio
import json
import re
import urllib.parse

import pytest
import redis
from conftest import ROOT, Server, unique, wait_until
from test_openapi import Client, Maker, complaints, populate

JUNK = "x\t1\nnonsense \u00e9 inf 1e400 -1"
PLANTS = {
    "string": lambda r, key: r.set(key, JUNK), "list": lambda r, key: r.rpush(key, JUNK, "2"),
    "hash": lambda r, key: r.hset(key, mapping={"ann": JUNK, "index": JUNK, "@bytes": JUNK, "hp": JUNK, "player_id": JUNK, JUNK: "1"}),
    "set": lambda r, key: r.sadd(key, JUNK, "ann"), "zset": lambda r, key: r.zadd(key, {JUNK: float("inf"), "ann": 1.5, "b": -1e300}),
    "stream": lambda r, key: r.xadd(key, {"n": JUNK, "events": JUNK, "from": JUNK})}
# What stands for the parts of a name, in the documentation and in paths.
PARTS = {"player_id": "ann", "id": "ann", "board": "b1", "channel": "general", "level_id": "l1", "completion_id": "c1", "namespace": "ns",
         "key": "k", "server": "gs", "stream": "s1", "stream_id": "s1", "attacker_id": "ann", "attacker": "ann", "target_id": "bob",
         "target": "bob", "policy": "anonymous", "account": "0" * 64, "digest": "0" * 64, "address": "127.0.0.1", "task_id": "t1",
         "kind": "network", "value": "203.0.113.0-24", "achievement": "first-blood", "item": "sword", "job_id": "j1", "player": "ann",
         "name": "anonymous", "command": "ping", "queue": "default", "message_id": "1-1", "season": "1", "part": "1", "writer": "w"}
# Whom the rest of the test needs, and what says nothing of Redis.
LEFT_OUT = {("post", "/api/workers/{name}/{command}"), ("post", "/api/status/refresh"), ("delete", "/api/keys/{key_id}")}
SLOW = {("get", "/api/doctor"), ("get", "/api/workers/{name}/{command}")}  # they wait for workers


def documented_keys():
    """The names that docs/redis-keys.md has, with something in place of each `<part>`."""
    text = (ROOT / "docs/redis-keys.md").read_text().split("## Pub/Sub channels")[0]
    names = set()
    for row in re.findall(r"^\| (`.*?) \|", text, re.M):
        for name in re.findall(r"`([^`]+)`", row):
            if name.startswith("…"):  # `a:<x>@even`, `…@odd`
                name = re.sub(r"@\w+$", name[1:], first)
            first = name
            names.add(name)
    assert len(names) > 60
    made = {re.sub(r"<(\w+)>", lambda m: PARTS.get(m[1], "1"), name) for name in names}
    for found in (n for n in made.copy() if n.endswith(("*", "…"))):  # a family; its keys are among those that there are
        made.discard(found)
    return made


class Damage:
    """What lay under the keys before is put back."""

    def __init__(self, redis, keys, plant):
        self.redis, self.keys, self.plant, self.kept = redis, keys, plant, {}

    def __enter__(self):
        for key in self.keys:
            self.kept[key] = (self.redis.dump(key), max(self.redis.pttl(key), 0))
            with self.redis.pipeline(transaction=True) as both:  # the server writes meanwhile
                both.delete(key)
                self.plant(both, key)
                both.execute()

    def __exit__(self, *_):
        for key, (value, ttl) in self.kept.items():
            if value is None:
                self.redis.delete(key)
            else:
                self.redis.restore(key, ttl, value, replace=True)


class World:
    def __init__(self, server):
        self.server = server
        self.document = server.http("GET", "/openapi.json", key=None).json
        self.client = Client(server, {"X-API-Key": server.key})
        self.redis = server.redis()
        self.bytes = redis.Redis.from_url(server.redis_url)  # for dumps
        self.player = None
        self.fill()
        self.keys = sorted(documented_keys() | set(self.redis.scan_iter(count=1000)))

    def fill(self):
        server = self.server
        said, task = populate(server)
        self.parts = {**PARTS, "message": said, "message_id": said, "task": task, "task_id": task}
        for path in ("/api/state/ns/k", "/api/state/player:ann/k", "/api/recovery/gs/k"):
            assert server.http("PUT", path, {"a": 1}).status < 300
        server.http("PUT", "/api/rate-limits/docs", {"routes": ["GET /docs"], "rate_per_s": 1000, "burst": 100_000})
        server.http("PUT", "/api/chat/general/mutes/bob", {"seconds": 3_600})
        server.http("POST", "/api/players/ann/notifications", {"text": "hello"})
        self.player = server.http("POST", "/api/players/ann/sessions", {}).json["token"]

    def operations(self, without):
        """Those that remove things come last."""
        order = ["options", "get", "post", "put", "patch", "delete"]
        found = [(verb, path, operation) for path, verbs in self.document["paths"].items() for verb, operation in verbs.items()
                 if (verb, path) not in LEFT_OUT | without]
        return sorted(found, key=lambda one: (order.index(one[0]), one[1]))

    def target(self, path, operation):
        query = []
        for p in operation["parameters"]:
            if p["in"] == "path":
                path = path.replace("{%s}" % p["name"], self.parts.get(p["name"], "ann"))
            elif p.get("required"):
                query.append(f"{p['name']}={urllib.parse.quote(str(Maker(1, ['ann']).good(p['schema'], p['name'])))}")
        return path + ("?" + "&".join(query) if query else "")

    def ask_all(self, without=frozenset()):
        """What answers said that should not be said."""
        wrong = []
        for verb, path, operation in self.operations(without):
            body, headers = None, []
            if "requestBody" in operation:
                kind, media = next(iter(operation["requestBody"]["content"].items()))
                good = Maker(7, ["ann", "bob"]).good(media.get("schema") or {})
                body = json.dumps(good).encode() if kind == "application/json" else b"x"
                headers = [("Content-Type", kind)]
            target = self.target(path, operation)
            answer = self.client.ask(verb.upper(), target, body, headers)
            wrong += [f"{verb.upper()} {target}: {c}" for c in complaints(answer, verb, operation, self.document)]
        return wrong + asyncio.run(self.ask_socket())

    async def ask_socket(self):
        messages = [{"subscribe": {"channel": c}} for c in (
            "general", "activity", "near:ann", "notifications:ann", "dm:ann", "leaderboard:b1", "presence:general", "metrics", "status",
            "achievement", "tasks", "workers", "queues")]
        messages += [{"chat": {"channel": "general", "from": "ann", "text": "x"}},
                     {"interactions": [{"type": "attack", "attacker_id": "ann", "target_id": "bob", "damage": 1}]}]
        wrong = []
        async with self.server.ws() as socket:
            for n, message in enumerate(messages):
                await socket.send(json.dumps({"cid": str(n), **message}))
            unanswered = set(map(str, range(len(messages))))
            while unanswered:
                told = json.loads(await asyncio.wait_for(socket.recv(), 30))
                unanswered.discard(told.get("cid"))
                if told.get("error", {}).get("code") == "internal":
                    wrong.append(f"{messages[int(told['cid'])]}: {told}")
        return wrong


@pytest.fixture(scope="module")
def world(short_tmp):
    # No limit is in the way, and one thread, so that what it remembers is what the next request meets.
    server = Server(short_tmp / unique("damaged"), {"SKIRMISH_SERVER_THREADS": "1"}).start()
    yield World(server)
    server.stop()


def test_nothing_is_wrong_before(world):
    assert world.ask_all() == []
    world.fill()


@pytest.mark.parametrize("kind", PLANTS)
def test_one_type_under_every_key(world, kind):
    with Damage(world.bytes, world.keys, PLANTS[kind]):
        wrong = world.ask_all()
    assert not wrong, "\n".join(wrong)
    assert world.server.process.poll() is None
    wait_until(lambda: world.server.http("GET", "/readyz", key=None).status == 200, 20, "readiness")
    world.fill()


@pytest.mark.long
@pytest.mark.parametrize("what", ["another type", "its own type"])
def test_something_else_under_each_key(world, what):
    """One by one: with all of them damaged a route may end at the first."""
    wrong = []
    for key in world.keys:
        there = world.redis.type(key)
        kind = there if what == "its own type" else "list" if there == "string" else "string"
        if kind not in PLANTS:
            continue
        with Damage(world.bytes, [key], PLANTS[kind]):
            wrong += [f"{key}: {complaint}" for complaint in world.ask_all(SLOW)]
        world.fill()
    assert not wrong, "\n".join(wrong)
    wait_until(lambda: world.server.http("GET", "/readyz", key=None).status == 200, 20, "readiness")
