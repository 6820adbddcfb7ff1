"""Every text that /openapi.json limits by maxLength takes that many characters of any size, and no more.

The requests are made from the document itself: each limited member of each body, with everything else that it needs.
"""

import json
import re

import pytest

from conftest import Server, unique
from json_schema import resolved

WIDE = ("x", "é", "世", "\U0001f600")  # of one to four bytes in UTF-8
ANYBODY_BYTES = 16 * 1024
LENGTH = re.compile("character|byte|long|large|size", re.I)
# What the names in paths and bodies stand for, where any id will not do.
KNOWN = {"channel": "general", "id": "ann", "player_id": "ann", "from": "ann", "kind": "k"}


def minimal(schema, document, name=""):
    """The smallest value that fits."""
    schema = resolved(schema, document)
    if "anyOf" in schema:
        return minimal(schema["anyOf"][0], document, name)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return min(schema.get("maximum", 1), max(schema.get("minimum", 1), 1))
    if kind == "string":
        if schema.get("format") == "date-time":
            return "2099-01-02T03:04:05Z"
        return KNOWN.get(name, "x" * max(schema.get("minLength", 1), 1))
    if kind == "object":
        return {n: minimal(schema["properties"][n], document, n) for n in schema.get("required", [])}
    return {"boolean": True, "array": []}.get(kind)


def limited(schema, document, name=""):
    """Each limited text in a body: where it is, its limit, and a function that makes a body with another text there."""
    schema = resolved(schema, document)
    for form in schema.get("anyOf", []):
        yield from limited(form, document, name)
    if schema.get("type") == "string" and "maxLength" in schema:
        yield "", schema["maxLength"], lambda text: text
    if schema.get("type") == "array":
        for where, limit, make in limited(schema.get("items", {}), document):
            yield f"/0{where}", limit, lambda text, make=make: [make(text)]
    if schema.get("type") == "object":
        for member, form in schema.get("properties", {}).items():
            for where, limit, make in limited(form, document, member):
                yield f"/{member}{where}", limit, lambda text, make=make, member=member: {**minimal(schema, document), member: make(text)}


@pytest.fixture(scope="module")
def world(short_tmp):
    server = Server(short_tmp / unique("limits")).start()
    for name in ("ann", "bob"):
        server.http("POST", "/api/players", {"player_id": name, "name": name})
    yield server
    server.stop()


def complains(answer, pointer):
    """Whether the answer refuses the text there for its length."""
    if answer.status == 413:
        return True
    if answer.status != 400:
        return False
    body = json.loads(answer.body)
    told = [e["message"] for e in body.get("errors", []) if e["pointer"] in (pointer, pointer[: pointer.find("/", 1)], "")]
    return any(LENGTH.search(x) for x in told) if body.get("errors") else bool(LENGTH.search(body["detail"]))


def test_every_limit_is_in_characters(world):
    server = world
    document = server.http("GET", "/openapi.json", key=None).json
    checked, wrong = 0, []
    for path, verbs in sorted(document["paths"].items()):
        for verb, operation in sorted(verbs.items()):
            schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if schema is None:
                continue
            target = re.sub(r"\{(\w+)\}", lambda m: KNOWN.get(m[1], "ann"), path)
            for pointer, limit, make in limited(schema, document):
                checked += 1
                for character in WIDE:
                    for count, is_fine in ((limit, True), (limit + 1, False)):
                        body = json.dumps(make(character * count), ensure_ascii=False).encode()
                        answer = server.http(verb.upper(), target, raw=body)
                        # Routes for anybody take smaller bodies: no token that is real is so long.
                        if {} in operation["security"] and len(body) > ANYBODY_BYTES and answer.status == 413:
                            continue
                        if answer.status >= 500 or complains(answer, pointer) == is_fine:
                            wrong.append(f"{verb.upper()} {path} {pointer}: {count} of {character!r}: {answer.status} {answer.body[:200]!r}")
    assert not wrong, "\n".join(wrong[:40])
    assert checked > 40, "the document has lost its limits"


def test_texts_of_full_length_come_back_whole(server):
    """A column or a buffer that counts bytes would cut them."""
    for character in WIDE:
        player, level = unique(), unique("level")
        profile = {"player_id": player, "name": character * 64}
        assert server.http("POST", "/api/players", profile).status == 201
        assert server.http("GET", f"/api/players/{player}").json["name"] == character * 64
        texts = {"name": character * 128, "difficulty": character * 64, "description": character * 10_000}
        assert server.http("POST", "/api/levels", {"level_id": level, **texts}).status == 201
        got = server.http("GET", f"/api/levels/{level}").json
        assert {k: got[k] for k in texts} == texts
