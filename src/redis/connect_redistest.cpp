// The ways to a server that REDIS_URL can name: TCP, TLS, Unix socket, password, database,
// Sentinel.
#include "redis/client.hpp"
#include "support/redis_fixture.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <fstream>

namespace skirmish {
namespace {

using namespace std::chrono_literals;
using redis::client;
using redis::value;

class redis_connect : public ::testing::Test {
 protected:
  // Connects by the URL and runs `work`; what wait_connected() threw is rethrown.
  void with(const std::string& url, const std::function<awaitable<void>(client&)>& work,
            std::chrono::milliseconds deadline = 10s) {
    const auto config = redis::parse_url(url);
    ASSERT_TRUE(config) << config.error().message;
    client redis{io, *config, "test"};
    task_group tasks{io};
    tasks.spawn("redis", [&redis] { return redis.run(); });
    std::exception_ptr problem;
    testing::run(io, [&]() -> awaitable<void> {
      try {
        co_await redis.wait_connected(deadline);
        co_await work(redis);
      } catch (...) {
        problem = std::current_exception();
      }
      redis.stop();
      EXPECT_TRUE(co_await tasks.wait(10s));
    });
    if (problem) std::rethrow_exception(problem);
  }

  // The failure's text, once it holds `reason`; the connection must not come about.
  std::string refusal(const std::string& url, const std::string& reason) {
    const auto nothing = [](client&) -> awaitable<void> { co_return; };
    std::string text;
    // On a busy machine the refusal itself takes a while: then it is given more time.
    for (auto deadline = 300ms; deadline < 20s; deadline *= 4) {
      try {
        with(url, nothing, deadline);
        ADD_FAILURE() << "connected to " << url;
      } catch (const failure& e) {
        EXPECT_EQ(e.code(), errc::unavailable);
        text = e.what();
      }
      if (text.find(reason) != std::string::npos) return text;
    }
    ADD_FAILURE() << "not '" << reason << "' but '" << text << "'";
    return text;
  }

  static awaitable<void> ping(client& redis) {
    EXPECT_EQ((co_await redis.command("PING")).as_string(), "PONG");
  }

