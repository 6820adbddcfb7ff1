"""Tools whose Redis stands still beside their commands say so, and end."""

import os
import pathlib
import signal
import subprocess
import time

import pytest
from conftest import BINARY, wait_until


def children_of(pid):
    listed = pathlib.Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in listed for child in file.read_text().split()]


def redis_of(process):
    """The Redis that the tool has started; 0 while there is none."""
    for child in children_of(process.pid):
        if pathlib.Path(f"/proc/{child}/comm").read_text().strip() in ("redis-server", "valkey-server"):
            return child
    return 0


@pytest.mark.long
def test_bench_window_ends_with_an_error_when_redis_stands_still():
    process = subprocess.Popen(
        [BINARY, "bench", "window", "--interactions", "2000000", "--players", "5000", "--load", "60"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        redis = wait_until(lambda: redis_of(process), 30, "the tool's Redis")
        # Into the feeding of the day, which is when commands are under way all the time.
        cpu = pathlib.Path(f"/proc/{redis}/stat")
        wait_until(lambda: int(cpu.read_text().rsplit(")", 1)[1].split()[11]) > 50, 60, "load on Redis")
        os.kill(redis, signal.SIGSTOP)
        time.sleep(4)  # longer than redis.timeout, shorter than what feeding waits for
        os.kill(redis, signal.SIGCONT)
        _, err = process.communicate(timeout=90)
    finally:
        process.kill()
    assert process.returncode == 1, f"{process.returncode}: {err[-3000:]}"
    assert "skirmish: redis " in err and "Sanitizer" not in err, err[-3000:]
