#include "cli/cli.hpp"

#include "core/log.hpp"

namespace skirmish::cli {

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

config config_flags::load() const {
  auto overrides = named_;
  for (const auto& text : sets_) {
    const auto equals = text.find('=');
    if (equals == std::string::npos) throw usage_error{"--set takes NAME=VALUE, not " + text};
    overrides.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  auto loaded = load_config(file_, process_environment(), overrides);
  if (!loaded) throw usage_error{loaded.error().message};
  if (!log::set_level(loaded->server.log_level))
    throw usage_error{"server.log_level must be debug, info, warn, error or off"};
  return std::move(*loaded);
}

void server_flags::add_to(CLI::App& command) {
  command.add_option("--url", url, "server to talk to, for example http://127.0.0.1:8090")
      ->type_name("URL");
  command.add_option("--api-key", api_key, "API key of role server or admin")
      ->envname("SKIRMISH_API_KEY")
      ->type_name("KEY");
}

}  // namespace skirmish::cli
