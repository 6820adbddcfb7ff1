#include "cli/own_server.hpp"

#include "app.hpp"
#include "cli/cli.hpp"
#include "core/log.hpp"

#include <exception>
#include <fstream>
#include <thread>

namespace skirmish::cli {

std::string read_admin_key(const std::string& data_dir) {
  std::ifstream in(data_dir + "/admin.key");
  std::string key;
  in >> key;
  return key;
}

void with_own_server(
    config settings,
    const std::function<void(const std::string& url, const std::string& api_key)>& work,
    cache::hooks hooks, std::atomic<bool>* ended) {
  settings.http.listen = "127.0.0.1:0";
  const auto data_dir = settings.server.data_dir;
  if (settings.server.log_level == "info") log::set_level(log::level::warn);
  app server(std::move(settings), {}, std::move(hooks));
  bool finished = false;
  std::exception_ptr problem;
  std::jthread worker;
  server.run([&](const std::string& address) {
    worker = std::jthread([&, address] {
      try {
        work("http://" + address, read_admin_key(data_dir));
        finished = true;
      } catch (...) {
        problem = std::current_exception();
      }
      server.stop();
    });
  });
  if (ended) *ended = true;
  if (worker.joinable()) worker.join();
  if (problem) std::rethrow_exception(problem);
  if (!finished) throw failure(errc::unavailable, "interrupted");
}

void with_server(
    config settings, const std::string& url, const std::string& api_key,
    const std::function<void(const std::string& url, const std::string& api_key)>& work,
    cache::hooks hooks, std::atomic<bool>* ended) {
  if (url.empty()) {
    with_own_server(std::move(settings), work, std::move(hooks), ended);
    return;
  }
  const auto key = api_key.empty() ? read_admin_key(settings.server.data_dir) : api_key;
  if (key.empty())
    throw usage_error{
        "no API key: give --api-key-file, set SKIRMISH_API_KEY or SKIRMISH_API_KEY_FILE, or name "
        "the server's --data-dir"};
  work(url, key);
}

}  // namespace skirmish::cli
