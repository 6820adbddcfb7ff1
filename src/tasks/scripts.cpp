#include "tasks/scripts.hpp"

namespace skirmish::tasks::scripts {

const redis::script fetch{
    "tasks_fetch",
#include "tasks/worker/fetch.lua.inc"
};
const redis::script worker_cycle{
    "tasks_worker_cycle",
#include "tasks/worker/worker_cycle.lua.inc"
};
const redis::script due{
    "tasks_due",
#include "tasks/worker/due.lua.inc"
};
const redis::script schedule{
    "tasks_schedule",
#include "tasks/worker/schedule.lua.inc"
};
const redis::script put_back{
    "tasks_put_back",
#include "tasks/worker/put_back.lua.inc"
};
const redis::script heartbeat{
    "tasks_heartbeat",
#include "tasks/worker/heartbeat.lua.inc"
};
const redis::script chord_part{
    "tasks_chord_part",
#include "tasks/worker/chord_part.lua.inc"
};
const redis::script fire_chord{
    "tasks_fire_chord",
#include "tasks/worker/fire_chord.lua.inc"
};
const redis::script publish_once{
    "tasks_publish_once",
#include "tasks/publish_once.lua.inc"
};
const redis::script rate{
    "tasks_rate",
#include "tasks/worker/rate.lua.inc"
};

const redis::script beat_fire{
    "tasks_beat_fire",
#include "tasks/beat/beat_fire.lua.inc"
};
const redis::script history{
    "tasks_history",
#include "tasks/admin/history.lua.inc"
};
const redis::script history_text{
    "tasks_history_text",
#include "tasks/admin/history_text.lua.inc"
};
const redis::script requeue{
    "tasks_requeue",
#include "tasks/admin/requeue.lua.inc"
};
const redis::script queue_look{
    "tasks_queue_look",
#include "tasks/admin/queue_look.lua.inc"
};

}  // namespace skirmish::tasks::scripts
