#!/usr/bin/env python3
"""Makes up a game-server log: the same seed gives the same bytes.

    python3 tests/support/make_match.py --format source|quake3 --seed 7 --rounds 12 > match.log

The log starts in the middle of a round, goes through two matches on two maps, and holds what real logs hold and what
they should not: names in many scripts, with quotes and brackets or no valid UTF-8, ids of every form, hits and healing
that were not logged, rounds without a start, chat that looks like log lines, several line endings, and, with --garbage,
lines that are too long, cut short or noise. Nothing but Python 3 is needed.
"""

import argparse
import datetime
import random
import sys

NAMES = ["Zoë", "Łukasz", "Дмитрий", "忍者", "😀🔫", "a \"quoted\" one", "<b>bold</b>", "<7><BOT>", "Mr. Dot-Dash_9:x",
         "two  spaces", "say", "killed", "x" * 31, "ñ" * 31, "O'Neil", "%s%n", "\\back\\slash", "tab\there"]
WEAPONS = {"ak47": 36, "m4a1": 33, "awp": 115, "glock": 28, "knife": 55, "hegrenade": 57, "inferno": 8}
ITEMS = ["ak47", "m4a1", "awp", "glock", "knife", "hegrenade", "item_kevlar", "defuser", "smokegrenade"]
MEANS = ["MOD_ROCKET", "MOD_ROCKET_SPLASH", "MOD_RAILGUN", "MOD_SHOTGUN", "MOD_BFG", "MOD_TELEFRAG"]
PICKUPS = ["weapon_rocketlauncher", "weapon_railgun", "item_armor_body", "item_health_mega", "ammo_slugs", "item_quad"]
CHAT = ["gg", "hello", "how are yöü", "", "он там", "\"quoted\"", "trailing space ",
        '"P<2><STEAM_1:0:1><CT>" [1 2 3] killed "B<3><BOT><CT>" [4 5 6] with "awp"',
        '" (dead)', "a: b: c", "\U0001F44D" * 20]
NOISE = [b"\xff\xfe\x00garbage\x80", b"\x00\x00\x00", b"   ", b"", b"\xc3", b"lorem ipsum <1><2><3> [4 5 6] (x \"y\")",
         b"L 99/99/2024 - 25:61:61: World triggered \"Round_Start\"",
         b"L 02/30/2024 - 10:00:00: World triggered \"Round_Start\"", b"L ", b"L 05/01/2024 - 10:00:00",
         b"  7:1 Item: 2 weapon_railgun", b"  1:00 Kill: 2", b" 10:00 Item: 63 weapon_of_nobody",
         b" 10:00 Kill: 2 1022 3: A killed B by MOD_X", b" -1:00 ShutdownGame:", b" 10:00 ClientBegin: x",
         b" 10:00 ClientUserinfoChanged: 2 t\\0\\model\\sarge", b"999999999999:00 ShutdownGame:"]


class Log:
    """Lines as bytes, with the endings that different servers write."""

    def __init__(self, rng, garbage):
        self.rng = rng
        self.garbage = garbage
        self.data = bytearray()
        self.ending = rng.choice([b"\n", b"\r\n"])

    def add(self, raw):
        self.data += raw
        self.data += self.ending if self.rng.random() > 0.01 else self.rng.choice([b"\r", b"\n", b"\0\n", b" \r\n"])
        if self.garbage and self.rng.random() < 0.01:
            self.noise(raw)

    def noise(self, raw):
        kind = self.rng.randrange(4)
        if kind == 0:
            self.data += raw[:self.rng.randrange(len(raw) + 1)]
        elif kind == 1:
            self.data += bytes(self.rng.randrange(256) for _ in range(self.rng.randrange(60)))
        else:
            self.data += self.rng.choice(NOISE)
        self.data += b"\n"

    def long_line(self, raw):
        if self.garbage:
            self.data += raw + b"x" * 9000 + b"\n"

    def end(self):
        self.data += b" 9:59 the end has no newline"
        return bytes(self.data)


