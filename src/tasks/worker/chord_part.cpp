#include "tasks/worker/chord_part.hpp"

#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/wall_time.hpp"
#include "tasks/scripts.hpp"

namespace skirmish::tasks {

chord_part part_of(const chord_part_origin& from, std::string_view group_id,
                   const std::optional<std::int64_t>& index, std::string_view member,
                   const json& chord, std::string_view state, std::string_view result_json) {
  chord_part out;
  out.group_id = group_id;
  out.score = index ? std::to_string(*index) : "+inf";
  out.member = member;
  out.part = "[1, ";
  append_json_string(out.part, member);
  out.part.append(", \"").append(state).append("\", ").append(result_json).append("]");
  append_json(out.how, json_object{{"body", chord},
                                   {"parent_id", std::string(from.id)},
                                   {"root_id", std::string(from.root_id)},
                                   {"at", unix_now_s()}});
  return out;
}

void push_chord_parts(redis::request& to, const key_names& names, std::int64_t ttl_s,
                      const std::vector<chord_part>& parts) {
  const auto ttl = std::to_string(ttl_s);
  const auto chords = names.own("chords");
  for (const auto& p : parts) {
    const auto base = names.group(p.group_id);
    const auto ended = base + ".j", correction = base + ".t", size = base + ".s",
               counted = base + ".d", claim = base + ".c";
    const std::vector<std::string_view> keys{ended, correction, size, chords, base, counted, claim};
    const std::vector<std::string_view> args{p.score, p.part, ttl, p.group_id, p.how, p.member};
    redis::push_evalsha(to, scripts::chord_part, keys, args);
  }
}

}  // namespace skirmish::tasks
