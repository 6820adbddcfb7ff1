// A server inside the tool, for tools that are given no --url.
#pragma once

#include "config.hpp"
#include "skirmish/cache.hpp"

#include <atomic>
#include <functional>
#include <string>

namespace skirmish::cli {

// The admin key that the first start wrote there; empty when there is none.
std::string read_admin_key(const std::string& data_dir);

// Runs a server on a free port of 127.0.0.1 for the time that `work` takes, which gets its URL and
// the admin key. `hooks` are those of its caches. Takes the calling thread, which must be the main
// one; `work` has another. Throws what `work` threw, and failure{unavailable} when a signal ended
// the server first. `ended` is set when the server has ended, before `work` is waited for.
void with_own_server(
    config settings,
    const std::function<void(const std::string& url, const std::string& api_key)>& work,
    cache::hooks hooks = {}, std::atomic<bool>* ended = nullptr);

// `work` with the server of `url`, or with one of its own when that is empty. Throws usage_error
// when there is no API key for the server of `url`.
void with_server(
    config settings, const std::string& url, const std::string& api_key,
    const std::function<void(const std::string& url, const std::string& api_key)>& work,
    cache::hooks hooks = {}, std::atomic<bool>* ended = nullptr);

}  // namespace skirmish::cli
