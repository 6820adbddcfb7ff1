"""What deploy/ holds works: systemd units, the nginx site in front of the real server, the compose file."""

import asyncio
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import urllib.request

import pytest
import yaml
from browser import DIST, Browser, Keys, build_pages, needs_browser
from conftest import BINARY, ROOT, Server, free_port, unique, wait_until
from redis_process import RedisProcess

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
ANALYZE = shutil.which("systemd-analyze")


# ---- systemd --------------------------------------------------------------------------------------------------------
def directives(unit):
    """Every `Key=value` of a unit file, in order."""
    lines = [line for line in unit.read_text().splitlines() if line and line[0] not in "#;["]
    return [tuple(line.split("=", 1)) for line in lines]


@pytest.mark.skipif(not ANALYZE, reason="skipped: systemd-analyze is not installed (apt install systemd)")
@pytest.mark.parametrize("unit", UNITS, ids=lambda u: u.name)
def test_a_unit_exposes_little(unit, tmp_path):
    # Exit code 1 above the threshold, which is in tenths.
    rated = subprocess.run([ANALYZE, "security", "--offline=true", "--threshold=24", "--no-pager", str(unit)],
                           capture_output=True, text=True)
    assert rated.returncode == 0, rated.stdout[-500:] + rated.stderr
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("ExecStart=skirmish", f"ExecStart={BINARY}"))
    verified = subprocess.run([ANALYZE, "verify", str(copy)], capture_output=True, text=True)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


def test_there_are_units_for_every_service():
    assert {unit.stem for unit in UNITS} == {"skirmish", "skirmish-status-worker", "skirmish-worker", "skirmish-beat"}


@pytest.mark.parametrize("unit", UNITS, ids=lambda u: u.name)
def test_a_units_command_is_one_that_the_program_takes(unit, short_tmp):
    values = directives(unit)
    command = dict(values)["ExecStart"].split()
    # Without a path, so that it is found in /usr/bin and /usr/local/bin.
    assert command[0] == "skirmish"
    environment = dict(value.split("=", 1) for key, value in values if key == "Environment")
    data = short_tmp / unique("unit")
    command = [BINARY, *(str(data) if word.startswith("/var/lib/") else word for word in command[1:])]
    command = [str(DEPLOY / "beat.toml") if word == "/etc/skirmish/beat.toml" else word for word in command]
    listen = {"SKIRMISH_HTTP_LISTEN": f"127.0.0.1:{free_port()}",
              "SKIRMISH_STATUS_WORKER_LISTEN": f"127.0.0.1:{free_port()}"}
    log = short_tmp / unique("unit.log")

    def run(redis_url, is_up):
        with open(log, "wb") as stderr:
            process = subprocess.Popen(command, env={**os.environ, **listen, **environment, **redis_url},
                                       stdout=subprocess.PIPE, stderr=stderr, text=True)
        try:
            is_up(process)
        finally:
            process.terminate()
            assert process.wait(40) == 0, log.read_text()

    def says_ready(process):
        assert process.stdout.readline().startswith("ready http://")

    # The status worker does without a Redis; those of the tasks need one, as they would have from skirmish.env.
    if unit.stem == "skirmish":
        run({}, says_ready)
    elif unit.stem == "skirmish-status-worker":
        run({"REDIS_URL": "redis://127.0.0.1:1"}, says_ready)
    else:
        told = "task_worker_ready" if unit.stem == "skirmish-worker" else "beat_leads"
        with RedisProcess(short_tmp / unique("unit-redis")) as own:
            run({"REDIS_URL": own.url}, lambda _: wait_until(lambda: told in log.read_text(), 30, f"{told} in the log"))


# ---- compose --------------------------------------------------------------------------------------------------------
def compose_file(**environment):
    """The compose file with its variables filled in as Compose does: from `environment`, or by their defaults."""
    def value(match):
        given = environment.get(match[1], "")
        return given or match[2]

    text = (DEPLOY / "compose.yaml").read_text()
    filled = re.sub(r"(?<!\$)\$\{(\w+):-([^}]*)\}", value, text)
    assert "${" not in filled.replace("$${", ""), "a variable without a default"
    return yaml.safe_load(filled)


