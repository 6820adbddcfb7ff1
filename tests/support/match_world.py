"""What the world holds after a match: match_totals.py tells it what the lines of a log say."""

import collections
import hashlib
import math
import re

TOTALS = ("lines", "events", "unknown_lines", "lines_in_part", "attacks", "damage", "kills", "moves", "items", "chat", "levels",
          "players")


def digested(readable, whole):
    return readable[:47] + "." + hashlib.sha256(whole).hexdigest()[:16]


def make_id(name, prefix=""):
    """A valid id, [A-Za-z0-9_.:-]{1,64}; bytes that are no UTF-8 are surrogates in `name`."""
    raw = name.encode("utf-8", "surrogateescape")
    whole = prefix.encode() + raw
    if re.fullmatch(rb"[A-Za-z0-9_.:-]{1,64}", whole) and not re.search(rb"\.[0-9a-f]{16}\Z", raw):
        return whole.decode()
    return digested(prefix + readable(raw), whole)


def readable(raw):
    return re.sub(r"[^A-Za-z0-9_.:-]", "_", raw.decode("utf-8", "replace")) or "_"


def make_name_id(name):
    """The id of a player whom the log knows by name only."""
    if re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", name):
        return make_id(name)
    raw = name.encode("utf-8", "surrogateescape")
    return digested(readable(re.sub(rb"\^(?:x[0-9A-Fa-f]{3}|[0-9])", b"", raw)), raw)


class World:
    """What the server holds after the events so far, and the counts."""

    def __init__(self, lat, lon):
        self.totals = dict.fromkeys(TOTALS, 0)
        self.hp = {}
        self.levels = []
        self.level = None
        self.damage = collections.Counter()
        self.kills = collections.Counter()
        self.match_kills = collections.Counter()
        self.activity = collections.Counter()
        self.attacks = {}
        self.position = {}
        self.inventory = collections.defaultdict(collections.Counter)
        self.chat = collections.Counter()
        self.completions = []
        p = math.radians(lat)
        self.origin = (lat, lon)
        self.metres = (
            111132.92 - 559.82 * math.cos(2 * p) + 1.175 * math.cos(4 * p) - 0.0023 * math.cos(6 * p),
            111412.84 * math.cos(p) - 93.5 * math.cos(3 * p) + 0.118 * math.cos(5 * p),
        )

    def see(self, player):
        if player not in self.hp:
            self.totals["players"] += 1
            self.respawn(player, 100)
        return player

    def play(self, name):
        self.level = make_id(name) if name else None
        if self.level and self.level not in self.levels:
            self.levels.append(self.level)
            self.totals["levels"] += 1

    def respawn(self, player, hp):
        self.hp[player] = hp
        self.totals["events"] += 1

    def attack(self, attacker, target, damage, weapon, health, ts):
        left = max(0, self.hp[target] - damage)
        if health is not None and health != left:
            self.totals["events"] += 1  # the respawn that makes the attack end at the stated health
        self.hp[target] = left if health is None else health
        self.damage[attacker] += damage
        self.activity[attacker] += 1
        self.attacks[f"{attacker} {target}"] = {
            "damage": damage, "weapon": make_id(weapon) if weapon else "", "ts": ts}
        self.totals["events"] += 1
        self.totals["attacks"] += 1
        self.totals["damage"] += damage

    def move(self, player, position):
        if position is None:
            return
        x, y, z = position
        lat = self.origin[0] + y * 0.01905 / self.metres[0]
        lon = self.origin[1] + x * 0.01905 / self.metres[1]
        self.position[player] = [round(max(-85.0511287, min(85.0511287, lat)), 7),
                                 round((lon + 180) % 360 - 180, 7), round(z * 0.01905, 3)]
        self.activity[player] += 1
        self.totals["events"] += 1
        self.totals["moves"] += 1

    def kill(self, killer):
        self.kills[killer] += 1
        self.match_kills[killer] += 1
        self.totals["events"] += 1
        self.totals["kills"] += 1

    def item(self, player, name, quantity):
        held = self.inventory[player]
        held[make_id(name)] = max(0, held[make_id(name)] + quantity)
        self.totals["events"] += 1
        self.totals["items"] += 1

    def say(self, channel):
        self.chat[channel] += 1
        self.totals["events"] += 1
        self.totals["chat"] += 1

    def complete(self, player, score):
        if self.level:
            self.completions.append([self.level, player, score])
            self.totals["events"] += 1

    def end_match(self):
        for player in self.hp:
            self.complete(player, self.match_kills[player])
        self.match_kills.clear()

    def result(self):
        inventory = {player: {name: n for name, n in held.items() if n} for player, held in self.inventory.items()}
        return {
            "totals": self.totals, "players": list(self.hp), "levels": self.levels, "damage": self.damage,
            "kills": self.kills, "hp": self.hp, "attacks": self.attacks, "activity": self.activity,
            "position": self.position, "inventory": {p: held for p, held in inventory.items() if held},
            "chat": self.chat, "completions": self.completions,
        }
