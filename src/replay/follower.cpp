#include "replay/follower.hpp"

#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/run.hpp"
#include "core/usage_error.hpp"
#include "replay/follow_state.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr std::size_t chunk_bytes = 256 * 1024;
constexpr auto poll_interval = 200ms;
// A server goes on writing to a renamed log until it opens the new one.
constexpr int quiet_polls_after_rename = 5;
// What is looked through for a log that was renamed.
constexpr int directory_entries_limit = 100'000;
// A line that is longer is handed to the parser, which skips it, in pieces of this size.
constexpr std::size_t piece_limit_bytes = 64 * 1024;
static_assert(piece_limit_bytes > ingest::line_limit_bytes);
constexpr std::chrono::seconds no_end = std::chrono::hours{24 * 365};

struct file_identity {
  std::uint64_t inode = 0;
  std::uint64_t size_bytes = 0;
};

std::optional<file_identity> identity_of(const std::string& path) {
  struct stat s{};
  if (stat(path.c_str(), &s) != 0) return std::nullopt;
  return file_identity{s.st_ino, static_cast<std::uint64_t>(s.st_size)};
}

// An open file, closed with its owner.
class log_file {
 public:
  explicit log_file(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0 && errno != ENOENT)
      throw failure(errc::not_found, fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  }
  ~log_file() {
    if (fd_ >= 0) close(fd_);
  }
  log_file(const log_file&) = delete;
  log_file& operator=(const log_file&) = delete;

  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }

  [[nodiscard]] file_identity identity() const {
    struct stat s{};
    if (fstat(fd_, &s) != 0) throw failure(errc::unavailable, "fstat of the log failed");
    return {s.st_ino, static_cast<std::uint64_t>(s.st_size)};
  }

  // What stands at `offset`, at most `chunk_bytes`; empty at the end.
  std::string_view read(std::uint64_t offset, std::string& buffer) const {
    buffer.resize(chunk_bytes);
    const auto got = pread(fd_, buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (got < 0)
      throw failure(errc::unavailable, std::string("reading the log: ") + std::strerror(errno));
    return std::string_view(buffer).substr(0, static_cast<std::size_t>(got));
  }

 private:
  int fd_;
};

// One file, from its beginning to where it was renamed or truncated.
class followed_file {
 public:
  enum class ending { stopped, renamed, truncated };

  followed_file(asio::io_context& io, const follow_plan& plan, const server_address& server,
                const std::string& api_key, std::string path, follow_state state)
      : plan_(plan),
        path_(std::move(path)),
        state_(std::move(state)),
        timer_(io),
        file_(path_),
        parser_(ingest::make_parser(state_.format, {plan_.origin, state_.server})),
        sender_(io, server, api_key, state_.stream, {.patience = no_end, .stop = plan_.stop}) {}

  awaitable<ending> run() {
    if (!file_.is_open()) co_return ending::truncated;  // gone since it was found
    std::string buffer;
    int quiet_polls = 0;
    while (true) {
      if (is_stopped()) {
        co_await sender_.drain();
        co_return ending::stopped;
      }
      const auto bytes = file_.read(prefix_.size_bytes(), buffer);
      if (!bytes.empty()) {
        quiet_polls = 0;
        co_await take(bytes);
        continue;
      }
      co_await sender_.drain();
      if (file_.identity().size_bytes < prefix_.size_bytes()) co_return ending::truncated;
      if (is_renamed() && ++quiet_polls > quiet_polls_after_rename) {
        co_await finish();
        co_return ending::renamed;
      }
      co_await sleep();
    }
  }

  void close() { sender_.close(); }

  [[nodiscard]] const ingest::totals& counted() const noexcept { return parser_->counted(); }
  [[nodiscard]] const sent_events& sent() const noexcept { return sender_.counted(); }

 private:
  bool is_stopped() const { return plan_.stop && *plan_.stop; }

  // True when another file has the name by now.
  bool is_renamed() const {
    const auto current = identity_of(plan_.file);
    return current && current->inode != file_.identity().inode;
  }

  awaitable<void> take(std::string_view bytes) {
    prefix_.update(bytes);
    remember();
    waiting_ += bytes;
    std::size_t begin = 0;
    while (true) {
      const auto end = waiting_.find('\n', begin);
      const auto piece_bytes = std::min(
          end == std::string::npos ? waiting_.size() - begin : end + 1 - begin, piece_limit_bytes);
      if (end == std::string::npos && piece_bytes < piece_limit_bytes) break;
      co_await apply(std::string_view(waiting_).substr(begin, piece_bytes));
      begin += piece_bytes;
    }
    waiting_.erase(0, begin);
  }

  // Before anything of these bytes is sent, so that whatever the server holds of the stream is of a
  // file that begins so.
  void remember() {
    if (prefix_.size_bytes() <= state_.size_bytes) return;
    state_.size_bytes = prefix_.size_bytes();
    state_.digest = prefix_.digest();
    state_.inode = file_.identity().inode;
    save_follow_state(plan_.state_file, state_);
  }

  awaitable<void> apply(std::string_view piece) {
    std::vector<ingest::log_event> events;
    while (!piece.empty()) {
      piece.remove_prefix(parser_->feed(piece, events));
      frames_.add(events, ready_);
      frames_.flush(ready_);
      co_await send_ready();
    }
  }

  awaitable<void> finish() {
    std::vector<ingest::log_event> events;
    const auto last = std::exchange(waiting_, {});
    co_await apply(last);
    parser_->finish(events);
    frames_.add(events, ready_);
    frames_.finish(ready_);
    co_await send_ready();
    co_await sender_.drain();
  }

