"""Chat: channels, history, resuming, presence, limits, moderation, fan-out across server threads."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import Server, unique, wait_until


def say(server, channel, text, speaker, key="admin"):
    return server.http("POST", f"/api/chat/{channel}/messages", {"text": text, "from": speaker}, key=key)


def server_key(server):
    done = server.run("apikey", "--data-dir", str(server.data_dir), "create", "--role", "server", "--label", "test")
    return next(word for word in done.stdout.split() if word.startswith("sk_"))


async def request(socket, message, wanted):
    """Sends and returns the answer, and what was pushed before it."""
    await socket.send(json.dumps({"cid": "x", **message}))
    pushed = []
    while True:
        got = json.loads(await asyncio.wait_for(socket.recv(), 20))
        if got.get("cid") == "x":
            assert wanted in got, got
            return got[wanted], pushed
        pushed.append(got)


async def next_message(socket):
    while True:
        got = json.loads(await asyncio.wait_for(socket.recv(), 20))
        if "message" in got:
            return got["message"]


def test_a_message_reaches_sockets_redis_and_history(server):
    channel, r = "team:" + unique("t"), server.redis()
    text = "héllo 👋 русский \"quoted\" \\ / <b>\nsecond line"

    async def run():
        pubsub = r.pubsub(ignore_subscribe_messages=True)
        pubsub.subscribe(channel)
        pubsub.get_message(timeout=5)
        async with server.ws() as a, server.ws() as b:
            for socket in (a, b):
                subscribed, _ = await request(socket, {"subscribe": {"channel": channel}}, "subscribed")
                assert subscribed["messages"] == []
            answer = await asyncio.to_thread(say, server, channel, text, "ada")
            assert answer.status == 201, answer
            for socket in (a, b):
                got = await next_message(socket)
                assert got == {"channel": channel, "id": answer.json["id"], "from": "ada", "text": text,
                               "ts": answer.json["ts"]}
            sent, _ = await request(a, {"chat": {"channel": channel, "from": "bob", "text": "two"}}, "sent")
            assert (await next_message(b))["id"] == sent["id"]
        published = wait_until(lambda: pubsub.get_message(timeout=1), what="the publication")
        assert json.loads(published["data"])["text"] == text
        history = server.http("GET", f"/api/chat/{channel}/messages").json
        assert [m["text"] for m in history["items"]] == [text, "two"]
        assert r.type(f"chat:{channel}") == "stream" and r.ttl(f"chat:{channel}") > 0

    asyncio.run(run())


def test_redis_cli_sees_general_under_its_own_name(server):
    pubsub = server.redis().pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe("general")
    pubsub.get_message(timeout=5)
    mark = unique()
    assert say(server, "general", mark, "ada").status == 201
    wait_until(lambda: (m := pubsub.get_message(timeout=1)) and mark in m["data"], what="the publication")


def test_resuming_leaves_no_gap_and_no_duplicate(server):
    channel = "team:" + unique("t")

    async def run():
        async with server.ws() as socket:
            await request(socket, {"subscribe": {"channel": channel}}, "subscribed")
            first = (await asyncio.to_thread(say, server, channel, "0", "ada")).json["id"]
            await next_message(socket)
        texts = [f"{n}" for n in range(1, 2_300)]
        async with server.ws() as writer:
            # More than one page was missed, and more is said while the subscriber resumes.
            async def write():
                for n in range(0, len(texts), 100):
                    events = [{"type": "chat", "channel": channel, "from": "ada", "text": t} for t in texts[n:n + 100]]
                    await request(writer, {"interactions": events}, "accepted")

            half = asyncio.create_task(write())
            await asyncio.sleep(0)
            got = []
            async with server.ws() as socket:
                answer, before = await request(socket, {"subscribe": {"channel": channel, "since": first}}, "subscribed")
                assert answer["recovered"] is True and before == []
                got += [m["text"] for m in answer["messages"]]
                while len(got) < len(texts):
                    got.append((await next_message(socket))["text"])
                await half
                await asyncio.to_thread(say, server, channel, "end", "ada")
                assert (await next_message(socket))["text"] == "end", "nothing came twice"
            assert got == texts

    asyncio.run(run())


def test_history_pages_and_says_when_something_was_dropped(short_tmp):
    server = Server(short_tmp / unique("own"), {"SKIRMISH_CHAT_HISTORY_LIMIT": "10"}).start()
    try:
        channel = "team:x"
        ids = [say(server, channel, f"{n}", "ada").json["id"] for n in range(250)]
        newest = server.http("GET", f"/api/chat/{channel}/messages?limit=3").json
        assert [m["text"] for m in newest["items"]] == ["247", "248", "249"]
        old = server.http("GET", f"/api/chat/{channel}/messages?since={ids[0]}&limit=1000").json
        assert old["recovered"] is False and old["items"][-1]["text"] == "249"
        recent = server.http("GET", f"/api/chat/{channel}/messages?since={ids[-4]}&limit=2").json
        assert recent["recovered"] is True and [m["text"] for m in recent["items"]] == ["247", "248"]
        rest = server.http("GET", f"/api/chat/{channel}/messages?cursor={recent['next_cursor']}").json
        assert [m["text"] for m in rest["items"]] == ["249"] and rest["next_cursor"] is None
        assert server.http("GET", f"/api/chat/{channel}/messages?since=soon").status == 400
    finally:
        server.stop()


def test_presence_joins_and_leaves(server):
    channel, ada = "team:" + unique("t"), unique("ada")

    def there():
        return [x["player_id"] for x in server.http("GET", f"/api/chat/{channel}/presence").json["items"]]

    async def run():
        async with server.ws() as watcher:
            await request(watcher, {"subscribe": {"channel": f"presence:{channel}"}}, "subscribed")

            async def event():
                return json.loads(await asyncio.wait_for(watcher.recv(), 20))["presence"]

            # Two connections, maybe on two server threads, are one presence.
            async with server.ws() as one, server.ws() as two:
                for socket in (one, two):
                    await request(socket, {"subscribe": {"channel": channel, "as": ada}}, "subscribed")
                assert await event() == {"channel": channel, "player_id": ada, "event": "join"}
                assert await asyncio.to_thread(there) == [ada]
                await request(one, {"unsubscribe": {"channel": channel}}, "unsubscribed")
                assert await asyncio.to_thread(there) == [ada]
            assert await event() == {"channel": channel, "player_id": ada, "event": "leave"}
            assert await asyncio.to_thread(there) == []

    asyncio.run(run())


def test_direct_messages_stand_on_both_sides(server):
    ada, bob = unique("ada"), unique("bob")
    assert say(server, f"dm:{bob}", "psst", ada).status == 201
    for side in (ada, bob):
        items = server.http("GET", f"/api/chat/dm:{side}/messages").json["items"]
        assert [(m["from"], m["to"], m["text"]) for m in items] == [(ada, bob, "psst")]
    assert server.http("GET", f"/api/chat/dm:{unique()}/messages").json["items"] == []


def test_moderation(server):
    channel, troll = "level:" + unique("l"), unique("troll")
    first = say(server, channel, "spam", troll).json["id"]
    assert server.http("PUT", f"/api/chat/{channel}/mutes/{troll}", {"seconds": 3600}).status == 204
    assert say(server, channel, "more", troll).status == 403
    rejected = server.http("POST", "/api/interactions",
                           {"type": "chat", "channel": channel, "from": troll, "text": "x"}).json["rejected"]
    assert [x["code"] for x in rejected] == ["forbidden"]
    assert say(server, "level:other", "elsewhere", troll).status == 201
    assert server.http("DELETE", f"/api/chat/{channel}/mutes/{troll}").status == 204
    assert say(server, channel, "sorry", troll).status == 201

    async def run():
        async with server.ws() as socket, server.ws() as troll_socket:
            await request(socket, {"subscribe": {"channel": channel}}, "subscribed")
            await request(troll_socket, {"subscribe": {"channel": channel, "as": troll}}, "subscribed")
            delete = await asyncio.to_thread(server.http, "DELETE", f"/api/chat/{channel}/messages/{first}")
            assert delete.status == 204
            assert json.loads(await socket.recv()) == {"deleted": {"channel": channel, "id": first}}
            assert json.loads(await troll_socket.recv())["deleted"]["id"] == first
            ban = await asyncio.to_thread(server.http, "PUT", f"/api/chat/{channel}/bans/{troll}")
            assert ban.status == 204
            out = json.loads(await asyncio.wait_for(troll_socket.recv(), 20))
            assert out == {"unsubscribed": {"channel": channel, "reason": "banned"}}
            refused, _ = await request(troll_socket, {"subscribe": {"channel": channel, "as": troll}}, "error")
            assert refused["code"] == "forbidden"

    asyncio.run(run())
    assert say(server, channel, "again", troll).status == 403
    assert server.http("DELETE", f"/api/chat/{channel}/messages/{first}").status == 404
    assert [m["text"] for m in server.http("GET", f"/api/chat/{channel}/messages").json["items"]] == ["sorry"]
    assert server.http("DELETE", f"/api/chat/{channel}/bans/{troll}").status == 204
    assert say(server, channel, "back", troll).status == 201
    key = server_key(server)
    assert server.http("PUT", f"/api/chat/{channel}/mutes/{troll}", {}, key=key).status == 403


def test_a_hasty_sender_is_held_back(short_tmp):
    # So few that also a slow machine sends more.
    server = Server(short_tmp / unique("own"), {"SKIRMISH_CHAT_RATE": "1", "SKIRMISH_CHAT_BURST": "3"}).start()
    try:
        key, hasty = server_key(server), unique("hasty")
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: say(server, "general", "x", hasty, key=key), range(60)))
        assert {a.status for a in answers} == {201, 429}
        assert sum(a.status == 201 for a in answers) >= 3
        limited = next(a for a in answers if a.status == 429)
        assert limited.json["code"] == "rate_limited" and int(limited.headers["Retry-After"]) >= 1
        # Others are not held back by that, and the allowance comes back.
        assert say(server, "general", "y", unique("calm"), key=key).status == 201
        wait_until(lambda: say(server, "general", "z", hasty, key=key).status == 201, what="the allowance")
    finally:
        server.stop()


def test_what_a_message_may_hold(server):
    assert say(server, "general", "x" * 2_000, unique()).status == 201
    assert say(server, "general", "é" * 2_000, unique()).status == 201, "the limit counts characters"
    for text in ("", "x" * 2_001, "é" * 2_001, "a\u0000b", "a\u001bb", "a\u202eb"):
        assert say(server, "general", text, unique()).status == 400, repr(text[:10])
    assert server.http("POST", "/api/chat/general/messages", raw=b'{"text":"\xff\xfe","from":"a"}').status == 400
    assert server.http("POST", "/api/chat/general/messages", {"text": "who am I?"}).status == 400


@pytest.mark.parametrize("channel", ["nowhere", "activity", "leaderboard:global", "team:", "near:x"])
def test_unknown_channels(server, channel):
    assert say(server, channel, "x", "ada").status == 404
    assert server.http("GET", f"/api/chat/{channel}/messages").status == 404


def test_chat_needs_a_key(server):
    assert server.http("POST", "/api/chat/general/messages", {"text": "x"}, key=None).status == 401
    assert server.http("GET", "/api/chat/general/messages", key=None).status == 401


def test_achievements_arrive_on_their_channel(server):
    player = server.new_player()

    async def run():
        async with server.ws(key=None) as socket:
            await request(socket, {"subscribe": {"channel": "achievement"}}, "subscribed")
            await asyncio.to_thread(server.http, "PUT", f"/api/players/{player}/achievements/first")
            while True:
                m = await next_message(socket)
                if m.get("player_id") == player:
                    assert m["achievement"] == "first" and m["text"] == f"{player} unlocked first"
                    return

    asyncio.run(run())


def test_fan_out_reaches_every_server_process(own_server, short_tmp):
    """Two processes on one Redis: what one is told, the other's clients get; also after Redis was gone for a while."""
    first = own_server
    second = Server(short_tmp / unique("own"), {"REDIS_URL": first.redis_url}).start()
    channel = "team:x"
    try:
        async def run():
            async with second.ws() as socket:
                await request(socket, {"subscribe": {"channel": channel}}, "subscribed")
                for n in range(50):
                    await asyncio.to_thread(say, first, channel, f"{n}", "ada")
                assert [(await next_message(socket))["text"] for _ in range(50)] == [f"{n}" for n in range(50)]
                # Its subscription is cut, and two messages are said before it can be back.
                r = first.redis()
                r.client_kill_filter(_type="pubsub")
                for n in (50, 51):
                    await asyncio.to_thread(say, first, channel, f"{n}", "ada")
                wait_until(lambda: r.pubsub_numsub(channel)[0][1] >= 1, what="the new subscription")
                await asyncio.to_thread(say, first, channel, "52", "ada")
                assert [(await next_message(socket))["text"] for _ in range(3)] == ["50", "51", "52"]

        asyncio.run(run())
    finally:
        second.stop()


