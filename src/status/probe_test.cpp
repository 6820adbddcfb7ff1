#include "status/probe.hpp"

#include "status/a2s.hpp"
#include "status/bedrock_ping.hpp"
#include "status/damper.hpp"
#include "status/http_answer.hpp"
#include "status/minecraft_ping.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace skirmish::status {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using asio::ip::tcp;
using asio::ip::udp;
using ::testing::HasSubstr;

const std::string header = "\xFF\xFF\xFF\xFF"s;
const std::string source_info =
    "I\x11"s + "Dust \xC3\xA9 24/7\0de_dust2\0cstrike\0Counter-Strike\0"s +
    "\xF0\x00\x05\x20\x00"s + "dl\x00\x01"s + "1.0.0.70\0"s + "\xB1\x87\x69"s;

TEST(probe_url, names_what_to_ask) {
  const auto a2s = parse_probe_url("a2s://game.example.com").value();
  EXPECT_EQ(a2s.kind, probe_kind::a2s);
  EXPECT_EQ(authority(a2s), "game.example.com:27015");
  EXPECT_EQ(parse_probe_url("minecraft://[::1]:4000/").value().port, 4000);
  EXPECT_EQ(authority(parse_probe_url("tcp://[fe80::1]:7").value()), "[fe80::1]:7");
  EXPECT_EQ(authority(parse_probe_url("bedrock://h").value()), "h:19132");
  const auto https = parse_probe_url("https://h/up?x=1").value();
  EXPECT_EQ(https.path, "/up?x=1");
  EXPECT_EQ(https.port, 443);
  EXPECT_EQ(parse_probe_url("http://h:81?q").value().path, "/?q");
  for (const auto* bad :
       {"", "game:27015", "ftp://h", "a2s://", "a2s://:1", "a2s://h:0", "a2s://h:65536",
        "a2s://h:x", "a2s://h:", "tcp://h", "a2s://h/path", "http://h/a b", "http://h/\r\nX: y",
        "http://a b/", "a2s://[::1", "a2s://[::1]x", "http://u@h/", "a2s://h\r\n"})
    EXPECT_TRUE(parse_probe_url(bad).has_error()) << bad;
}

