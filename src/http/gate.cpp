#include "http/gate.hpp"

#include "http/client_address.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace skirmish::http {

caller caller_of(const principal& who, std::string_view remote_address) {
  return {who.as, who.id, counted_address(remote_address)};
}

error refusal_of(const passage& refused) {
  if (refused.retry_after == std::chrono::milliseconds::max())
    return {errc::too_large,
            fmt::format("this costs more than the limit `{}` lets anybody spend at once; send less",
                        refused.limit)};
  return {errc::rate_limited, fmt::format("the limit `{}` is used up; try again in {} ms",
                                          refused.limit, refused.retry_after.count())};
}

std::int64_t cost_of(const json::value& body) noexcept {
  const auto* list = body.if_array();
  return list ? std::max<std::int64_t>(1, static_cast<std::int64_t>(list->size())) : 1;
}

}  // namespace skirmish::http
