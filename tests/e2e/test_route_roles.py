"""Who may use which route: every route of /openapi.json with every kind of caller.

The table is the expectation. A route that it does not name fails the test: whoever adds one says here for whom it is.
"""

import collections
import time

import pytest
from conftest import Server, unique, wait_until

PUBLIC = "public"    # no credential is asked for
COOKIE = "cookie"    # for the console's cookie: keys and tokens are not looked at
SESSION = "session"  # for the session of the token itself: no keys
OWN = "own"          # the player whose data it is, game servers and operators
PLAYER = "player"    # any player
SERVER = "server"
ADMIN = "admin"

SCOPES = ("chat", "events", "players", "state", "tasks")

Row = collections.namedtuple("Row", "who scope body path query", defaults=(None, None, {}, ""))


def row(who, scope=None, body=None, query="", **path):
    return Row(who, scope, body, path, query)


# What is behind a `#` tells cases of one route apart. `{me}` is the player whose data it is.
TABLE = {
    "GET /healthz": row(PUBLIC),
    "GET /readyz": row(PUBLIC),
    "GET /metrics": row(PUBLIC),
    "GET /openapi.json": row(PUBLIC),
    "GET /docs": row(PUBLIC),
    "GET /docs/docs.css": row(PUBLIC),
    "GET /docs/docs.js": row(PUBLIC),
    "GET /": row(PUBLIC),
    "GET /console": row(PUBLIC),
    "GET /widget.js": row(PUBLIC),
    "GET /api/site": row(PUBLIC),
    "GET /assets/{name}": row(PUBLIC, name="none.js"),
    "POST /api/console/session": row(PUBLIC, body={}),
    "GET /api/console/session": row(COOKIE),
    "DELETE /api/console/session": row(COOKIE),
    "GET /server/status": row(PUBLIC),
    "OPTIONS /server/status": row(PUBLIC),
    "GET /server/status/debug": row(PUBLIC),
    "GET /server/status/history": row(PUBLIC),
    "GET /server/status/badge.svg": row(PUBLIC),
    "GET /health": row(PUBLIC),
    "GET /api/server/status": row(PUBLIC),
    "OPTIONS /api/server/status": row(PUBLIC),
    "GET /api/server/status/debug": row(PUBLIC),
    "GET /api/server/status/history": row(PUBLIC),
    "GET /api/server/status/badge.svg": row(PUBLIC),
    "GET /api/health": row(PUBLIC),
    "GET /api/servers/{name}/status": row(PUBLIC),
    "OPTIONS /api/servers/{name}/status": row(PUBLIC),
    "GET /api/servers/{name}/status/history": row(PUBLIC),
    "POST /api/status/refresh": row(ADMIN),
    "PUT /api/status/interval": row(ADMIN, body={"interval_seconds": 600}),
    "DELETE /api/status/interval": row(ADMIN),

    "POST /api/sessions": row(PUBLIC, body={}),
    "GET /api/sessions/current": row(SESSION, "players"),
    "DELETE /api/sessions/current": row(SESSION, "players"),
    "POST /api/sessions/tickets": row(SESSION, "players"),
    "POST /api/players/{id}/sessions": row(SERVER, "players", {}),
    "GET /api/players/{id}/sessions": row(OWN, "players"),
    "DELETE /api/players/{id}/sessions": row(OWN, "players"),
    "DELETE /api/players/{id}/sessions/{session_id}": row(OWN, "players"),
    "PUT /api/players/{id}/password": row(OWN, "players", {"password": "correct horse battery"}),
    "POST /api/players/{id}/devices": row(OWN, "players", {}),
    "GET /api/players/{id}/devices": row(OWN, "players"),
    "DELETE /api/players/{id}/devices/{device_id}": row(OWN, "players"),

    "GET /api/players": row(ADMIN, "players"),
    "GET /api/players/{id}/actions": row(OWN, "players"),
    "POST /api/players": row(SERVER, "players", {"name": "x"}),
    "GET /api/players/{id}": row(OWN, "players"),
    "PATCH /api/players/{id}": row(OWN, "players", {"name": "x"}),
    "DELETE /api/players/{id}": row(OWN, "players"),
    "GET /api/players/{id}/state": row(OWN, "players"),
    "PATCH /api/players/{id}/state": row(SERVER, "players", {"hp": 5}),
    "GET /api/players/{id}/position": row(OWN, "players"),
    "GET /api/players/{id}/nearby": row(OWN, "events"),
    "GET /api/players/{id}/notes": row(ADMIN, "players"),
    "POST /api/players/{id}/notes": row(ADMIN, "players", {"text": "x"}),
    "DELETE /api/players/{id}/notes/{note_id}": row(ADMIN, "players"),
    "GET /api/positions": row(ADMIN, "events"),
    "GET /api/positions/density": row(PUBLIC),
    "GET /api/nearby": row(SERVER, "events", query="?lat=1&lon=1"),
    "GET /api/players/{id}/inventory": row(OWN, "events"),
    "POST /api/players/{id}/inventory": row(SERVER, "events", {"item": "sword", "quantity": 1}),
    "GET /api/players/{id}/achievements": row(PUBLIC),
    "PUT /api/players/{id}/achievements/{achievement}": row(SERVER, "events"),
    "GET /api/players/{id}/notifications": row(OWN, "tasks"),
    "POST /api/players/{id}/notifications/read": row(OWN, "tasks", {"up_to": "1-1"}),
    "DELETE /api/players/{id}/notifications/{notification}": row(OWN, "tasks", notification="1-1"),

    "GET /api/levels": row(PUBLIC),
    "POST /api/levels": row(ADMIN, "events", {"name": "x"}),
    "GET /api/levels/{id}": row(PUBLIC),
    "PATCH /api/levels/{id}": row(ADMIN, "events", {"name": "x"}),
    "DELETE /api/levels/{id}": row(ADMIN, "events"),
    "POST /api/levels/{id}/completions": row(SERVER, "events", {"player_id": "{me}", "score": 1}),
    "GET /api/leaderboards": row(ADMIN, "events"),
    "GET /api/leaderboards/{board}": row(PUBLIC),
    "PUT /api/leaderboards/{board}": row(ADMIN, "events", {}),
    "DELETE /api/leaderboards/{board}": row(ADMIN, "events"),
    "GET /api/leaderboards/{board}/players/{player_id}": row(PUBLIC),
    "DELETE /api/leaderboards/{board}/players/{player_id}": row(ADMIN, "events"),
    "GET /api/leaderboards/{board}/ranks": row(PUBLIC, query="?players=ann"),
    "POST /api/leaderboards/{board}/scores": row(SERVER, "events", [{"player_id": "{me}", "score": 1}]),
    "GET /api/leaderboards/{board}/seasons": row(PUBLIC),
    "POST /api/leaderboards/{board}/seasons": row(ADMIN, "events"),

    "POST /api/interactions": row(PLAYER, "events", []),
    "GET /api/interactions": row(SERVER, "events"),
    "POST /api/ingest/source-log": row(SERVER, "events", {}, query="?server=duel"),
    "GET /api/attacks/{attacker}/{target}": row(SERVER, "events"),

    "POST /api/chat/{channel}/messages": row(PLAYER, "chat", {"text": "x"}, channel="general"),
    "POST /api/chat/{channel}/messages # as somebody": row(OWN, "chat", {"text": "x", "from": "{me}"}, channel="general"),
    "GET /api/chat/{channel}/messages": row(PLAYER, "chat", channel="general"),
    "GET /api/chat/{channel}/messages # direct ones": row(OWN, "chat", channel="dm:{me}"),
    "GET /api/chat/{channel}/presence": row(PLAYER, "chat", channel="general"),
    "GET /api/chat": row(ADMIN, "chat"),
    "GET /api/chat/{channel}/mutes": row(ADMIN, "chat", channel="general"),
    "GET /api/chat/{channel}/bans": row(ADMIN, "chat", channel="general"),
    "PUT /api/chat/{channel}/mutes/{player_id}": row(ADMIN, "chat", {"seconds": 1}, channel="general"),
    "DELETE /api/chat/{channel}/mutes/{player_id}": row(ADMIN, "chat", channel="general"),
    "PUT /api/chat/{channel}/bans/{player_id}": row(ADMIN, "chat", channel="team:{me}"),
    "DELETE /api/chat/{channel}/bans/{player_id}": row(ADMIN, "chat", channel="general"),
    "DELETE /api/chat/{channel}/messages/{id}": row(ADMIN, "chat", channel="general", id="1-1"),

    "POST /api/tasks": row(SERVER, "tasks", {"name": "echo", "args": [1]}),
    "GET /api/tasks": row(SERVER, "tasks"),
    "GET /api/tasks/{id}": row(SERVER, "tasks"),
    "DELETE /api/tasks/{id}": row(SERVER, "tasks"),
    "GET /api/workers": row(ADMIN, "tasks"),
    "GET /api/queues": row(ADMIN, "tasks"),
    "GET /api/doctor": row(ADMIN, "tasks"),
    "GET /api/workers/{name}/{command}": row(ADMIN, "tasks", name="nonesuch", command="ping"),
    "POST /api/queues/{name}/pause": row(ADMIN, "tasks"),
    "POST /api/queues/{name}/resume": row(ADMIN, "tasks"),
    "POST /api/queues/{name}/purge": row(ADMIN, "tasks", {"confirm": "nonesuch-name", "reason": "x"}),
    "POST /api/tasks/{id}/retry": row(ADMIN, "tasks"),
    "GET /api/tasks/{id}/tree": row(SERVER, "tasks"),
    "POST /api/tasks/retry": row(ADMIN, "tasks", {"filter": {"id": "nonesuch"}, "dry_run": True}),
    "POST /api/tasks/revoke": row(ADMIN, "tasks", {"filter": {"id": "nonesuch"}, "dry_run": True}),
    "GET /api/dead-letters": row(ADMIN, "tasks"),
    "POST /api/dead-letters/requeue": row(ADMIN, "tasks", {"ids": ["nonesuch"]}),
    "POST /api/dead-letters/drop": row(ADMIN, "tasks", {"ids": ["nonesuch"], "reason": "x"}),
    "GET /api/schedules": row(ADMIN, "tasks"),
    "PUT /api/schedules/{name}": row(ADMIN, "tasks", {"task": "echo", "every": "1h"}),
    "DELETE /api/schedules/{name}": row(ADMIN, "tasks"),
    "POST /api/schedules/{name}/run": row(ADMIN, "tasks"),
    "POST /api/workers/{name}/{command}": row(ADMIN, "tasks", {}, name="nonesuch", command="nonesuch"),
    "POST /api/jobs": row(SERVER, "tasks", {"kind": "x"}),
    "GET /api/jobs": row(SERVER, "tasks"),
    "GET /api/jobs/{id}": row(SERVER, "tasks"),
    "POST /api/jobs/{id}/assignment": row(SERVER, "tasks", {"worker_id": "x"}),
    "POST /api/jobs/{id}/end": row(SERVER, "tasks", {"state": "done"}),

    "GET /api/bans": row(ADMIN),
    "GET /api/bans/{kind}/{value}": row(ADMIN, kind="player"),
    "PUT /api/bans/{kind}/{value}": row(ADMIN, body={"reason": "x", "expires_in_s": 1}, kind="player"),
    "DELETE /api/bans/{kind}/{value}": row(ADMIN, kind="player"),
    "GET /api/rate-limits": row(ADMIN),
    "PUT /api/rate-limits/{name}": row(ADMIN, body={"rate_per_s": 50, "burst": 500}, name="anonymous"),
    "DELETE /api/rate-limits/{name}": row(ADMIN, name="anonymous"),

    "PUT /api/state/{namespace}/{key}": row(OWN, "state", 1, namespace="player:{me}"),
    "GET /api/state/{namespace}/{key}": row(OWN, "state", namespace="player:{me}"),
    "DELETE /api/state/{namespace}/{key}": row(OWN, "state", namespace="player:{me}"),
    "GET /api/state/{namespace}": row(OWN, "state", namespace="player:{me}"),
    "DELETE /api/state/{namespace}": row(OWN, "state", namespace="player:{me}"),
    "PUT /api/state/{namespace}/{key} # of servers": row(SERVER, "state", 1),
    "GET /api/state/{namespace}/{key} # of servers": row(SERVER, "state"),
    "DELETE /api/state/{namespace}/{key} # of servers": row(SERVER, "state"),
    "GET /api/state/{namespace} # of servers": row(SERVER, "state"),
    "DELETE /api/state/{namespace} # of servers": row(SERVER, "state"),
    "PUT /api/recovery/{server}/{key}": row(SERVER, "state", 1),
    "GET /api/recovery/{server}/{key}": row(SERVER, "state"),
    "DELETE /api/recovery/{server}/{key}": row(SERVER, "state"),
    "GET /api/recovery/{server}/{key}/{id}": row(SERVER, "state"),

    "POST /api/keys": row(ADMIN, None, {"role": "server"}),
    "GET /api/keys": row(ADMIN),
    "DELETE /api/keys/{key_id}": row(ADMIN),
    "GET /api/audit": row(ADMIN),
    "GET /api/readyz": row(ADMIN),
    "GET /api/metrics": row(ADMIN),
    "GET /api/servers": row(ADMIN),
    "GET /api/slow-requests": row(ADMIN),
    "GET /api/warnings": row(ADMIN),
    "GET /api/config": row(ADMIN),
    "GET /api/backends": row(ADMIN),
}

