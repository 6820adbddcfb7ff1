from conftest import unique


def test_level_life(server):
    level = unique("level")
    made = server.http("POST", "/api/levels", {"level_id": level, "name": "Dust", "description": "sand"})
    assert made.status == 201 and made.json["difficulty"] == "Medium"
    assert server.http("POST", "/api/levels", {"level_id": level, "name": "Dust"}).status == 409
    r = server.redis()
    assert r.type(f"level:{level}") == "string" and 3500 < r.ttl(f"level:{level}") <= 3600
    assert server.http("GET", f"/api/levels/{level}", key=None).json["name"] == "Dust"
    changed = server.http("PATCH", f"/api/levels/{level}", {"difficulty": "Hard"})
    assert changed.json["difficulty"] == "Hard"
    assert server.http("GET", f"/api/levels/{level}").json["difficulty"] == "Hard"
    old = {"If-Match": made.headers["ETag"]}
    assert server.http("PATCH", f"/api/levels/{level}", {"name": "x"}, headers=old).status == 412
    assert server.http("DELETE", f"/api/levels/{level}").status == 204
    assert server.http("GET", f"/api/levels/{level}").status == 404


def test_list_pages(server):
    prefix = unique("page")
    made = [f"{prefix}-{i}" for i in range(5)]
    for level in made:
        server.http("POST", "/api/levels", {"level_id": level, "name": level})
    seen, cursor = [], ""
    while True:
        page = server.http("GET", f"/api/levels?limit=2&cursor={cursor}").json
        seen += [x["level_id"] for x in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [x for x in seen if x.startswith(prefix)] == made
    assert seen == sorted(set(seen))