class SourceMatch:
    def __init__(self, rng, garbage):
        self.rng = rng
        self.log = Log(rng, garbage)
        self.time = datetime.datetime(2024, 2, 28, 23, 41, 7)
        self.style = rng.choice(["L %s: ", "%s: ", "%s.{ms} - "])
        self.players = []
        for number, name in enumerate(rng.sample(NAMES, 12), 2):
            account = rng.randrange(1, 2**31)
            steam_id = rng.choice(["BOT", f"STEAM_1:{account % 2}:{account // 2}", f"[U:1:{account}]"])
            raw = name.encode() if rng.random() > 0.1 else b"bad\xc3\x28\xe2\x82name\xf0\x9f"
            team = "CT" if number % 2 else "TERRORIST"
            self.players.append({"name": raw, "uid": number, "id": steam_id, "team": team, "hp": 100,
                                 "at": [rng.randrange(-3000, 3000) for _ in range(3)]})
        self.players[0].update(name=("long bot name " * 8).encode(), id="BOT")

    def line(self, body):
        if isinstance(body, str):
            body = body.encode()
        stamp = self.time.strftime("%m/%d/%Y - %H:%M:%S")
        head = (self.style % stamp).replace("{ms}", f"{self.rng.randrange(1000):03}")
        self.log.add(head.encode() + body)
        self.time += datetime.timedelta(seconds=self.rng.choice([0, 0, 0, 1, 2, 7]))

    @staticmethod
    def token(p, team=True):
        tail = f"<{p['uid']}><{p['id']}>" + (f"<{p['team']}>" if team else "")
        return b'"' + p["name"] + tail.encode() + b'"'

    def at(self, p):
        p["at"] = [v + self.rng.randrange(-90, 90) for v in p["at"]]
        if self.rng.random() < 0.02:
            return (" [%.2f %.1f -0.5]" % tuple(p["at"][:2])).encode()
        return (" [%d %d %d]" % tuple(p["at"])).encode()

    def fight(self):
        rng = self.rng
        a, b = rng.choice(self.players), rng.choice(self.players)
        weapon = rng.choice(list(WEAPONS))
        for _ in range(rng.randrange(1, 5)):
            damage = max(0, int(rng.gauss(WEAPONS[weapon], 12)))
            if rng.random() < 0.05:
                b["hp"] = rng.randrange(1, 101)  # healed, or hurt by something that is not logged
            if b["hp"] <= 0:
                return
            b["hp"] = max(0, b["hp"] - damage)
            health = f' (health "{b["hp"]}")' if rng.random() > 0.03 else ""
            if rng.random() < 0.03:
                self.line(self.token(a) + b" attacked " + self.token(b) +
                          f' with "{weapon}" (damage "{damage}"){health} (attacker_position "1 -2 3.5") '
                          f'(victim_position "-7 8 9")'.encode())
            else:
                self.line(self.token(a) + self.at(a) + b" attacked " + self.token(b) + self.at(b) +
                          f' with "{weapon}" (damage "{damage}") (damage_armor "{rng.randrange(9)}"){health} '
                          f'(armor "{rng.randrange(99)}") (hitgroup "left leg")'.encode())
        if b["hp"] == 0 and rng.random() > 0.1:
            flags = rng.choice(["", " (headshot)", " (headshot penetrated)"])
            self.line(self.token(a) + self.at(a) + b" killed " + self.token(b) + self.at(b) +
                      f' with "{weapon}"{flags}'.encode())
            if rng.random() < 0.2:
                self.line(self.token(rng.choice(self.players)) + b" assisted killing " + self.token(b))

    def minor(self):
        rng = self.rng
        p = self.token(rng.choice(self.players))
        kind = rng.randrange(14)
        if kind < 6:
            self.line(p + f' {rng.choice(["purchased", "picked up", "dropped"])} "{rng.choice(ITEMS)}"'.encode())
        elif kind == 6:
            self.line(p + f' {rng.choice(["say", "say_team"])} "{rng.choice(CHAT)}"'.encode() +
                      rng.choice([b"", b"", b" (dead)"]))
        elif kind == 7:
            self.line(p + b" money change 800-650 = $150 (tracked) (purchase: weapon_p250)")
        elif kind == 8:
            self.line(p + b' [1 2 3] killed other "chicken<120>" [4 5 6] with "ak47"')
        elif kind == 9:
            self.line(rng.choice(['"mp_freezetime" = "15"', "Starting Freeze period", 'rcon from "1.2.3.4:5": command "say hi"',
                                  '"Console<0><Console><Console>" say "server chat"', "an unheard-of line",
                                  'Team "CT" scored "1" with "5" players', '"Gone<9><STEAM_ID_PENDING><>" connected']))
        elif kind == 10:
            self.line(p + b" [1 2 3] committed suicide with \"world\"")
        elif kind == 11:
            self.line(p + b' picked up item "medkit_small"')
        elif kind == 12:
            q = rng.choice(self.players)
            self.line(self.token(q, team=False) + f' switched from team <{q["team"]}> to <Unassigned>'.encode())
        else:
            self.line(p + b" did a thing no log ever heard of")

    def play(self, rounds):
        for _ in range(20):
            self.fight()
        for level in ("cs_ünïcode", "workshop/125438255/de_tést"):
            self.line(f'Loading map "{level}"')
            self.line(f'Started map "{level}" (CRC "-123")')
            self.line(f'World triggered "Match_Start" on "{level}"')
            for number in range(rounds):
                if number % 4 != 2:
                    self.line('World triggered "Round_Start"')
                    for p in self.players:
                        p["hp"] = 100
                for _ in range(self.rng.randrange(5, 15)):
                    self.fight()
                    self.minor()
                self.line('World triggered "Round_End"')
            self.log.long_line(b'L 02/28/2024 - 23:59:59: "P<2><STEAM_1:0:1><CT>" say "')
            self.line(f"Game Over: competitive mg_active {level} score 16:{rounds} after 21 min")
        for _ in range(5):
            self.fight()
        return self.log.end()


