#include "leaderboards/leaderboards_routes.hpp"

#include "core/digest.hpp"
#include "core/ids.hpp"
#include "core/json_text.hpp"
#include "core/parse.hpp"
#include "http/json_schema.hpp"
#include "http/problem.hpp"
#include "leaderboards/enum_names.hpp"
#include "leaderboards/leaderboards_json.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

namespace skirmish::leaderboards {
namespace {

namespace json = boost::json;
using namespace http;

// The top of the board as it stands.
awaitable<response> top(busy_pages& pages, exchange& x) {
  const bool now = x.req.header("cache-control").find("no-cache") != std::string_view::npos;
  response answer;
  answer.shared_body = co_await pages.top(x.path("board"), x.query_integer("limit"), now);
  co_return answer;
}

awaitable<response> page(service& boards, busy_pages& pages, exchange& x) {
  const auto limit = x.query_integer("limit");
  const auto season = x.query_integer("season");
  const auto from = parse_cursor(x.query("cursor"));
  if (x.has_query("cursor") && !from)
    co_return problem({errc::invalid_argument, "cursor must be one that this list returned"},
                      x.request_id);
  if (!from && season == 0) co_return co_await top(pages, x);
  board_page found;
  if (from)
    found = co_await boards.page_at(x.path("board"), *from, limit, season);
  else
    found = co_await boards.page(x.path("board"), 1, limit, season);
  co_return json_response(to_json(found));
}

// As `page`, and other sites' pages may read it.
awaitable<response> page_for_sites(service& boards, busy_pages& pages, const allowed_sites& sites,
                                   exchange& x) {
  auto out = co_await page(boards, pages, x);
  if (!sites.are_none()) out.with("Vary", "Origin");
  sites.add_to(out, x.req.header("origin"));
  co_return out;
}

awaitable<response> player(service& boards, exchange& x) {
  auto found = co_await boards.around(x.path("board"), x.path("player_id"),
                                      x.query_integer("around"), x.query_integer("season"));
  if (!found) co_return problem(found.error(), x.request_id);
  json::object body;
  for (const auto& e : *found)
    if (e.player_id == x.path("player_id")) body = to_json(e);
  body["around"] = to_json(*found);
  co_return json_response(body);
}

// `active` is counted by the server itself, and what its window takes away must be on it: the
// answer to a request that would change it; nothing for other boards.
std::optional<response> unless_changeable(const exchange& x) {
  if (x.path("board") != "active") return std::nullopt;
  return problem({errc::forbidden, "`active` is counted by the server itself"}, x.request_id);
}

awaitable<response> remove_player(service& boards, exchange& x) {
  if (auto no = unless_changeable(x)) co_return std::move(*no);
  const bool removed = co_await boards.remove(x.path("board"), x.path("player_id"));
  if (!removed)
    co_return problem({errc::not_found, "this player has no score on this board"}, x.request_id);
  co_return no_content();
}

awaitable<response> ranks(service& boards, exchange& x) {
  std::vector<std::string> ids;
  auto rest = x.query("ids");
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(','), rest.size());
    ids.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (!is_valid_id(ids.back()) || ids.size() > ids_max)
      co_return problem(
          {errc::invalid_argument, "ids must be at most 1000 ids with commas between"},
          x.request_id);
  }
  const auto found =
      co_await boards.ranks(x.path("board"), std::move(ids), x.query_integer("season"));
  co_return json_response(json::object{{"items", to_json(found)}, {"next_cursor", nullptr}});
}

shape score_shape() {
  std::vector<member> members;
  members.push_back({"player_id", shape::id(), required, ""});
  members.push_back({"score", shape::number(-score_max, score_max), required, "exact up to 2^53"});
  members.push_back({"subscore", shape::number(-score_max, score_max), http::optional,
                     "decides between equal scores"});
  members.push_back({"operator", shape::word({operation_names.begin(), operation_names.end()}),
                     http::optional, "instead of the board's"});
  members.push_back({"metadata", shape::anything(), http::optional,
                     "any JSON of at most 1024 bytes, shown with the entry"});
  return shape::object(std::move(members));
}

std::optional<score> read_score(const json::value& body, const std::string& pointer,
                                body_errors& errors) {
  static const auto expected = score_shape();
  const auto before = errors.size();
  expected.check(body, pointer, errors);
  if (errors.size() != before) return std::nullopt;
  const auto& object = body.get_object();
  score s;
  s.player_id = object.at("player_id").get_string();
  s.value = object.at("score").to_number<double>();
  if (const auto* sub = object.if_contains("subscore")) s.subscore = sub->to_number<double>();
  if (const auto* op = object.if_contains("operator"))
    s.op = from_name<operation>(op->get_string(), operation_names);
  if (const auto* note = object.if_contains("metadata")) s.metadata = json_text_of(*note);
  if (s.metadata.size() > metadata_max_bytes)
    errors.add(pointer + "/metadata", "must not have more than 1024 bytes");
  return s;
}

