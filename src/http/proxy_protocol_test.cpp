#include "http/proxy_protocol.hpp"

#include <gtest/gtest.h>

#include <string>

namespace skirmish::http {
namespace {

using state = proxy_header::state;

// As a session reads: what is wanted, and never more.
proxy_header read(std::string_view sent, std::string& consumed) {
  proxy_header h;
  while (true) {
    h = parse_proxy_header(consumed);
    if (h.is != state::need_more || consumed.size() == sent.size()) return h;
    EXPECT_GT(h.wanted_bytes, 0U);
    consumed += sent.substr(consumed.size(), h.wanted_bytes);
  }
}

proxy_header read(std::string_view sent) {
  std::string consumed;
  return read(sent, consumed);
}

std::string v2(unsigned version_command, unsigned family, std::string_view rest) {
  std::string out("\r\n\r\n\0\r\nQUIT\n", 12);
  for (const auto byte : {version_command, family, static_cast<unsigned>(rest.size() >> 8),
                          static_cast<unsigned>(rest.size() & 0xFF)})
    out += static_cast<char>(byte);
  return out.append(rest);
}

const std::string v4_addresses("\xC6\x33\x64\x07\x0A\0\0\x01\x30\x39\x01\xBB", 12);
const std::string tlv("\x04\0\x03\0\0\0", 6);

TEST(proxy_protocol, version_2_names_the_client) {
  EXPECT_EQ(read(v2(0x21, 0x11, v4_addresses)).source->to_string(), "198.51.100.7");
  EXPECT_EQ(read(v2(0x21, 0x11, v4_addresses + tlv)).source->to_string(), "198.51.100.7");
  std::string v6(36, '\0');
  v6.replace(0, 2, "\x20\x01");
  v6[15] = 5;
  EXPECT_EQ(read(v2(0x21, 0x21, v6)).source->to_string(), "2001::5");
}

TEST(proxy_protocol, nobody_is_named_by_local_and_by_other_families) {
  for (const auto& sent :
       {v2(0x20, 0x11, v4_addresses), v2(0x20, 0, ""), v2(0x21, 0, ""), v2(0x21, 0, tlv),
        v2(0x21, 0x12, v4_addresses), v2(0x21, 0x31, std::string(216, 'x'))}) {
    const auto h = read(sent);
    EXPECT_EQ(h.is, state::whole);
    EXPECT_FALSE(h.source);
  }
}

TEST(proxy_protocol, version_1_names_the_client) {
  EXPECT_EQ(read("PROXY TCP4 198.51.100.7 10.0.0.1 12345 443\r\n").source->to_string(),
            "198.51.100.7");
  EXPECT_EQ(read("PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n").source->to_string(), "2001:db8::7");
  for (const auto* sent : {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN a b c\r\n"}) {
    const auto h = read(sent);
    EXPECT_EQ(h.is, state::whole) << sent;
    EXPECT_FALSE(h.source) << sent;
  }
}

TEST(proxy_protocol, nothing_behind_the_header_is_read) {
  for (const auto& header :
       {v2(0x21, 0x11, v4_addresses + tlv), v2(0x20, 0, ""), std::string("PROXY UNKNOWN\r\n"),
        std::string("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
        std::string("PROXY TCP4 11.2.3.4 5.6.7.8 1 2\r\n")}) {
    std::string consumed;
    EXPECT_EQ(read(header + "\r\nGET / HTTP/1.1\r\n\r\n", consumed).is, state::whole);
    EXPECT_EQ(consumed, header);
  }
}

TEST(proxy_protocol, bad_headers_are_refused) {
  for (const auto& sent :
       {v2(0x11, 0x11, v4_addresses), v2(0x22, 0x11, v4_addresses), v2(0x21, 0x11, "short"),
        v2(0x21, 0x21, v4_addresses), v2(0x21, 0x11, std::string(5'000, 'x')),
        std::string("GET / HTTP/1.1\r\n\r\n"), std::string("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n"),
        std::string("PROXY TCP4 1.2.3.4 5.6.7.8 1 70000\r\n"),
        std::string("PROXY TCP4 1.2.3.4 5.6.7.8 1 -2\r\n"),
        std::string("PROXY TCP4 ::1 ::2 1 2\r\n"), std::string("PROXY TCP6 1.2.3.4 ::2 1 2\r\n"),
        std::string("PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n"),
        std::string("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n"),
        std::string("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\nx"), "PROXY TCP4 " + std::string(100, '1'),
        std::string("PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n")})
    EXPECT_EQ(read(sent).is, state::bad) << sent;
}

}  // namespace
}  // namespace skirmish::http
