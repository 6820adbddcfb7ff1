"""Redis fails over, or refuses to write: nothing acknowledged is lost, and nothing floods the log."""

import threading
import time

import pytest
from conftest import Server, unique, wait_until
from redis_process import RedisProcess
from redis_sentinel import SentinelPair


class Hits(threading.Thread):
    """Hits b, one attack a request, until it is stopped; what was acknowledged is counted."""

    def __init__(self, server, a, b):
        super().__init__(daemon=True)
        self.server, self.a, self.b = server, a, b
        self.acknowledged = self.unknown = self.refused = 0
        self.longest_gap = 0.0
        self.ending = threading.Event()

    def run(self):
        last = time.monotonic()
        number = 0
        while not self.ending.is_set():
            number += 1
            event = {"type": "attack", "id": f"{self.a}-{number}", "attacker_id": self.a, "target_id": self.b, "damage": 1}
            # Until it is known what became of it; its id keeps it from being applied twice.
            while True:
                answer = self.server.http("POST", "/api/interactions", event)
                if answer.status == 200:
                    break
                assert answer.status in (503, 504), answer
                self.refused += 1
                time.sleep(0.02)
            now = time.monotonic()
            self.longest_gap, last = max(self.longest_gap, now - last), now
            self.acknowledged += 1

    def stop(self):
        self.ending.set()
        self.join(120)
        assert not self.is_alive()


def dealt(pair, player):
    value = pair.master().redis().hget(f"player:{player}", "damage_dealt")
    return int(value or 0)


def metric(server, name):
    line = next(x for x in server.http("GET", "/metrics", key=None).body.decode().splitlines() if x.startswith(name + " "))
    return float(line.split()[1])


@pytest.mark.long
def test_two_kills_and_a_demotion_lose_nothing_acknowledged(short_tmp):
    with SentinelPair(short_tmp / unique("sentinel")) as pair:
        server = Server(short_tmp / unique("failover"),
                        {"REDIS_URL": pair.url, "SKIRMISH_REDIS_REPLICAS_ACKED": "1"}).start()
        try:
            a, b = server.new_player(), server.new_player()
            pair.master().redis().hset(f"player:{b}", "hp", 1_000_000)
            hits = Hits(server, a, b)
            hits.start()
            for blow in ("kill", "demotion", "kill"):
                seen = hits.acknowledged
                wait_until(lambda: hits.acknowledged > seen + 30, 60, "acknowledged attacks")
                wait_until(pair.knows_replica, 90, "a replica that can take over")
                old = pair.master()
                if blow == "kill":
                    old.kill()
                else:
                    pair.ask("FAILOVER", pair.name)
                wait_until(lambda: pair.master() is not old, 60, "another master")
                seen = hits.acknowledged
                wait_until(lambda: hits.acknowledged > seen + 30, 60, "attacks that the new master acknowledged")
                if blow == "kill":
                    old.start(pair.master().port)
            hits.stop()
            wait_until(lambda: dealt(pair, a) >= hits.acknowledged, 30, "what was acknowledged")
            assert dealt(pair, a) == hits.acknowledged
            assert metric(server, "skirmish_commits_lost_total") == 0
            assert server.http("GET", "/readyz", key=None).status == 200
            # The old master is left: nobody of the server is connected to a replica.
            replica = pair.other(pair.master())
            wait_until(lambda: not [c for c in replica.redis().client_list() if c["name"].startswith("skirmish")], 20,
                       "no connection to the replica")
            print(f"acknowledged {hits.acknowledged}, refused {hits.refused}, longest gap {hits.longest_gap:.2f} s")
        finally:
            server.stop()


