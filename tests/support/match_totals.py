#!/usr/bin/env python3
"""What a replay of a game-server log must leave behind, computed apart from the C++ parser.

    python3 tests/support/match_totals.py --format source|quake3 LOG > totals.json

Only the written rules (src/ingest/source_log.hpp, quake3_log.hpp and recorder.hpp) are shared with the program; this
script reads with regular expressions, line by line, and needs nothing but Python 3 and match_world.py beside it. It
prints one JSON object:

    totals       the counts of `skirmish replay --json` that concern the file
    players      ids, in the order seen           levels     ids, in the order seen
    damage       by attacker                      kills      by killer (the board `kills`)
    hp           of each player at the end        activity   attacks and moves made, by player
    attacks      the last attack of each pair ("attacker target"): damage, weapon, ts
    position     the last one of each player: latitude, longitude, altitude
    inventory    by player: item, quantity (never below 0; items at 0 are left out)
    chat         messages by channel              completions   [level, player, score], in order
"""

import argparse
import datetime
import json
import re
import sys

from match_world import World, make_id

LINE_LIMIT_BYTES = 8192


class Source:
    """Source-engine logs."""

    HEADER = re.compile(r"(?:L )?(\d\d)/(\d\d)/(\d{4}) - (\d\d):(\d\d):(\d\d)(\.\d{3})?(?:: | - |:$| -$)", re.A)
    PLAYER = re.compile(r'"(.*?)<-?\d{1,8}><([^<>"]*)>(?:<([^<>"]*)>)?"', re.A | re.S)
    NUMBER = r"(-?(?:\d+\.?\d*|\.\d+))"
    POSITION = re.compile(rf" \[{NUMBER} {NUMBER} {NUMBER}\]", re.A)
    TRIPLE = re.compile(rf"{NUMBER} {NUMBER} {NUMBER}", re.A)
    WITH = re.compile(r' with "([^"]*)"(.*)', re.S)
    SILENT = re.compile(
        r"Team |Starting Freeze period|Molotov projectile spawned|Log file |server cvar|server_cvar: "
        r"|server_message: |Server shutdown|rcon from |Rcon: |Bad Rcon: |STEAMAUTH: |Addip: |Banid: |Kick: |Kickid: "
        r'|Server say "|MatchStatus: |ACCOLADE, |JSON_BEGIN{|JSON_END}|Match pause is |Match unpaused|\[META\] '
        r"|\[SM\] |-------- Mapchange to ")
    SILENT_VERB = re.compile(
        r'money change |triggered "|threw |blinded for |(flash-)?assisted killing |switched from team <|joined team "'
        r'|killed other "|committed suicide with |was killed by the bomb\.|connected|disconnected|entered the game'
        r'|STEAM USERID validated|changed name to "|changed role to "|spawned as "|left buyzone with |begin_buyzone'
        r'|tell |requested map |called vote "|has been banned')

    def __init__(self, world):
        self.world = world

    def line(self, text):
        """True when the line is understood."""
        header = self.HEADER.match(text)
        if not header:
            return False
        month, day, year, hour, minute, second = map(int, header.groups()[:6])
        try:
            datetime.datetime(year, month, day, hour, minute, second)
        except ValueError:
            return False
        self.ts = f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{header[7] or '.000'}Z"
        body = text[header.end():]
        if body.startswith('"'):
            return self.player_line(body)
        if triggered := re.match(r'World triggered "([^"]*)"(?: on "([^"]*)("?))?', body):
            if triggered[2] is not None:
                if not triggered[3]:
                    return False
                self.world.play(triggered[2])
            if triggered[1] == "Round_Start":
                for player in self.world.hp:
                    self.world.respawn(player, 100)
            if triggered[1] == "Game_Over":
                self.world.end_match()
            return True
        if over := re.match(r"Game Over: (.*?) score ", body, re.S):
            level = over[1].split(" ")[-1]
            if not level:
                return False
            self.world.play(level)
            self.world.end_match()
            return True
        if level := re.match(r'(?:Loading|Started) map "([^"]*)"', body):
            self.world.play(level[1])
            return True
        return body == "" or bool(self.SILENT.match(body))

    def player(self, match):
        """The id of a player, None for who is none."""
        name, steam_id = match[1], match[2]
        if steam_id in ("", "Console", "STEAM_ID_PENDING"):
            return None
        return make_id(name, "bot:") if steam_id == "BOT" else make_id(steam_id)

    def position(self, text, at):
        found = self.POSITION.match(text, at)
        return (tuple(map(float, found.groups())), found.end()) if found else (None, at)

    def properties(self, text):
        """The (key "value") pairs, None when something else is there."""
        pairs = {}
        while text:
            found = re.match(r' \(([^")]*)\)', text) or re.match(r' \((.*?) "(.*?)"\)', text, re.S)
            if not found:
                return None
            if found.lastindex == 2:
                pairs[found[1]] = found[2]
                if not self.valid_property(found[1], found[2]):
                    return None
            text = text[found.end():]
        return pairs

    def valid_property(self, key, value):
        if key == "damage":
            return re.fullmatch(r"-?\d+", value, re.A) and 0 <= int(value) <= 99_999_999
        if key == "health":
            return re.fullmatch(r"-?\d+", value, re.A) and abs(int(value)) <= 99_999_999
        if key in ("attacker_position", "victim_position"):
            return self.TRIPLE.fullmatch(value)
        return True

    def player_line(self, body):
        who = self.PLAYER.match(body)
        if not who:
            return bool(re.fullmatch(r'".*?" = ".*"', body, re.S))
        where, at = self.position(body, who.end())
        if body[at:at + 1] != " ":
            return False
        rest = body[at + 1:]
        player = self.player(who)
        if item := re.match(r'(picked up|dropped|purchased) (?:item )?"([^"]+)"', rest):
            if player is None:
                return False
            self.world.item(self.world.see(player), item[2], -1 if item[1] == "dropped" else 1)
            return True
        if chat := re.fullmatch(r'say(_team)? "(.*?)"(?: \(dead\))?', rest, re.S):
            if player is not None:
                self.world.see(player)
            self.world.say(make_id(who[3] or "none", "team:") if chat[1] else "general")
            return True
        if fight := re.match(r'(attacked|killed) (?=")', rest):
            return self.fight(fight[1], player, where, rest[fight.end():])
        if not self.SILENT_VERB.match(rest):
            return False
        if player is not None:
            self.world.see(player)
        return True

    def fight(self, verb, attacker, attacker_at, rest):
        other = self.PLAYER.match(rest)
        if not other:
            return False
        target = self.player(other)
        target_at, at = self.position(rest, other.end())
        weapon = self.WITH.fullmatch(rest, at)
        if not weapon or attacker is None or target is None:
            return False
        pairs = self.properties(weapon[2])
        if pairs is None or (verb == "attacked" and "damage" not in pairs):
            return False
        self.world.see(attacker)
        self.world.see(target)
        if verb == "attacked":
            health = max(0, int(pairs["health"])) if "health" in pairs else None
            self.world.attack(attacker, target, int(pairs["damage"]), weapon[1], health, self.ts)
        else:
            self.world.kill(attacker)
        for player, place, key in ((attacker, attacker_at, "attacker_position"), (target, target_at, "victim_position")):
            if place is None and key in pairs:
                place = tuple(map(float, pairs[key].split(" ")))
            self.world.move(player, place)
        return True


