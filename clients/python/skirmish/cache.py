"""The cache that Skirmish's servers use, from Python: the same keys, lease and fence, so both sides share one cache.

    cache = Cache("redis://127.0.0.1:6379/0", Policy(ttl_s=600, stored_as_hash=True))
    user = cache.get_or_load("user:42", lambda: load_from_sql(42))   # one load, however many ask in however many processes
    cache.invalidate_cache("user:42")                                # after the source was written

AsyncCache is the same for asyncio. docs/cache.md tells how it works and what is in Redis. Unlike the server, Python keeps
nothing in memory: every read asks Redis.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

import redis
import redis.asyncio

from . import _cache_steps as steps
from ._cache_steps import PROFILES, Answer, Content, Growing, Policy
from .errors import CacheUnavailable, ConnectionFailed

__all__ = ["PROFILES", "Answer", "AsyncCache", "Cache", "Content", "Growing", "Policy"]

T = TypeVar("T")

_AWAY = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, redis.exceptions.ReadOnlyError, OSError)
# Refreshes behind callers of one process; beyond this the next reader tries again.
_REFRESH_LIMIT = 16


def _timeouts(url: str) -> dict[str, Any]:
    # redis 4's Unix sockets do not take the second one.
    return {"socket_timeout": 5.0, **({} if url.startswith("unix:") else {"socket_connect_timeout": 2.0})}


def _expiry(expiry_s: float | None) -> tuple[Any, ...]:
    if expiry_s is None:
        return ()
    if not expiry_s > 0:
        raise ValueError("expiry_s must be greater than 0")
    return ("PX", steps.milliseconds(expiry_s))


def _with_ttl(policy: Policy, content: Content, ttl_s: float | None) -> Policy:
    if isinstance(content, dict) != policy.stored_as_hash:
        raise TypeError(f"this cache stores a {'dict' if policy.stored_as_hash else 'str'}")
    if ttl_s is None:
        return policy
    return dataclasses.replace(policy, ttl_s=ttl_s, fresh_for_s=min(policy.fresh_for_s, ttl_s))


class _Shared:
    """What the caches of one connection share."""

    def __init__(self, world: str) -> None:
        self.keys = steps.Keys(world)
        self.owed = steps.Owed(self.keys)
        self.scripts = {name: steps.script(name) for name in ("claim", "fill", "fail")}


class Cache:
    """For threads; all methods may be called from any. One connection pool, shared by with_policy()."""

    def __init__(self, where: str | Any, policy: Policy = Policy(), *, world: str = "") -> None:
        """`where`: a URL (redis://, rediss://, unix://) or a redis.Redis with decode_responses off. `world`: server.world."""
        self._redis: Any = redis.Redis.from_url(where, **_timeouts(where)) if isinstance(where, str) else where
        self._shared = _Shared(world)
        self._scripts = {name: self._redis.register_script(text) for name, text in self._shared.scripts.items()}
        self._lock = threading.Lock()
        self._flights: dict[str, concurrent.futures.Future[Answer]] = {}
        self._refreshes: set[str] = set()
        self.policy = policy
        self._costs = steps.Costs()

    def with_policy(self, policy: Policy) -> Cache:
        """Another cache on the same connection."""
        other = object.__new__(Cache)
        other.__dict__.update(self.__dict__)
        other.policy, other._costs = policy, steps.Costs()
        return other

    def close(self) -> None:
        self._redis.close()
        self._redis.connection_pool.disconnect()

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- plain keys ---------------------------------------------------------------------------------------------------
    def set_key(self, name: str, value: str, expiry_s: float | None = None) -> None:
        self._command("SET", self._shared.keys.value(name), steps.to_bytes(value), *_expiry(expiry_s))

    @overload
    def get_key(self, name: str) -> str | None: ...
    @overload
    def get_key(self, name: str, fallback: str) -> str: ...
    def get_key(self, name: str, fallback: str | None = None) -> str | None:
        found = self._command("GET", self._shared.keys.value(name))
        return fallback if found is None else steps.to_text(found)

    def delete_key(self, name: str) -> bool:
        """True when there was one."""
        return bool(self._command("DEL", self._shared.keys.value(name)))

    # ---- cached values ------------------------------------------------------------------------------------------------
    def get_cache(self, name: str) -> Content | None:
        """What is stored, fresh or not; None when nothing is. Raises ConnectionFailed when Redis does not answer."""
        return self._drive(self._read(name)).value

    def set_cache(self, name: str, content: Content, ttl_s: float | None = None) -> None:
        """Stores whatever is known, and makes loads under way discard theirs."""
        policy = _with_ttl(self.policy, content, ttl_s)
        self._drive(steps.Question(self._shared.keys, name, policy, self._costs).fill("", content))
        self._forget(name)

    def invalidate_cache(self, name: str) -> None:
        """Call it after the source was written. While Redis is away it is remembered, and done before the next read."""
        self._drive(self._shared.owed.invalidate(name))
        self._forget(name)

    def get_or_load(self, name: str, load: Callable[[], Content | None]) -> Answer:
        """The value of `name`, asking the source at most once for all who ask at the same time, in all processes.

        `load` returns None when there is no such thing, and raises when it could not find out. It runs on the caller's
        thread and cannot be cancelled: what it returns after load_timeout_s is answered and not stored.
        """
        question = self._question(name)
        with self._lock:
            flight = self._flights.get(question.key)
            is_first = flight is None
            if flight is None:
                flight = self._flights[question.key] = concurrent.futures.Future()
        if not is_first:
            limit = self.policy.wait_limit_s + steps.LOAD_LIMIT * self.policy.load_timeout_s + 30
            try:
                return flight.result(limit)
            except concurrent.futures.TimeoutError as e:
                raise CacheUnavailable(f"the load did not end in time: {question.key}") from e
        try:
            answer = self._drive(self._answer(question), question, load)
        except Exception as e:
            self._land(question.key, flight)
            flight.set_exception(e)
            raise
        except BaseException:
            self._land(question.key, flight)
            flight.set_exception(CacheUnavailable("the load was given up"))
            raise
        self._land(question.key, flight)
        flight.set_result(answer)
        return answer

    # ---- below --------------------------------------------------------------------------------------------------------
    def _question(self, name: str) -> steps.Question:
        return steps.Question(self._shared.keys, name, self.policy, self._costs)

    def _read(self, name: str) -> steps.Steps[steps.Stored]:
        yield from self._shared.owed.settle()
        return (yield from self._question(name).read())

    def _answer(self, question: steps.Question) -> steps.Steps[Answer]:
        try:
            yield from self._shared.owed.settle()
        except steps.RedisAway:
            pass  # the read that follows says so too
        return (yield from question.answer())

    def _land(self, key: str, flight: concurrent.futures.Future[Answer]) -> None:
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]

    def _forget(self, name: str) -> None:
        with self._lock:
            self._flights.pop(self._shared.keys.value(name), None)

    def _command(self, *command: Any) -> Any:
        try:
            return self._redis.execute_command(*command)
        except _AWAY as e:
            raise ConnectionFailed(f"Redis does not answer: {e}") from e

    def _refresh_behind(self, question: steps.Question, load: Callable[[], Content | None]) -> None:
        with self._lock:
            if question.key in self._refreshes or len(self._refreshes) >= _REFRESH_LIMIT:
                return
            self._refreshes.add(question.key)

        def run() -> None:
            try:
                self._drive(question.refresh(), question, load)
            except Exception:
                pass  # the value that is there serves on
            finally:
                with self._lock:
                    self._refreshes.discard(question.key)

        threading.Thread(target=run, name="skirmish-cache-refresh", daemon=True).start()

    def _drive(self, generator: steps.Steps[T], question: steps.Question | None = None,
               load: Callable[[], Content | None] | None = None) -> T:
        outcome: Any = None
        problem: BaseException | None = None
        while True:
            try:
                step = generator.throw(problem) if problem else generator.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            except steps.RedisAway as e:
                raise ConnectionFailed(f"Redis does not answer: {e}") from e
            outcome = problem = None
            try:
                if isinstance(step, steps.Commands):
                    pipe = self._redis.pipeline(transaction=False)
                    for command in step.commands:
                        pipe.execute_command(*command)
                    outcome = pipe.execute(raise_on_error=False)
                elif isinstance(step, steps.Eval):
                    outcome = self._scripts[step.script](keys=step.keys, args=step.args)
                elif isinstance(step, steps.Sleep):
                    time.sleep(step.seconds)
                elif isinstance(step, steps.RefreshBehind):
                    if question and load:
                        self._refresh_behind(question, load)
                elif load:
                    outcome = load()
            except BaseException as e:
                is_redis = isinstance(step, (steps.Commands, steps.Eval)) and isinstance(e, _AWAY)
                problem = steps.RedisAway(str(e)) if is_redis else e


