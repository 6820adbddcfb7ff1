// Lists for operators: which channels there are, and who is muted or banned on one.
#pragma once

#include "chat/chat.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::chat {

// Behind an entry of a list that is ordered by time, the latest first.
struct list_place {
  std::int64_t ms = 0;
  std::string name;
};
std::string to_text(const list_place& p);
// nullopt for a text that is none.
std::optional<list_place> parse_list_place(std::string_view text);

struct channel_entry {
  std::string channel;
  std::int64_t messages = 0;  // in its history
  std::int64_t online = 0;    // players who are on it
  std::optional<timestamp> last;
};

struct silenced_entry {
  std::string player_id;
  std::optional<timestamp> at;     // of a mute that an earlier version made: not known
  std::optional<timestamp> until;  // of a mute
  std::string reason;              // may be empty
  std::string by;                  // id of the API key; may be empty
};

template <class Entry>
struct list_page {
  std::vector<Entry> entries;
  std::optional<list_place> next;
};

// Why a player was silenced, and by whom: what chatmute_notes: and chatban_notes: hold, as JSON.
std::string note_text(timestamp at, std::string_view reason, std::string_view by);

class lists {
 public:
  lists(redis::client& redis, const redis::key_space& keys, const clock& time, const service& chat)
      : redis_(redis), keys_(keys), clock_(time), chat_(chat) {}

  // Those that are always there first, then the others by their last message. The newest 10,000 of
  // those on which something was said are known.
  awaitable<list_page<channel_entry>> channels(std::optional<list_place> behind,
                                               std::int64_t limit);
  awaitable<list_page<silenced_entry>> mutes(std::string channel, std::optional<list_place> behind,
                                             std::int64_t limit);
  awaitable<list_page<silenced_entry>> bans(std::string channel, std::optional<list_place> behind,
                                            std::int64_t limit);

 private:
  struct scored {
    std::string name;
    std::int64_t ms = 0;
  };
  // One more than `limit` when there are more.
  awaitable<std::vector<scored>> newest(std::string key, std::int64_t least,
                                        std::optional<list_place> behind, std::int64_t limit);
  awaitable<list_page<silenced_entry>> silenced(std::string key, std::string notes,
                                                std::int64_t least,
                                                std::optional<list_place> behind,
                                                std::int64_t limit);

  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
  const service& chat_;
};

}  // namespace skirmish::chat
