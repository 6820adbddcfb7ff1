#include "game_servers/udp_packet.hpp"

#include <gtest/gtest.h>

namespace skirmish::game_servers {
namespace {

using boost::asio::ip::make_address;
using boost::asio::ip::udp;

const std::string line = "L 05/01/2024 - 20:00:00: World triggered \"Round_Start\"";
const udp::endpoint duel_address(make_address("203.0.113.7"), 27015);
const udp::endpoint stranger(make_address("198.51.100.1"), 27015);

std::vector<udp_server> servers(const setting_list& settings) {
  auto made = configured_servers(settings);
  EXPECT_TRUE(made) << (made ? "" : made.error().message);
  return made ? *made : std::vector<udp_server>();
}

std::string packet(std::string_view head, std::string_view text = line) {
  return std::string("\xFF\xFF\xFF\xFF").append(head).append(text).append("\n").append(1, '\0');
}

// "name: line", or what is wrong.
std::string read(const std::string& datagram, const udp::endpoint& from,
                 const std::vector<udp_server>& known) {
  const auto r = read_packet(datagram, from, known);
  switch (r.fault) {
    case packet_fault::none: return known[r.server].name + ": " + std::string(r.line);
    case packet_fault::malformed: return "malformed";
    case packet_fault::unknown_source: return "unknown_source";
    case packet_fault::wrong_secret: return "wrong_secret";
  }
  return {};
}

TEST(udp_packet, of_a_server_with_a_secret) {
  const auto known = servers({{"duel.secret", "2foo"}, {"arena.secret", "2foobar"}});
  EXPECT_EQ(read(packet("S2foo"), stranger, known), "duel: " + line);
  EXPECT_EQ(read(packet("S2foobar"), stranger, known), "arena: " + line);
  EXPECT_EQ(read(packet("S2fooTB8032A3B450FB7A6 "), stranger, known), "duel: " + line);
  EXPECT_EQ(read(packet("S2fo"), stranger, known), "wrong_secret");
  EXPECT_EQ(read(packet("S2foob"), stranger, known), "wrong_secret");
  EXPECT_EQ(read(packet("S"), stranger, known), "wrong_secret");
  EXPECT_EQ(read(packet("R"), stranger, known), "wrong_secret") << "it must send its secret";
  EXPECT_EQ(read(packet("log "), stranger, known), "wrong_secret");
}

TEST(udp_packet, of_a_server_that_is_known_by_its_address) {
  const auto known = servers({{"duel.sources", "203.0.113.7:27015 2001:db8::/32"},
                              {"old.sources", "203.0.113.7:27016"},
                              {"lan.sources", "10.0.0.0/8, 192.168.1.5"}});
  EXPECT_EQ(read(packet("R"), duel_address, known), "duel: " + line);
  EXPECT_EQ(read(packet("RTB8032A3B450FB7A6 "), duel_address, known), "duel: " + line);
  EXPECT_EQ(read(packet("log "), {make_address("203.0.113.7"), 27016}, known), "old: " + line);
  EXPECT_EQ(read(packet("R"), {make_address("203.0.113.7"), 27017}, known), "unknown_source");
  EXPECT_EQ(read(packet("R"), {make_address("10.1.2.3"), 1}, known), "lan: " + line);
  EXPECT_EQ(read(packet("R"), {make_address("::ffff:192.168.1.5"), 1}, known), "lan: " + line);
  EXPECT_EQ(read(packet("R"), {make_address("2001:db8::7"), 1}, known), "duel: " + line);
  EXPECT_EQ(read(packet("R"), stranger, known), "unknown_source");
  EXPECT_EQ(read(packet("S2foo"), duel_address, known), "wrong_secret");
}

TEST(udp_packet, needs_both_where_both_are_set) {
  const auto known = servers({{"duel.secret", "1a"}, {"duel.sources", "203.0.113.0/24"}});
  EXPECT_EQ(read(packet("S1a"), duel_address, known), "duel: " + line);
  EXPECT_EQ(read(packet("S1a"), stranger, known), "unknown_source");
  EXPECT_EQ(read(packet("S1b"), duel_address, known), "wrong_secret");
}

TEST(udp_packet, that_holds_no_log_line) {
  const auto known = servers({{"duel.sources", "203.0.113.7"}});
  for (const auto& text :
       {std::string(), std::string("R") + line, std::string("\xFF\xFF\xFF"),
        std::string("\xFF\xFF\xFF\xFF"), packet("I"), packet("R", ""), packet("RT12 "),
        packet("R", "X 05/01"), std::string("\xFF\xFF\xFF\xFFR")})
    EXPECT_EQ(read(text, duel_address, known), "malformed") << text;
  EXPECT_EQ(read(packet("R", line + "\nL 05/01/2024 - 20:00:01: forged"), duel_address, known),
            "duel: " + line)
      << "a datagram is one line";
}

TEST(udp_servers, that_nobody_could_use_are_refused) {
  const auto why = [](const setting_list& settings) {
    const auto made = configured_servers(settings);
    return made ? std::string("fine") : made.error().message;
  };
  EXPECT_EQ(why({{"duel.secret", "1x"}, {"duel.sources", "10.0.0.1"}}), "fine");
  EXPECT_NE(why({{"duel.secret", "x1"}}).find("digit from 1 to 9"), std::string::npos);
  EXPECT_NE(why({{"duel.secret", "0x"}}).find("digit from 1 to 9"), std::string::npos);
  EXPECT_NE(why({{"duel.secret", "1 x"}}).find("visible"), std::string::npos);
  EXPECT_NE(why({{"duel.sources", "nowhere"}}).find("nowhere"), std::string::npos);
  EXPECT_NE(why({{"duel.sources", "10.0.0.1:99999"}}).find("10.0.0.1:99999"), std::string::npos);
  EXPECT_NE(why({{"duel.sources", " , "}}).find("anybody"), std::string::npos);
  EXPECT_NE(why({{"duel.port", "1"}}).find("secret and sources"), std::string::npos);
  EXPECT_NE(why({{"secret", "1"}}).find("secret and sources"), std::string::npos);
  EXPECT_NE(why({{"a:b.secret", "1"}}).find("wrong name"), std::string::npos);
}

}  // namespace
}  // namespace skirmish::game_servers
