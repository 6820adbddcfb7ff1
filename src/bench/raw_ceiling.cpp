#include "bench/raw_ceiling.hpp"

#include <fmt/compile.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

namespace skirmish::cli {
namespace {

constexpr int batch_size = 500;
constexpr int commands_an_attack = 6;
constexpr int batches_on_their_way = 2;

class raw_socket {
 public:
  explicit raw_socket(const std::string& path)
      : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw failure(errc::unavailable, "cannot connect to " + path);
  }
  ~raw_socket() { ::close(fd_); }
  raw_socket(const raw_socket&) = delete;
  raw_socket& operator=(const raw_socket&) = delete;

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) throw failure(errc::unavailable, "Redis went away");
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  // All replies are a line each.
  void read_lines(std::int64_t count) {
    while (lines_ < count) {
      const auto got = ::recv(fd_, buffer_, sizeof buffer_, 0);
      if (got <= 0) throw failure(errc::unavailable, "Redis went away");
      if (std::find(buffer_, buffer_ + got, '-') != buffer_ + got)
        throw failure(errc::internal, "Redis answered an error: " +
                                          std::string(buffer_, static_cast<std::size_t>(got)));
      lines_ += std::count(buffer_, buffer_ + got, '\n');
    }
    lines_ -= count;
  }

 private:
  int fd_;
  std::int64_t lines_ = 0;
  char buffer_[64 * 1024];
};

void append(std::string& out, std::initializer_list<std::string_view> words) {
  fmt::format_to(std::back_inserter(out), FMT_COMPILE("*{}\r\n"), words.size());
  for (const auto word : words)
    fmt::format_to(std::back_inserter(out), FMT_COMPILE("${}\r\n{}\r\n"), word.size(), word);
}

}  // namespace

double measure_raw_ceiling(const std::string& unix_socket, const load_plan& plan,
                           std::chrono::milliseconds duration) {
  raw_socket redis(unix_socket);
  player_draw draw(static_cast<std::size_t>(plan.players), plan.skew, plan.seed);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < static_cast<std::size_t>(plan.players); ++i)
    names.push_back(bench_player(i));
  std::string out;
  const auto start = now_ns();
  const auto stop = start + std::chrono::nanoseconds(duration).count();
  std::int64_t attacks = 0;
  int on_their_way = 0;
  while (now_ns() < stop) {
    out.clear();
    for (int i = 0; i < batch_size; ++i) {
      const auto& attacker = names[draw.next()];
      const auto& target = names[draw.next()];
      const auto damage = std::to_string(draw.random() % 40 + 1);
      const auto record = fmt::format(FMT_COMPILE("attack:{}:{}"), attacker, target);
      append(out, {"HSET", record, "id", "", "damage", damage, "ts", "2026-01-01T00:00:00.000Z"});
      append(out, {"EXPIRE", record, "86400"});
      append(out, {"HINCRBY", "player:" + attacker, "damage_dealt", damage});
      append(out, {"HINCRBY", "player:" + target, "hits", damage});
      append(out, {"ZINCRBY", "leaderboard:active", "1", attacker});
      append(out, {"HINCRBY", "activity:0", attacker, "1"});
    }
    redis.write(out);
    if (++on_their_way < batches_on_their_way) continue;
    redis.read_lines(batch_size * commands_an_attack);
    --on_their_way;
    attacks += batch_size;
  }
  redis.read_lines(std::int64_t{on_their_way} * batch_size * commands_an_attack);
  attacks += std::int64_t{on_their_way} * batch_size;
  return static_cast<double>(attacks) * 1e9 / static_cast<double>(now_ns() - start);
}

}  // namespace skirmish::cli
