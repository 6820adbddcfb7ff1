"""A C++ worker gives back what Celery's clients gave it, and reads what newer ones tag."""

import datetime as dt
import decimal
import json
import math
import time
import uuid

import pytest
from celery import chain, chord, group
from celery.exceptions import TaskRevokedError
from conftest import eventually
from kombu.utils import json as kombu_json


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", [
    10**30, -2**63 - 1, 2**64, 2**53 + 1, -(2**53) - 1, 0.1, 1e16, 1e22, 5e-324, -0.0, 1e5, math.inf, -math.inf,
    "a\ud83db", "\udc00", {"\ud83d": [1, 10**25, {"x": -10**40}]}, nested(150), nested(900)], ids=lambda v: repr(v)[:20])
def test_a_value_comes_back_as_it_was(client, start_worker, value):
    start_worker()
    got = client.signature("cpp.echo", args=[value]).delay().get(timeout=20)
    assert got == value and type(got) is type(value)
    assert json.dumps(got) == json.dumps(value)
    # Through a chain, a chord and keyword arguments, too.
    echo = client.signature("cpp.echo")
    assert chain(client.signature("cpp.echo", kwargs={"value": value}), echo).apply_async().get(timeout=20) == value
    assert chord([client.signature("cpp.echo", args=[value])] * 2, echo).apply_async().get(timeout=20) == [value] * 2


def test_no_number_comes_back_too(client, start_worker):
    start_worker()
    assert math.isnan(client.signature("cpp.echo", args=[math.nan]).delay().get(timeout=20))


class Tagging(kombu_json.JSONEncoder):
    """Writes what Celery 5.3 and later do."""

    def default(self, o):
        for kind, name, write in ((dt.datetime, "datetime", dt.datetime.isoformat), (dt.date, "date", dt.date.isoformat),
                                  (dt.time, "time", dt.time.isoformat), (decimal.Decimal, "decimal", str),
                                  (uuid.UUID, "uuid", lambda u: {"hex": u.hex})):
            if isinstance(o, kind):
                return {"__type__": name, "__value__": write(o)}
        return super().default(o)


@pytest.fixture()
def tagging(monkeypatch):
    monkeypatch.setattr(kombu_json, "_default_encoder", Tagging)


def in_seconds(n, zone=dt.timezone.utc):
    return dt.datetime.now(zone) + dt.timedelta(seconds=n)


def naive(n):
    return in_seconds(n).replace(tzinfo=None)


def india(n):
    return in_seconds(n, dt.timezone(dt.timedelta(hours=5, minutes=30)))


@pytest.mark.parametrize("when", [in_seconds, naive, india])
def test_times_of_nested_signatures_count(client, start_worker, tagging, when):
    start_worker()

    def echo(*args, **options):
        return client.signature("cpp.echo", args=args).set(queue="cpp", **options)

    def soon(*args):
        return echo(*args, eta=when(3))

    for make, wanted in ((lambda: chain(echo("a"), soon()), "a"), (lambda: chord([echo(1), echo(2)], soon()), [1, 2]),
                         (lambda: group(soon(1), echo(2)), [1, 2]),
                         (lambda: chain(echo(0), chord([echo(), soon()], echo())), [0, 0])):
        begin = time.monotonic()
        assert make().apply_async().get(timeout=20) == wanted
        assert time.monotonic() - begin > 2.4, make()
    late = [chain(echo("a"), echo(expires=when(-60))).apply_async(), chord([echo(1)], echo(expires=when(-60))).apply_async(),
            group(echo(1, expires=when(-60))).apply_async()[0]]
    for result in late:
        with pytest.raises(TaskRevokedError):
            result.get(timeout=20)
    called = echo(eta=when(2), task_id=uuid.uuid4())
    known = str(called.options["task_id"])
    begin = time.monotonic()
    echo("first", link=called).apply_async().get(timeout=20)
    eventually(lambda: client.AsyncResult(known).state == "SUCCESS")
    assert time.monotonic() - begin > 1.4


def test_tagged_arguments_pass_through(client, server, start_worker, tagging):
    start_worker()
    values = [in_seconds(0), naive(0), india(0), dt.date(2026, 11, 21), dt.time(4, 6), decimal.Decimal("1.50"), uuid.uuid4()]
    result = client.signature("cpp.echo", args=[{"deep": values}]).delay()
    result.get(timeout=20)
    stored = json.loads(server.client.get(f"celery-task-meta-{result.id}"))["result"]
    assert stored == json.loads(kombu_json.dumps({"deep": values}))
    assert client.signature("cpp.add", args=[decimal.Decimal("2"), 3]).delay().get(timeout=20) == 5
