#include "http/websocket_codec.hpp"

#include <gtest/gtest.h>

namespace skirmish::http::ws {
namespace {

TEST(websocket_codec, accept_key_of_the_rfc) {
  EXPECT_EQ(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(websocket_codec, masked_frames_round_trip_at_every_size) {
  for (const std::size_t size : {0U, 1U, 7U, 8U, 9U, 125U, 126U, 65'535U, 65'536U}) {
    const std::string payload(size, 'x');
    std::string bytes;
    encode_masked(bytes, opcode::text, payload, 0x12345678);
    for (const std::size_t cut : {std::size_t{0}, std::size_t{1}, bytes.size() - 1}) {
      auto part = bytes.substr(0, cut);
      EXPECT_EQ(decode(part, true, 1 << 20).status, decode_status::need_more);
    }
    const auto d = decode(bytes, true, 1 << 20);
    ASSERT_EQ(d.status, decode_status::frame) << size;
    EXPECT_EQ(d.consumed, bytes.size());
    EXPECT_EQ(d.value.payload, payload);
    EXPECT_EQ(d.value.op, opcode::text);
  }
}

TEST(websocket_codec, server_frames_round_trip) {
  std::string bytes;
  encode(bytes, opcode::ping, "hi");
  encode(bytes, opcode::text, "second");
  auto d = decode(bytes, false, 100);
  EXPECT_EQ(d.value.payload, "hi");
  EXPECT_EQ(d.value.op, opcode::ping);
  d = decode(std::span(bytes).subspan(d.consumed), false, 100);
  EXPECT_EQ(d.value.payload, "second");
}

TEST(websocket_codec, refuses_what_the_rfc_forbids) {
  const auto status = [](std::string bytes, bool masked = true) {
    return decode(bytes, masked, 1000).status;
  };
  EXPECT_EQ(status(std::string("\x81\x01x", 3)), decode_status::protocol_error);  // not masked
  EXPECT_EQ(status(std::string("\x81\x81xxxxx", 7), false),
            decode_status::protocol_error);  // masked by a server
  EXPECT_EQ(status(std::string("\xC1\x80", 2)), decode_status::protocol_error);  // reserved bit
  EXPECT_EQ(status(std::string("\x83\x80", 2)), decode_status::protocol_error);  // unknown opcode
  EXPECT_EQ(status(std::string("\x09\x80", 2)), decode_status::protocol_error);  // fragmented ping
  EXPECT_EQ(status(std::string("\x89\xFE", 2)), decode_status::protocol_error);  // long ping
  EXPECT_EQ(status(std::string("\x81\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 10)),
            decode_status::too_big);
}

TEST(websocket_codec, lengths_have_the_shortest_form) {
  const auto status = [](std::string bytes) { return decode(bytes, true, 1 << 20).status; };
  EXPECT_EQ(status(std::string("\x81\xFE\x00\x7D", 4)), decode_status::protocol_error);
  EXPECT_EQ(status(std::string("\x81\xFE\x00\x7E", 4)), decode_status::need_more);
  EXPECT_EQ(status(std::string("\x81\xFF\0\0\0\0\0\0\xFF\xFF", 10)), decode_status::protocol_error);
  EXPECT_EQ(status(std::string("\x81\xFF\0\0\0\0\0\1\0\0", 10)), decode_status::need_more);
  EXPECT_EQ(status(std::string("\x81\xFF\x80\0\0\0\0\0\0\0", 10)), decode_status::protocol_error);
}

TEST(websocket_codec, close_payloads) {
  const auto with_code = [](int code, std::string reason = "") {
    return check_close_payload(close_payload(static_cast<std::uint16_t>(code), reason));
  };
  EXPECT_FALSE(check_close_payload(""));
  EXPECT_EQ(check_close_payload("x"), close_code::protocol_error);
  for (const int good : {1000, 1001, 1003, 1007, 1011, 1014, 3000, 3500, 4999})
    EXPECT_FALSE(with_code(good, "caf\xC3\xA9")) << good;
  for (const int bad : {0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65'535})
    EXPECT_EQ(with_code(bad), close_code::protocol_error) << bad;
  EXPECT_EQ(check_close_payload("\x03\xE8\xFF"), close_code::bad_data);
  const auto cut = close_payload(1000, std::string(122, 'x') + "\xC3\xA9");
  EXPECT_EQ(cut.size(), 124U) << "not in the middle of a character";
}

}  // namespace
}  // namespace skirmish::http::ws