class QuakeMatch:
    def __init__(self, rng, garbage):
        self.rng = rng
        self.log = Log(rng, garbage)
        self.seconds = 0
        self.clients = {}

    def line(self, body):
        stamp = f"{self.seconds // 60:3}:{self.seconds % 60:02} "
        self.log.add(stamp.encode() + (body if isinstance(body, bytes) else body.encode()))
        self.seconds += self.rng.choice([0, 0, 1, 1, 3])

    def name(self):
        if self.rng.random() < 0.05:
            return b"bad\xc3\x28\xe2\x82name\xf0\x9f"
        name = self.rng.choice(NAMES + ["^1Red^7Baron", "name: with colon", "name", "a killed b by c", ""])
        return name.replace("\\", "/").encode()

    def connect(self, number):
        self.clients[number] = name = self.name()
        self.line(f"ClientConnect: {number}")
        team = self.rng.randrange(4)
        self.line(f"ClientUserinfoChanged: {number} n\\".encode() + name + f"\\t\\{team}\\model\\xian/default".encode())
        self.line(f"ClientBegin: {number}")

    def kill(self):
        rng = self.rng
        victim = rng.choice(list(self.clients))
        if rng.random() < 0.2:
            self.line(f"Kill: 1022 {victim} 22: <world> killed ".encode() + self.clients[victim] + b" by MOD_FALLING")
            return
        killer = rng.choice(list(self.clients))
        self.line(f"Kill: {killer} {victim} {rng.randrange(30)}: ".encode() + self.clients[killer] + b" killed " +
                  self.clients[victim] + b" by " + rng.choice(MEANS).encode())

    def minor(self):
        rng = self.rng
        number = rng.choice(list(self.clients))
        name = self.clients[number]
        kind = rng.randrange(12)
        if kind < 8:
            self.line(f"Item: {number} {rng.choice(PICKUPS)}")
        elif kind == 8:
            self.line(rng.choice([b"say: ", b"sayteam: "]) + name + b": " + rng.choice(CHAT).encode())
        elif kind == 9:
            self.line(f"ClientDisconnect: {number}")
            self.connect(number)
        elif kind == 10:
            self.line(b"tell: " + name + b" to " + name + b": psst")
        else:
            self.line(rng.choice(["UnheardOf: 1 2 3", "Exit: Timelimit hit.", "Warmup:", "red:1  blue:0",
                                  "Kill: 60 61 7: Ghost killed Spirit by MOD_RAILGUN", "say: Nobody: hello",
                                  "score: 3  ping: 1  client: 59 Phantom"]))

    def game(self, level, kills):
        self.line("-" * 60)
        self.line(f"InitGame: \\sv_hostname\\Test\\g_gametype\\0\\mapname\\{level}\\gamename\\baseq3")
        for number in range(2, 2 + self.rng.randrange(3, 9)):
            self.connect(number)
        for _ in range(kills):
            self.kill()
            self.minor()
        self.line("Exit: Fraglimit hit.")
        for number, name in self.clients.items():
            self.line(f"score: {self.rng.randrange(-3, 21)}  ping: 8  client: {number} ".encode() + name)
        self.line("ShutdownGame:")

    def play(self, rounds):
        self.clients = {2: "Early Bird".encode()}
        self.kill()
        self.minor()
        for number in range(rounds):
            if number % 3 == 0:
                self.seconds = 0
            self.game(self.rng.choice(["q3dm6", "q3tourney2", "mäp/été"]), self.rng.randrange(10, 40))
            self.log.long_line(b"  1:00 say: Early Bird: ")
        self.kill()
        return self.log.end()


def make_match(form, seed, rounds, garbage=True):
    """The bytes of a log; `form` is "source" or "quake3"."""
    maker = {"source": SourceMatch, "quake3": QuakeMatch}[form]
    return maker(random.Random(seed), garbage).play(rounds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--format", choices=("source", "quake3"), required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=12, help="rounds of each match, or games")
    parser.add_argument("--no-garbage", dest="garbage", action="store_false")
    args = parser.parse_args()
    sys.stdout.buffer.write(make_match(args.format, args.seed, args.rounds, args.garbage))


if __name__ == "__main__":
    main()