constexpr const char* out_of_range = "the score would leave the range of -2^53 to 2^53";

// Each API key has ids of its own.
std::string submission_id_of(const exchange& x) {
  const auto id = x.req.header("idempotency-key");
  return id.empty() ? std::string() : fmt::format("{}@{}", x.who.id, id);
}

awaitable<response> submit_many(service& boards, exchange& x, std::vector<score> scores) {
  auto id = submission_id_of(x);
  const auto outcome = co_await boards.submit(x.path("board"), std::move(scores), std::move(id));
  json::array rejected;
  std::int64_t changed = 0;
  for (std::size_t i = 0; i < outcome.size(); ++i) {
    if (outcome[i].changed) ++changed;
    if (outcome[i].out_of_range)
      rejected.push_back(json::object{
          {"index", i}, {"code", to_string(errc::invalid_argument)}, {"detail", out_of_range}});
  }
  const auto accepted = outcome.size() - rejected.size();
  co_return json_response(json::object{
      {"accepted", accepted}, {"changed", changed}, {"rejected", std::move(rejected)}});
}

awaitable<response> submit_one(service& boards, exchange& x, score only) {
  auto id = submission_id_of(x);
  std::vector<std::string> ids{only.player_id};
  std::vector<score> scores;
  scores.push_back(std::move(only));
  const auto outcome = co_await boards.submit(x.path("board"), std::move(scores), std::move(id));
  if (outcome.at(0).out_of_range)
    co_return problem({errc::invalid_argument, out_of_range}, x.request_id);
  const auto now = co_await boards.ranks(x.path("board"), std::move(ids));
  json::object body;
  if (!now.empty()) body = to_json(now.front());
  body["changed"] = outcome.at(0).changed;
  co_return json_response(body);
}

awaitable<response> submit(service& boards, exchange& x) {
  const auto id = x.req.header("idempotency-key");
  if (!id.empty() && !is_valid_id(id))
    co_return problem({errc::invalid_argument, "Idempotency-Key must be an id"}, x.request_id);
  body_errors errors;
  std::vector<score> scores;
  if (x.body.is_array()) {
    const auto& list = x.body.get_array();
    if (list.size() > submission_max)
      co_return problem({errc::too_large, "at most 10000 scores in one request"}, x.request_id);
    for (std::size_t i = 0; i < list.size(); ++i)
      if (auto s = read_score(list[i], '/' + std::to_string(i), errors))
        scores.push_back(std::move(*s));
  } else if (auto s = read_score(x.body, "", errors)) {
    scores.push_back(std::move(*s));
  }
  if (!errors.empty())
    co_return problem({errc::invalid_argument, "a score does not have the form it should have"},
                      x.request_id, errors);
  if (auto no = unless_changeable(x)) co_return std::move(*no);
  if (!id.empty()) {
    const bool is_ours = co_await boards.claim(x.path("board"), submission_id_of(x),
                                               digest_of(json_text_of(x.body)));
    if (!is_ours)
      co_return problem(422, {errc::conflict, "this Idempotency-Key was sent with another body"},
                        x.request_id);
  }
  if (x.body.is_array()) co_return co_await submit_many(boards, x, std::move(scores));
  co_return co_await submit_one(boards, x, std::move(scores.front()));
}

json::object to_json(const std::string& board, const board_info& info) {
  json::object out{{"board", board},
                   {"order", to_string(info.chosen.order)},
                   {"operator", to_string(info.chosen.op)},
                   {"rank_mode", to_string(info.chosen.ranks)},
                   {"reset", info.chosen.reset},
                   {"seasons_kept", info.chosen.seasons_kept},
                   {"season", info.season}};
  out["next_reset"] = info.next_reset ? json::value(to_rfc3339(*info.next_reset)) : json::value();
  return out;
}

awaitable<response> list(service& boards, exchange& x) {
  const std::string behind(x.query("cursor"));
  if (!behind.empty() && !is_valid_id(behind))
    co_return problem({errc::invalid_argument, "cursor must be one that this list returned"},
                      x.request_id);
  const auto found = co_await boards.list(behind, x.query_integer("limit"));
  json::array items;
  for (const auto& b : found.boards) {
    auto item = to_json(b.board, b.info);
    item["configured"] = b.info.configured;
    item["players"] = b.players;
    items.push_back(std::move(item));
  }
  json::object body{{"items", std::move(items)},
                    {"next_cursor", found.more ? json::value(found.boards.back().board) : nullptr}};
  co_return json_response(body);
}