def test_a_slow_reader_is_closed_and_delays_nobody(own_server):
    server, channel = own_server, "team:x"

    async def run():
        async with server.ws() as quick, server.ws(max_queue=1) as slow:
            for socket in (quick, slow):
                await request(socket, {"subscribe": {"channel": channel}}, "subscribed")
            slow.transport.pause_reading()
            events = [{"type": "chat", "channel": channel, "from": "ada", "text": "x" * 2_000}] * 400
            total = 0
            async with server.ws() as writer:
                for _ in range(40):  # 32 MB: more than the sockets' buffers and the queue hold
                    await request(writer, {"interactions": events}, "accepted")
                    for _ in range(400):
                        await next_message(quick)
                        total += 1
            assert total == 16_000
            slow.transport.resume_reading()
            try:
                while True:
                    await asyncio.wait_for(slow.recv(), 20)
            except Exception as e:
                # 1006 when it read nothing for so long that even the close frame was given up.
                assert getattr(e, "code", None) in (3008, 1006), e

    asyncio.run(run())


def test_a_world_has_channels_of_its_own(short_tmp):
    server = Server(short_tmp / unique("own"), {"SKIRMISH_SERVER_WORLD": "w1"}).start()
    try:
        a, b = server.new_player(), server.new_player()

        async def run():
            async with server.ws() as socket:
                for channel in ("general", "activity"):
                    await request(socket, {"subscribe": {"channel": channel}}, "subscribed")
                await asyncio.to_thread(say, server, "general", "hi", a)
                assert (await next_message(socket))["channel"] == "general"
                attack = {"type": "attack", "attacker_id": a, "target_id": b, "damage": 500}
                await asyncio.to_thread(server.http, "POST", "/api/interactions", attack)
                assert json.loads(await asyncio.wait_for(socket.recv(), 20))["event"]["data"]["player_id"] == b
            return server.redis().exists("{w1}:chat:general")

        assert asyncio.run(run()) == 1
    finally:
        server.stop()


