#include "status/last_known.hpp"

#include "core/log.hpp"

#include <unistd.h>

#include <fstream>
#include <iterator>

namespace skirmish::status {

std::optional<document> last_known::load() const {
  std::ifstream in(file_, std::ios::binary);
  if (!in) return std::nullopt;
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  auto out = parse_document(text);
  if (!out) log::warn("status_file_unreadable", {{"file", file_.string()}});
  return out;
}

void last_known::save(const document& d) const {
  auto draft = file_;
  // Two processes may share a data directory.
  draft += "." + std::to_string(::getpid()) + ".new";
  std::error_code problem;
  {
    std::ofstream out(draft, std::ios::binary | std::ios::trunc);
    out << to_json(d);
    out.close();
    if (!out) problem = std::make_error_code(std::errc::io_error);
  }
  if (!problem) std::filesystem::rename(draft, file_, problem);
  if (problem)
    log::warn("status_file_not_written", {{"file", file_.string()}, {"error", problem.message()}});
}

}  // namespace skirmish::status
