"""Every answer of every route is one that /openapi.json tells of: status, content type and form.

Requests are made from the document itself: good ones, and bad ones of every kind, by every role. None may take long.
The seed is fixed, so that a failure can be repeated.
"""

import http.client
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import urllib.parse

import pytest
from conftest import Server, unique
from json_schema import faults, resolved

ROLES = ("nobody", "player", "server", "viewer", "admin")
REQUESTS_PER_OPERATION = 24  # of each role
ANSWER_S = 20  # what takes longer hangs; statements and commands end sooner
REFRESH = "/api/status/refresh"  # each asks the database anew


class Client:
    """Raw requests on one connection, so that a path may hold anything that a URL must not."""

    def __init__(self, server, credential):
        self.address, self.credential = server.url.removeprefix("http://"), credential
        self.connection = None

    def ask(self, method, target, body=None, headers=()):
        for attempt in (1, 2):
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.address, timeout=ANSWER_S)
            try:
                self.connection.putrequest(method, target, skip_accept_encoding=True)
                for name, value in headers:
                    self.connection.putheader(name, value)
                for name, value in self.credential.items():
                    self.connection.putheader(name, value)
                if body is not None:
                    self.connection.putheader("Content-Length", str(len(body)))
                self.connection.endheaders(body)
                answer = self.connection.getresponse()
                answer.content = answer.read()
                if answer.will_close:
                    self.close()
                return answer
            except (http.client.RemoteDisconnected, ConnectionError, BrokenPipeError):
                # The server had closed the connection after the answer before.
                self.close()
                if attempt == 2:
                    raise

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class Maker:
    """Makes values that fit a schema, mostly, and values that do not."""

    def __init__(self, seed, ids):
        self.random, self.ids = random.Random(seed), ids

    def good(self, schema, name=""):
        pick = self.random.choice
        if "anyOf" in schema:
            return self.good(pick(schema["anyOf"]), name)
        if "enum" in schema:
            return pick(schema["enum"])
        kind = schema.get("type")
        if kind in ("integer", "number"):
            low, high = schema.get("minimum", -10), schema.get("maximum", 10)
            value = pick([low, high, self.random.uniform(low, high), min(high, max(low, 1))])
            return int(value) if kind == "integer" else value
        if kind == "string":
            return self.good_text(schema, name)
        if kind == "boolean":
            return pick([True, False])
        if kind == "array":
            return [self.good(schema.get("items", {})) for _ in range(pick([0, 1, 1, 3]))]
        if kind == "object":
            needed = schema.get("required", [])
            return {n: self.good(form, n) for n, form in schema.get("properties", {}).items()
                    if n in needed or self.random.random() < 0.6}
        return pick([None, 1, "x", {"a": [1, 2.5, None]}])

    def good_text(self, schema, name):
        pick = self.random.choice
        if schema.get("format") == "date-time":
            return pick(["2026-01-02T03:04:05Z", "2099-12-31T23:59:59.999Z", "2026-01-02T03:04:05+02:00"])
        pattern = schema.get("pattern", "")
        if pattern == "^[A-Za-z0-9_.:-]{1,64}$":
            return pick(self.ids + ["x", "a:b", "x" * 64, "activity", "general", "active", "all"])
        if "-" in pattern and "[0-9]" in pattern:
            return pick(["0-0", "1-1.1", "0-1.0", '"1"', "*"])
        if pattern.startswith("^([A-Za-z0-9_.:-]"):
            return ",".join(pick(self.ids) for _ in range(3))
        low, high = schema.get("minLength", 0), schema.get("maxLength", 30)
        return pick(["hello", "é", "\U0001f3ae game", "x" * min(high, 300), "y" * max(low, 1), '"quoted" \\ <b>'])[:high]

    def bad(self):
        return self.random.choice([
            None, True, 0, -1, 1.5, 10**40, -10**19, 2**63, 2**64 - 1, 1e308, -1e308, "", "\u0000", "NaN", "1e999", "-0",
            "x" * 70_000, "\u202e\u0007", "\ud800", "18446744073709551615-0", [], [[[[[[]]]]]], {}, {"__proto__": {}},
            {"": ""}, ["x"] * 2_000, "' OR 1=1 --", "../../etc/passwd", "%00", "a\nb", "{{7*7}}"])

    def body(self, schema):
        """The bytes of a body, and its content type."""
        good = self.good(schema)
        kind = self.random.choice(["good"] * 6 + ["member", "member", "missing", "extra", "other", "raw", "type"])
        content_type = "application/json"
        if kind == "member" and isinstance(good, dict) and good:
            good[self.random.choice(list(good))] = self.bad()
        elif kind == "missing" and isinstance(good, dict) and good:
            del good[self.random.choice(list(good))]
        elif kind == "extra" and isinstance(good, dict):
            good["no_such_member"] = self.bad()
        elif kind == "other":
            good = self.bad()
        elif kind == "type":
            content_type = self.random.choice(["text/plain", "application/xml", "", "application/jsonp", "x", "multipart/form-data"])
        elif kind == "raw":
            return self.random.choice([
                b"", b"{", b"\xff\xfe", b'{"name":NaN}', b'{"name":1e999}', b"[" * 3_000, b'{"a":' * 40 + b"1" + b"}" * 40,
                b'{"name":"\xc3"}', b"null", b"\x00", b'{"name":"a","name":"b"}', b'{"score":' + b"9" * 400 + b"}"]), content_type
        return json.dumps(good).encode("utf-8", "replace"), content_type

    def target(self, path, operation):
        """The path with its parameters, and a query."""
        pick = self.random.choice
        query = []
        for p in operation["parameters"]:
            if p["in"] == "path":
                value = pick(self.ids) if self.random.random() < 0.85 else pick(
                    ["%00", "%zz", "%", "a%20b", "%C3%A9", "%ff", "x" * 65, "x" * 5_000, "a%2Fb", "..", "%2e%2e", "18446744073709551615-1"])
                path = path.replace("{%s}" % p["name"], value)
            elif p["in"] == "query" and (p.get("required") or self.random.random() < 0.6):
                value = self.good(p["schema"], p["name"]) if self.random.random() < 0.6 else self.bad()
                text = str(value).encode("utf-8", "replace")[:3_000]
                query.append(f"{p['name']}={urllib.parse.quote(text)}")
        if self.random.random() < 0.15:
            query.append(pick(["x=%FF", "%", "=", "&&", "limit=1&limit=2", "cursor=%00", "a" * 3_000, "&".join("a=b" for _ in range(70)),
                               "limit=%31", "cursor=18446744073709551615-1"]))
        return path + ("?" + "&".join(query) if query else "")

    def headers(self, operation):
        out = []
        for p in operation["parameters"]:
            if p["in"] == "header" and self.random.random() < 0.6:
                value = self.good(p["schema"]) if self.random.random() < 0.5 else self.random.choice(["x y", "é", "*", '"', "W/\"1\"", '"99999999999999999999"', "a" * 300])
                out.append((p["name"], value.encode()))
        if self.random.random() < 0.1:
            out.append(self.random.choice([("Accept", "text/nonsense"), ("Accept-Encoding", "gzip;q=0, *"), ("If-None-Match", "*"),
                                           ("Authorization", "Bearer nonsense"), ("Origin", "null"), ("X-Request-Id", "\x01")]))
        return out


