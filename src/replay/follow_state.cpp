#include "replay/follow_state.hpp"

#include "core/error.hpp"
#include "core/json_text.hpp"
#include "ingest/frames.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

namespace skirmish::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t chunk_bytes = 256 * 1024;

}  // namespace

void file_prefix::update(std::string_view bytes) {
  digest_.update(bytes);
  size_bytes_ += bytes.size();
}

bool follow_state::describes(const std::string& path) const {
  std::ifstream in(path, std::ios::binary);
  file_prefix prefix;
  std::string chunk(chunk_bytes, '\0');
  while (in && prefix.size_bytes() < size_bytes) {
    const auto wanted = std::min<std::uint64_t>(chunk.size(), size_bytes - prefix.size_bytes());
    in.read(chunk.data(), static_cast<std::streamsize>(wanted));
    prefix.update(std::string_view(chunk.data(), static_cast<std::size_t>(in.gcount())));
  }
  return prefix.size_bytes() == size_bytes && prefix.digest() == digest;
}

std::optional<follow_state> load_follow_state(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  try {
    const auto o = json::parse(text);
    if (o.at("mapping").to_number<int>() != ingest::mapping_version)
      throw failure(errc::invalid_argument,
                    path +
                        " was written by a version that read logs in another way: remove it to "
                        "apply the log from its beginning (again)");
    const auto form = ingest::parse_format(o.at("format").as_string());
    if (!form) throw failure(errc::invalid_argument, path + " names a format that nobody knows");
    const auto* server = o.as_object().if_contains("server");
    return follow_state{.stream = std::string(o.at("stream").as_string()),
                        .server = server ? std::string(server->as_string()) : std::string(),
                        .format = *form,
                        .inode = o.at("inode").to_number<std::uint64_t>(),
                        .size_bytes = o.at("size_bytes").to_number<std::uint64_t>(),
                        .digest = std::string(o.at("sha256").as_string())};
  } catch (const boost::system::system_error& e) {
    throw failure(errc::invalid_argument,
                  fmt::format("{} is not the state of a followed log: {}", path, e.what()));
  }
}

void save_follow_state(const std::string& path, const follow_state& state) {
  const auto text = json_text_of(json::object{{"mapping", ingest::mapping_version},
                                              {"stream", state.stream},
                                              {"server", state.server},
                                              {"format", ingest::to_string(state.format)},
                                              {"inode", state.inode},
                                              {"size_bytes", state.size_bytes},
                                              {"sha256", state.digest}}) +
                    "\n";
  const auto fresh = path + ".new";
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const bool written =
      fd >= 0 && write(fd, text.data(), text.size()) == ssize_t(text.size()) && fsync(fd) == 0;
  const auto why = errno;
  if (fd >= 0) close(fd);
  if (!written || std::rename(fresh.c_str(), path.c_str()) != 0)
    throw failure(errc::unavailable,
                  fmt::format("cannot write {}: {}", path, std::strerror(written ? errno : why)));
}

}  // namespace skirmish::cli
