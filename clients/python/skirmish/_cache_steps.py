"""The decisions of the cache, without a connection: generators that yield steps and receive their outcomes.

The same decisions as src/cache/load.cpp, in the same order; the scripts in lua/ are the server's own, byte by byte. The
drivers in cache.py carry the steps out.
"""

from __future__ import annotations

import math
import random
import secrets
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, TypeVar, Union

from .errors import CacheUnavailable

Content = Union[str, dict[str, str]]
T = TypeVar("T")

LOAD_LIMIT = 3  # a load that invalidations keep overtaking is answered unstored after so many tries
FAILED_PAUSE_MS = 250
POLL_FIRST_S = 0.002
POLL_LIMIT_S = 0.050
OWED_LIMIT = 10_000
FOREVER_MS = 365 * 24 * 3_600_000
NEVER_EARLY_FACTOR = 20.0  # -ln(u) exceeds this with probability 2e-9


def script(name: str) -> str:
    return files(__package__).joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Growing:
    """A whole number in a hash that grows elsewhere in Redis: the greater of the two is stored and answered."""

    field: str
    grows_in: Callable[[str], str]  # from the value's name to the name of the other hash


@dataclass(frozen=True)
class Policy:
    """How a cache behaves; the same members and defaults as cache_policy in include/skirmish/cache.hpp. Seconds."""

    ttl_s: float = 3600
    fresh_for_s: float = 0  # 0: as long as ttl, so never stale
    stale_while_revalidate_s: float = 0
    negative_ttl_s: float = 5  # how long an absence is remembered; 0: not
    load_timeout_s: float = 10  # also the lease's life, and one second more
    wait_limit_s: float = 10  # for a load of another process
    early_refresh: float = 1.0  # XFetch's beta; 0: never before the time
    stored_as_hash: bool = False
    sliding: bool = False  # reading renews the time to live
    growing: Growing | None = None

    def __post_init__(self) -> None:
        for name in ("ttl_s", "load_timeout_s", "wait_limit_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be greater than 0")
        for name in ("fresh_for_s", "stale_while_revalidate_s", "negative_ttl_s", "early_refresh"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative")


#: A profile as the server caches it: `user:<player_id>`, a hash.
PROFILES = Policy(stored_as_hash=True, sliding=True, growing=Growing("level", lambda name: "player:" + name.partition(":")[2]))


@dataclass(frozen=True)
class Answer:
    """`value` is None when the source has no such thing; `source` is "hit", "miss" or "stale"."""

    value: Content | None
    source: str

    @property
    def text(self) -> str:
        if not isinstance(self.value, str):
            raise TypeError("the cached value is no string")
        return self.value

    @property
    def fields(self) -> dict[str, str]:
        if not isinstance(self.value, dict):
            raise TypeError("the cached value is no hash")
        return self.value


# ---- steps: what a driver carries out ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Commands:
    """A pipeline without a transaction; the outcome is the list of replies, errors included as exceptions."""

    commands: list[tuple[Any, ...]]


@dataclass(frozen=True)
class Eval:
    script: str  # claim, fill or fail
    keys: list[str]
    args: list[str | bytes]


@dataclass(frozen=True)
class Load:
    """Ask the source, within the policy's load_timeout; raises what the loader raised."""


@dataclass(frozen=True)
class Sleep:
    seconds: float


@dataclass(frozen=True)
class RefreshBehind:
    """Begin a reload behind the caller, unless one is under way."""


Step = Union[Commands, Eval, Load, Sleep, RefreshBehind]
Steps = Generator[Step, Any, T]


class RedisAway(Exception):
    """What drivers raise into a generator when Redis does not answer."""


def to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def to_text(data: bytes) -> str:
    """Any bytes; those that are not UTF-8 come back as the same bytes."""
    return data.decode("utf-8", "surrogateescape")


def milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


@dataclass
class Stored:
    value: Content | None = None
    fresh_left_ms: float = 0
    wrong_type: bool = False

    @property
    def is_fresh(self) -> bool:
        return self.value is not None and self.fresh_left_ms > 0


class Keys:
    """Names as keys: in a world, behind its tag."""

    def __init__(self, world: str = "") -> None:
        self.prefix = "{" + world + "}:" if world else ""

    def value(self, name: str) -> str:
        return self.prefix + name

    def load(self, name: str) -> str:
        return f"{self.prefix}cache:load:{name}"


class Question:
    """One name, asked under one policy. The costs are those of the cache that asks."""

    def __init__(self, keys: Keys, name: str, policy: Policy, costs: Costs) -> None:
        self.keys, self.name, self.policy, self.costs = keys, name, policy, costs
        self.key, self.load_key = keys.value(name), keys.load(name)

    # ---- reading and storing ------------------------------------------------------------------------------------------
    def read(self) -> Steps[Stored]:
        policy = self.policy
        replies = yield Commands([("HGETALL" if policy.stored_as_hash else "GET", self.key), ("PTTL", self.key)])
        found, ttl = replies
        out = Stored(wrong_type=isinstance(found, Exception) and str(found).startswith("WRONGTYPE"))
        if isinstance(found, Exception) and not out.wrong_type:
            raise found
        if isinstance(ttl, Exception):
            raise ttl
        if out.wrong_type or found is None or found == {} or ttl == -2:
            return out
        if isinstance(found, Mapping):
            out.value = {to_text(k): to_text(v) for k, v in found.items()}
        else:
            out.value = to_text(found)
        stale_part = 0.0 if policy.fresh_for_s == 0 else (policy.ttl_s - policy.fresh_for_s) * 1000
        out.fresh_left_ms = FOREVER_MS if ttl < 0 else ttl - stale_part
        if policy.sliding and ttl >= 0:
            # Redis tells of a changed TTL as of a changed value, so copies in servers' memory go: not at each read.
            once_in = min(max(60.0, policy.ttl_s / 60), policy.ttl_s / 2)
            if ttl < (policy.ttl_s - once_in) * 1000:
                yield Commands([("PEXPIRE", self.key, milliseconds(policy.ttl_s))])
        return out

    def fill(self, token: str, content: Content | None) -> Steps[tuple[bool, Content | None]]:
        """Whether it was stored, and the content with a number that had grown."""
        policy = self.policy
        keys = [self.key, self.load_key]
        if content is None:
            args: list[str | bytes] = [token, "none", str(round(policy.negative_ttl_s * 1000)), ""]
        else:
            args = [token, "", str(milliseconds(policy.ttl_s)), ""]
            if isinstance(content, str):
                args[1] = "string"
                args.append(to_bytes(content))
            else:
                if not content:
                    raise ValueError(f"a hash without fields for {self.key}")
                args[1] = "hash"
                for field, value in content.items():
                    args += [to_bytes(field), to_bytes(value)]
        if policy.growing and not isinstance(content, str):
            keys.append(self.keys.value(policy.growing.grows_in(self.name)))
            args[3] = policy.growing.field
        reply = yield Eval("fill", keys, args)
        if not reply[0]:
            return False, content
        if len(reply) == 2 and policy.growing and isinstance(content, dict):
            content = {**content, policy.growing.field: to_text(reply[1])}
        return True, content

    # ---- answering ----------------------------------------------------------------------------------------------------
    def answer(self) -> Steps[Answer]:
        limit = time.monotonic() + self.policy.wait_limit_s
        pause = POLL_FIRST_S
        while True:
            try:
                found = yield from self.read()
            except RedisAway:
                return Answer((yield from self.load()), "miss")
            if found.is_fresh:
                if self.is_due_early(found.fresh_left_ms):
                    yield RefreshBehind()
                return Answer(found.value, "hit")
            if found.value is not None and found.fresh_left_ms + self.policy.stale_while_revalidate_s * 1000 > 0:
                yield RefreshBehind()
                return Answer(found.value, "stale")
            answered = yield from self.try_load(found)
            if answered:
                return answered
            if time.monotonic() >= limit:
                raise CacheUnavailable(f"another load did not end in time: {self.key}")
            yield Sleep(pause)
            pause = min(pause * 2, POLL_LIMIT_S)

    def refresh(self) -> Steps[None]:
        yield from self.try_load(Stored(value=""), behind=True)

    def try_load(self, old: Stored, behind: bool = False) -> Steps[Answer | None]:
        """Loads when nobody else does. None when the caller should look again in a moment."""
        despite_value = "1" if old.value is not None or old.wrong_type else "0"
        value: Content | None = None
        for _ in range(LOAD_LIMIT):
            token = secrets.token_hex(16)
            lease = str(milliseconds(self.policy.load_timeout_s + 1))
            try:
                outcome = to_text((yield Eval("claim", [self.key, self.load_key], [token, lease, despite_value])))
            except RedisAway:
                outcome = "claimed"  # load anyway; storing will fail as well
            if outcome == "none":
                return Answer(None, "hit")
            if outcome != "claimed":
                if old.value is not None:
                    return Answer(old.value, "stale")
                if outcome == "failed":
                    raise CacheUnavailable(f"the source failed a moment ago: {self.key}")
                return None
            try:
                value = yield from self.load()
            except GeneratorExit:
                raise
            except BaseException as e:
                # A cancelled load says nothing about the source, so the next caller may try at once.
                yield from self.give_up(token, was_cancelled=not isinstance(e, Exception))
                if old.value is not None and not behind and isinstance(e, Exception):
                    return Answer(old.value, "stale")
                raise
            try:
                is_stored, value = yield from self.fill(token, value)
            except RedisAway:
                break
            if is_stored:
                break
        return Answer(value, "miss")

    def load(self) -> Steps[Content | None]:
        begin = time.monotonic()
        value: Content | None = yield Load()
        self.costs.count(time.monotonic() - begin)
        if value is not None and isinstance(value, dict) != self.policy.stored_as_hash:
            raise TypeError(f"the loader of {self.key} must return a {'dict' if self.policy.stored_as_hash else 'str'} or None")
        return value

    def give_up(self, token: str, was_cancelled: bool) -> Steps[None]:
        try:
            yield Eval("fail", [self.load_key], [token, "1" if was_cancelled else str(FAILED_PAUSE_MS)])
        except RedisAway:
            pass

    def is_due_early(self, fresh_left_ms: float) -> bool:
        """XFetch (Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention, VLDB 2015)."""
        scale = self.costs.average_s * self.policy.early_refresh
        left = fresh_left_ms / 1000
        if left > scale * NEVER_EARLY_FACTOR:
            return False
        return -math.log(1.0 - random.random()) * scale >= left


class Costs:
    """The average time of a cache's loads."""

    def __init__(self) -> None:
        self.average_s = 0.0

    def count(self, seconds: float) -> None:
        self.average_s = seconds if self.average_s == 0 else self.average_s * 0.9 + seconds * 0.1


class Owed:
    """Names whose invalidation Redis did not answer; beyond the limit the oldest are left to their TTL."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.names: dict[str, None] = {}

    def add(self, name: str) -> None:
        if len(self.names) >= OWED_LIMIT:
            self.names.pop(next(iter(self.names)))
        self.names[name] = None

    def settle(self) -> Steps[None]:
        while self.names:
            name = next(iter(self.names))
            yield from delete(self.keys, name)
            self.names.pop(name, None)

    def invalidate(self, name: str) -> Steps[None]:
        try:
            yield from delete(self.keys, name)
        except RedisAway:
            self.add(name)


def delete(keys: Keys, name: str) -> Steps[None]:
    replies = yield Commands([("DEL", keys.value(name), keys.load(name))])
    if isinstance(replies[0], Exception):
        raise replies[0]