def complaints(answer, method, operation, document):
    """How an answer differs from what the document says of it."""
    status = str(answer.status)
    if answer.status >= 500 and answer.status != 503:
        return [f"{status}: {answer.content[:300]!r}"]
    if status not in operation["responses"]:
        return [f"the status {status} is not documented: {answer.content[:300]!r}"]
    content = resolved(operation["responses"][status], document).get("content", {})
    if not content:
        return [] if answer.content == b"" else [f"{status} has a body: {answer.content[:100]!r}"]
    given = (answer.getheader("Content-Type") or "").split(";")[0].strip()
    # What a route says of a status in its own form may also be the common problem.
    if answer.status >= 400 and given == "application/problem+json":
        schema = {"$ref": "#/components/schemas/problem"}
    elif given in content:
        schema = content[given].get("schema")
    else:
        return [f"{status} has the content type {given!r}, not one of {list(content)}"]
    if not given.endswith("json"):
        return []
    if schema is None:
        return [f"{status} has no documented form"]
    if answer.getheader("Content-Encoding") == "gzip":
        return []
    body = json.loads(answer.content)
    if answer.status >= 400 and given == "application/problem+json":
        assert body["status"] == answer.status
    return [f"{status}: {fault}" for fault in faults(body, schema, document)]


def populate(server):
    """A little of everything, where it is not there yet. The ids of a message and of a task."""
    for name in ("ann", "bob"):
        server.http("POST", "/api/players", {"player_id": name, "name": name})
    server.http("POST", "/api/levels", {"level_id": "l1", "name": "One"})
    server.http("POST", "/api/levels/l1/completions", {"player_id": "ann", "score": 5, "completion_id": "c1"})
    server.http("POST", "/api/interactions", [
        {"type": "attack", "attacker_id": "ann", "target_id": "bob", "damage": 1},
        {"type": "move", "player_id": "ann", "lat": 1.5, "lon": 2}, {"type": "item", "player_id": "ann", "item": "sword", "quantity": 2}])
    server.http("POST", "/api/jobs", {"job_id": "j1", "kind": "k"})
    server.http("PUT", "/api/leaderboards/b1", {"reset": "0 0 * * *"})
    server.http("POST", "/api/leaderboards/b1/scores", [{"player_id": "ann", "score": 3, "metadata": {"a": 1}}, {"player_id": "bob", "score": 2}])
    server.http("POST", "/api/leaderboards/b1/seasons")
    server.http("POST", "/api/leaderboards/b1/scores", {"player_id": "ann", "score": 3, "subscore": 2.5})
    said = server.http("POST", "/api/chat/general/messages", {"from": "ann", "text": "hello"}).json
    server.http("PUT", "/api/players/ann/achievements/first-blood")
    task = server.http("POST", "/api/tasks", {"name": "sleep", "args": [0]}).json["id"]
    server.http("PUT", "/api/bans/network/203.0.113.0-24", {"reason": "x", "expires_in_s": 3600})
    return said["id"], task


