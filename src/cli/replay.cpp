#include "cli/cli.hpp"
namespace skirmish::cli { void add_replay(CLI::App&, int&) {} }
