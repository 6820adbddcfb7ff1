"""Under load, whatever dies: nothing that was acknowledged is lost, and nothing happens twice."""

import json
import os
import subprocess

import pytest

from conftest import BINARY


def bench(*arguments, timeout):
    done = subprocess.run([BINARY, "bench", "interactions", "--json", "--verify", "--raw", "0s", *arguments],
                          capture_output=True, text=True, timeout=timeout, env={**os.environ, "REDIS_URL": ""})
    assert done.returncode in (0, 1), done.stderr[-2000:]
    return json.loads(done.stdout.strip().splitlines()[-1]), done.stderr


def check(result, errors, faults):
    assert result["lost"] == 0 and result["duplicated"] == 0 and result["wrong_players"] == 0, (result, errors[-3000:])
    assert result["unconfirmed"] == 0 and result["acked"] > 0
    assert result["faults"] >= faults


def test_deaths_freezes_and_cuts_under_load():
    result, errors = bench("--players", "300", "--connections", "8", "--rate", "2000", "--moves", "10", "--trades", "5",
                           "--duration", "16s", "--fault-interval", "2s",
                           "--faults", "kill-redis,cut-reply,kill-server,freeze-redis", timeout=170)
    check(result, errors, 4)


@pytest.mark.long
def test_deaths_freezes_and_cuts_again_and_again():
    result, errors = bench("--rate", "5000", "--moves", "10", "--trades", "5", "--duration", "120s", "--fault-interval", "3s",
                           "--faults", "kill-redis,cut-reply,kill-server,freeze-redis,kill-redis,cut-reply", timeout=400)
    check(result, errors, 10)
