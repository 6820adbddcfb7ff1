#include "redis/embedded_server.hpp"

#include "core/task_group.hpp"
#include "redis/client.hpp"
#include "support/redis_server.hpp"
#include "support/run.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

namespace skirmish {
namespace {

using namespace std::chrono_literals;
using redis::client;
using redis::embedded_options;
using redis::embedded_server;
namespace fs = std::filesystem;
using std::chrono::steady_clock;

class redis_embedded : public ::testing::Test {
 protected:
  embedded_options options() { return {.data_dir = dir.path() / "data"}; }

  // Starts a server, runs `work` with a client of it while it is watched over, and stops it.
  void with_server(const embedded_options& how,
                   const std::function<awaitable<void>(embedded_server&, client&)>& work) {
    asio::io_context io{1};
    embedded_server server{io, how};
    client redis{io, server.config(), "test"};
    task_group tasks{io};
    testing::run(io, [&]() -> awaitable<void> {
      co_await server.start();
      tasks.spawn("embedded", [&server] { return server.run(); });
      tasks.spawn("redis", [&redis] { return redis.run(); });
      co_await redis.wait_connected(20s);
      co_await work(server, redis);
      tasks.close();
      EXPECT_TRUE(co_await tasks.wait(20s));
      co_await server.stop();
      EXPECT_EQ(server.pid(), 0);
    });
  }

  // The failure of start(), or nothing.
  std::optional<failure> start_failure(const embedded_options& how) {
    asio::io_context io{1};
    embedded_server server{io, how};
    std::optional<failure> problem;
    testing::run(io, [&]() -> awaitable<void> {
      try {
        co_await server.start();
      } catch (const failure& e) {
        problem = e;
      }
    });
    return problem;
  }