def test_the_muted_and_banned_are_listed(server):
    channel = "team:" + unique("t")
    key_id = next(k["key_id"] for k in server.http("GET", "/api/keys").json["items"] if k["role"] == "admin")
    players = [unique("p") for _ in range(3)]
    for n, player in enumerate(players):
        body = {"seconds": 600 + n, "reason": f"spam {n}"} if n else {"seconds": 600}
        assert server.http("PUT", f"/api/chat/{channel}/mutes/{player}", body).status == 204
    page = server.http("GET", f"/api/chat/{channel}/mutes?limit=2").json
    assert [(m["player_id"], m["reason"]) for m in page["items"]] == [(players[2], "spam 2"), (players[1], "spam 1")]
    assert page["items"][0]["until"] > page["items"][0]["at"] and page["items"][0]["by"]
    rest = server.http("GET", f"/api/chat/{channel}/mutes?limit=2&cursor={page['next_cursor']}").json
    assert [(m["player_id"], m["reason"]) for m in rest["items"]] == [(players[0], None)]
    assert rest["next_cursor"] is None and isinstance(key_id, str)
    assert server.http("DELETE", f"/api/chat/{channel}/mutes/{players[2]}").status == 204
    server.redis().zadd(f"chatmutes:{channel}", {players[1]: 1})  # as if its time were over
    listed = server.http("GET", f"/api/chat/{channel}/mutes").json["items"]
    assert [m["player_id"] for m in listed] == [players[0]]
    assert server.http("PUT", f"/api/chat/{channel}/mutes/{players[0]}").status == 204, "600 s without a body"
    assert set(server.redis().hkeys(f"chatmute_notes:{channel}")) == {players[0]}

    assert server.http("PUT", f"/api/chat/{channel}/bans/{players[0]}", {"reason": "cheats"}).status == 204
    assert server.http("PUT", f"/api/chat/{channel}/bans/{players[1]}").status == 204
    bans = server.http("GET", f"/api/chat/{channel}/bans").json["items"]
    assert {b["player_id"]: b["reason"] for b in bans} == {players[0]: "cheats", players[1]: None}
    assert all(b["at"] and b["by"] and "until" not in b for b in bans)
    assert server.http("DELETE", f"/api/chat/{channel}/bans/{players[0]}").status == 204
    assert [b["player_id"] for b in server.http("GET", f"/api/chat/{channel}/bans").json["items"]] == [players[1]]
    assert server.redis().hkeys(f"chatban_notes:{channel}") == [players[1]]
    for bad in ("nowhere/mutes", f"{channel}/bans?cursor=x", f"{channel}/mutes?cursor=-1.a"):
        assert server.http("GET", f"/api/chat/{bad}").status in (400, 404), bad
    assert server.http("PUT", f"/api/chat/{channel}/bans/x", {"reason": "a" * 501}).status == 400
    wait_until(lambda: any(c["target"].get("reason") == "cheats" for c in server.http(
        "GET", "/api/audit?limit=100").json["items"]), what="the reason in the audit log")