@pytest.mark.long
@pytest.mark.parametrize("refusal", ["READONLY", "OOM", "NOREPLICAS"])
def test_a_redis_that_refuses_to_write_is_said_once(short_tmp, refusal):
    with RedisProcess(short_tmp / unique("redis")) as backend:
        server = Server(short_tmp / unique("refused"), {"REDIS_URL": backend.url, "SKIRMISH_SERVER_THREADS": "2"}).start()
        try:
            a, b = server.new_player(), server.new_player()
            attack = {"type": "attack", "attacker_id": a, "target_id": b, "damage": 1}
            assert server.http("POST", "/api/interactions", attack).status == 200
            admin = server.redis()
            before, retries = len(server.log_text().splitlines()), metric(server, "skirmish_commit_retries_total")
            if refusal == "READONLY":
                admin.execute_command("REPLICAOF", "127.0.0.1", "1")
            else:
                admin.config_set(*{"OOM": ("maxmemory", "1"), "NOREPLICAS": ("min-replicas-to-write", "1")}[refusal])
            begin = time.monotonic()
            wait_until(lambda: server.http("GET", "/readyz", key=None).status == 503, 20, "not ready")
            statuses = set()
            while time.monotonic() < begin + 10:
                statuses.add(server.http("POST", "/api/interactions", attack).status)
            seconds = time.monotonic() - begin
            assert statuses <= {503, 504}, statuses
            retried = metric(server, "skirmish_commit_retries_total") - retries
            lines = server.log_text().splitlines()[before:]
            if refusal == "READONLY":
                admin.execute_command("REPLICAOF", "NO", "ONE")
            else:
                admin.config_set(*{"OOM": ("maxmemory", "0"), "NOREPLICAS": ("min-replicas-to-write", "0")}[refusal])
            # Lines about single requests are their callers', not the outage's.
            own = [x for x in lines if " request_failed " not in x]
            assert len(own) < 20 * max(1, seconds / 10), "\n".join(own)
            assert retried < 50 * seconds, retried
            wait_until(lambda: server.http("GET", "/readyz", key=None).status == 200, 30, "ready again")
            wait_until(lambda: server.http("POST", "/api/interactions", attack).status == 200, 30, "an attack")
            print(f"{refusal}: {len(own)} lines, {retried / seconds:.1f} retries/s")
        finally:
            server.stop()


def test_a_clean_stop_gives_back_every_lease(short_tmp):
    with RedisProcess(short_tmp / unique("redis")) as backend:
        server = Server(short_tmp / unique("leases"), {"REDIS_URL": backend.url}).start()
        admin = server.redis()

        def leases():
            names = [*admin.keys("lease:*"), *admin.keys("*:filer"), *admin.keys("*:leader"), *admin.keys("*:lease")]
            return sorted(names)

        try:
            wait_until(lambda: {"lease:popular", "lease:audit", "lease:positions", "lease:activity"} <= set(leases()), 30,
                       "a leader of everything")
            wait_until(lambda: any(":leader" in name for name in leases()), 30, "a leader of the task history")
        finally:
            server.stop()
        assert leases() == []


def test_a_database_belongs_to_one_world(short_tmp, mariadb):
    database = unique("w").replace("-", "_")
    mariadb.sql(f"CREATE DATABASE {database} CHARACTER SET utf8mb4", f"GRANT ALL ON {database}.* TO 'game'@'%'")
    with RedisProcess(short_tmp / unique("redis")) as backend:
        common = {**mariadb.env(database), "REDIS_URL": backend.url}
        north = Server(short_tmp / unique("north"), {**common, "SKIRMISH_SERVER_WORLD": "north"}).start()
        try:
            north.new_player()
            south = Server(short_tmp / unique("south"), {**common, "SKIRMISH_SERVER_WORLD": "south"}).start(wait=False)
            assert south.process.wait(60) != 0
            assert "`north`" in south.log_text() and "`south`" in south.log_text(), south.log_text()
            assert not [k for k in north.redis().keys("{south}:*") if not k.startswith("{south}:lease")]
            # The same world may have many servers.
            second = Server(short_tmp / unique("north"), {**common, "SKIRMISH_SERVER_WORLD": "north"}).start()
            second.stop()
        finally:
            north.stop()
        north.run("migrate", "--take-world", env={"SKIRMISH_SERVER_WORLD": "south"})
        again = Server(short_tmp / unique("south"), {**common, "SKIRMISH_SERVER_WORLD": "south"}).start()
        again.stop()