@pytest.fixture(scope="module")
def world(short_tmp):
    """A server with a little of everything in it, its document, and credentials of each role."""
    server = Server(short_tmp / unique("openapi")).start()
    document = server.http("GET", "/openapi.json", key=None).json
    said, task = populate(server)
    keys = {"nobody": {}, "admin": {"X-API-Key": server.key}}
    for role in ("server", "viewer"):
        made = server.run("apikey", "--data-dir", str(server.data_dir), "create", "--role", role).stdout.strip()
        keys[role] = {"X-API-Key": made}
    ids = ["ann", "bob", "l1", "j1", "b1", "general", "first-blood", "sword", "c1", said, task, "nonesuch",
           "player", "network", "203.0.113.0-24"]
    yield server, document, keys, ids
    server.stop()


def test_the_document_is_complete(world):
    _, document, _, _ = world
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            where = f"{verb} {path}"
            statuses = operation["responses"]
            assert "default" not in statuses, where
            successes = [s for s in statuses if s < "400"]
            assert successes, f"{where} never succeeds"
            for status in successes:
                for kind, media in statuses[status].get("content", {}).items():
                    assert not kind.endswith("json") or media["schema"], f"{where} {status} has no form"
            assert {"400", "503"} <= set(statuses), where
            assert "403" in statuses, f"{where}: who is banned"
            assert "401" in statuses or {} in operation["security"], where
            bodies = operation.get("requestBody", {}).get("content", {})
            # A route for plain text looks at no Content-Type.
            assert ("415" in statuses) == ("application/json" in bodies), where
            assert not bodies or bodies.get("application/json", bodies.get("text/plain"))["schema"], where
            for response in statuses.values():
                assert resolved(response, document)["description"], where


@pytest.mark.parametrize("query, wanted", [
    ("limit=5", 200), ("limit=5&limit=5", 400), ("limit=5&other=1&limit=x", 400), ("other=1&other=2", 200),
    ("state=pending", 200), ("state=pendin", 400), ("state=", 400)])