def test_channels_are_listed(server):
    first, second = "team:" + unique("t"), "team:" + unique("t")
    for channel in (first, first, second):
        assert say(server, channel, "hi", unique("p")).status == 201

    def listed(**query):
        text = "&".join(f"{k}={v}" for k, v in query.items())
        return server.http("GET", f"/api/chat?{text}").json

    page = listed(limit=1000)
    by_name = {c["channel"]: c for c in page["items"]}
    assert {"general", "achievement", "cache"} <= set(by_name) and len(by_name) == len(page["items"])
    assert (by_name[first]["messages"], by_name[second]["messages"], by_name[first]["online"]) == (2, 1, 0)
    order = [c["channel"] for c in page["items"]]
    assert order.index(second) < order.index(first) and by_name[first]["last_at"]
    seen, cursor = [], ""
    while cursor is not None:
        page = listed(limit=1, cursor=cursor)
        seen += [c["channel"] for c in page["items"]]
        cursor = page["next_cursor"]
    assert seen == order

    async def run():
        async with server.ws() as socket:
            await request(socket, {"subscribe": {"channel": first, "as": unique("p")}}, "subscribed")
            there = await asyncio.to_thread(lambda: {c["channel"]: c["online"] for c in listed(limit=1000)["items"]})
            assert there[first] == 1

    asyncio.run(run())
    assert server.http("GET", "/api/chat?cursor=x").status == 400


