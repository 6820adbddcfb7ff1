// The features of one server thread, in the order in which they are built.
//
// A feature is a class `x::feature` (x/x_feature.hpp) with
//   void add_to(http::router&), or add_to(http::router&, realtime::gateway&): its routes and
//     channels, called once, as soon as it is built;
// and where it needs them
//   void start(task_group&): its background loops on every server thread;
//   void start_on_first(task_group&): those that one thread of a server runs for all;
//   awaitable<void> stop(): called when the thread stops serving, while Redis still answers.
#pragma once

#include "core/asio.hpp"
#include "core/task_group.hpp"
#include "http/router.hpp"
#include "realtime/realtime.hpp"

#include <memory>
#include <utility>
#include <vector>

namespace skirmish {

class feature_list {
 public:
  feature_list(http::router& routes, realtime::gateway& gateway)
      : routes_(routes), gateway_(gateway) {}
  // Destroys the features in reverse order.
  ~feature_list() {
    while (!features_.empty()) features_.pop_back();
  }
  feature_list(const feature_list&) = delete;
  feature_list& operator=(const feature_list&) = delete;

  // Builds a feature and adds its routes and channels. The reference lives as long as the list.
  template <class Feature, class... Arguments>
  Feature& add(Arguments&&... arguments) {
    auto made = std::make_unique<holder<Feature>>(std::forward<Arguments>(arguments)...);
    auto& feature = made->is;
    features_.push_back(std::move(made));
    if constexpr (requires { feature.add_to(routes_, gateway_); })
      feature.add_to(routes_, gateway_);
    else
      feature.add_to(routes_);
    return feature;
  }

  // Starts the loops of all features, in order. `is_first`: of the server's threads.
  void start(task_group& group, bool is_first) {
    for (const auto& f : features_) {
      f->start(group);
      if (is_first) f->start_on_first(group);
    }
  }

  // Stops all features in reverse order, one after the other.
  awaitable<void> stop() {
    for (auto i = features_.size(); i-- > 0;) co_await features_[i]->stop();
  }

 private:
  struct any_feature {
    any_feature() = default;
    virtual ~any_feature() = default;
    any_feature(const any_feature&) = delete;
    any_feature& operator=(const any_feature&) = delete;
    virtual void start(task_group& group) = 0;
    virtual void start_on_first(task_group& group) = 0;
    virtual awaitable<void> stop() = 0;
  };

  // Asks whether there is a member of that name, so that one with another signature does not
  // compile instead of never being called.
  template <class Feature>
  struct holder final : any_feature {
    template <class... Arguments>
    explicit holder(Arguments&&... arguments) : is(std::forward<Arguments>(arguments)...) {}
    void start(task_group& group) override {
      if constexpr (requires { &Feature::start; }) is.start(group);
    }
    void start_on_first(task_group& group) override {
      if constexpr (requires { &Feature::start_on_first; }) is.start_on_first(group);
    }
    awaitable<void> stop() override {
      if constexpr (requires { &Feature::stop; }) co_await is.stop();
      co_return;
    }
    Feature is;
  };

  http::router& routes_;
  realtime::gateway& gateway_;
  std::vector<std::unique_ptr<any_feature>> features_;
};

}  // namespace skirmish
