#include "cli/cli.hpp"

#include "cli/secret_arguments.hpp"
#include "core/log.hpp"

namespace skirmish::cli {
namespace {

// The API key of the file, or else of the environment; empty when there is none.
std::string key_of(const std::string& file, const environment& env) {
  const auto read = [](const std::string& path) {
    auto key = read_secret_file(path);
    if (!key) throw usage_error{key.error().message};
    return std::move(*key);
  };
  if (!file.empty()) return read(file);
  if (const auto key = env.find("SKIRMISH_API_KEY"); key != env.end()) return key->second;
  if (const auto named = env.find("SKIRMISH_API_KEY_FILE"); named != env.end())
    return read(named->second);
  return {};
}

}  // namespace

void config_flags::add_to(CLI::App& command) {
  command.add_option("--config", file_, "TOML file with settings")->type_name("FILE");
  command
      .add_option("--set", sets_, "a setting by its name, for example --set http.body_limit=1MiB")
      ->type_name("NAME=VALUE");
  add(command, "--data-dir", "server.data_dir", "DIR");
  add(command, "--log-level", "server.log_level", "LEVEL");
}

void config_flags::add(CLI::App& command, const std::string& flag, const std::string& setting,
                       const std::string& value_name) {
  const auto& all = settings();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& s) { return s.name == setting; });
  command
      .add_option_function<std::string>(
          flag, [this, setting](const std::string& v) { named_.emplace_back(setting, v); },
          found->help)
      ->type_name(value_name);
}

std::vector<std::pair<std::string, std::string>> config_flags::overrides() const {
  auto out = named_;
  for (const auto& text : sets_) {
    const auto equals = text.find('=');
    if (equals == std::string::npos) throw usage_error{"--set takes NAME=VALUE"};
    out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

config_sources config_flags::sources() const {
  auto found = sources_of_config(file_, process_environment(), overrides());
  if (!found) throw usage_error{found.error().message};
  return std::move(*found);
}

config config_flags::load() const {
  const auto given = overrides();
  auto loaded = load_config(file_, process_environment(), given);
  if (!loaded) throw usage_error{loaded.error().message};
  if (!log::set_level(loaded->server.log_level))
    throw usage_error{"server.log_level must be debug, info, warn, error or off"};
  // Some tools load more than once.
  static bool is_warned = false;
  for (const auto& [name, value] : given)
    if (!is_warned && holds_secret(name, value))
      warn_of_secret_argument(name, name + "_file, or an environment variable");
  is_warned = true;
  return std::move(*loaded);
}

void warn_of_secret_argument(std::string_view argument, std::string_view safer) {
  log::warn("secret_in_arguments", {{"argument", argument}, {"safer", safer}});
}

void server_flags::add_to(CLI::App& command) {
  command.add_option("--url", url, "server to talk to, for example http://127.0.0.1:8090")
      ->type_name("URL");
  auto file = std::make_shared<std::string>();
  auto* from_file = command
                        .add_option("--api-key-file", *file,
                                    "file with an API key of role admin, which may create levels; "
                                    "or set SKIRMISH_API_KEY")
                        ->type_name("FILE");
  command
      .add_option("--api-key", api_key, "the key itself, which all users of this machine can see")
      ->type_name("KEY")
      ->excludes(from_file);
  command.parse_complete_callback([this, file] {
    if (!api_key.empty())
      warn_of_secret_argument("--api-key", "--api-key-file or SKIRMISH_API_KEY");
    else
      api_key = key_of(*file, process_environment());
  });
}

}  // namespace skirmish::cli