  testing::temp_dir dir;
};

// False for a zombie, too: its files are closed.
bool is_alive(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string ignored;
  char state = 'Z';
  std::getline(in, ignored, ')');
  in >> state;
  return state != 'Z' && state != 'X';
}

awaitable<void> count_up(client& redis, std::int64_t expected) {
  const auto reply = co_await redis.command("INCR", "n");
  EXPECT_EQ(reply.as_integer(), expected) << reply.to_text();
}

TEST_F(redis_embedded, keeps_its_data_over_restarts) {
  for (int round = 1; round <= 3; ++round) {
    const auto once = [round](embedded_server&, client& redis) { return count_up(redis, round); };
    with_server(options(), once);
  }
}

TEST_F(redis_embedded, is_private_append_only_and_without_a_port) {
  const auto look = [this](embedded_server& server, client& redis) -> awaitable<void> {
    struct stat found{};
    EXPECT_EQ(stat(server.config().unix_socket.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0700U);
    EXPECT_EQ(stat(options().data_dir.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0700U);
    const auto settings = co_await redis.command("CONFIG", "GET", "*");
    EXPECT_EQ(settings.find("port")->as_string(), "0");
    EXPECT_EQ(settings.find("appendonly")->as_string(), "yes");
    EXPECT_EQ(settings.find("appendfsync")->as_string(), "everysec");
    EXPECT_EQ(settings.find("save")->as_string(), "");
    EXPECT_EQ(settings.find("maxmemory-policy")->as_string(), "noeviction");
    EXPECT_TRUE(fs::exists(options().data_dir / "redis" / "appendonlydir"));
  };
  with_server(options(), look);
}

TEST_F(redis_embedded, inherits_nothing) {
  const int ours =
      open((dir.path() / "ours").c_str(), O_RDWR | O_CREAT, 0600);  // not close-on-exec
  const auto look = [this](embedded_server& server, client&) -> awaitable<void> {
    for (const auto& fd :
         fs::directory_iterator(fs::path("/proc") / std::to_string(server.pid()) / "fd")) {
      std::error_code closed;  // it has been closed meanwhile
      const auto target = fs::read_symlink(fd, closed).string();
      EXPECT_NE(target, (dir.path() / "ours").string());
      EXPECT_NE(target, (options().data_dir / "lock").string());
    }
    co_return;
  };
  with_server(options(), look);
  close(ours);
}

TEST_F(redis_embedded, a_killed_server_is_started_again_with_its_data) {
  const auto outage = [](embedded_server& server, client& redis) -> awaitable<void> {
    for (int round = 1; round <= 3; ++round) {
      co_await count_up(redis, round);
      const auto old = server.pid();
      const auto connections = redis.stats().connections.load();
      kill(old, SIGKILL);
      const auto back = [&] {
        return redis.connected() && redis.stats().connections > connections;
      };
      co_await testing::eventually(back);
      EXPECT_NE(server.pid(), old);
    }
  };
  with_server(options(), outage);
}

TEST_F(redis_embedded, a_second_owner_is_refused) {
  const auto second = [this](embedded_server&, client& redis) -> awaitable<void> {
    const auto problem = start_failure(options());
    EXPECT_TRUE(problem);
    if (problem) {
      EXPECT_EQ(problem->code(), errc::conflict);
      const std::string text = problem->what();
      EXPECT_NE(text.find(options().data_dir.string()), std::string::npos) << text;
      EXPECT_NE(text.find("process " + std::to_string(getpid())), std::string::npos) << text;
    }
    co_await count_up(redis, 1);  // the first one is unharmed
  };
  with_server(options(), second);
}

// Runs an owner in another process, which is then killed as `kill -9` does. Gives the pid of its
// Redis.
pid_t die_as_owner(const embedded_options& how, bool freeze_redis) {
  std::array<int, 2> ends{};
  EXPECT_EQ(pipe(ends.data()), 0);
  const auto owner = fork();
  if (owner == 0) {
    asio::io_context io{1};
    embedded_server server{io, how};
    client redis{io, server.config(), "owner"};
    testing::run(io, [&]() -> awaitable<void> {
      co_await server.start();
      task_group tasks{io};
      tasks.spawn("redis", [&redis] { return redis.run(); });
      co_await redis.wait_connected(20s);
      co_await count_up(redis, 1);
      const auto pid = server.pid();
      if (freeze_redis) kill(pid, SIGSTOP);
      EXPECT_EQ(write(ends[1], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
      co_await testing::pause(1h);
    });
    _exit(1);
  }
  close(ends[1]);
  pid_t redis_pid = 0;
  EXPECT_EQ(read(ends[0], &redis_pid, sizeof redis_pid), static_cast<ssize_t>(sizeof redis_pid));
  close(ends[0]);
  kill(owner, SIGKILL);
  waitpid(owner, nullptr, 0);
  return redis_pid;
}

TEST_F(redis_embedded, a_killed_owner_takes_its_redis_with_it) {
  const auto old = die_as_owner(options(), false);
  ASSERT_GT(old, 0);
  const auto look = [old](embedded_server&, client& redis) -> awaitable<void> {
    EXPECT_FALSE(is_alive(old)) << "two servers worked on the same files";
    co_await count_up(redis, 2);
  };
  with_server(options(), look);
}

TEST_F(redis_embedded, a_leftover_that_does_not_end_is_killed) {
  auto how = options();
  how.leftover_grace = 300ms;
  const auto old = die_as_owner(how, true);
  ASSERT_GT(old, 0);
  EXPECT_TRUE(is_alive(old)) << "a stopped process cannot have ended by SIGTERM";
  const auto look = [old](embedded_server&, client& redis) -> awaitable<void> {
    EXPECT_FALSE(is_alive(old));
    co_await count_up(redis, 2);
  };
  with_server(how, look);
}

TEST_F(redis_embedded, a_stubborn_server_is_killed_at_the_deadline) {
  auto how = options();
  how.stop_timeout = 200ms;
  pid_t pid = 0;
  const auto freeze = [&pid](embedded_server& server, client&) -> awaitable<void> {
    pid = server.pid();
    kill(pid, SIGSTOP);
    co_return;
  };
  with_server(how, freeze);
  EXPECT_FALSE(is_alive(pid));
}

TEST_F(redis_embedded, a_path_too_long_for_a_socket) {
  auto how = options();
  how.data_dir = dir.path() / std::string(100, 'x') / std::string(100, 'y');
  std::string socket;
  for (int round = 1; round <= 2; ++round) {
    const auto once = [&](embedded_server& server, client& redis) {
      socket = server.config().unix_socket;
      return count_up(redis, round);
    };
    with_server(how, once);
  }
  EXPECT_LT(socket.size(), 108U);
  fs::remove_all(fs::path(socket).parent_path());
}

TEST_F(redis_embedded, a_directory_with_odd_characters) {
  auto how = options();
  how.data_dir = dir.path() / "a \"b\" 'c' \\n d";
  for (int round = 1; round <= 2; ++round) {
    const auto once = [round](embedded_server&, client& redis) { return count_up(redis, round); };
    with_server(how, once);
  }
}

TEST_F(redis_embedded, a_missing_program_is_named) {
  auto how = options();
  how.program = "/nowhere/redis-server";
  const auto problem = start_failure(how);
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->code(), errc::unavailable);
  EXPECT_NE(std::string(problem->what()).find(how.program), std::string::npos) << problem->what();
}

// A program that starts and never answers.
std::string mute_program(const fs::path& dir) {
  const auto path = dir / "mute";
  std::ofstream(path) << "#!/bin/sh\necho 'I say nothing'\nexec sleep 60\n";
  fs::permissions(path, fs::perms::owner_all);
  return path.string();
}

TEST_F(redis_embedded, a_server_that_never_answers_is_given_up) {
  auto how = options();
  how.program = mute_program(dir.path());
  how.answer_timeout = 300ms;
  const auto problem = start_failure(how);
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->code(), errc::unavailable);
  EXPECT_NE(std::string(problem->what()).find("does not answer"), std::string::npos)
      << problem->what();
}

TEST_F(redis_embedded, stop_ends_a_start_that_takes_long) {
  auto how = options();
  how.program = mute_program(dir.path());
  asio::io_context io{1};
  embedded_server server{io, how};
  task_group tasks{io};
  bool failed = false;
  tasks.spawn("start", [&]() -> awaitable<void> {
    try {
      co_await server.start();
    } catch (const failure&) {
      failed = true;
    }
  });
  testing::run(io, [&]() -> awaitable<void> {
    const auto started = [&] { return server.pid() != 0; };
    co_await testing::eventually(started);
    co_await server.stop();
    EXPECT_TRUE(co_await tasks.wait(20s));
  });
  EXPECT_TRUE(failed);
  EXPECT_EQ(server.pid(), 0);
}

TEST_F(redis_embedded, broken_files_are_reported_in_redis_own_words) {
  fs::create_directories(options().data_dir / "redis" / "appendonlydir");
  std::ofstream(options().data_dir / "redis" / "appendonlydir" / "appendonly.aof.manifest")
      << "rubbish\n";
  const auto begin = steady_clock::now();
  const auto problem = start_failure(options());
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->code(), errc::unavailable);
  EXPECT_NE(std::string(problem->what()).find("manifest"), std::string::npos) << problem->what();
  EXPECT_LT(steady_clock::now() - begin, 20s) << "it waited for an answer";
}

TEST_F(redis_embedded, a_directory_that_cannot_be_made_is_named) {
  std::ofstream(dir.path() / "data") << "a file";
  const auto problem = start_failure(options());
  ASSERT_TRUE(problem);
  EXPECT_NE(std::string(problem->what()).find("data"), std::string::npos) << problem->what();
}

TEST_F(redis_embedded, destroyed_without_stop_it_leaves_nothing_behind) {
  pid_t pid = 0;
  {
    asio::io_context io{1};
    embedded_server server{io, options()};
    testing::run(io, [&]() -> awaitable<void> { co_await server.start(); });
    pid = server.pid();
    EXPECT_TRUE(is_alive(pid));
  }
  EXPECT_FALSE(is_alive(pid));
  const auto once = [](embedded_server&, client& redis) { return count_up(redis, 1); };
  with_server(options(), once);
}

}  // namespace
}  // namespace skirmish