awaitable<response> configure(service& boards, exchange& x) {
  // What the body leaves out keeps its value, or takes its default.
  auto chosen = (co_await boards.info(x.path("board"))).chosen;
  if (const auto v = x.text("order"))
    chosen.order = from_name<ordering>(*v, ordering_names).value_or(chosen.order);
  if (const auto v = x.text("operator"))
    chosen.op = from_name<operation>(*v, operation_names).value_or(chosen.op);
  if (const auto v = x.text("rank_mode"))
    chosen.ranks = from_name<rank_mode>(*v, rank_mode_names).value_or(chosen.ranks);
  if (const auto v = x.text("reset")) chosen.reset = *v;
  if (!chosen.reset.empty())
    if (auto no = unless_changeable(x)) co_return std::move(*no);
  if (const auto v = x.integer("seasons_kept")) chosen.seasons_kept = *v;
  const auto made = co_await boards.configure(x.path("board"), std::move(chosen));
  if (!made) co_return problem(made.error(), x.request_id);
  co_return json_response(to_json(x.path("board"), *made));
}

awaitable<response> remove_board(service& boards, exchange& x) {
  if (auto no = unless_changeable(x)) co_return std::move(*no);
  const bool removed = co_await boards.delete_board(x.path("board"));
  if (!removed) co_return problem({errc::not_found, "there is no such board"}, x.request_id);
  co_return no_content();
}

awaitable<response> seasons(service& boards, exchange& x) {
  const auto info = co_await boards.info(x.path("board"));
  const auto closed = co_await boards.closed_seasons(x.path("board"));
  json::array items;
  for (const auto& s : closed)
    items.push_back(json::object{{"season", s.season},
                                 {"started_at", to_rfc3339(s.started)},
                                 {"closed_at", to_rfc3339(s.closed)}});
  auto body = to_json(x.path("board"), info);
  body["items"] = std::move(items);
  body["next_cursor"] = nullptr;
  co_return json_response(body);
}

awaitable<response> close_season(service& boards, exchange& x) {
  if (auto no = unless_changeable(x)) co_return std::move(*no);
  const auto season = co_await boards.close_season(x.path("board"));
  co_return json_response(json::object{{"board", x.path("board")}, {"season", season}}, 201);
}

