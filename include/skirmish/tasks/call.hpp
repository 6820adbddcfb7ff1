// Turns a C++ function into a task: converts its arguments from JSON, by position or by name, and
// its result to JSON.
#pragma once

#include "skirmish/tasks/context.hpp"

#include <boost/json/value_from.hpp>
#include <boost/json/value_to.hpp>

#include <tuple>
#include <type_traits>

namespace skirmish::tasks::detail {

// The argument list as one array in the order of the parameters. Throws task_error TypeError when
// an argument is missing, given twice or unknown.
json_array bind_arguments(const task_options& options, arguments& given, std::size_t count);
// How many of the parameters must at least be named or given.
[[noreturn]] void throw_type_error(const std::string& message);

template <class T>
T convert(const json& v, std::size_t position) {
  if constexpr (std::is_same_v<T, json>) {
    return v;
  } else {
    auto converted = boost::json::try_value_to<T>(v);
    // Parameters of plain types take Python's tagged values, too.
    if (!converted && v.is_object()) {
      if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
        if (const auto number = as_number(v))
          converted = boost::json::try_value_to<T>(json(*number));
      } else {
        converted = boost::json::try_value_to<T>(plain_value(v));
      }
    }
    if (!converted)
      throw_type_error("argument " + std::to_string(position + 1) +
                       " has the wrong type: " + converted.error().message());
    return std::move(*converted);
  }
}

template <class R>
json to_json(R&& value) {
  if constexpr (std::is_same_v<std::decay_t<R>, json>)
    return std::forward<R>(value);
  else
    return boost::json::value_from(std::forward<R>(value));
}

template <class F>
struct traits : traits<decltype(&F::operator())> {};
template <class R, class... A>
struct traits<R (*)(A...)> {
  using result = R;
  using parameters = std::tuple<A...>;
};
template <class R, class... A>
struct traits<R(A...)> : traits<R (*)(A...)> {};
template <class R, class C, class... A>
struct traits<R (C::*)(A...) const> : traits<R (*)(A...)> {};
template <class R, class C, class... A>
struct traits<R (C::*)(A...)> : traits<R (*)(A...)> {};

template <class Tuple>
struct split {  // no context
  static constexpr bool has_context = false;
  using values = Tuple;
};
template <class... A>
struct split<std::tuple<task_context&, A...>> {
  static constexpr bool has_context = true;
  using values = std::tuple<A...>;
};

// Takes all arguments unconverted: `[](task_context& self, arguments& all) -> json`.
template <class Values>
inline constexpr bool takes_all = std::is_same_v<Values, std::tuple<arguments&>>;

// Calls `f` with the converted arguments. `self` is the context, or shared ownership of it for
// coroutines.
template <class F>
decltype(auto) invoke(F& f, task_context& self, arguments& given, const task_options& options) {
  using parts = split<typename traits<std::decay_t<F>>::parameters>;
  using values = typename parts::values;
  if constexpr (takes_all<values>) {
    if constexpr (parts::has_context)
      return f(self, given);
    else
      return f(given);
  } else {
    const auto bound = bind_arguments(options, given, std::tuple_size_v<values>);
    return [&]<std::size_t... I>(std::index_sequence<I...>) -> decltype(auto) {
      if constexpr (parts::has_context)
        return f(self, convert<std::decay_t<std::tuple_element_t<I, values>>>(bound[I], I)...);
      else
        return f(convert<std::decay_t<std::tuple_element_t<I, values>>>(bound[I], I)...);
    }(std::make_index_sequence<std::tuple_size_v<values>>());
  }
}

// Specialised for coroutines in coroutine.hpp.
template <class Result>
struct bind {
  template <class F>
  static void into(task_definition& to, F f) {
    to.run = [f = std::move(f), options = to.options](task_context& self,
                                                      arguments& given) mutable -> json {
      if constexpr (std::is_void_v<Result>) {
        invoke(f, self, given, options);
        return nullptr;
      } else {
        return to_json(invoke(f, self, given, options));
      }
    };
  }
};

template <class F>
task_definition define(std::string name, F f, task_options options) {
  task_definition made;
  made.name = std::move(name);
  made.options = std::move(options);
  bind<typename traits<std::decay_t<F>>::result>::into(made, std::move(f));
  return made;
}

}  // namespace skirmish::tasks::detail
