"""Secrets are shown nowhere: not in settings, logs, arguments of children, or the environment of sandboxed tasks."""

import pathlib
import signal
import subprocess

import pytest
from conftest import BINARY, Server, unique, wait_until

SECRET = "hunter2hunter2"


def test_every_setting_that_may_hold_a_secret_is_masked(short_tmp):
    server = Server(short_tmp / unique("masked"))
    shown = server.run("check", env={
        "REDIS_URL": f"redis://bob:{SECRET}@cache:7000/3", "DB_URL": f"mysql://bob:{SECRET}@db/game",
        "DB_PASSWORD": SECRET, "SKIRMISH_STATUS_PROBE": f"https://game.example.com/health?token={SECRET}"})
    assert SECRET not in shown.stdout + shown.stderr
    for name in ("redis.url", "db.url", "db.password", "status.probe"):
        assert f"{name} = (set, hidden)" in shown.stdout


@pytest.mark.parametrize("probe", ["nonsense://bob:{}@h", "https://bob:{}@h/x", "tcp://h/{}", "https://h/ {}"])
def test_a_refused_probe_is_not_quoted(short_tmp, probe):
    server = Server(short_tmp / unique("refused"))
    done = server.run("serve", "--data-dir", str(server.data_dir), "--listen", server.listen,
                      env={"SKIRMISH_STATUS_PROBE": probe.format(SECRET)}, check=False)
    assert done.returncode != 0 and "probe URL" in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_the_probes_address_is_not_logged(short_tmp):
    # Nobody answers there, so that every kind of line about the probe is written.
    probe = f"http://127.0.0.1:1/health?token={SECRET}"
    server = Server(short_tmp / unique("probed"), {
        "SKIRMISH_STATUS_PROBE": probe, "SKIRMISH_SERVER_LOG_LEVEL": "debug",
        "SKIRMISH_STATUS_PROBE_FAILURES": "1", "SKIRMISH_STATUS_PROBE_RETRY": "100ms"}).start()
    try:
        wait_until(lambda: "status_probe_failed" in server.log_text(), 20, "a failed probe")
        for path in ("/server/status", "/api/server/status", "/metrics", "/openapi.json"):
            assert SECRET not in server.http("GET", path).body.decode(), path
    finally:
        server.stop()
    assert SECRET not in server.log_text()


def test_passwords_come_from_files(mariadb, short_tmp):
    password = short_tmp / unique("password")
    password.write_text("secret\n")
    environment = {k: v for k, v in mariadb.env().items() if k != "DB_PASSWORD"}
    server = Server(short_tmp / unique("files"), {**environment, "DB_PASSWORD_FILE": str(password)}).start()
    try:
        assert server.http("GET", "/readyz", key=None).json["sql"] == "ok"
    finally:
        server.stop()
    for variables, problem in (({"DB_PASSWORD_FILE": "/nonesuch"}, "cannot read /nonesuch"),
                               ({"DB_PASSWORD_FILE": str(password), "DB_PASSWORD": SECRET}, "not both")):
        refused = server.run("check", env={"DB_PASSWORD_FILE": "", **variables}, check=False)
        assert refused.returncode == 2 and problem in refused.stderr and SECRET not in refused.stderr


def test_a_secret_among_the_arguments_is_warned_of(short_tmp):
    server = Server(short_tmp / unique("arguments"))

    def warnings(*args, **more):
        done = server.run(*args, check=False, **more)
        assert SECRET not in done.stdout + done.stderr
        return [line for line in done.stderr.splitlines() if "secret_in_arguments" in line]

    [line] = warnings("check", "--set", f"db.password={SECRET}")
    assert "db.password_file" in line
    [line] = warnings("check", "--set", f"status.probe=https://h/?token={SECRET}")
    assert "status.probe_file" in line
    [line] = warnings("task", "queues", "--broker", f"redis://:{SECRET}@127.0.0.1:1/0")
    assert "--broker" in line
    log = "/nonesuch.log"  # so that it ends at once
    [line] = warnings("replay", log, "--url", "http://127.0.0.1:1", "--api-key", SECRET)
    assert "--api-key-file" in line
    key = short_tmp / unique("key")
    key.write_text(SECRET)
    assert not warnings("replay", log, "--url", "http://127.0.0.1:1", "--api-key-file", str(key))
    assert not warnings("replay", log, "--url", "http://127.0.0.1:1", env={"SKIRMISH_API_KEY": SECRET})
    assert not warnings("check", "--set", "redis.url=redis://cache:7000/3", "--set", f"db.password_file={key}")


def test_an_api_key_from_a_file_works(own_server, short_tmp):
    log = str(pathlib.Path(__file__).parents[1] / "data" / "made-source.log")
    for flags, variables in (([], {"SKIRMISH_API_KEY_FILE": str(own_server.data_dir / "admin.key")}),
                             (["--api-key-file", str(own_server.data_dir / "admin.key")], {})):
        # Elsewhere, so that the data directory's own key is not found.
        done = own_server.run("replay", log, "--url", own_server.url, "--data-dir", str(short_tmp), *flags, env=variables,
                              check=False)
        assert done.returncode == 0, done.stderr
    assert own_server.run("replay", log, "--url", own_server.url, "--data-dir", str(short_tmp), check=False).returncode != 0


def children(pid):
    return [int(child) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()]


def test_sandboxed_tasks_do_not_see_the_workers_environment(own_server):
    worker = subprocess.Popen(
        [BINARY, "worker", "--sandbox", "-Q", "sandboxed", "--data-dir", str(own_server.data_dir)],
        env={**own_server.env, "REDIS_URL": own_server.redis_url, "SOME_TOKEN": SECRET, "TZ": "UTC"},
        stderr=subprocess.DEVNULL)
    try:
        [nursery] = wait_until(lambda: children(worker.pid), 30, "the child process")

        def hidden(pid):
            return SECRET.encode() not in pathlib.Path(f"/proc/{pid}/environ").read_bytes()

        assert not hidden(worker.pid)
        wait_until(lambda: hidden(nursery), 20, "its clean environment")
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)