  asio::io_context io{1};
};

TEST_F(redis_connect, password_and_database_over_unix_and_tcp) {
  const testing::redis_server server({.password = "p@ss/w:rd %", .tcp = true});
  const std::string encoded = "p%40ss%2Fw%3Ard%20%25";
  const auto write = [](client& redis) -> awaitable<void> {
    redis::checked(co_await redis.command("SET", "where", "five"));
  };
  with(fmt::format("unix://{}?db=5&password={}", server.socket(), encoded), write);
  const auto read = [](client& redis) -> awaitable<void> {
    EXPECT_EQ((co_await redis.command("GET", "where")).as_string(), "five");
  };
  with(fmt::format("redis://:{}@127.0.0.1:{}/5", encoded, server.port()), read);
  with(fmt::format("redis://default:{}@localhost:{}/5", encoded, server.port()), read);
  const auto miss = [](client& redis) -> awaitable<void> {
    EXPECT_TRUE((co_await redis.command("GET", "where")).is_nil());
  };
  with(fmt::format("unix://:{}@{}", encoded, server.socket()), miss);
}

// TCP_NODELAY of this process's connection to that port.
bool sends_without_delay(std::uint16_t port) {
  for (int fd = 3; fd < 1'024; ++fd) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    auto* address = reinterpret_cast<sockaddr*>(&peer);
    if (getpeername(fd, address, &size) != 0 || peer.sin_port != htons(port)) continue;
    int on = 0;
    socklen_t length = sizeof on;
    return getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &length) == 0 && on != 0;
  }
  ADD_FAILURE() << "no connection to port " << port;
  return false;
}

TEST_F(redis_connect, tcp_does_not_wait_to_fill_packets) {
  const testing::redis_server server({.tcp = true, .tls = true});
  const auto plain = [&server](client&) -> awaitable<void> {
    EXPECT_TRUE(sends_without_delay(server.port()));
    co_return;
  };
  with(fmt::format("redis://127.0.0.1:{}", server.port()), plain);
  const auto tls = [&server](client&) -> awaitable<void> {
    EXPECT_TRUE(sends_without_delay(server.tls_port()));
    co_return;
  };
  with(fmt::format("rediss://127.0.0.1:{}?ssl_cert_reqs=none", server.tls_port()), tls);
}

TEST_F(redis_connect, users_of_the_access_list) {
  const testing::redis_server server(
      {.arguments = {"--user", "bob", "on", ">secret", "~*", "+@all", "--user", "open", "on",
                     "nopass", "~*", "+@all"}});
  const auto who = [](client& redis) -> awaitable<void> {
    EXPECT_EQ((co_await redis.command("ACL", "WHOAMI")).as_string(), "bob");
  };
  with(fmt::format("unix://bob:secret@{}", server.socket()), who);
  with(fmt::format("unix://open@{}", server.socket()), ping);
}

TEST_F(redis_connect, refusals_say_why_and_hide_the_password) {
  const testing::redis_server server({.password = "right", .tcp = true});
  const auto wrong = refusal(fmt::format("unix://:hunter2@{}", server.socket()), "WRONGPASS");
  EXPECT_EQ(wrong.find("hunter2"), std::string::npos) << wrong;
  refusal(server.url(), "NOAUTH");
  refusal(fmt::format("unix://:right@{}?db=99", server.socket()), "DB index is out of range");
  refusal(fmt::format("redis://127.0.0.1:{}", testing::free_port()), "refused");
  refusal("unix:///nowhere/redis.sock", "No such file");
}

// What answers there speaks another protocol.
TEST_F(redis_connect, a_server_that_is_no_redis_is_refused) {
  using asio::ip::tcp;
  for (const std::string banner :
       {"HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "\r\n", "*-7\r\n", "$x\r\n",
        ":\r\n", "+OK\r\n+OK\r\n+OK\r\n+OK\r\n"}) {
    tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
    task_group listening{io};
    std::vector<tcp::socket> accepted;
    listening.spawn("impostor", [&]() -> awaitable<void> {
      while (true) {
        auto& peer = accepted.emplace_back(co_await acceptor.async_accept(use_awaitable));
        co_await asio::async_write(peer, asio::buffer(banner), use_awaitable);
      }
    });
    refusal(fmt::format("redis://127.0.0.1:{}", acceptor.local_endpoint().port()), "");
    testing::run(io, [&]() -> awaitable<void> {
      listening.close();
      EXPECT_TRUE(co_await listening.wait(5s));
    });
  }
}

TEST_F(redis_connect, tls_is_verified) {
  const testing::redis_server server({.password = "p", .tls = true});
  const auto port = server.tls_port();
  const auto authority = "ssl_ca_certs=" + server.certificate_file();
  with(fmt::format("rediss://:p@localhost:{}?{}", port, authority), ping);
  with(fmt::format("rediss://:p@127.0.0.1:{}?{}&ssl_check_hostname=false", port, authority), ping);
  with(fmt::format("rediss://:p@127.0.0.1:{}?ssl_cert_reqs=none", port), ping);

  refusal(fmt::format("rediss://:p@localhost:{}", port), "certificate verify failed");
  refusal(fmt::format("rediss://:p@127.0.0.1:{}?{}", port, authority), "certificate verify failed");
  refusal(fmt::format("rediss://:p@localhost:{}?ssl_ca_certs=/nowhere", port), "/nowhere");
}

TEST_F(redis_connect, tls_connects_again) {
  testing::redis_server server({.tls = true});
  const auto url = fmt::format("rediss://localhost:{}?ssl_ca_certs={}", server.tls_port(),
                               server.certificate_file());
  const auto outage = [&server](client& redis) -> awaitable<void> {
    const std::string big(3'000'000, 'x');
    redis::checked(co_await redis.command("SET", "big", big));
    server.restart();
    const auto back = [&redis] { return redis.stats().connections == 2; };
    co_await testing::eventually(back);
    redis::checked(co_await redis.command("SET", "big", big));
    const auto reply = co_await redis.command("GET", "big");
    EXPECT_EQ(reply.as_string().size(), big.size());
  };
  with(url, outage);
}

TEST_F(redis_connect, sentinel_names_the_master) {
  const testing::redis_server master({.tcp = true});
  const testing::temp_dir dir;
  const auto port = testing::free_port();
  const auto file = (dir.path() / "sentinel.conf").string();
  const auto socket = (dir.path() / "sentinel.sock").string();
  std::ofstream(file) << fmt::format(
      "port {}\nbind 127.0.0.1\nunixsocket {}\ndir {}\nsentinel monitor game 127.0.0.1 {} 1\n",
      port, socket, dir.path().string(), master.port());
  const redis::child_process sentinel(
      {redis::find_program({"valkey-server", "redis-server"}), {file, "--sentinel"}});
  testing::run(io, [&socket]() -> awaitable<void> {
    const auto up = [&socket] { return testing::answers(socket); };
    co_await testing::eventually(up);
  });
  const auto is_master = [&master](client& redis) -> awaitable<void> {
    const auto info = co_await redis.command("CONFIG", "GET", "port");
    EXPECT_EQ(info.find("port")->as_integer(), master.port());
  };
  with(fmt::format("redis-sentinel://127.0.0.1:{}/game", port), is_master);
  refusal(fmt::format("redis-sentinel://127.0.0.1:{}/other", port), "");
}

}  // namespace
}  // namespace skirmish