# Who is let through, of the callers with a credential that is valid.
ALLOWED = {
    PUBLIC: {"stranger", "me", "server", "admin"},
    COOKIE: set(),
    SESSION: {"stranger", "me"},
    OWN: {"me", "server", "admin"},
    PLAYER: {"stranger", "me", "server", "admin"},
    SERVER: {"server", "admin"},
    ADMIN: {"admin"},
}


def key_header(key):
    return {"X-API-Key": key}


class World:
    """A server of one thread, on which an end is in force when it has been seen once, and a key of each kind."""

    def __init__(self, directory):
        self.server = Server(directory / unique("roles"), {"SKIRMISH_SERVER_THREADS": "1"}).start()
        self.document = self.server.http("GET", "/openapi.json", key=None).json
        self.keys = {"admin": self.server.key}
        for role in ("server", "admin"):
            for scope in (*SCOPES, "read"):
                self.keys[role, scope] = self.new_key(role=role, scopes=[scope])
        self.keys["server"], self.keys["viewer"] = self.new_key(role="server"), self.new_key(role="viewer")
        expired = self.new_key(role="admin", expires_in_s=1)
        revoked = self.new_key(role="admin")
        assert self.server.http("DELETE", f"/api/keys/{revoked.split('_')[1]}").status == 204
        _, self.ended = self.new_player()
        assert self.server.http("DELETE", "/api/sessions/current", key=None, headers=self.ended).status == 204
        self.invalid = {"an expired key": key_header(expired), "a revoked key": key_header(revoked), "an ended session": self.ended,
                        "a key that never was": key_header(expired[:-8] + "00000000")}
        for name, headers in self.invalid.items():
            wait_until(lambda h=headers: self.ask("GET", "/api/interactions", None, h) == 401, 20, name)

    def new_key(self, **wish):
        return self.server.http("POST", "/api/keys", wish).json["key"]

    def new_player(self):
        player = self.server.new_player()
        token = self.server.http("POST", f"/api/players/{player}/sessions", {}).json["token"]
        return player, {"Authorization": f"Bearer {token}"}

    def ask(self, method, path, body, headers):
        return self.server.http(method, path, body, key=None, headers=headers).status