  awaitable<void> send_ready() {
    for (const auto& f : ready_) {
      const bool is_wanted = co_await sender_.wants(f);
      if (is_wanted) co_await sender_.send(f);
    }
    ready_.clear();
  }

  awaitable<void> sleep() {
    timer_.expires_after(poll_interval);
    error_code ignored;
    co_await timer_.async_wait(asio::redirect_error(use_awaitable, ignored));
  }

  const follow_plan& plan_;
  std::string path_;
  follow_state state_;
  asio::steady_timer timer_;
  log_file file_;
  file_prefix prefix_;   // all that was read
  std::string waiting_;  // its last line, whose end has not come; below `piece_limit_bytes`
  std::unique_ptr<ingest::log_parser> parser_;
  ingest::frame_builder frames_{ingest::frame_limits{}};
  std::vector<ingest::frame> ready_;
  stream_sender sender_;
};

// Where the file of this state is now: under its name, renamed beside it, or in a copy beside it.
// The same file comes first, because another may begin with the same lines.
std::optional<std::string> find_file(const follow_plan& plan, const follow_state& state) {
  const auto current = identity_of(plan.file);
  const bool is_described = state.describes(plan.file);
  if (current && current->inode == state.inode && is_described) return plan.file;
  std::error_code ec;
  std::optional<std::string> copy;
  int looked_at = 0;
  const auto file = fs::absolute(plan.file);
  const auto name = file.filename().string();
  for (fs::directory_iterator at(file.parent_path(), ec), end; !ec && at != end; at.increment(ec)) {
    if (++looked_at > directory_entries_limit) break;
    const auto path = at->path().string();
    const auto found = identity_of(path);
    if (!found || !at->is_regular_file(ec)) continue;
    if (found->inode == state.inode && state.describes(path)) return path;
    const bool is_named_alike =
        path != file.string() && at->path().filename().string().starts_with(name);
    if (!copy && is_named_alike && state.size_bytes > 0 && state.describes(path)) copy = path;
  }
  return is_described ? plan.file : copy;
}

class follower {
 public:
  follower(asio::io_context& io, const follow_plan& plan, const server_address& server,
           const std::string& api_key)
      : io_(io), plan_(plan), server_(server), api_key_(api_key), timer_(io) {}

  awaitable<replay_summary> run() {
    const auto started = std::chrono::steady_clock::now();
    auto state = load_follow_state(plan_.state_file);
    if (state && state->server != plan_.server)
      throw failure(errc::invalid_argument,
                    fmt::format("{} is of a log that was followed {}: go on so, or remove it to "
                                "apply the log from its beginning (again)",
                                plan_.state_file,
                                state->server.empty() ? std::string("without --server")
                                                      : "with --server " + state->server));
    auto path = state ? find_file(plan_, *state) : std::nullopt;
    while (!is_stopped()) {
      if (!path) {
        state = co_await begin_stream();
        if (!state) break;
        path = plan_.file;
      }
      log::info("log_followed", {{"file", *path}, {"stream", state->stream}});
      followed_file file(io_, plan_, server_, api_key_, *path, *state);
      const auto ended = co_await file.run();
      file.close();
      add(file);
      if (ended == followed_file::ending::stopped) break;
      log::info(ended == followed_file::ending::renamed ? "log_renamed" : "log_truncated",
                {{"file", *path}});
      path.reset();
    }
    summary_.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    co_return summary_;
  }

 private:
  bool is_stopped() const { return plan_.stop && *plan_.stop; }

  // A stream for the file from its beginning, as soon as its format can be told. Nothing when it is
  // stopped before.
  awaitable<std::optional<follow_state>> begin_stream() {
    while (!is_stopped()) {
      if (const auto format = tell_format()) {
        follow_state state;
        state.stream = "follow-" + random_hex(16);
        state.server = plan_.server;
        state.format = *format;
        state.digest = file_prefix{}.digest();
        if (const auto found = identity_of(plan_.file)) state.inode = found->inode;
        save_follow_state(plan_.state_file, state);
        co_return state;
      }
      timer_.expires_after(poll_interval);
      error_code ignored;
      co_await timer_.async_wait(asio::redirect_error(use_awaitable, ignored));
    }
    co_return std::nullopt;
  }

  std::optional<ingest::format> tell_format() const {
    const log_file file(plan_.file);
    if (!file.is_open()) return std::nullopt;
    if (plan_.format) return plan_.format;
    std::string buffer;
    const auto head = file.read(0, buffer);
    const auto found = ingest::detect(head);
    if (found) return *found;
    if (head.size() >= ingest::detect_bytes)
      throw usage_error{plan_.file + ": " + found.error().message};
    return std::nullopt;
  }

  void add(const followed_file& file) {
    summary_.file += file.counted();
    summary_.sent.accepted += file.sent().accepted;
    summary_.sent.duplicate += file.sent().duplicate;
    summary_.sent.rejected += file.sent().rejected;
  }

  asio::io_context& io_;
  const follow_plan& plan_;
  const server_address& server_;
  const std::string& api_key_;
  asio::steady_timer timer_;
  replay_summary summary_;
};

}  // namespace

replay_summary follow(const follow_plan& plan, const std::string& url, const std::string& api_key) {
  const auto server = parse_server_url(url);
  if (!server) throw usage_error{server.error().message};
  auto whole = plan;
  if (whole.state_file.empty()) whole.state_file = whole.file + ".follow";
  return run([&](asio::io_context& io) -> awaitable<replay_summary> {
    follower f(io, whole, *server, api_key);
    co_return co_await f.run();
  });
}

}  // namespace skirmish::cli
