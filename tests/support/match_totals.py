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

from match_world import World, make_id, make_name_id

LINE_LIMIT_BYTES = 8192


class Source:
    """Source-engine logs."""

    HEADER = re.compile(r"(?:L )?(\d\d)/(\d\d)/(\d{4}) - (\d\d):(\d\d):(\d\d)(\.\d{3})?(?:: | - |:$| -$)", re.A)
    PLAYER = re.compile(r'"(.*?)(<-?\d{1,8}><[^<>"]*>(?:<[^<>"]*>){0,17})"', re.A | re.S)
    TAIL = re.compile(r'<-?\d{1,8}><([^<>"]*)>(?:<([^<>"]*)>)?(?:<[^<>"]*>)*', re.A | re.S)
    ENGINE_ID = re.compile(r"|BOT|HLTV|UNKNOWN|Console|STEAM_.*|VALVE_.*|\[.*\]|\d+", re.A | re.S)
    SHARED = ("4294967295", "-1", "STEAM_666:88:666", "76561197960265728")
    PREFIX = re.compile(r"(?:\([-\w.: ]{1,40}\)|\[[-\w.: ]{1,40}\]) *", re.A)
    MEMBER = re.compile(r'"[^"]*" *: *["{]')
    NUMBER = r"(-?(?:\d+\.?\d*|\.\d+))"
    POSITION = re.compile(rf" \[{NUMBER} {NUMBER} {NUMBER}\]", re.A)
    TRIPLE = re.compile(rf"{NUMBER} {NUMBER} {NUMBER}", re.A)
    SILENT = re.compile(
        r"Team |Starting Freeze period|Molotov projectile spawned|Log file |server cvar|server_cvar: "
        r"|server_message: |Server |rcon from |Rcon: |Bad Rcon: |STEAMAUTH: |Addip: |Banid: |Kick: |Kickid: |Unbanid: "
        r"|Removeid: |Removeip: |MatchStatus: |ACCOLADE, |JSON_BEGIN{|JSON_END|}|Match pause is |Match unpaused"
        r'|-------- Mapchange to |Started: |Vote |Your server |Client "|Dropped |//|Lobby |Logging |get5_event: '
        r"|Gamerules: |Session ")
    SILENT_VERB = re.compile(
        r'money change |triggered |threw |blinded for |(flash-)?assisted killing |switched from team <|joined team "'
        r'|killed other "|committed suicide with |was killed by the bomb\.|connected|disconnected|entered the game'
        r'|STEAM USERID validated|changed name to "|changed role to "|changed class to "|selected class "'
        r'|joined class "|left buyzone with |begin_buyzone|tell |requested map |requested "|called vote "'
        r'|has been banned|was banned|was kicked|is stuck |stuck |incapacitated "|cast vote ')

    def __init__(self, world):
        self.world = world
        self.in_json = False

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
        self.in_part = False
        known = self.body(text[header.end():])
        self.world.totals["lines_in_part"] += known and self.in_part
        return known

    def body(self, body):
        self.in_json = body.startswith("JSON_BEGIN{") or bool(self.in_json and self.MEMBER.match(body))
        if self.in_json:
            return True
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
        if body == "" or self.SILENT.match(body):
            return True
        prefix = self.PREFIX.match(body)
        if not prefix:
            return False
        self.in_part = body[prefix.end():].startswith('"')
        return not self.in_part or self.player_line(body[prefix.end():])

    def find_player(self, text):
        """(name, id in the log, team or None, end of the text), None when no player stands at the beginning."""
        found = self.PLAYER.match(text)
        if not found:
            return None
        inner = text[1:found.end() - 1]
        starts = [(at, self.TAIL.fullmatch(inner, at)) for at in range(len(inner)) if inner[at] == "<"]
        tails = [(at, tail) for at, tail in starts if tail]
        complete = [(at, tail) for at, tail in tails if tail[2] is not None and self.ENGINE_ID.fullmatch(tail[1])]
        at, tail = max(complete[-1:] + tails[:1], key=lambda found: found[0])
        return inner[:at], tail[1], tail[2], found.end()

    def player(self, found):
        """The id of a player, None for who is none."""
        name, steam_id = found[0], found[1]
        if steam_id == "Console" or (steam_id == "" and name in ("", "World", "world", "worldspawn")):
            return None
        account = steam_id.rpartition(":")[2] if steam_id.startswith("[") else steam_id.partition(":")[2] or steam_id
        if steam_id in self.SHARED or not re.search("[1-9]", account):
            return make_id(name, "bot:" if steam_id == "BOT" else "name:")
        if inner := re.fullmatch(r"\[([A-Za-z0-9_.:-]{1,62})\]", steam_id):
            return f"_{inner[1]}_"
        return make_id(steam_id)

    def position(self, text, at):
        found = self.POSITION.match(text, at)
        if found:
            return tuple(map(float, found.groups())), found.end()
        broken = re.compile(r" \[[^\]]*\]").match(text, at)
        self.in_part = self.in_part or bool(broken)
        return None, broken.end() if broken else at

    def weapon(self, text):
        """The weapon, None when the line names none, and what stands behind it."""
        if text and not text.startswith(' with "'):
            self.in_part = True
            before, found, later = text.partition(' with "')
            if not found:
                return None, text
            text = found + later
        found = re.match(r' with "([^"]*)"', text)
        self.in_part = self.in_part or bool(text and not found)
        return (found[1], text[found.end():]) if found else (None, "")

    def properties(self, text):
        """The (key "value") pairs that can be read."""
        pairs = {}
        while text:
            found = re.match(r' \(([^")]*)\)', text) or re.match(r' \((.*?) "(.*?)"\)', text, re.S)
            if not found or (found.lastindex == 2 and not self.valid_property(found[1], found[2])):
                self.in_part = True
                text = text[found.end():] if found else text[2:] if text.startswith(" (") else text
                at = text.find(" (")
                text = text[at:] if at >= 0 else ""
                continue
            if found.lastindex == 2:
                pairs[found[1]] = found[2]
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
        who = self.find_player(body)
        if not who:
            return bool(self.MEMBER.match(body) or re.fullmatch(r'".*?" = ".*"', body, re.S))
        where, at = self.position(body, who[3])
        if body[at:at + 1] != " ":
            return False
        rest = body[at + 1:]
        player = self.player(who)
        if item := re.match(r'(picked up|dropped|purchased) (?:item )?"([^"]+)"', rest):
            if player is None:
                return False
            self.world.item(self.world.see(player), item[2], -1 if item[1] == "dropped" else 1)
            return True
        if chat := re.fullmatch(r'say(_team)? "(.*)(?:"|" \(.*\))', rest, re.S):
            if player is not None:
                self.world.see(player)
            self.world.say(make_id(who[2] or "none", "team:") if chat[1] else "general")
            return True
        if fight := re.match(r'(attacked|killed) (?=")', rest):
            return self.fight(fight[1], player, where, rest[fight.end():])
        if damage := re.match(r'triggered "damage" against ', rest):
            return self.fight("damage", player, where, rest[damage.end():])
        if rest.startswith('spawned as "'):
            if player is not None:
                self.world.respawn(self.world.see(player), 100)
            return player is not None
        if not self.SILENT_VERB.match(rest):
            return False
        if player is not None and not who[1].endswith("_ID_PENDING"):
            self.world.see(player)
        return True

    def fight(self, verb, attacker, attacker_at, rest):
        other = self.find_player(rest)
        if not other:
            return False
        target = self.player(other)
        target_at, at = (None, other[3]) if verb == "damage" else self.position(rest, other[3])
        weapon, rest = (None, rest[at:]) if verb == "damage" else self.weapon(rest[at:])
        pairs = self.properties(rest)
        if attacker is None or target is None or (verb != "killed" and "damage" not in pairs):
            return False
        self.world.see(attacker)
        self.world.see(target)
        if verb == "killed":
            self.world.kill(attacker)
        else:
            weapon = pairs.get("weapon", "") if verb == "damage" else weapon or ""
            health = max(0, int(pairs["health"])) if "health" in pairs else None
            self.world.attack(attacker, target, int(pairs["damage"]), weapon, health, self.ts)
        for player, place, key in ((attacker, attacker_at, "attacker_position"), (target, target_at, "victim_position")):
            if place is None and key in pairs:
                place = tuple(map(float, pairs[key].split(" ")))
            self.world.move(player, place)
        return True