@pytest.fixture(scope="module")
def world(short_tmp):
    w = World(short_tmp)
    yield w
    w.server.stop()


def filled(value, me):
    """The value with the player's id in it."""
    if isinstance(value, str):
        return value.replace("{me}", me)
    if isinstance(value, list):
        return [filled(v, me) for v in value]
    if isinstance(value, dict):
        return {k: filled(v, me) for k, v in value.items()}
    return value


def target_of(pattern, r, me):
    """The path with its parameters: those of the row, the player where one is meant, and ids of nothing."""
    segments = []
    for segment in pattern.split("/"):
        name = segment.strip("{}")
        if segment == name:
            segments.append(segment)
        elif name in r.path:
            segments.append(filled(r.path[name], me))
        else:
            is_player = name == "player_id" or (name == "id" and pattern.startswith("/api/players/"))
            segments.append(me if is_player else f"nonesuch-{name}")
    return "/".join(segments) + r.query


def callers(world, r, method, me, stranger):
    """Each caller's name, headers, and whether it is let through or the status that refuses it."""
    if r.who == COOKIE:
        yield "nobody", {}, 401
        yield "admin", key_header(world.keys["admin"]), 401
        return
    reads = method == "GET"
    public = r.who == PUBLIC
    yield "nobody", {}, True if public else 401
    for name, headers in world.invalid.items():
        yield name, headers, True if public else 401
    yield "stranger", stranger, "stranger" in ALLOWED[r.who] or 403
    # Before the keys, which may end its session or the player itself.
    yield "me", me, "me" in ALLOWED[r.who] or 403
    role = "admin" if r.who == ADMIN else "server"
    may = public or role in ALLOWED[r.who]
    for scope in (*SCOPES, "read"):
        fits = public or scope == r.scope or (scope == "read" and reads)
        yield f"{role} of scope {scope}", key_header(world.keys[role, scope]), (fits and may) or 403
    yield "viewer", key_header(world.keys["viewer"]), public or (reads and "admin" in ALLOWED[r.who]) or 403
    for name in ("server", "admin"):
        yield name, key_header(world.keys[name]), name in ALLOWED[r.who] or 403