class AsyncCache:
    """For asyncio; belongs to one event loop."""

    def __init__(self, where: str | Any, policy: Policy = Policy(), *, world: str = "") -> None:
        self._redis: Any = redis.asyncio.Redis.from_url(where, **_timeouts(where)) if isinstance(where, str) else where
        self._shared = _Shared(world)
        self._scripts = {name: self._redis.register_script(text) for name, text in self._shared.scripts.items()}
        self._flights: dict[str, asyncio.Task[Answer]] = {}
        self._refreshes: dict[str, asyncio.Task[None]] = {}
        self.policy = policy
        self._costs = steps.Costs()

    def with_policy(self, policy: Policy) -> AsyncCache:
        """Another cache on the same connection."""
        other = object.__new__(AsyncCache)
        other.__dict__.update(self.__dict__)
        other.policy, other._costs = policy, steps.Costs()
        return other

    async def close(self) -> None:
        tasks = [*self._flights.values(), *self._refreshes.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # redis 5 named it anew.
        await (self._redis.aclose() if hasattr(self._redis, "aclose") else self._redis.close())
        await self._redis.connection_pool.disconnect()

    async def __aenter__(self) -> AsyncCache:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # ---- plain keys ---------------------------------------------------------------------------------------------------
    async def set_key(self, name: str, value: str, expiry_s: float | None = None) -> None:
        await self._command("SET", self._shared.keys.value(name), steps.to_bytes(value), *_expiry(expiry_s))

    @overload
    async def get_key(self, name: str) -> str | None: ...
    @overload
    async def get_key(self, name: str, fallback: str) -> str: ...
    async def get_key(self, name: str, fallback: str | None = None) -> str | None:
        found = await self._command("GET", self._shared.keys.value(name))
        return fallback if found is None else steps.to_text(found)

    async def delete_key(self, name: str) -> bool:
        """True when there was one."""
        return bool(await self._command("DEL", self._shared.keys.value(name)))

    # ---- cached values ------------------------------------------------------------------------------------------------
    async def get_cache(self, name: str) -> Content | None:
        """What is stored, fresh or not; None when nothing is. Raises ConnectionFailed when Redis does not answer."""
        return (await self._drive(self._read(name))).value

    async def set_cache(self, name: str, content: Content, ttl_s: float | None = None) -> None:
        """Stores whatever is known, and makes loads under way discard theirs."""
        policy = _with_ttl(self.policy, content, ttl_s)
        await self._drive(steps.Question(self._shared.keys, name, policy, self._costs).fill("", content))
        self._flights.pop(self._shared.keys.value(name), None)

    async def invalidate_cache(self, name: str) -> None:
        """Call it after the source was written. While Redis is away it is remembered, and done before the next read."""
        await self._drive(self._shared.owed.invalidate(name))
        self._flights.pop(self._shared.keys.value(name), None)

    async def get_or_load(self, name: str, load: Callable[[], Awaitable[Content | None]]) -> Answer:
        """The value of `name`, asking the source at most once for all who ask at the same time, in all processes.

        `load` returns None when there is no such thing, and raises when it could not find out. The load is a task of its
        own: a caller that is cancelled does not affect the others.
        """
        question = self._question(name)
        flight = self._flights.get(question.key)
        if flight is None:
            flight = asyncio.create_task(self._drive(self._answer(question), question, load))
            self._flights[question.key] = flight
            flight.add_done_callback(lambda done: self._land(question.key, done))
        try:
            return await asyncio.shield(flight)
        except asyncio.CancelledError:
            if flight.cancelled():
                raise CacheUnavailable("the load was given up") from None
            raise

    # ---- below --------------------------------------------------------------------------------------------------------
    def _question(self, name: str) -> steps.Question:
        return steps.Question(self._shared.keys, name, self.policy, self._costs)

    def _read(self, name: str) -> steps.Steps[steps.Stored]:
        yield from self._shared.owed.settle()
        return (yield from self._question(name).read())

    def _answer(self, question: steps.Question) -> steps.Steps[Answer]:
        try:
            yield from self._shared.owed.settle()
        except steps.RedisAway:
            pass  # the read that follows says so too
        return (yield from question.answer())

    def _land(self, key: str, flight: asyncio.Task[Answer]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # whoever waited has it; nobody may be left

    async def _command(self, *command: Any) -> Any:
        try:
            return await self._redis.execute_command(*command)
        except _AWAY as e:
            raise ConnectionFailed(f"Redis does not answer: {e}") from e

    def _refresh_behind(self, question: steps.Question, load: Callable[[], Awaitable[Content | None]]) -> None:
        if question.key in self._refreshes or len(self._refreshes) >= _REFRESH_LIMIT:
            return

        async def run() -> None:
            try:
                await self._drive(question.refresh(), question, load)
            except Exception:
                pass  # the value that is there serves on
            finally:
                self._refreshes.pop(question.key, None)

        self._refreshes[question.key] = asyncio.create_task(run())

    async def _load(self, load: Callable[[], Awaitable[Content | None]], question: steps.Question) -> Content | None:
        try:
            async with asyncio.timeout(question.policy.load_timeout_s) as limit:
                return await load()
        except TimeoutError as e:
            if not limit.expired():
                raise
            raise CacheUnavailable(f"the source did not answer: {question.key}") from e

    async def _drive(self, generator: steps.Steps[T], question: steps.Question | None = None,
                     load: Callable[[], Awaitable[Content | None]] | None = None) -> T:
        outcome: Any = None
        problem: BaseException | None = None
        while True:
            try:
                step = generator.throw(problem) if problem else generator.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            except steps.RedisAway as e:
                raise ConnectionFailed(f"Redis does not answer: {e}") from e
            outcome = problem = None
            try:
                if isinstance(step, steps.Commands):
                    pipe = self._redis.pipeline(transaction=False)
                    for command in step.commands:
                        pipe.execute_command(*command)
                    outcome = await pipe.execute(raise_on_error=False)
                elif isinstance(step, steps.Eval):
                    outcome = await self._scripts[step.script](keys=step.keys, args=step.args)
                elif isinstance(step, steps.Sleep):
                    await asyncio.sleep(step.seconds)
                elif isinstance(step, steps.RefreshBehind):
                    if question and load:
                        self._refresh_behind(question, load)
                elif question and load:
                    outcome = await self._load(load, question)
            except BaseException as e:
                is_redis = isinstance(step, (steps.Commands, steps.Eval)) and isinstance(e, _AWAY)
                problem = steps.RedisAway(str(e)) if is_redis else e