shape settings_shape() {
  std::vector<member> members;
  members.push_back({"order", shape::word({ordering_names.begin(), ordering_names.end()}),
                     http::optional, "what is best: high (desc, the default) or low scores"});
  members.push_back({"operator", shape::word({operation_names.begin(), operation_names.end()}),
                     http::optional,
                     "what a submitted score does to the old one; best by default"});
  members.push_back({"rank_mode", shape::word({rank_mode_names.begin(), rank_mode_names.end()}),
                     http::optional, "1234, 1224 or 1223; ordinal by default"});
  members.push_back({"reset", shape::line(0, 100), http::optional,
                     "cron in UTC when a season ends; empty: never"});
  members.push_back(
      {"seasons_kept", shape::integer(0, 1'000), http::optional, "closed seasons; 100 by default"});
  return shape::object(std::move(members));
}

}  // namespace

void add_routes(router& routes, service& boards, busy_pages& pages, const allowed_sites& sites) {
  const auto bind = [&boards](auto handle) {
    return [&boards, handle](exchange& x) { return handle(boards, x); };
  };
  const query_parameter around{"around", "entries on each side", "5",
                               std::pair<std::int64_t, std::int64_t>{0, 100}};
  const query_parameter ids{
      "ids",
      "at most 1000 players, with commas between",
      "",
      {},
      schema::matching("^([A-Za-z0-9_.:-]{1,64}(,[A-Za-z0-9_.:-]{1,64})*)?$")};
  const query_parameter season{"season", "a closed season; 0 is the current one", "0",
                               std::pair<std::int64_t, std::int64_t>{0, 1'000'000'000}};
  const std::string board = "/api/leaderboards/{board}";
  const auto words_of = [](const auto& words) {
    return schema::word({words.begin(), words.end()});
  };
  // A player who is on no list yet has no rank: what a submission answers with may be `changed`
  // alone.
  const auto entry_members = [](presence when) {
    return std::vector<schema::property>{{"rank", schema::count(), when},
                                         {"player_id", schema::id(), when},
                                         {"score", schema::number(), when},
                                         {"subscore", schema::number(), http::optional},
                                         {"metadata", schema::anything(), http::optional}};
  };
  const auto entry = schema::object(entry_members(required));
  auto placed = entry_members(required);
  placed.push_back({"around", schema::array_of(entry)});
  auto submitted = entry_members(http::optional);
  submitted.push_back({"changed", schema::boolean()});
  const auto rejection = schema::object(
      {{"index", schema::count()}, {"code", schema::text()}, {"detail", schema::text()}});
  const std::vector<schema::property> settings{{"board", schema::id()},
                                               {"order", words_of(ordering_names)},
                                               {"operator", words_of(operation_names)},
                                               {"rank_mode", words_of(rank_mode_names)},
                                               {"reset", schema::text()},
                                               {"seasons_kept", schema::count()},
                                               {"season", schema::count()},
                                               {"next_reset", schema::nullable(schema::time())}};
  auto listed = settings;
  listed.push_back({"configured", schema::boolean()});
  listed.push_back({"players", schema::count()});
  auto with_seasons = settings;
  with_seasons.push_back(
      {"items", schema::array_of(schema::object({{"season", schema::count()},
                                                 {"started_at", schema::time()},
                                                 {"closed_at", schema::time()}}))});
  with_seasons.push_back({"next_cursor", schema::nullable(schema::text())});
  const auto one_score = score_shape().schema();
  json::object several{{"type", "array"}, {"items", one_score}, {"maxItems", submission_max}};
  routes
      .add({verb::get,
            "/api/leaderboards",
            access::admin,
            "Which leaderboards there are",
            bind(list),
            {},
            {limit_parameter(), cursor_parameter()},
            "{items, next_cursor}: settings and number of players of each board, in the order of "
            "names. A level's board is found by its level: `/api/levels`."})
      .gives(200, schema::page_of(schema::object(listed)));
  routes
      .add({verb::get,
            board,
            access::anyone,
            "A page of a leaderboard, best first. The first one of a board on which thousands "
            "move is at most half a second old; `Cache-Control: no-cache` has it read now.",
            [&](exchange& x) { return page_for_sites(boards, pages, sites, x); },
            {},
            {limit_parameter(), cursor_parameter(), season}})
      .gives(200, schema::object({{"items", schema::array_of(entry)},
                                  {"next_cursor", schema::nullable(schema::text())},
                                  {"previous_cursor", schema::nullable(schema::text())},
                                  {"total", schema::count()},
                                  {"version", schema::count()}}))
      .refuses({404});
  routes
      .add({verb::put, board, access::admin, "Create or configure a leaderboard", bind(configure),
            settings_shape()})
      .gives(200, schema::object(settings))
      .refuses({409});
  routes
      .add({verb::delete_, board, access::admin, "Delete a leaderboard with all its seasons",
            bind(remove_board)})
      .gives_nothing()
      .refuses({404});
  routes
      .add({verb::get,
            board + "/players/{player_id}",
            access::anyone,
            "A player's rank, and who is around",
            bind(player),
            {},
            {around, season}})
      .gives(200, schema::object(placed))
      .refuses({404});
  routes
      .add({verb::delete_, board + "/players/{player_id}", access::admin,
            "Take a player off a leaderboard", bind(remove_player)})
      .gives_nothing()
      .refuses({404});
  routes
      .add({verb::get,
            board + "/ranks",
            access::anyone,
            "Ranks of given players",
            bind(ranks),
            {},
            {ids, season}})
      .gives(200, schema::page_of(entry));
  routes
      .add({verb::post,
            board + "/scores",
            access::server,
            "Submit one score, or an array of at most 10,000",
            bind(submit),
            shape::documented(schema::any_of({one_score, std::move(several)})),
            {},
            "One: the entry, and whether it changed. Several: what was accepted and rejected."})
      .takes_header("Idempotency-Key", "scores sent again with the same key count once",
                    schema::id())
      .gives(200, schema::any_of({schema::object(submitted),
                                  schema::object({{"accepted", schema::count()},
                                                  {"changed", schema::count()},
                                                  {"rejected", schema::array_of(rejection)}})}))
      .refuses({404, 409, 422});
  routes
      .add({verb::get, board + "/seasons", access::anyone, "Settings and closed seasons",
            bind(seasons)})
      .gives(200, schema::object(with_seasons));
  routes
      .add({verb::post, board + "/seasons", access::admin, "End the season now and begin the next",
            bind(close_season)})
      .gives(201, schema::object({{"board", schema::id()}, {"season", schema::count()}}));
}

}  // namespace skirmish::leaderboards