def test_completions_and_achievements_are_announced_on_general_when_asked(short_tmp):
    loud = Server(short_tmp / unique("own"), {"SKIRMISH_CHAT_ANNOUNCE": "true"}).start()
    quiet = Server(short_tmp / unique("own")).start()
    said = {}
    try:
        for server in (loud, quiet):
            player, level = server.new_player(), unique("level")
            assert server.http("POST", "/api/levels", {"level_id": level, "name": "x"}).status == 201
            body = {"player_id": player, "score": 25}
            assert server.http("POST", f"/api/levels/{level}/completions", body).status == 201
            assert server.http("PUT", f"/api/players/{player}/achievements/collector").status == 201
            messages = server.http("GET", "/api/chat/general/messages").json["items"]
            said[server] = [{k: v for k, v in m.items() if k not in ("id", "ts")} for m in messages]
            always = server.http("GET", "/api/chat/achievement/messages").json["items"]
            assert [m["achievement"] for m in always] == ["first-steps", "collector"]
            if server is loud:
                common = {"channel": "general", "from": "skirmish", "player_id": player}
                completion = {**common, "text": f"{player} completed {level}", "event": "completion", "level_id": level,
                              "score": 25}
                unlocks = [{**common, "text": f"{player} unlocked {x}", "event": "achievement", "achievement": x}
                           for x in ("first-steps", "collector")]
                assert len(said[loud]) == 3 and all(m in said[loud] for m in (completion, *unlocks)), said[loud]
        assert said[quiet] == []
    finally:
        for server in (loud, quiet):
            server.stop()
    refused = loud.run("serve", "--listen", "127.0.0.1:0", "--data-dir", str(short_tmp / unique("own")),
                       "--set", "chat.announce=true", "--set", "chat.channels=lobby", check=False)
    assert refused.returncode != 0 and "chat.announce needs the channel general" in refused.stderr