def env_example():
    lines = [line for line in (DEPLOY / "env.example").read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_compose_confines_every_service():
    compose = compose_file()
    ours = {"api", "status-worker", "task-worker", "beat"}
    assert set(compose["services"]) == ours | {"flower", "valkey", "mariadb"}
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"] and "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"] and service["pids_limit"], name
        assert service["healthcheck"]["test"], name
        assert re.fullmatch(r"[a-z/]+:\d+(\.\d+)*", service["image"]), f"{name}: {service['image']} has no fixed major version"
        assert not service.get("privileged") and "network_mode" not in service, name
        # Published to this machine alone; nginx stands in front.
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        # What is written goes to a volume of that name or to memory; secrets are files.
        assert all(v.split(":")[0] in compose["volumes"] for v in service.get("volumes", [])), name
        assert set(service["secrets"]) <= set(compose["secrets"]), name
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|URL|KEY|TOKEN", variable) and "RANDOM" not in variable:
                assert variable.endswith("_FILE") and value.removeprefix("/run/secrets/") in service["secrets"], variable
    for name in ("valkey", "flower"):
        assert "${" not in json.dumps(compose["services"][name]["command"])
    for name in ("valkey", "mariadb"):
        assert compose["services"][name]["networks"] == ["inside"]
    assert compose["networks"]["inside"] == {"internal": True}
    for secret in compose["secrets"].values():
        assert secret["file"].startswith("./secrets/")


def test_compose_fits_its_schema():
    jsonschema = pytest.importorskip("jsonschema", reason="skipped: jsonschema is not installed (apt install python3-jsonschema)")
    check = jsonschema.Draft7Validator(json.loads((ROOT / "tests/data/compose-spec.json").read_text()))
    for compose in (compose_file(), compose_file(**env_example()),
                    compose_file(OUTSIDE_NETWORK="office", OUTSIDE_NETWORK_EXISTS="true", DB_HOST="db.office")):
        assert [e.message for e in check.iter_errors(compose)] == []
    # The check can fail.
    compose["services"]["api"]["comand"] = ["serve"]
    assert list(check.iter_errors(compose))


def test_compose_needs_no_edits_for_what_you_have():
    """The example's values are the defaults, every variable is in it, and every service but the API can be left out."""
    example = env_example()
    text = (DEPLOY / "compose.yaml").read_text()
    used = dict(re.findall(r"(?<!\$)\$\{(\w+):-([^}]*)\}", text))
    assert {**used, "COMPOSE_PROFILES": example["COMPOSE_PROFILES"]} == example
    compose = compose_file()
    profiles = {name: service.get("profiles") for name, service in compose["services"].items()}
    assert profiles.pop("api") is None and all(profiles[name] == [name] for name in profiles)
    assert set(example["COMPOSE_PROFILES"].split(",")) <= set(profiles)
    for name, service in compose["services"].items():
        # What may be left out is not required.
        assert all(wanted["required"] is False for wanted in service.get("depends_on", {}).values()), name
    own = compose_file(OUTSIDE_NETWORK="office", OUTSIDE_NETWORK_EXISTS="true", DB_HOST="db.office", DB_PORT="3307", DB_NAME="game",
                       DB_USER="me", API_LISTEN="10.0.0.5:80", SECRETS="/run/s")
    assert own["networks"]["outside"] == {"name": "office", "external": True}
    for name in ("api", "status-worker", "task-worker", "beat"):
        environment = own["services"][name]["environment"]
        assert [environment[k] for k in ("DB_HOST", "DB_PORT", "DB_NAME", "DB_USER")] == ["db.office", 3307, "game", "me"]
        assert "outside" in own["services"][name]["networks"]
    assert own["services"]["api"]["ports"] == ["10.0.0.5:80:8090"] and own["secrets"]["db_password"]["file"] == "/run/s/db_password"


def test_compose_commands_are_ones_that_the_program_takes(own_server, short_tmp):
    """Each service of ours runs, and its health check says so: those of a compose network on this machine's loopback."""
    directory = short_tmp / unique("compose")
    directory.mkdir()
    for name in ("task-worker", "beat"):
        service = compose_file()["services"][name]
        port = free_port()
        command = [word.replace("0.0.0.0:8092", f"127.0.0.1:{port}").replace("/etc/skirmish/beat.toml", str(DEPLOY / "beat.toml"))
                   for word in service["command"]]
        environment = {**os.environ, "REDIS_URL": own_server.redis_url, "SKIRMISH_SERVER_DATA_DIR": str(directory / name)}
        process = subprocess.Popen([BINARY, *command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        check = [word.replace(":8092", f":{port}") for word in service["healthcheck"]["test"][1:]]
        check[0] = BINARY if check[0] == "skirmish" else check[0]

        def is_healthy():
            return subprocess.run(check, env=environment, capture_output=True, timeout=30).returncode == 0
        try:
            assert process.poll() is None
            wait_until(is_healthy, 30, f"the health of {name}")
        finally:
            process.terminate()
            assert process.wait(40) == 0
        wait_until(lambda: not is_healthy(), 30, f"the end of {name}'s health")


# ---- the image ------------------------------------------------------------------------------------------------------
def test_the_images_default_command_works(short_tmp):
    """deploy/entrypoint.sh as the image runs it: alone, on all addresses, with a Redis of its own; and a second time."""
    directory = short_tmp / unique("image")
    (directory / "bin").mkdir(parents=True)
    (directory / "bin/skirmish").symlink_to(BINARY)
    for script in ("start.sh", "entrypoint.sh"):
        (directory / "bin" / script).symlink_to(DEPLOY / script)
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert "valkey-server" in dockerfile and 'ENTRYPOINT ["entrypoint.sh"]' in dockerfile and "CMD" not in dockerfile
    port = free_port()
    environment = {**os.environ, "PATH": f"{directory}/bin:{os.environ['PATH']}", "SKIRMISH_HTTP_LISTEN": f"0.0.0.0:{port}"}
    keys = set()
    for _ in range(2):
        process = subprocess.Popen(["entrypoint.sh"], cwd=directory, env=environment, stdout=subprocess.PIPE, text=True,
                                   stderr=subprocess.DEVNULL, executable=str(directory / "bin/entrypoint.sh"))
        try:
            for line in process.stdout:
                if line.startswith("ready"):
                    break
            key = (directory / "data/admin.key").read_text().strip()
            keys.add(key)
            request = urllib.request.Request(f"http://127.0.0.1:{port}/api/keys", headers={"X-API-Key": key})
            with urllib.request.urlopen(request, timeout=20) as answer:
                assert len(json.load(answer)["items"]) == 1, "a second start makes no second key"
        finally:
            process.terminate()
            assert process.wait(40) == 0
    assert len(keys) == 1 and (directory / "data/admin.key").stat().st_mode & 0o077 == 0
    for command in (["check"], ["skirmish", "check"]):
        done = subprocess.run([str(directory / "bin/entrypoint.sh"), *command], cwd=directory, env=environment, capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == 0 and "http.listen" in done.stdout


# ---- cmake --install and the packages -------------------------------------------------------------------------------
def run(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=900, **more)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.skipif(not shutil.which("cpack") or not shutil.which("dpkg-deb"), reason="skipped: this is no Debian with CMake")
def test_packages_hold_what_they_should(tmp_path):
    """cmake/packaging.cmake with a small program and library in place of ours (tests/packaging)."""
    build = tmp_path / "build"
    run("cmake", "-S", ROOT / "tests/packaging", "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release")
    run("cmake", "--build", build)
    run("cmake", "--install", build, "--prefix", tmp_path / "installed")
    installed = {str(p.relative_to(tmp_path / "installed")) for p in (tmp_path / "installed").rglob("*") if p.is_file()}
    assert {"bin/skirmish", "lib/systemd/system/skirmish.service", "include/skirmish/tasks.hpp", "include/skirmish/cache.hpp",
            "include/skirmish/internal/core/task_group.hpp"} <= installed
    assert any(name.endswith("cmake/skirmish/skirmish-config.cmake") for name in installed)
    # Each part by itself, as docs/install.md says.
    run("cmake", "--install", build, "--prefix", tmp_path / "program", "--component", "program")
    assert (tmp_path / "program/bin/skirmish").exists() and not (tmp_path / "program/include").exists()

    run("cpack", "-G", "DEB", cwd=build)
    packages = {p.name.split("_")[0]: p for p in build.glob("*.deb")}
    assert set(packages) == {"skirmish", "skirmish-dev"}
    contents = {name: {line.split()[5].removeprefix(".") for line in run("dpkg-deb", "-c", p).splitlines()
                       if not line.endswith("/")} for name, p in packages.items()}
    assert {"/usr/bin/skirmish", *(f"/usr/lib/systemd/system/{unit.name}" for unit in UNITS)} <= contents["skirmish"]
    assert not [path for path in contents["skirmish"] if path.endswith((".hpp", ".a"))]
    assert {"/usr/include/skirmish/tasks.hpp", "/usr/include/skirmish/cache.hpp"} <= contents["skirmish-dev"]
    assert [path for path in contents["skirmish-dev"] if path.endswith("libskirmish_tasks.a")]
    assert not contents["skirmish"] & contents["skirmish-dev"]
    assert "libc6" in run("dpkg-deb", "-f", packages["skirmish"], "Depends"), "the libraries that the program links"
    assert "redis-server" in run("dpkg-deb", "-f", packages["skirmish"], "Recommends")
    run("dpkg-deb", "-e", packages["skirmish"], tmp_path / "control")
    for script in ("postinst", "prerm", "postrm"):
        assert (tmp_path / "control" / script).stat().st_mode & 0o777 == 0o755
        run("sh", "-n", tmp_path / "control" / script)
    # The package that other programs find.
    run("dpkg-deb", "-x", packages["skirmish-dev"], tmp_path / "root")
    config = next((tmp_path / "root").rglob("skirmish-config.cmake")).read_text()
    assert str(tmp_path) not in config.replace(str(ROOT), "")


@pytest.mark.skipif(not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode,
                    reason="skipped: docker compose is not installed")
def test_compose_is_valid_for_docker(tmp_path):
    done = subprocess.run(["docker", "compose", "-f", str(DEPLOY / "compose.yaml"), "config", "--quiet"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_compose_settings_are_ones_that_the_program_knows(own_server, tmp_path):
    """The variables and the secrets' files, as a container would have them."""
    service = compose_file()["services"]["api"]
    (tmp_path / "redis_url").write_text("redis://:hunter2@valkey:6379\n")
    (tmp_path / "db_password").write_text("hunter3\n")
    environment = {k: "" if v is None else str(v).replace("/run/secrets", str(tmp_path)) for k, v in service["environment"].items()}
    shown = own_server.run("check", env=environment).stdout
    assert "SQL: mysql://skirmish:***@mariadb:3306/skirmish" in shown and "Redis: redis://***@valkey:6379" in shown
    assert "db.password = (set, hidden)" in shown and "hunter" not in shown


def test_valkeys_password_is_in_no_argument(tmp_path):
    """The command of the compose file, with the Redis that is here."""
    service = compose_file()["services"]["valkey"]
    (tmp_path / "redis_password").write_text("hunter2\n")
    program, cli = ("valkey-server", "valkey-cli") if shutil.which("valkey-server") else ("redis-server", "redis-cli")
    shell, flag, script = service["command"]
    script = script.replace("$$", "$").replace("/run/secrets", str(tmp_path)).replace("valkey-server", program)
    script = script.replace("dir /data", f"dir {tmp_path}\nport 0\nunixsocket {tmp_path}/s")
    process = subprocess.Popen([shell, flag, script], stdout=subprocess.DEVNULL)
    try:
        def ask(password):
            return subprocess.run([cli, "-s", f"{tmp_path}/s", "ping"], capture_output=True, text=True,
                                  env={**os.environ, "REDISCLI_AUTH": password}).stdout
        wait_until(lambda: ask("hunter2").strip() == "PONG", 20, "an answer with the right password")
        assert "NOAUTH" in ask("") or "WRONGPASS" in ask("")
        assert b"hunter2" not in pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes()
    finally:
        process.terminate()
        process.wait(20)


def test_secrets_of_a_deployment_are_ignored():
    if shutil.which("git") and (ROOT / ".git").exists():
        for path in ("deploy/.env", "deploy/secrets/db_password", ".env"):
            assert subprocess.run(["git", "-C", str(ROOT), "check-ignore", "-q", path]).returncode == 0, path
        # The example is no secret.
        assert subprocess.run(["git", "-C", str(ROOT), "check-ignore", "-q", "deploy/env.example"]).returncode == 1
    assert {"**/.env", "deploy/secrets"} <= set((ROOT / ".dockerignore").read_text().split())


# ---- nginx ----------------------------------------------------------------------------------------------------------
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
HOST = "play.example.com"


class Nginx:
    """Debian's nginx with its own configuration, and with the site of deploy/ in place of Debian's."""

    def __init__(self, directory, upstream):
        self.directory, self.http, self.https = directory, free_port(), free_port()
        (directory / "sites-enabled").mkdir()
        certificate, key = directory / "cert.pem", directory / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}",
                        "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
        self.trust = ssl.create_default_context(cafile=str(certificate))
        site = (DEPLOY / "nginx" / "skirmish.conf").read_text()
        for was, now in ((f"/etc/letsencrypt/live/{HOST}/fullchain.pem", certificate),
                         (f"/etc/letsencrypt/live/{HOST}/privkey.pem", key),
                         ("127.0.0.1:8090", upstream), ("listen 80", f"listen 127.0.0.1:{self.http}"),
                         ("listen 443", f"listen 127.0.0.1:{self.https}")):
            assert was in site
            site = site.replace(was, str(now))
        site = re.sub(r" *listen \[::\].*\n", "", site)  # some containers have no IPv6
        main = pathlib.Path("/etc/nginx/nginx.conf").read_text()
        for was, now in ((r"^user .*$", "daemon off;"), (r"^pid .*$", f"pid {directory}/pid;"),
                         (r"/var/log/nginx", str(directory)),
                         (r"include /etc/nginx/(conf\.d/.*|sites-enabled/.*);", rf"include {directory}/sites-enabled/*;")):
            main, count = re.subn(was, now, main, flags=re.M)
            assert count, f"Debian's nginx.conf has no {was}"
        # The two folders of sites became one.
        main = main.replace(f"include {directory}/sites-enabled/*;", "", 1)
        if os.geteuid() != 0:
            site = site.replace("/var/lib/nginx", str(directory))
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
                main = main.replace("http {", f"http {{\n{name}_temp_path {directory}/{name};", 1)
        else:
            site = site.replace("/var/lib/nginx/skirmish", f"/var/lib/nginx/{directory.name}")
        (directory / "sites-enabled" / "skirmish").write_text(site)
        self.conf = directory / "nginx.conf"
        self.conf.write_text(main)
        self.process = None

    def check(self):
        return subprocess.run([NGINX, "-t", "-c", str(self.conf)], capture_output=True, text=True)

    def start(self):
        self.process = subprocess.Popen([NGINX, "-c", str(self.conf)], stderr=subprocess.PIPE, text=True)
        wait_until(lambda: self.process.poll() is not None or accepts(self.https), 20, "nginx's socket")
        assert self.process.poll() is None, self.process.stderr.read()
        return self

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(f"/var/lib/nginx/{self.directory.name}", ignore_errors=True)

    def open(self, host=HOST, name=HOST, source="127.0.0.1"):
        """A TLS connection from `source` that asks for `name`; requests go to `host`."""
        plain = socket.create_connection(("127.0.0.1", self.https), timeout=30, source_address=(source, 0))
        connection = http.client.HTTPConnection(host, timeout=30)
        connection.sock = self.trust.wrap_socket(plain, server_hostname=name)
        return connection

    def get(self, path, headers=None, method="GET", body=None):
        connection = self.open()
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.text = answer.read().decode()
        connection.close()
        return answer


def accepts(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def proxied(short_tmp):
    """The real server and nginx in front of it."""
    if not NGINX:
        pytest.skip("skipped: nginx is not installed (apt install nginx-light)")
    server = Server(short_tmp / unique("proxied")).start()
    directory = short_tmp / unique("nginx")
    directory.mkdir()
    nginx = Nginx(directory, server.listen)
    checked = nginx.check()
    assert checked.returncode == 0 and "[warn]" not in checked.stderr, checked.stderr
    nginx.start()
    yield server, nginx
    nginx.stop()
    server.stop()


def test_requests_pass_through_nginx(proxied):
    server, nginx = proxied
    key = {"X-API-Key": server.key, "Content-Type": "application/json"}
    made = nginx.get("/api/players", key, "POST", json.dumps({"name": "Proxied"}))
    assert made.status == 201
    player = json.loads(made.text)["player_id"]
    assert json.loads(nginx.get(f"/api/players/{player}", key).text)["name"] == "Proxied"
    assert nginx.get("/api/players/x").status == 401
    for prefix in ("", "/skirmish"):
        assert "docs/docs.js" in nginx.get(f"{prefix}/docs").text
        assert "openapi.json" in nginx.get(f"{prefix}/docs/docs.js").text
        assert json.loads(nginx.get(f"{prefix}/openapi.json").text)["openapi"] == "3.1.0"
        assert nginx.get(f"{prefix}/api/players/{player}", key).status == 200
        assert nginx.get(f"{prefix}/health").getheader("Content-Type") == "application/json"
        # What the pages need reaches the server, whatever it answers: nginx' own refusals are HTML.
        for page in ("/", "/console", "/assets/app-1a2b3c.js", "/widget.js"):
            answer = nginx.get(prefix + page)
            assert answer.getheader("X-Content-Type-Options") == "nosniff" and "<center>nginx" not in answer.text, prefix + page
        # The first status may come before the server has one.
        wait_until(lambda: nginx.get(f"{prefix}/server/status").status == 200, 20, "the status")
    assert nginx.get("/docs").getheader("Strict-Transport-Security")
    assert nginx.get("/api/server/status").getheader("X-Cache-Status") in ("MISS", "HIT", "EXPIRED", "STALE", "UPDATING", "REVALIDATED")


def test_nothing_else_passes_through_nginx(proxied):
    server, nginx = proxied
    assert server.http("GET", "/metrics", key=None).status == 200
    for path in ("/metrics", "/healthz", "/readyz", "/server/status/debug", "/docs/x", "/skirmish/metrics", "/skirmish/healthz",
                 "/skirmish/server/status/debug", "/skirmish", "/api/../metrics", "/api/%2e%2e/metrics", "//metrics",
                 "/assets/../metrics", "/assets/%2e%2e/metrics", "/skirmish/assets/%2e%2e/metrics", "/console/metrics",
                 "/skirmish/" * 12 + "docs"):
        assert nginx.get(path).status == 404, path
    big = nginx.get("/api/players", {"X-API-Key": server.key}, "POST", "x" * ((4 << 20) + 1))
    assert big.status == 413


def test_a_websocket_passes_through_nginx(proxied):
    server, nginx = proxied

    async def run():
        import websockets
        name = "additional_headers" if int(websockets.__version__.split(".")[0]) >= 14 else "extra_headers"
        for path in ("/api/ws", "/skirmish/api/ws"):
            async with websockets.connect(f"wss://{HOST}{path}", host="127.0.0.1", port=nginx.https, ssl=nginx.trust,
                                          server_hostname=HOST, **{name: {"X-API-Key": server.key}}) as socket_:
                await socket_.send(json.dumps({"cid": "1", "subscribe": {"channel": "status"}}))
                while True:
                    got = json.loads(await asyncio.wait_for(socket_.recv(), 20))
                    if got.get("cid") == "1":
                        assert "subscribed" in got
                        break

    asyncio.run(run())


@needs_browser
@pytest.mark.parametrize("prefix", ["", "/skirmish"])
def test_the_console_works_behind_nginx(proxied, prefix):
    """Over TLS, below a sub-path too, and it misses nothing of what stays inside."""
    server, nginx = proxied
    if not (DIST / "console.html").exists():
        build_pages()
    browser = Browser(f"--host-resolver-rules=MAP {HOST}:443 127.0.0.1:{nginx.https}", "--ignore-certificate-errors")
    try:
        browser.open(f"https://{HOST}{prefix}/console")
        wait_until(lambda: browser.all("input[name=key]"), 20, "the login")
        browser.all("input[name=key]")[0].send_keys(server.key, Keys.ENTER)
        wait_until(lambda: browser.all("nav.side"), 20, "the console")
        browser.wait_text("Live", ".connection", 20)
        wait_until(lambda: browser.all(".checks li") and "not known" not in browser.text(".checks"), 40,
                   f"all checks; there is {browser.text('.checks')!r}")
        cookies = browser.driver.get_cookies()
        assert [(one["name"], one["secure"], one["httpOnly"], one["sameSite"]) for one in cookies] == [("skirmish_console", True, True, "Strict")]
        for page in ("status", "players", "queues", "system", "access"):
            browser.driver.get(f"https://{HOST}{prefix}/console#/{page}")
            browser.settle(20)
            assert not browser.all("main .problem"), page
        browser.open(f"https://{HOST}{prefix}/")
        browser.wait_text("Top players", "main", 20)
        loaded = browser.run("return performance.getEntriesByType('resource').map((one) => new URL(one.name).pathname)")
        assert loaded and all(path.startswith(f"{prefix}/") for path in loaded), loaded
        assert browser.complaints(("/api/console/session", "Password forms should have")) == []
    finally:
        browser.quit()


def test_nginx_refuses_unknown_hosts(proxied):
    _, nginx = proxied
    # By the name in the handshake, by the Host header behind a right name, and without TLS.
    with pytest.raises((ssl.SSLError, ConnectionError)):
        nginx.open(name="evil.example.net")
    with pytest.raises((http.client.BadStatusLine, ConnectionError)):
        connection = nginx.open(host="evil.example.net")
        connection.request("GET", "/docs")
        connection.getresponse()
    for host, wanted in ((HOST, b"HTTP/1.1 308"), ("evil.example.net", b""), ("127.0.0.1", b"")):
        with socket.create_connection(("127.0.0.1", nginx.http), timeout=20) as s:
            s.sendall(f"GET /api/x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while chunk := s.recv(65536):
                answer += chunk
        assert answer[:len(wanted)] == wanted and (wanted or not answer), answer
        assert not wanted or f"Location: https://{HOST}/api/x".encode() in answer


def test_nginx_limits_requests_and_connections(proxied):
    _, nginx = proxied
    # Addresses from which nothing has come yet.
    connection = nginx.open(source="127.0.0.2")
    statuses = []
    for _ in range(400):
        connection.request("GET", "/api/nothing")
        answer = connection.getresponse()
        body = answer.read()
        statuses.append(answer.status)
        if answer.status == 429:
            assert json.loads(body)["code"] == "rate_limited" and answer.getheader("Retry-After")
            assert answer.getheader("Content-Type") == "application/problem+json"
            break
    connection.close()
    assert statuses[-1] == 429 and len(statuses) > 100, "a burst is let through, a flood is not"
    assert nginx.get("/docs").status == 200, "who floods hurts nobody else"
    # Connections count while they have a request on its way, WebSockets for as long as they live.
    request = (f"GET /api/ws HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n").encode()
    held = []

    def is_limited():
        s = nginx.open(source="127.0.0.3").sock
        s.sendall(request)
        if s.recv(4096).startswith(b"HTTP/1.1 101"):
            held.append(s)
        else:
            s.close()
        return 'limiting connections by zone "skirmish_connections"' in (nginx.directory / "error.log").read_text()

    wait_until(is_limited, 60, "a refused connection")
    for s in held:
        s.close()
    assert len(held) == 100
