// The bans in force, in memory: what each request, login and socket is compared with.
#pragma once

#include "bans/ban.hpp"
#include "http/bans.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace skirmish::bans {

// One per process. Thread-safe.
class ban_table final : public http::ban_list {
 public:
  explicit ban_table(const clock& time);
  ~ban_table() override;

  void set(std::vector<ban> all);

  [[nodiscard]] std::uint64_t version() const noexcept override { return version_; }
  [[nodiscard]] bool has_addresses() const noexcept override {
    return has_addresses_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::optional<http::ban> of_address(
      const boost::asio::ip::address& a) const override;
  [[nodiscard]] std::optional<http::ban> of(const http::principal& who) const override;
  [[nodiscard]] std::optional<http::ban> of_player(std::string_view player_id) const;

 private:
  struct index;
  [[nodiscard]] std::shared_ptr<const index> current() const;
  [[nodiscard]] std::optional<http::ban> told(const ban& b) const;

  const clock& clock_;
  std::atomic<std::uint64_t> version_{0};
  std::atomic<bool> has_addresses_{false};
  std::atomic<bool> has_names_{false};
  mutable std::mutex mutex_;
  std::shared_ptr<const index> index_;
};

}  // namespace skirmish::bans
