#include "sessions/jwt.hpp"

#include "sessions/issuers.hpp"
#include "support/jwt_signer.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace skirmish::sessions {
namespace {

using skirmish::testing::jwt_signer;
using skirmish::testing::to_base64url;
using ::testing::HasSubstr;

constexpr std::int64_t now_s = 1'700'000'000;
const timestamp now{std::chrono::seconds{now_s}};
const jwt_rules rules{.issuer = "https://login.example.com", .audiences = {"my-game", "other"}};

std::string header_of(std::string_view algorithm, std::string_view kid = "k1") {
  return fmt::format(R"({{"alg":"{}","kid":"{}","typ":"JWT"}})", algorithm, kid);
}

std::string payload_of(std::string_view more = {}) {
  return fmt::format(
      R"({{"iss":"https://login.example.com","sub":"42","aud":"my-game","exp":{}{}}})", now_s + 60,
      more);
}

jwt_key_set set_of(std::initializer_list<std::string> keys) {
  return std::move(*jwt_key_set::parse(fmt::format("{{\"keys\":[{}]}}", fmt::join(keys, ","))));
}

// What is wrong with it; empty when it is accepted.
std::string fault_of(const std::string& token, const jwt_key_set& keys, timestamp at = now) {
  const auto claims = verify_jwt(token, keys, rules, at);
  if (claims) return {};
  EXPECT_EQ(claims.error().code, errc::unauthenticated);
  return claims.error().message;
}

class jwt_of_each_algorithm : public ::testing::TestWithParam<jwt_signer (*)()> {};

TEST_P(jwt_of_each_algorithm, is_accepted_with_its_own_key_only) {
  const auto signer = GetParam()();
  const auto stranger = GetParam()();
  const auto keys = set_of({signer.jwk("k1")});
  const auto claims = verify_jwt(
      signer.sign(header_of(signer.algorithm()), payload_of(R"(,"name":"Ann")")), keys, rules, now);
  ASSERT_TRUE(claims) << claims.error().message;
  EXPECT_EQ(claims->subject, "42");
  EXPECT_EQ(claims->name, "Ann");
  EXPECT_EQ(claims->expires_at, now + std::chrono::seconds{60});
  EXPECT_THAT(fault_of(stranger.sign(header_of(signer.algorithm()), payload_of()), keys),
              HasSubstr("signature"));
}

TEST_P(jwt_of_each_algorithm, is_refused_when_any_character_was_changed) {
  const auto signer = GetParam()();
  const auto keys = set_of({signer.jwk("k1")});
  const auto token = signer.sign(header_of(signer.algorithm()), payload_of());
  ASSERT_EQ(fault_of(token, keys), "");
  for (std::size_t i = 0; i < token.size(); ++i) {
    auto changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    ASSERT_NE(fault_of(changed, keys), "") << i;
  }
}

TEST_P(jwt_of_each_algorithm, cannot_choose_its_algorithm) {
  const auto signer = GetParam()();
  const auto keys = set_of({signer.jwk("k1")});
  for (const auto* other : {"none", "HS256", "RS256", "RS512", "PS256", "ES256", "EdDSA", ""}) {
    if (signer.algorithm() == other) continue;
    EXPECT_THAT(fault_of(signer.sign(header_of(other), payload_of()), keys), HasSubstr("alg"));
  }
}

INSTANTIATE_TEST_SUITE_P(, jwt_of_each_algorithm,
                         ::testing::Values([] { return jwt_signer::rs256(); }, jwt_signer::es256,
                                           jwt_signer::eddsa),
                         [](const auto& tested) { return tested.param().algorithm(); });

TEST(jwt, needs_claims_that_hold) {
  const auto signer = jwt_signer::eddsa();
  const auto keys = set_of({signer.jwk("k1")});
  const auto fault = [&](std::string_view payload, timestamp at = now) {
    return fault_of(signer.sign(header_of("EdDSA"), payload), keys, at);
  };
  EXPECT_EQ(fault(payload_of()), "");
  EXPECT_EQ(
      fault(
          R"({"iss":"https://login.example.com","sub":"1","aud":["x","other"],"exp":1700000060.5})"),
      "");
  EXPECT_THAT(
      fault(R"({"iss":"https://login.example.com/","sub":"1","aud":"my-game","exp":1700000060})"),
      HasSubstr("issuer"));
  EXPECT_THAT(
      fault(R"({"iss":"https://login.example.com","sub":"1","aud":["x"],"exp":1700000060})"),
      HasSubstr("somebody else"));
  EXPECT_THAT(fault(R"({"iss":"https://login.example.com","sub":"1","exp":1700000060})"),
              HasSubstr("somebody else"));
  EXPECT_THAT(fault(R"({"iss":"https://login.example.com","sub":"1","aud":"my-game"})"),
              HasSubstr("exp"));
  for (const auto* exp : {R"("1700000060")", "-1", "1e300", "null"})
    EXPECT_THAT(
        fault(fmt::format(
            R"({{"iss":"https://login.example.com","sub":"1","aud":"my-game","exp":{}}})", exp)),
        HasSubstr("exp"));
  EXPECT_THAT(
      fault(R"({"iss":"https://login.example.com","sub":"","aud":"my-game","exp":1700000060})"),
      HasSubstr("sub"));
  EXPECT_THAT(
      fault(R"({"iss":"https://login.example.com","sub":7,"aud":"my-game","exp":1700000060})"),
      HasSubstr("sub"));
}

TEST(jwt, lives_from_nbf_to_exp_with_a_minute_for_clocks) {
  using std::chrono::seconds;
  const auto signer = jwt_signer::eddsa();
  const auto keys = set_of({signer.jwk("k1")});
  const auto token = signer.sign(header_of("EdDSA"), payload_of(R"(,"nbf":1700000000)"));
  EXPECT_EQ(fault_of(token, keys, now - seconds{60}), "");
  EXPECT_THAT(fault_of(token, keys, now - seconds{61}), HasSubstr("not valid yet"));
  EXPECT_EQ(fault_of(token, keys, now + seconds{119}), "");
  EXPECT_THAT(fault_of(token, keys, now + seconds{120}), HasSubstr("expired"));
}

TEST(jwt, names_its_key_unless_there_is_one_only) {
  const auto one = jwt_signer::eddsa();
  const auto other = jwt_signer::es256();
  const auto both = set_of({one.jwk("a"), other.jwk("b")});
  EXPECT_EQ(fault_of(one.sign(header_of("EdDSA", "a"), payload_of()), both), "");
  EXPECT_EQ(fault_of(other.sign(header_of("ES256", "b"), payload_of()), both), "");
  EXPECT_NE(fault_of(other.sign(header_of("ES256", "a"), payload_of()), both), "");
  EXPECT_THAT(fault_of(one.sign(header_of("EdDSA", "c"), payload_of()), both), HasSubstr("no key"));
  EXPECT_THAT(fault_of(one.sign(R"({"alg":"EdDSA"})", payload_of()), both), HasSubstr("no key"));
  EXPECT_EQ(fault_of(one.sign(R"({"alg":"EdDSA"})", payload_of()), set_of({one.jwk("a")})), "");
}

TEST(jwt, is_refused_when_it_is_malformed_or_uses_an_extension) {
  const auto signer = jwt_signer::eddsa();
  const auto keys = set_of({signer.jwk("k1")});
  const auto good = signer.sign(header_of("EdDSA"), payload_of());
  for (const auto& token :
       {std::string(), std::string("."), std::string(".."), good + ".x", good + "=", " " + good,
        good.substr(0, good.rfind('.') + 1), good.substr(0, good.rfind('.')),
        std::string(jwt_max_bytes + 1, 'a'), to_base64url("[]") + good.substr(good.find('.'))})
    EXPECT_NE(fault_of(token, keys), "") << token;
  const auto deep =
      R"({"alg":"EdDSA","x":)" + std::string(5000, '[') + std::string(5000, ']') + "}";
  EXPECT_NE(fault_of(signer.sign(deep, payload_of()), keys), "");
  EXPECT_THAT(fault_of(signer.sign(R"({"alg":"EdDSA","kid":"k1","crit":["b64"],"b64":false})",
                                   payload_of()),
                       keys),
              HasSubstr("extension"));
}

TEST(jwt_key_set, refuses_what_is_weak_or_malformed) {
  const auto fault = [](const std::string& keys) {
    const auto parsed = jwt_key_set::parse("{\"keys\":[" + keys + "]}");
    return parsed ? std::string() : parsed.error().message;
  };
  EXPECT_EQ(fault(jwt_signer::rs256().jwk("a")), "");
  EXPECT_THAT(fault(jwt_signer::rs256(1024).jwk("weak")), HasSubstr("kid `weak`"));
  EXPECT_THAT(fault(R"({"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"})"), HasSubstr("malformed"));
  const auto zeros = to_base64url(std::string(32, '\1'));
  EXPECT_THAT(fault(fmt::format(R"({{"kty":"EC","crv":"P-256","x":"{0}","y":"{0}"}})", zeros)),
              HasSubstr("malformed"));  // no point of the curve
  EXPECT_THAT(fault(R"({"kty":"RSA","n":"","e":"AQAB"})"), HasSubstr("malformed"));
  EXPECT_THAT(fault("1"), HasSubstr("no object"));
  EXPECT_THAT(fault(""), HasSubstr("no key"));
  // For something else: left out.
  EXPECT_THAT(
      fault(R"({"kty":"oct","k":"AAAA"},{"kty":"RSA","use":"enc"},{"kty":"RSA","alg":"RS512"})"),
      HasSubstr("no key"));
  EXPECT_FALSE(jwt_key_set::parse("[]"));
  EXPECT_FALSE(jwt_key_set::parse("{"));
}

class issuers_files : public ::testing::Test {
 protected:
  issuers_files() {
    std::string pattern = (std::filesystem::temp_directory_path() / "issuersXXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~issuers_files() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, std::string_view text) const {
    const auto path = folder_ / name;
    std::ofstream(path) << text;
    return path.string();
  }

  std::filesystem::path folder_;
};

TEST_F(issuers_files, make_ids_that_no_two_subjects_share) {
  const auto signer = jwt_signer::es256();
  write("keys.json", "{\"keys\":[" + signer.jwk("k1") + "]}");
  auto loaded = issuers::load(write(
      "issuers.json",
      R"({"issuers":[{"name":"studio","issuer":"https://login.example.com","audience":["my-game"],"jwks_file":"keys.json"}]})"));
  ASSERT_TRUE(loaded) << loaded.error().message;
  const auto player = [&](std::string_view sub, std::string_view more = "") {
    const auto payload = fmt::format(
        R"({{"iss":"https://login.example.com","sub":"{}","aud":"my-game","exp":{}{}}})", sub,
        now_s + 60, more);
    const auto proven = loaded->verify(signer.sign(header_of("ES256"), payload), now);
    EXPECT_TRUE(proven) << proven.error().message;
    return *proven;
  };
  EXPECT_EQ(player("42").player_id, "studio:42");
  EXPECT_EQ(player("42").name, "studio:42");
  EXPECT_EQ(player("42", R"(,"name":"Ann")").name, "Ann");
  EXPECT_EQ(player("42", R"(,"name":"A\nnn")").name, "studio:42");
  const auto digested = player("auth0|5f7c8ec7c33c6c004bbafe82").player_id;
  EXPECT_THAT(digested, ::testing::MatchesRegex("studio:sha256-[0-9a-f]{32}"));
  EXPECT_NE(player(digested.substr(7)).player_id, digested);
  EXPECT_FALSE(loaded->verify("x", now));
}

TEST_F(issuers_files, say_what_is_wrong) {
  write("keys.json", "{\"keys\":[" + jwt_signer::eddsa().jwk("k1") + "]}");
  const auto fault = [&](std::string_view text) {
    const auto loaded = issuers::load(write("issuers.json", text));
    return loaded ? std::string() : loaded.error().message;
  };
  const std::string one = R"({"name":"a","issuer":"i","audience":"g","jwks_file":"keys.json"})";
  EXPECT_EQ(fault("{\"issuers\":[" + one + "]}"), "");
  EXPECT_THAT(fault("{\"issuers\":[" + one + "," + one + "]}"), HasSubstr("twice"));
  EXPECT_THAT(fault("[]"), HasSubstr("issuers.json is no JSON object"));
  EXPECT_THAT(
      fault(R"({"issuers":[{"name":"a:b","issuer":"i","audience":"g","jwks_file":"keys.json"}]})"),
      HasSubstr("name"));
  EXPECT_THAT(
      fault(R"({"issuers":[{"name":"a","issuer":"i","audience":[],"jwks_file":"keys.json"}]})"),
      HasSubstr("audience"));
  EXPECT_THAT(fault(R"({"issuers":[{"name":"a","issuer":"i","audience":"g"}]})"),
              HasSubstr("without `jwks_file`"));
  EXPECT_THAT(
      fault(R"({"issuers":[{"nam":"a","issuer":"i","audience":"g","jwks_file":"keys.json"}]})"),
      HasSubstr("`nam`"));
  EXPECT_THAT(
      fault(R"({"issuers":[{"name":"a","issuer":"i","audience":"g","jwks_file":"none.json"}]})"),
      HasSubstr("none.json"));
  EXPECT_FALSE(issuers::load((folder_ / "absent").string()));
}

}  // namespace
}  // namespace skirmish::sessions
