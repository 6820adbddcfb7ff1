#include "bench/bench_peers.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <memory>

namespace skirmish::cli {
namespace {

// Both print one JSON object on their last line. Exit code 3: not installed.
constexpr const char* celery_script = R"py(
import json, os, subprocess, sys, time
try:
    import celery, redis
except ImportError:
    sys.exit(3)
port, n = int(sys.argv[1]), int(sys.argv[2])
here = os.path.dirname(os.path.abspath(__file__))
open(os.path.join(here, "bench_proj.py"), "w").write(f"""
from celery import Celery
app = Celery("bench", broker="redis://127.0.0.1:{port}/0", backend="redis://127.0.0.1:{port}/0")
@app.task(name="bench.noop", ignore_result=True)
def noop(): pass
@app.task(name="bench.kept")
def kept(): pass
""")
sys.path.insert(0, here)
from bench_proj import noop, kept
r = redis.Redis(port=port)
def send(task):
    t = time.time()
    for _ in range(n): task.delay()
    return n / (time.time() - t)
def drain(extra):
    total = r.llen("celery")
    w = subprocess.Popen([sys.executable, "-m", "celery", "-A", "bench_proj", "worker", "-c", "2", "-l", "ERROR",
                          "--without-gossip", "--without-mingle"] + extra, cwd=here,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                         env=dict(os.environ, C_FORCE_ROOT="1"))
    while r.llen("celery") == total: time.sleep(0.001)
    t, left = time.time(), r.llen("celery")
    while r.llen("celery") or r.hlen("unacked"): time.sleep(0.002)
    rate = left / (time.time() - t)
    w.terminate(); w.wait(); return rate
out = {"version": celery.__version__}
out["enqueue_one_by_one"] = send(noop); out["drain_ignored"] = drain([])
send(kept); out["drain_results"] = drain([])
send(noop); out["drain_events"] = drain(["-E"])
print(json.dumps(out))
)py";

constexpr const char* bullmq_script = R"js(
let bullmq;
try { bullmq = require("bullmq"); } catch { process.exit(3); }
const [port, n] = process.argv.slice(2).map(Number);
const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };
(async () => {
  const q = new bullmq.Queue("bench", { connection });
  await q.waitUntilReady();
  let t = process.hrtime.bigint();
  const seconds = () => Number(process.hrtime.bigint() - t) / 1e9;
  const fill = async (opts) => {
    const data = Array.from({ length: n }, () => ({ name: "noop", data: {}, opts }));
    t = process.hrtime.bigint();
    for (let i = 0; i < n; i += 1000) await q.addBulk(data.slice(i, i + 1000));
    return n / seconds();
  };
  const drain = async () => {
    let done = 0;
    t = process.hrtime.bigint();
    let worker;
    await new Promise((resolve) => {
      worker = new bullmq.Worker("bench", async () => {}, { connection, concurrency: 100 });
      worker.on("completed", () => { if (++done === n) resolve(); });
    });
    const rate = n / seconds();
    await worker.close();
    return rate;
  };
  const out = { version: require("bullmq/package.json").version };
  out.enqueue_batch = await fill({ removeOnComplete: true });
  out.drain_ignored = await drain();
  await fill({});
  out.drain_results = await drain();
  const few = Math.min(n, 5000);
  t = process.hrtime.bigint();
  for (let i = 0; i < few; i++) await q.add("noop", {}, { removeOnComplete: true });
  out.enqueue_one_by_one = few / seconds();
  console.log(JSON.stringify(out));
  process.exit(0);
})();
)js";

std::optional<boost::json::object> run_script(const std::string& dir, const char* file,
                                              const char* text, const std::string& interpreter,
                                              std::uint16_t port, std::size_t tasks) {
  const auto path = dir + "/" + file;
  std::ofstream(path) << text;
  const auto command =
      fmt::format("cd '{}' && {} '{}' {} {} 2>/dev/null", dir, interpreter, path, port, tasks);
  const auto close = [](std::FILE* f) { ::pclose(f); };
  const std::unique_ptr<std::FILE, decltype(close)> pipe(::popen(command.c_str(), "r"), close);
  if (!pipe) return std::nullopt;
  std::array<char, 4096> chunk{};
  std::string out;
  while (const auto got = std::fread(chunk.data(), 1, chunk.size(), pipe.get()))
    out.append(chunk.data(), got);
  const auto start = out.rfind('{');
  if (start == std::string::npos) return std::nullopt;
  boost::system::error_code ec;
  auto parsed = boost::json::parse(out.substr(start), ec);
  if (ec || !parsed.is_object()) return std::nullopt;
  return std::move(parsed.get_object());
}

}  // namespace

std::optional<boost::json::object> bench_celery(const std::string& dir, std::uint16_t port,
                                                std::size_t tasks) {
  return run_script(dir, "celery_peer.py", celery_script, "/usr/bin/python3", port, tasks);
}

std::optional<boost::json::object> bench_bullmq(const std::string& dir, std::uint16_t port,
                                                std::size_t tasks) {
  // Global packages are found too.
  return run_script(dir, "bullmq_peer.js", bullmq_script,
                    "NODE_PATH=\"$NODE_PATH:$(npm root -g 2>/dev/null)\" node", port, tasks);
}

}  // namespace skirmish::cli
