// The Lua scripts. Each file documents its KEYS, ARGV and returned value.
#pragma once

#include "redis/script.hpp"

namespace skirmish::tasks::scripts {

extern const redis::script fetch;
extern const redis::script worker_cycle;
extern const redis::script due;
extern const redis::script schedule;
extern const redis::script put_back;
extern const redis::script heartbeat;
extern const redis::script chord_part;
extern const redis::script fire_chord;
extern const redis::script publish_once;
extern const redis::script rate;
extern const redis::script beat_fire;
extern const redis::script history;
extern const redis::script history_text;
extern const redis::script queue_look;
extern const redis::script requeue;

}  // namespace skirmish::tasks::scripts
