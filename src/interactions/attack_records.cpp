#include "interactions/attack_records.hpp"

#include "core/parse.hpp"
#include "interactions/interactions_keys.hpp"

#include <string>
#include <string_view>

namespace skirmish::interactions {
namespace {

const redis::script latest_script{
    "interactions/latest_attack",
#include "interactions/latest_attack.lua.inc"
};

// Of a line without the pair: '<damage> <ts> <id>' (latest_attacks.hpp).
attack_record read_record(std::string_view text) {
  const auto next = [&text] {
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    return word;
  };
  attack_record out;
  out.damage = parse_integer(next()).value_or(0);
  out.ts = next();
  out.id = text;
  return out;
}

}  // namespace

awaitable<result<attack_record>> attack_records::latest(std::string attacker_id,
                                                        std::string target_id) {
  const error none{errc::not_found, "no attack of this pair in the last 24 hours"};
  const auto hash = attack_hash(attacker_id, target_id);
  const auto part = attack_part(hash);
  const std::string names[] = {pending_index_key(keys_, part), pending_key(keys_, part),
                               attack_key(keys_, attacker_id, target_id)};
  std::string pair;
  append_pair(pair, attacker_id, target_id);
  std::string fingerprint;
  append_fingerprint(fingerprint, hash);
  const std::string_view keys[] = {names[0], names[1], names[2]};
  const std::string_view args[] = {pair, fingerprint};
  const auto reply = redis::checked(co_await redis_.eval(latest_script, keys, args));
  if (const auto committed_ms = reply[0].as_integer()) {
    const auto oldest = (clock_.now() - attack_ttl).time_since_epoch().count();
    if (*committed_ms <= oldest) co_return none;
    co_return read_record(reply[1].as_string());
  }
  const auto& stored = reply[1];
  const auto* ts = stored.find("ts");
  if (!ts) co_return none;
  const auto* id = stored.find("id");
  const auto* damage = stored.find("damage");
  co_return attack_record{id ? id->as_string() : "", damage ? damage->as_integer().value_or(0) : 0,
                          ts->as_string()};
}

}  // namespace skirmish::interactions