class Quake3:
    """Quake III Arena logs."""

    SILENT = re.compile(
        r"ShutdownGame:|ClientConnect:|ClientDisconnect:|ClientUserinfo:|Exit:|red:|Warmup:|InitRound:|broadcast:|tell:"
        r"|vsay:|vsayteam:|vtell:|vosay:|vosayteam:|votell:|Award:|CTF:|PlayerScore:|Challenge:|Playerstore:"
        r"|ClientSpawn:|-----|Restart:|1FCTF:|OBELISK:|HARVESTER:|DD:|DOM:|ELIMINATION:|CTF_ELIMINATION:|LMS:|Info:"
        r"|MapVote|saytell:|Flag:|Flag Return:|FlagCaptureTime:|Bomb |Bombholder |Pop!|Radio:|Callvote:|Vote:"
        r"|VotePassed:|VoteFailed:|Survivor|InitAuth:|Account|Assist:|ClientSavePosition:|ClientLoadPosition:"
        r"|ClientGoto:|ClientJump|ClientMelted:|Freeze:|ThawOut|HotPotato:|Session data")
    TIME = re.compile(r"(?:\d{1,8}:\d\d |\d{4,8}:\d\d|\d{5}:\d|\d{6}:) *", re.A)
    SIDES = {1: "red", 2: "blue", 3: "spectator"}

    def __init__(self, world):
        self.world = world
        self.names = {}
        self.sides = {}
        self.numbers_speakers = False

    def line(self, text):
        """True when the line is understood."""
        time = self.TIME.match(text)
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
        return None if name is None else self.world.see(make_name_id(name))

    @staticmethod
    def info(text):
        parts = text.removeprefix("\\").split("\\")
        values = {}
        for key, value in zip(parts[::2], parts[1::2]):
            values.setdefault(key, value)
        return values

    def on_InitGame(self, rest):
        self.world.play(self.info(rest).get("mapname", ""))
        self.numbers_speakers = self.info(rest).get("gamename", "").startswith("q3ut")
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
        self.world.see(make_name_id(values["n"]))
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
        found = re.match(r"(\d{1,8}) (\d{1,8})(?!\d)( (\d{1,8})(?!\d))?", rest, re.A)
        if not found or int(found[1]) >= 1024 or int(found[2]) >= 1022:
            return False
        has_means = bool(found[3]) and int(found[4]) < 1024
        text = rest[found.end():]
        names = re.fullmatch(r": (.*?) killed (.*?)(?: by(?: ((?:(?! by ).)*))?)?", text, re.S)
        killer_name, victim_name, weapon = names.groups() if names else (None, None, None)
        if not names and (cut := re.search(r" by ((?:(?! by ).)*)\Z", text, re.S)):
            weapon = cut[1]
        killer_number = int(found[1])
        world = killer_number >= 1022 or (
            killer_number not in self.names and killer_name in ("<world>", "<non-client>"))
        if not world and killer_number not in self.names and not killer_name:
            return False
        victim = self.client(found[2], victim_name or "")
        if victim is None:
            return False
        killer = None if world else self.client(killer_number, killer_name or "")
        if self.world.hp[victim] == 0:
            self.world.respawn(victim, 100)
        if world:
            self.world.respawn(victim, 0)
        else:
            self.world.attack(killer, victim, 100, weapon or "", None, None)
            if killer != victim:
                self.world.kill(killer)
        self.world.totals["lines_in_part"] += not (has_means and killer_name is not None and weapon)
        return True

    def on_Hit(self, rest):
        found = re.match(r"(\d{1,4}) (\d{1,4}) (\d{1,4}) (\d{1,4})(?!\d)(?:: (.*?) hit (.*?)(?: in the .*)?\Z)?", rest,
                         re.A | re.S)
        if not found or max(map(int, found.group(3, 4))) >= 1024 or max(map(int, found.group(1, 2))) >= 1022:
            return False
        attacker = self.client(found[2], found[5] or "")
        target = self.client(found[1], found[6] or "")
        if attacker is None or target is None:
            return False
        self.world.attack(attacker, target, 0, f"weapon_{int(found[4])}", None, None)
        return True

    def on_score(self, rest):
        found = re.fullmatch(r"(-?\d{1,8})  ping: -?\d{1,8}  client: (\d{1,8})(?: (.*))?", rest, re.A | re.S)
        player = self.client(found[2], found[3]) if found else None
        if player is None:
            return False
        self.world.complete(player, int(found[1]))
        return True

    def on_say(self, rest, team=False):
        ways = [self.speaker, self.numbered_speaker]
        known = None
        for way in reversed(ways) if self.numbers_speakers else ways:
            number, rest = way(rest)
            if number is not None:
                known = number
                break
        if known is None:
            name, colon, _ = rest.partition(": ")
            if not colon or not name:
                return False
        else:
            name = self.names[known]
        self.world.see(make_name_id(name))
        self.world.say(make_id(self.sides[known] if known is not None else "free", "team:") if team else "general")
        return True

    def speaker(self, rest):
        speakers = [(len(name), -number) for number, name in self.names.items()
                    if name and rest.startswith(name + ":")]
        return (-max(speakers)[1] if speakers else None), rest

    def numbered_speaker(self, rest):
        found = re.match(r"(\d{1,8}) ", rest, re.A)
        if not found or int(found[1]) >= 1024:
            return None, rest
        number, later = int(found[1]), rest[found.end():]
        is_named = number in self.names and later.startswith(self.names[number] + ":")
        if not is_named and not self.numbers_speakers:
            return None, rest
        return (number if number in self.names else None), later

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
        if raw and not reader.line(raw.decode("utf-8", "surrogateescape")):
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