def test_a_query_parameter_stands_once_and_is_one_of_its_words(world, query, wanted):
    server, _, _, _ = world
    answer = server.http("GET", f"/api/jobs?{query}")
    assert answer.status == wanted, answer


def test_a_place_needs_both_degrees(world):
    server, _, _, _ = world
    for query, wanted in (("lat=1&lon=2", 200), ("lat=1", 400), ("lon=2", 400), ("lat=91&lon=0", 400), ("lat=nan&lon=0", 400)):
        assert server.http("GET", f"/api/nearby?{query}").status == wanted, query


def new_player(server, name):
    """A player of this id and a token of it; there may be one already, and it may have been deleted."""
    server.http("POST", "/api/players", {"player_id": name, "name": name})
    token = server.http("POST", f"/api/players/{name}/sessions", {}).json["token"]
    return {"Authorization": f"Bearer {token}"}


def run_role(world, role, seed):
    server, document, keys, ids = world
    me = unique("me")
    maker, client = Maker(seed, ids + [me] * 3), Client(server, keys.get(role))
    found, seen = [], {}
    for path, verbs in sorted(document["paths"].items()):
        for verb, operation in sorted(verbs.items()):
            if role == "player":  # its sessions and itself may have ended by what it asked before
                client.credential = new_player(server, me)
            asks = {"/api/workers": 2, "/api/workers/{name}/{command}": 6, REFRESH: 2}.get(path, REQUESTS_PER_OPERATION)
            for _ in range(asks if role != "nobody" or {} in operation["security"] else 4):
                target, headers, body = maker.target(path, operation), maker.headers(operation), None
                # Whom the tests need stays: the worker inside the server, and the players for a while.
                if "shutdown" in target:
                    continue
                if "requestBody" in operation:
                    bodies = operation["requestBody"]["content"]
                    body, content_type = maker.body(bodies.get("application/json", bodies.get("text/plain"))["schema"])
                    headers.append(("Content-Type", content_type))
                answer = client.ask(verb.upper(), target, body, headers)
                seen[answer.status // 100] = seen.get(answer.status // 100, 0) + 1
                # A path may lead elsewhere when its parameter has a slash or is another route's word.
                if answer.status in (404, 405) and "404" not in operation["responses"] and re.search("%|\\.\\.", target):
                    continue
                for complaint in complaints(answer, verb, operation, document):
                    found.append(f"{role}: {verb.upper()} {target[:300]} {(body or b'')[:200]!r}: {complaint}")
    client.close()
    assert not found, f"{len(found)} answers are not as documented:\n" + "\n".join(found[:40])
    # The test would say nothing if nothing were let through, or nothing refused.
    assert seen[4] > 100 and seen[2] > (50 if role in ("nobody", "player") else 200), seen
    assert server.http("GET", "/readyz", key=None).status == 200


@pytest.mark.parametrize("role", ROLES)
def test_every_answer_is_documented(world, role):
    run_role(world, role, f"openapi-{role}")


def schemathesis():
    """The program: SCHEMATHESIS names it, or it is in PATH."""
    named = os.environ.get("SCHEMATHESIS") or shutil.which("schemathesis")
    return named if named and pathlib.Path(named).exists() else None


@pytest.mark.long
@pytest.mark.skipif(not schemathesis(), reason="skipped: schemathesis is not installed (pip install schemathesis; SCHEMATHESIS names it)")
@pytest.mark.parametrize("role", ROLES)
def test_schemathesis_finds_nothing(world, role):
    server, _, keys, _ = world
    credential = new_player(server, unique("me")) if role == "player" else keys[role]
    header = [part for name, value in credential.items() for part in ("--header", f"{name}: {value}")]
    done = subprocess.run(
        [schemathesis(), "run", f"{server.url}/openapi.json", *header, "--seed", "1", "--max-examples", "20",
         "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
         "--exclude-path", REFRESH, "--phases", "examples,coverage,fuzzing"],
        capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert server.http("GET", "/readyz", key=None).status == 200