def test_the_table_names_every_route(world):
    routes = {f"{method.upper()} {path}" for path, verbs in world.document["paths"].items() for method in verbs}
    named = {case.partition(" #")[0] for case in TABLE}
    assert routes - named == set(), "say in the table for whom these are"
    assert named - routes == set(), "these are gone"


def test_the_document_says_what_the_table_says(world):
    for case, r in TABLE.items():
        method, path = case.partition(" #")[0].split(" ")
        said = world.document["paths"][path][method.lower()]["description"]
        is_public = r.who in (PUBLIC, COOKIE)
        words = [] if is_public else [r.scope] * bool(r.scope) + ["read"] * (method == "GET")
        assert [w for w in said.split("`")[1::2]] == words, f"{case}: {said}"
        assert ("Public." in said) == is_public and ("For an operator" in said) == (r.who == ADMIN), f"{case}: {said}"


@pytest.mark.parametrize("case", TABLE)
def test_only_those_pass_whom_the_documentation_lets(world, case):
    method, pattern = case.partition(" #")[0].split(" ")
    r = TABLE[case]
    (player, me), (_, stranger) = world.new_player(), world.new_player()
    target, body = target_of(pattern, r, player), filled(r.body, player)
    wrong = []
    for name, headers, expected in callers(world, r, method, me, stranger):
        for verb in (method, "HEAD") if method == "GET" and expected is not True else (method,):
            status = world.ask(verb, target, body, headers)
            # 429 and 503 would hide an answer.
            passed = status not in (401, 403, 429, 503) or (status == 503 and pattern == "/readyz")
            if passed if expected is not True else not passed:
                wrong.append(f"{verb} {target} by {name}: {status}, expected {'an answer' if expected is True else expected}")
            elif expected is not True and status != expected:
                wrong.append(f"{verb} {target} by {name}: {status}, not {expected}")
    assert not wrong, "\n".join(wrong)