TEST(observation, texts_become_clean_utf8) {
  EXPECT_EQ(clean_text("a\x01\x7F\nb"), "ab");
  EXPECT_EQ(clean_text("caf\xC3\xA9 \xF0\x9F\x8E\xAE"), "caf\xC3\xA9 \xF0\x9F\x8E\xAE");
  EXPECT_EQ(clean_text("\xC2\x85x"), "x");
  EXPECT_EQ(clean_text("a\xE2\x80\xAE"
                       "b"),
            "ab")
      << "a server's name turned the page's text round";
  for (const auto* bad :
       {"\xFF", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xC0\xAF"})
    EXPECT_THAT(clean_text(bad), ::testing::StartsWith("\xEF\xBF\xBD")) << bad;
  EXPECT_EQ(clean_text(std::string(300, 'x')).size(), 256U);
  std::string wide;
  for (int i = 0; i < 100; ++i) wide += "\xE2\x82\xAC";
  EXPECT_EQ(clean_text(wide).size(), 255U) << "no character is cut in two";
}

TEST(a2s, reads_source_goldsource_and_the_ship) {
  const auto source = parse_a2s_info(source_info).value();
  EXPECT_EQ(source.name, "Dust \xC3\xA9 24/7");
  EXPECT_EQ(source.map, "de_dust2");
  EXPECT_EQ(source.players, 5);
  EXPECT_EQ(source.max_players, 32);
  EXPECT_EQ(source.version, "1.0.0.70");
  const auto ship = "I\x07"s + "n\0m\0f\0g\0"s + "\x60\x09\x01\x02\x03"s + "dl\x00\x00"s +
                    "\x01\x02\x03"s + "9\0"s;
  EXPECT_EQ(parse_a2s_info(ship).value().version, "9");
  const auto gold =
      "m1.2.3.4:27015\0Old\0crossfire\0valve\0Half-Life\0"s + "\x03\x10\x2F"s + "dl\0\0\0\0\x05"s;
  EXPECT_EQ(parse_a2s_info(gold).value().players, 3);
  EXPECT_EQ(parse_a2s_info(gold).value().version, "47");
}

TEST(a2s, every_truncation_is_an_error) {
  const auto essential = source_info.substr(0, source_info.size() - 3);
  for (std::size_t size = 0; size < essential.size(); ++size)
    EXPECT_TRUE(parse_a2s_info(essential.substr(0, size)).has_error()) << size;
  EXPECT_TRUE(parse_a2s_info(essential).has_value());
}

// A Source answer with these counts and keywords.
std::string tagged(std::uint8_t players, std::uint8_t max_players, const std::string& keywords) {
  std::string out = header + "I\x11"s + "Rust\0Procedural Map\0rust\0Rust\0"s + "\0\0"s;
  out += static_cast<char>(players);
  out += static_cast<char>(max_players);
  out += "\0dl\0\x01"s + "2572\0"s;
  return out + "\xB1\x0F\x6D"s + std::string(8, '\1') + keywords + "\0"s + std::string(8, '\2');
}

TEST(a2s, counts_above_a_byte_stand_in_the_keywords) {
  const auto counts = [](const std::string& datagram) {
    const auto info = parse_a2s_info(std::string_view(datagram).substr(4)).value();
    return std::pair(info.players.value(), info.max_players.value());
  };
  EXPECT_EQ(counts(tagged(44, 144, "mp400,cp300,ptrak,qp0,v2572")), std::pair(300L, 400L));
  EXPECT_EQ(counts(tagged(100, 144, "cp100,mp400")), std::pair(100L, 400L));
  EXPECT_EQ(counts(tagged(44, 32, "x,cp300")), std::pair(300L, 32L));
  EXPECT_EQ(counts(tagged(5, 32, "cp4")), std::pair(5L, 32L)) << "a word that looks like one";
  EXPECT_EQ(counts(tagged(5, 32, "cp,mp,cpx,mp-5,cp99999999999999999999")), std::pair(5L, 32L));
  const auto whole = tagged(44, 144, "mp400,cp300");
  EXPECT_EQ(counts(whole.substr(0, whole.size() - 12)), std::pair(44L, 144L)) << "a tail cut short";
}

TEST(a2s, sends_the_challenge_back_but_not_for_ever) {
  using step = a2s_query::step;
  a2s_query query;
  EXPECT_EQ(query.request(), header + "TSource Engine Query\0"s);
  EXPECT_EQ(query.receive(header + "A\x01\x02\x03\x04"s), step::send);
  EXPECT_EQ(query.request(), header + "TSource Engine Query\0\x01\x02\x03\x04"s);
  for (int i = 0; i < 7; ++i) EXPECT_EQ(query.receive(header + "A\x05\x06\x07\x08"s), step::send);
  EXPECT_EQ(query.receive(header + "A\x05\x06\x07\x08"s), step::wait);
  EXPECT_THAT(query.complaint(), HasSubstr("challenge"));
  EXPECT_EQ(query.receive(header + source_info), step::done) << "the answer still counts";
  query.start_again();
  EXPECT_EQ(query.request(), header + "TSource Engine Query\0"s) << "the challenge was another's";
}

std::string part(std::string id, int total, int number, std::string payload) {
  return "\xFE\xFF\xFF\xFF"s + std::move(id) + static_cast<char>(total) +
         static_cast<char>(number) + "\xE0\x04"s + std::move(payload);
}

// Old Source servers say no size.
std::string sizeless_part(std::string id, int total, int number, std::string payload) {
  return "\xFE\xFF\xFF\xFF"s + std::move(id) + static_cast<char>(total) +
         static_cast<char>(number) + std::move(payload);
}

std::string goldsource_part(std::string id, int total, int number, std::string payload) {
  return "\xFE\xFF\xFF\xFF"s + std::move(id) + static_cast<char>(number << 4 | total) +
         std::move(payload);
}

TEST(a2s, puts_split_answers_of_all_three_forms_together) {
  using step = a2s_query::step;
  const auto whole = header + source_info;
  const auto id = "\x07\0\0\0"s;
  for (const auto& form : {part, sizeless_part, goldsource_part}) {
    a2s_query query;
    EXPECT_EQ(query.receive(form(id, 3, 1, whole.substr(20, 20))), step::wait);
    EXPECT_EQ(query.receive(form(id, 3, 1, whole.substr(20, 20))), step::wait) << "repeated";
    EXPECT_EQ(query.receive(form("\x08\0\0\0"s, 2, 0, header + "E\x01")), step::wait)
        << "a part of another query's answer";
    EXPECT_EQ(query.receive(form(id, 3, 2, whole.substr(40))), step::wait);
    EXPECT_EQ(query.receive(form(id, 3, 0, whole.substr(0, 20))), step::done);
    EXPECT_EQ(query.info().players, 5);
    EXPECT_EQ(query.info().version, "1.0.0.70");
  }
}

TEST(a2s, skips_what_is_no_answer_and_says_what_it_was) {
  using step = a2s_query::step;
  const auto id = "\x07\0\0\0"s;
  const auto skips = [&](const std::vector<std::string>& datagrams, const char* reason) {
    a2s_query query;
    for (const auto& d : datagrams) EXPECT_EQ(query.receive(d), step::wait) << reason;
    EXPECT_THAT(query.complaint(), HasSubstr(reason));
    EXPECT_EQ(query.receive(header + source_info), step::done) << reason;
  };
  skips({part("\x07\0\0\x80"s, 2, 0, "x")}, "compressed");
  skips({part(id, 1, 0, header + "E\x01")}, "unknown type");
  skips({header + "E\x02\0rules\0"s}, "unknown type");
  skips({header + "D\x01\0player\0"s}, "unknown type");
  skips({"\xFE\xFF\xFF\xFF\x01"s}, "truncated");
  skips({header + "A\x01\x02"s}, "truncated");
  skips({header + source_info.substr(0, 12)}, "truncated");
  skips({header + std::string(20'000, 'I')}, "too large");
  skips({"nonsense"}, "does not start");
  skips({""}, "does not start");
  skips({header}, "empty");
  std::vector<std::string> many;
  for (int i = 0; i < 20; ++i) many.push_back(part(id, 20, i, std::to_string(i)));
  skips(many, "too many parts");
  many.clear();
  for (char c = 'a'; c < 'z'; ++c) many.push_back(part(std::string(4, c), 2, 0, "x"));
  skips(many, "too many split answers");
  skips({part(id, 2, 0, std::string(60'000, 'x')), part(id, 2, 1, std::string(60'000, 'y')),
         part(id, 3, 2, std::string(60'000, 'z'))},
        "too large");
}

std::string pong(const std::string& text) {
  return "\x1C"s + std::string(16, '\1') + "\x00\xFF\xFF\x00\xFE\xFE\xFE\xFE"s +
         "\xFD\xFD\xFD\xFD\x12\x34\x56\x78"s + static_cast<char>(text.size() >> 8U) +
         static_cast<char>(text.size() & 0xFFU) + text;
}

TEST(bedrock, reads_the_unconnected_pong) {
  const auto text =
      "MCPE;Two\\; \xC2\xA7"
      "aparts;527;1.19.1;300;1000;132;Level one;Survival;1;19132;19133;"s;
  const auto info = parse_bedrock_pong(pong(text)).value();
  EXPECT_EQ(info.name, "Two; parts");
  EXPECT_EQ(info.version, "1.19.1");
  EXPECT_EQ(info.players, 300);
  EXPECT_EQ(info.max_players, 1000);
  EXPECT_EQ(info.map, "Level one");
  EXPECT_EQ(parse_bedrock_pong(pong("MCPE;a;1;2;x;-1")).value().players, std::nullopt);
  const auto whole = pong(text);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_TRUE(parse_bedrock_pong(std::string_view(whole).substr(0, size)).has_error()) << size;
  for (const auto& bad : {pong(""), pong("MCPE;a;1;2;3"), pong("QUAKE;a;1;2;3;4"), "\x1D"s + whole})
    EXPECT_TRUE(parse_bedrock_pong(bad).has_error());
}

TEST(minecraft, varints_are_those_of_the_protocol) {
  const std::pair<std::int32_t, std::string> examples[] = {{0, "\0"s},
                                                           {127, "\x7F"},
                                                           {128, "\x80\x01"},
                                                           {25565, "\xDD\xC7\x01"},
                                                           {2147483647, "\xFF\xFF\xFF\xFF\x07"},
                                                           {-1, "\xFF\xFF\xFF\xFF\x0F"}};
  for (const auto& [number, bytes] : examples) {
    std::string out;
    append_varint(out, number);
    EXPECT_EQ(out, bytes);
    EXPECT_EQ(read_varint(bytes).value().value, number);
    EXPECT_EQ(read_varint(bytes).value().bytes, bytes.size());
    EXPECT_EQ(read_varint(bytes.substr(0, bytes.size() - 1)).value().bytes, 0U) << "incomplete";
  }
  EXPECT_TRUE(read_varint("\x80\x80\x80\x80\x80\x01").has_error());
}

std::string minecraft_answer(const std::string& json) {
  std::string packet(1, '\0');
  append_varint(packet, static_cast<std::int32_t>(json.size()));
  packet += json;
  std::string out;
  append_varint(out, static_cast<std::int32_t>(packet.size()));
  return out + packet;
}

TEST(minecraft, reads_the_status_response) {
  const auto answer = minecraft_answer(
      R"({"version":{"name":"1.20.4","protocol":765},"players":{"max":20,"online":3,"sample":[]},
          "description":{"text":"","extra":[{"text":"\u00a7aHello"},{"text":" world","bold":true}," !"]}})");
  for (std::size_t size = 0; size < answer.size(); ++size)
    ASSERT_FALSE(parse_minecraft_answer(answer.substr(0, size)).value()) << size;
  const auto info = parse_minecraft_answer(answer).value().value();
  EXPECT_EQ(info.players, 3);
  EXPECT_EQ(info.max_players, 20);
  EXPECT_EQ(info.version, "1.20.4");
  EXPECT_EQ(info.name, "Hello world !");
  EXPECT_EQ(parse_minecraft_status(R"({"description":"plain"})").value().name, "plain");
  const auto odd = parse_minecraft_status(
                       R"({"players":{"online":"many","max":-1},"version":[],"description":7})")
                       .value();
  EXPECT_FALSE(odd.players);
  EXPECT_FALSE(odd.max_players);
}

TEST(minecraft, decoration_never_makes_it_offline) {
  const auto players = [](const std::string& description, const std::string& more = "") {
    const auto info = parse_minecraft_status(R"({"players":{"max":20,"online":3},"description":)" +
                                             description + more + "}");
    EXPECT_FALSE(info.has_error()) << description.substr(0, 80);
    if (info.has_error()) return std::string("offline");
    EXPECT_EQ(info->players, 3);
    return info->name;
  };
  EXPECT_EQ(players("\"caf\xE9 \xFF\""), "caf\xEF\xBF\xBD \xEF\xBF\xBD");
  EXPECT_THAT(players(R"("a\ud83d")"), ::testing::StartsWith("a"));
  EXPECT_THAT(players(R"("a\udc00b")"), ::testing::EndsWith("b"));
  EXPECT_EQ(players("\"two\nlines\""), "two lines");
  EXPECT_EQ(players(R"({"translate":"menu.online"})"), "menu.online");
  EXPECT_EQ(players(R"({"translate":"menu.online","fallback":"Online"})"), "Online");
  std::string deep = R"("end")";
  for (int i = 0; i < 10'000; ++i) deep = R"({"text":"]}\"{","extra":[)" + deep + "]}";
  EXPECT_THAT(players(deep), ::testing::StartsWith("]}\"{]}"));
  EXPECT_EQ(
      players("\"x\"", ",\"forgeData\":" + std::string(50'000, '[') + std::string(50'000, ']')),
      "x");
}

TEST(minecraft, refuses_what_is_not_a_status_response) {
  const auto problem = [](const std::string& bytes) {
    const auto outcome = parse_minecraft_answer(bytes);
    return outcome.has_error() ? outcome.error().message : "none";
  };
  EXPECT_THAT(problem("\xFF\xFF\xFF\x7F"s), HasSubstr("too large"));
  EXPECT_THAT(problem("\xFF\xFF\xFF\xFF\x0F"s), HasSubstr("impossible"));
  EXPECT_THAT(problem("\0"s), HasSubstr("impossible"));
  EXPECT_THAT(problem("\x01\x07"s), HasSubstr("not a status"));
  EXPECT_THAT(problem("\x03\x00\x05x"s), HasSubstr("truncated"));
  EXPECT_THAT(problem(minecraft_answer("[]")), HasSubstr("JSON object"));
  EXPECT_THAT(problem(minecraft_answer("{")), HasSubstr("JSON object"));
  EXPECT_THAT(problem(minecraft_answer(std::string(100'000, '['))), HasSubstr("JSON object"));
}

TEST(http_answer, reads_the_first_line) {
  EXPECT_EQ(parse_http_status("HTTP/1.1 200 OK\r\n").value(), 200);
  EXPECT_EQ(parse_http_status("HTTP/1.0 404\r\nX: y").value(), 404);
  for (const auto* partial : {"", "HTT", "HTTP/1.1 200", "HTTP/1.1 200 OK\r"})
    EXPECT_FALSE(parse_http_status(partial).value()) << partial;
  for (const auto* bad : {"SSH-2.0-x\r\n", "HTTP/2 200\r\n", "HTTP/1.1 2000 x\r\n",
                          "HTTP/1.1 20\r\n", "HTTP/1.1 999 x\r\n", "X"})
    EXPECT_TRUE(parse_http_status(bad).has_error()) << bad;
  EXPECT_TRUE(parse_http_status("HTTP/1.1 200 " + std::string(5000, 'x')).has_error());
}

observation seen(bool is_online, int second) {
  observation out;
  out.is_online = is_online;
  out.checked_at = timestamp{std::chrono::seconds{second}};
  if (!is_online) return out;
  out.observed_at = out.checked_at;
  out.info.players = 7;
  out.info.map = "de_dust2";
  return out;
}

TEST(damper, goes_offline_after_enough_failures_and_back_at_once) {
  damper d(3);
  EXPECT_FALSE(d.published());
  d.observe(seen(true, 1));
  d.observe(seen(false, 2));
  d.observe(seen(false, 3));
  EXPECT_TRUE(d.published()->is_online);
  EXPECT_EQ(d.published()->observed_at, timestamp{1s}) << "the age of the last good answer shows";
  d.observe(seen(false, 4));
  EXPECT_FALSE(d.published()->is_online);
  EXPECT_EQ(d.published()->observed_at, timestamp{1s}) << "what it said last, and when";
  EXPECT_EQ(d.published()->info.players, 7);
  EXPECT_EQ(d.published()->info.map, "de_dust2");
  EXPECT_EQ(d.published()->checked_at, timestamp{4s});
  EXPECT_EQ(d.published()->changed_at, timestamp{4s});
  d.observe(seen(true, 5));
  EXPECT_TRUE(d.published()->is_online);
  EXPECT_EQ(d.published()->changed_at, timestamp{5s});
  d.observe(seen(false, 6));
  EXPECT_TRUE(d.published()->is_online) << "the count starts anew";
}

TEST(damper, a_server_never_seen_online_is_offline_at_once) {
  damper d(3);
  d.observe(seen(false, 1));
  EXPECT_FALSE(d.published()->is_online);
}

observation ask(asio::io_context& io, const std::string& url, std::chrono::milliseconds timeout) {
  observation out;
  bool is_done = false;
  const system_clock time;
  auto work = [&]() -> awaitable<void> {
    out = co_await probe(parse_probe_url(url).value(), timeout, time);
  };
  asio::co_spawn(io, work, [&](const std::exception_ptr& problem) {
    EXPECT_FALSE(problem);
    is_done = true;
  });
  io.restart();
  const auto limit = std::chrono::steady_clock::now() + 10s;
  while (!is_done && io.run_one_until(limit) != 0) {
  }
  EXPECT_TRUE(is_done);
  return out;
}

class udp_server {
 public:
  using answers = std::function<std::vector<std::string>(std::string_view request, int count)>;

  udp_server(asio::io_context& io, answers behave)
      : socket_(io, udp::endpoint(asio::ip::address_v4::loopback(), 0)),
        behave_(std::move(behave)) {
    receive();
  }
  [[nodiscard]] std::string url(const char* scheme = "a2s") const {
    return scheme + "://127.0.0.1:"s + std::to_string(socket_.local_endpoint().port());
  }
  [[nodiscard]] int requests() const { return requests_; }

 private:
  void receive() {
    socket_.async_receive_from(
        asio::buffer(buffer_), peer_, [this](error_code ec, std::size_t size) {
          if (ec) return;
          for (const auto& answer : behave_(std::string_view(buffer_.data(), size), ++requests_))
            socket_.send_to(asio::buffer(answer), peer_);
          receive();
        });
  }

  udp::socket socket_;
  answers behave_;
  udp::endpoint peer_;
  std::array<char, 2048> buffer_{};
  int requests_ = 0;
};

TEST(probe, a2s_with_challenge_loss_and_split_answers) {
  asio::io_context io;
  udp_server server(io, [](std::string_view request, int count) -> std::vector<std::string> {
    if (count == 1) return {};  // lost
    if (!request.ends_with("\x01\x02\x03\x04")) return {header + "A\x01\x02\x03\x04"s};
    const auto whole = header + source_info;
    return {part("\x01\0\0\0"s, 2, 1, whole.substr(20)),
            part("\x01\0\0\0"s, 2, 0, whole.substr(0, 20))};
  });
  const auto o = ask(io, server.url(), 600ms);
  EXPECT_TRUE(o.is_online) << o.problem;
  EXPECT_EQ(o.info.map, "de_dust2");
  EXPECT_EQ(server.requests(), 3);
  EXPECT_LT(o.latency_ms.value(), 200) << "the time lost to the lost datagram is no latency";
}

TEST(probe, a2s_skips_noise_before_the_answer) {
  asio::io_context io;
  udp_server server(io, [](std::string_view request, int) -> std::vector<std::string> {
    const std::vector<std::string> noise{"", "\0"s, header + "D\x01\0player\0"s,
                                         part("\x05\0\0\0"s, 2, 1, "rules"),
                                         header + source_info.substr(0, 9)};
    if (!request.ends_with("\x01\x02\x03\x04")) {
      // A stray challenge first, which the server would not take.
      return {"", header + "A\x09\x09\x09\x09"s, header + "A\x01\x02\x03\x04"s};
    }
    auto out = noise;
    out.push_back(header + source_info);
    return out;
  });
  const auto o = ask(io, server.url(), 3s);
  EXPECT_TRUE(o.is_online) << o.problem;
  EXPECT_EQ(o.info.players, 5);
}

TEST(probe, noise_does_not_keep_the_request_from_being_sent_again) {
  asio::io_context io;
  udp_server server(io, [](std::string_view, int count) -> std::vector<std::string> {
    if (count == 1) return std::vector<std::string>(100, "noise");
    return {header + source_info};
  });
  EXPECT_TRUE(ask(io, server.url(), 900ms).is_online);
  EXPECT_EQ(server.requests(), 2);
}

TEST(probe, bedrock) {
  asio::io_context io;
  udp_server server(io, [](std::string_view request, int count) -> std::vector<std::string> {
    EXPECT_EQ(request.size(), 33U);
    if (count == 1) return {};  // lost
    return {"noise", "", pong("MCPE;Dedicated Server;527;1.19.1;2;10;1;Bedrock level;Survival")};
  });
  const auto o = ask(io, server.url("bedrock"), 900ms);
  EXPECT_TRUE(o.is_online) << o.problem;
  EXPECT_EQ(o.info.name, "Dedicated Server");
  EXPECT_EQ(o.info.max_players, 10);
}

TEST(probe, a2s_survives_what_servers_send) {
  asio::io_context io;
  const auto problem = [&](const std::string& answer) {
    udp_server server(io, [&](auto, auto) { return std::vector{answer}; });
    return ask(io, server.url(), 300ms).problem;
  };
  EXPECT_THAT(problem(header + source_info.substr(0, 12)), HasSubstr("truncated"));
  EXPECT_THAT(problem(header + "I" + std::string(60'000, 'x')), HasSubstr("too large"));
  EXPECT_THAT(problem(header + "A\x01\x02\x03\x04"s), HasSubstr("challenge"));
  EXPECT_THAT(problem(""), HasSubstr("does not start"));
  EXPECT_THAT(problem(part("\x07\0\0\x80"s, 2, 0, "x")), HasSubstr("compressed"));
  udp_server silent(io, [](auto, auto) { return std::vector<std::string>(); });
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(ask(io, silent.url(), 300ms).problem, "no answer in time");
  EXPECT_LT(std::chrono::steady_clock::now() - start, 2s);
  EXPECT_EQ(silent.requests(), 3);
}

class tcp_server {
 public:
  tcp_server(asio::io_context& io, std::string answer, bool closes)
      : acceptor_(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        peer_(io),
        answer_(std::move(answer)) {
    acceptor_.async_accept(peer_, [this, closes](error_code ec) {
      if (ec) return;
      peer_.async_read_some(asio::buffer(buffer_),
                            [this, closes](error_code read_ec, std::size_t size) {
                              if (read_ec) return;
                              request_.assign(buffer_.data(), size);
                              asio::async_write(peer_, asio::buffer(answer_),
                                                [this, closes](error_code write_ec, std::size_t) {
                                                  if (!write_ec && closes) peer_.close();
                                                });
                            });
    });
  }
  [[nodiscard]] std::string at() const {
    return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }
  [[nodiscard]] const std::string& request() const { return request_; }

 private:
  tcp::acceptor acceptor_;
  tcp::socket peer_;
  std::string answer_;
  std::array<char, 2048> buffer_{};
  std::string request_;
};

TEST(probe, minecraft_and_its_failures) {
  asio::io_context io;
  tcp_server good(io, minecraft_answer(R"({"players":{"max":20,"online":3},"description":"x"})"),
                  true);
  const auto o = ask(io, "minecraft://" + good.at(), 1s);
  EXPECT_TRUE(o.is_online) << o.problem;
  EXPECT_EQ(o.info.players, 3);
  const auto problem = [&](const std::string& answer, bool closes) {
    tcp_server server(io, answer, closes);
    return ask(io, "minecraft://" + server.at(), 300ms).problem;
  };
  EXPECT_THAT(problem("\xFF\xFF\xFF\x7F"s, false), HasSubstr("too large"));
  EXPECT_THAT(problem("\x7F\x00"s, true), HasSubstr("closed early"));
  EXPECT_EQ(problem("\x7F\x00"s, false), "no answer in time");
}

TEST(probe, tcp_and_http) {
  asio::io_context io;
  tcp_server ok(io, "HTTP/1.1 204 No Content\r\n\r\n", true);
  EXPECT_TRUE(ask(io, "http://" + ok.at() + "/up", 1s).is_online);
  EXPECT_THAT(ok.request(), HasSubstr("GET /up HTTP/1.1\r\nHost: " + ok.at()));
  tcp_server broken(io, "HTTP/1.1 503 Down\r\n\r\n", true);
  EXPECT_EQ(ask(io, "http://" + broken.at(), 1s).problem, "http: status 503");
  tcp_server open(io, "", false);
  EXPECT_TRUE(ask(io, "tcp://" + open.at(), 1s).is_online);
  tcp_server plain(io, "HTTP/1.1 400 Bad\r\n\r\n", true);
  EXPECT_FALSE(ask(io, "https://" + plain.at(), 1s).is_online) << "no TLS there";
  tcp::acceptor closed(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  const auto nobody = "127.0.0.1:" + std::to_string(closed.local_endpoint().port());
  closed.close();
  EXPECT_EQ(ask(io, "tcp://" + nobody, 1s).problem, "Connection refused");
}

}  // namespace
}  // namespace skirmish::status
