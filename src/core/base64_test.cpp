#include "core/base64.hpp"

#include <gtest/gtest.h>
#include <sodium.h>

namespace skirmish {
namespace {

std::string by_libsodium(std::string_view bytes) {
  std::string out(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(out.data(), out.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  out.pop_back();  // the NUL that it writes
  return out;
}

TEST(base64, is_what_libsodium_writes_and_can_be_read_again) {
  std::string plain;
  for (int i = 0; i < 300; ++i) {
    std::string coded, back;
    append_base64(coded, plain);
    EXPECT_EQ(coded, by_libsodium(plain));
    ASSERT_TRUE(decode_base64(coded, back));
    EXPECT_EQ(back, plain);
    plain += static_cast<char>(i * 167 + i / 13);
  }
}

TEST(base64, appends) {
  std::string out = "x";
  append_base64(out, "ab");
  EXPECT_EQ(out, "xYWI=");
}

TEST(base64, refuses_everything_else) {
  std::string out;
  for (const char* bad :
       {"a", "ab", "abc", "a===", "ab=c", "=abc", "ab c", "====", "YWI=YWI=", "ab-_"})
    EXPECT_FALSE(decode_base64(bad, out)) << bad;
}

}  // namespace
}  // namespace skirmish
