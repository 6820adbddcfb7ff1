// One made-up log of each game that docs/game-logs.md names, and logs of faults that were found:
// what each says is written beside it, one line an event (describe_test.hpp), the counts last.
#include "ingest/describe_test.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace skirmish::ingest {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> names_of_logs() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(TEST_DATA_DIR "/games"))
    if (entry.path().extension() == ".log") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string told(std::string_view log) {
  const auto found = detect(log);
  if (!found) return found.error().message;
  const auto r = read_log(*found, log);
  std::string text = fmt::format("{}\n", to_string(*found));
  for (const auto& line : r.lines) text += line + "\n";
  return text + fmt::format("lines {}, unknown {}, in part {}\n", r.counted.lines,
                            r.counted.unknown_lines, r.counted.lines_in_part);
}

class games : public testing::TestWithParam<std::string> {};

TEST_P(games, say_what_is_written_beside_the_log) {
  const auto path = fs::path(TEST_DATA_DIR "/games") / GetParam();
  const auto log = read_file(path.string() + ".log");
  const auto expected = read_file(path.string() + ".events");
  ASSERT_FALSE(expected.empty());
  EXPECT_EQ(told(log), expected);
  std::string with_returns;
  for (const char c : log) with_returns += c == '\n' ? std::string("\r\n") : std::string(1, c);
  EXPECT_EQ(told(with_returns), expected) << "with the line endings of Windows";
}

INSTANTIATE_TEST_SUITE_P(logs, games, testing::ValuesIn(names_of_logs()), [](const auto& instance) {
  auto name = instance.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace skirmish::ingest