class Quake3:
    """Quake III Arena logs."""

    SILENT = re.compile(
        r"ShutdownGame:|ClientConnect:|ClientDisconnect:|ClientUserinfo:|Exit:|red:|Warmup:|InitRound:|broadcast:|tell:"
        r"|vsay:|vsayteam:|vtell:|Award:|CTF:|PlayerScore:|Challenge:|Playerstore:|ClientSpawn:|-----|Restart:")
    SIDES = {1: "red", 2: "blue", 3: "spectator"}

    def __init__(self, world):
        self.world = world
        self.names = {}
        self.sides = {}

    def line(self, text):
        """True when the line is understood."""
        time = re.match(r"\d{1,8}:\d\d +", text, re.A)
        if not time:
            return False
        word, colon, rest = text[time.end():].partition(": ")
        read = getattr(self, "on_" + word, None) if colon else None
        if read:
            return read(rest)
        return bool(self.SILENT.match(text[time.end():]))

    def client(self, number, fallback=""):
        """The player of a client number, seen from now on; None for a client without any name."""
        if not 0 <= int(number) < 1024:
            return None
        name = self.names.get(int(number), fallback or None)
        return None if name is None else self.world.see(make_id(name))

    @staticmethod
    def info(text):
        parts = text.removeprefix("\\").split("\\")
        values = {}
        for key, value in zip(parts[::2], parts[1::2]):
            values.setdefault(key, value)
        return values

    def on_InitGame(self, rest):
        self.world.play(self.info(rest).get("mapname", ""))
        return True

    def on_ClientUserinfoChanged(self, rest):
        found = re.fullmatch(r"(\d{1,4}) (.*)", rest, re.A | re.S)
        if not found or int(found[1]) >= 1022:
            return False
        values = self.info(found[2])
        if "n" not in values:
            return False
        team = values.get("t", "")
        self.names[int(found[1])] = values["n"]
        self.sides[int(found[1])] = self.SIDES.get(int(team) if re.fullmatch(r"-?\d+", team, re.A) else 0, "free")
        self.world.see(make_id(values["n"]))
        return True

    def on_ClientBegin(self, rest):
        player = self.client(rest) if re.fullmatch(r"\d{1,8}", rest, re.A) else None
        if player is None:
            return False
        self.world.respawn(player, 100)
        return True

    def on_Item(self, rest):
        found = re.fullmatch(r"(\d{1,8}) (.+)", rest, re.A | re.S)
        player = self.client(found[1]) if found else None
        if player is None:
            return False
        self.world.item(player, found[2], 1)
        return True

    def on_Kill(self, rest):
        found = re.fullmatch(r"(\d{1,8}) (\d{1,8}) (\d{1,8}): (.*?) killed (.*) by (.+?)", rest, re.A | re.S)
        if not found or max(map(int, found.group(1, 2, 3))) >= 1024 or int(found[2]) >= 1022:
            return False
        killer_name, victim_name, weapon = found.group(4, 5, 6)
        victim = self.client(found[2], victim_name)
        if victim is None:
            return False
        killer_number = int(found[1])
        world = killer_number >= 1022 or (
            killer_number not in self.names and killer_name in ("<world>", "<non-client>"))
        killer = None if world else self.client(killer_number, killer_name)
        if not world and killer is None:
            return False
        if self.world.hp[victim] == 0:
            self.world.respawn(victim, 100)
        if world:
            self.world.respawn(victim, 0)
            return True
        self.world.attack(killer, victim, 100, weapon, None, None)
        if killer != victim:
            self.world.kill(killer)
        return True

    def on_score(self, rest):
        found = re.fullmatch(r"(-?\d{1,8})  ping: -?\d{1,8}  client: (\d{1,8})(?: (.*))?", rest, re.A | re.S)
        player = self.client(found[2], found[3]) if found else None
        if player is None:
            return False
        self.world.complete(player, int(found[1]))
        return True

    def on_say(self, rest, team=False):
        speakers = [(len(name), name, number) for number, name in self.names.items()
                    if name and rest.startswith(name + ":")]
        side = "free"
        if speakers:
            longest = max(speakers)[1]
            side = self.sides[min(number for _, name, number in speakers if name == longest)]
            name = longest
        else:
            name, colon, _ = rest.partition(": ")
            if not colon or not name:
                return False
        self.world.see(make_id(name))
        self.world.say(make_id(side, "team:") if team else "general")
        return True

    def on_sayteam(self, rest):
        return self.on_say(rest, team=True)


def read_log(content, form, lat=48.8566, lon=2.3522):
    """The result for a log's bytes; `form` is "source" or "quake3"."""
    world = World(lat, lon)
    reader = {"source": Source, "quake3": Quake3}[form](world)
    lines = re.split(rb"\r\n|\r|\n", content)
    if not lines[-1]:
        lines.pop()
    for number, raw in enumerate(lines):
        world.totals["lines"] += 1
        if len(raw) > LINE_LIMIT_BYTES:
            world.totals["unknown_lines"] += 1
            continue
        if number == 0:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        raw = raw.strip(b" \t\0")
        if raw and not reader.line(raw.decode("utf-8", "replace")):
            world.totals["unknown_lines"] += 1
    return world.result()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log")
    parser.add_argument("--format", choices=("source", "quake3"), required=True)
    parser.add_argument("--origin", default="48.8566,2.3522", help="latitude,longitude of the map's centre")
    args = parser.parse_args()
    lat, lon = map(float, args.origin.split(","))
    with open(args.log, "rb") as file:
        result = read_log(file.read(), args.format, lat, lon)
    json.dump(result, sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
