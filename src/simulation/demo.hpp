// How a simulation is shown: as a live view on a terminal, as plain lines elsewhere.
#pragma once

#include "simulation/demo_output.hpp"
#include "simulation/simulation.hpp"

#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::cli {

class demo_view {
 public:
  // `live`: redraws the screen; else prints a line for everything.
  demo_view(bool live, demo_output& out) : live_(live), out_(out) {}

  // The callbacks; they refer to this object. Thread-safe.
  simulation_view callbacks();

  // Text as it is.
  void print(std::string_view text) { out_.write(text); }
  // A line of a channel; the simulation's own word when that is empty.
  void line(const std::string& channel, const std::string& text);

 private:
  void report(const std::vector<screen_section>& sections);
  void draw();

  std::mutex mutex_;  // guards what follows
  bool live_;
  demo_output& out_;
  std::vector<std::string> notes_;  // what the simulation itself has to say
  std::vector<screen_section> report_;
  std::deque<std::string> feed_;
  std::chrono::steady_clock::time_point drawn_{};
};

// Simulates against a server, shows it in `view`, and prints the totals. False when they do not
// agree.
bool run_simulation(const simulation_plan& plan, const std::string& url, const std::string& api_key,
                    demo_view& view, const std::atomic<bool>& stop);

}  // namespace skirmish::cli
