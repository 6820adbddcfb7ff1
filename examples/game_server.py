#!/usr/bin/env python3
"""A game server that survives being killed at any moment.

It streams attacks with numbers, keeps the match's totals in memory, and writes a snapshot of them now and then. After a
crash it reads its newest snapshot and, from the log, what its stream committed later: together the whole truth. Then it goes
on with the frame behind the last committed one. docs/state.md tells why nothing is lost or counted twice.

    SKIRMISH_KEY=sk_… examples/game_server.py --url http://127.0.0.1:8090 --match m1 --players ann,bob --frames 1000

Needs Python's websockets (Debian: python3-websockets).
"""

import argparse
import asyncio
import json
import os
import random
import sys
import urllib.error
import urllib.parse
import urllib.request

import websockets


class Api:
    def __init__(self, url, key):
        self.url, self.key = url, key

    def ask(self, method, path, body=None):
        """Status, headers and parsed body; 404 is an answer, other refusals are exceptions."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers={"X-API-Key": self.key})
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as e:
            if e.code == 404:
                return 404, e.headers, None
            raise SystemExit(f"{method} {path}: {e.code} {e.read().decode(errors='replace')}")

    def socket(self, path):
        # Debian 12 has version 10 of websockets, Debian 13 has 15, which named the headers anew.
        name = "additional_headers" if int(websockets.__version__.split(".")[0]) >= 14 else "extra_headers"
        return websockets.connect(self.url.replace("http", "ws", 1) + path, **{name: {"X-API-Key": self.key}})


class Match:
    """What only this process knows: the totals, true up to the frame `seq`."""

    def __init__(self, stream, snapshot=None):
        self.stream = stream
        self.seq = snapshot["seq"] if snapshot else 0
        self.attacks = snapshot["attacks"] if snapshot else 0
        self.damage = dict(snapshot["damage"]) if snapshot else {}

    def apply(self, seq, attacks):
        assert seq == self.seq + 1, f"frame {seq} does not follow {self.seq}"
        for attack in attacks:
            who = attack["attacker_id"]
            self.damage[who] = self.damage.get(who, 0) + attack["damage"]
        self.attacks += len(attacks)
        self.seq = seq

    def snapshot(self):
        return {"seq": self.seq, "attacks": self.attacks, "damage": dict(self.damage)}


class GameServer:
    def __init__(self, api, arguments):
        self.api, self.arguments = api, arguments
        self.stream = f"{arguments.match}.stream"
        self.recovery = f"/api/recovery/{arguments.match}/totals"
        self.match = None
        self.sent = {}  # frames that are not acknowledged: what they hold
        self.snapshot_task = None

    def new_attacks(self, seq):
        """A frame's events. Their ids tell the number of the frame, so that the log tells it too."""
        players = self.arguments.players.split(",")
        attacks = []
        for n in range(self.arguments.attacks):
            attacker, target = random.sample(players, 2)
            attacks.append({"type": "attack", "id": f"{self.stream}.{seq}.{n}", "attacker_id": attacker,
                            "target_id": target, "damage": random.randrange(1, 100)})
        return attacks

    def write_snapshot(self, snapshot):
        position = urllib.parse.urlencode({"stream": self.stream, "seq": snapshot["seq"]})
        self.api.ask("PUT", f"{self.recovery}?{position}", snapshot)

    def recover(self, committed):
        """The newest snapshot, and the frames behind it up to the committed one."""
        status, headers, snapshot = self.api.ask("GET", f"{self.recovery}/latest")
        self.match = Match(self.stream, snapshot if status != 404 else None)
        if status == 404:
            if committed:
                raise SystemExit("there is no snapshot, but the stream has begun")
            self.write_snapshot(self.match.snapshot())
        if self.match.seq > committed:
            raise SystemExit("the stream was forgotten: drop its snapshots, or begin another match")
        frames, cursor = {}, headers.get("Snapshot-Cursor")
        while self.match.seq + len(frames) < committed:
            since = "?limit=1000" + (f"&since={cursor}" if cursor else "")
            _, _, page = self.api.ask("GET", f"/api/interactions{since}")
            if page["trimmed"]:
                raise SystemExit("the log no longer reaches back to the snapshot: write snapshots more often")
            for event in page["items"]:
                stream, _, place = event.get("id", "").rpartition(".")
                stream, _, seq = stream.rpartition(".")
                if stream == self.stream and self.match.seq < int(seq) <= committed:
                    frames.setdefault(int(seq), []).append(event)
            cursor = page["cursor"]
            if not page["next_cursor"]:
                break
        for seq in range(self.match.seq + 1, committed + 1):
            self.match.apply(seq, frames[seq])
        print(f"recovered {self.match.seq} {'from nothing' if status == 404 else snapshot['seq']}", flush=True)

    async def listen(self, socket):
        while self.match.seq < self.arguments.frames:
            told = json.loads(await socket.recv())
            if "reject" in told or "error" in told:
                raise SystemExit(f"refused: {told}")
            while self.match.seq < told.get("ack", 0):
                # Only what is committed is true.
                self.match.apply(self.match.seq + 1, self.sent.pop(self.match.seq + 1))
                if self.match.seq % self.arguments.every == 0:
                    await self.snapshot_soon()
            if "ack" in told:
                print(f"acknowledged {self.match.seq}", flush=True)

    async def snapshot_soon(self):
        """Writes a copy while the match goes on; one at a time, in order."""
        if self.snapshot_task:
            await self.snapshot_task
        self.snapshot_task = asyncio.create_task(asyncio.to_thread(self.write_snapshot, self.match.snapshot()))

    async def send(self, socket):
        for seq in range(self.match.seq + 1, self.arguments.frames + 1):
            while len(self.sent) >= self.arguments.ahead:
                await asyncio.sleep(0.001)
            self.sent[seq] = self.new_attacks(seq)
            await socket.send(json.dumps({"seq": seq, "interactions": self.sent[seq]}))
            await asyncio.sleep(self.arguments.pause)

    async def run(self):
        # The stream first: a process of before that still runs is put off it.
        async with self.api.socket(f"/api/ws?stream={self.stream}") as socket:
            opened = json.loads(await socket.recv())
            await asyncio.to_thread(self.recover, opened["stream"]["committed"])
            sender = asyncio.create_task(self.send(socket))
            await self.listen(socket)
            await sender
            if self.snapshot_task:
                await self.snapshot_task
        print(json.dumps(self.match.snapshot()), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8090")
    parser.add_argument("--match", required=True, help="names the stream and the snapshots")
    parser.add_argument("--players", required=True, help="ids with commas between; at least two")
    parser.add_argument("--frames", type=int, default=1000, help="how many to send, over all lives of the match")
    parser.add_argument("--attacks", type=int, default=5, help="in a frame")
    parser.add_argument("--every", type=int, default=50, help="frames between snapshots")
    parser.add_argument("--ahead", type=int, default=20, help="frames that may wait for their acknowledgement")
    parser.add_argument("--pause", type=float, default=0.005, help="seconds between frames")
    arguments = parser.parse_args()
    key = os.environ.get("SKIRMISH_KEY")
    if not key:
        sys.exit("SKIRMISH_KEY must hold an API key of role server")
    asyncio.run(GameServer(Api(arguments.url, key), arguments).run())


if __name__ == "__main__":
    main()
