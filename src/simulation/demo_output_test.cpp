#include "simulation/demo_output.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;

class pipe_of_test : public testing::Test {
 protected:
  pipe_of_test() {
    EXPECT_EQ(::pipe(ends_.data()), 0);
    size_ = static_cast<std::size_t>(::fcntl(ends_[1], F_GETPIPE_SZ));
  }
  ~pipe_of_test() override {
    for (const int end : ends_) ::close(end);
  }
  std::string read(std::size_t bytes) {
    std::string out(bytes, '\0');
    std::size_t got = 0;
    while (got < bytes) {
      const auto n = ::read(ends_[0], out.data() + got, bytes - got);
      if (n <= 0) break;
      got += static_cast<std::size_t>(n);
    }
    out.resize(got);
    return out;
  }
  std::array<int, 2> ends_{};
  std::size_t size_ = 0;
  std::atomic<bool> stop_{false};
};

using demo_output_test = pipe_of_test;

TEST_F(demo_output_test, leaves_out_what_a_full_pipe_does_not_take) {
  demo_output out(when_full::leave_out, stop_, ends_[1]);
  out.write(std::string(size_, 'x'));
  out.write("left out");
  EXPECT_EQ(read(size_), std::string(size_, 'x'));
  out.write("read again");
  EXPECT_EQ(read(10), "read again");
}

TEST_F(demo_output_test, waits_for_a_slow_reader) {
  demo_output out(when_full::wait, stop_, ends_[1]);
  const std::string text(3 * size_, 'y');
  std::jthread writer([&] { out.write(text); });
  EXPECT_EQ(read(text.size()), text);
}

TEST_F(demo_output_test, gives_up_when_it_is_stopped_and_nobody_reads) {
  demo_output out(when_full::wait, stop_, ends_[1]);
  std::jthread writer([&] { out.write(std::string(2 * size_, 'z')); });
  stop_ = true;
  writer.join();  // a defect hangs here
  EXPECT_EQ(read(size_), std::string(size_, 'z'));
}

}  // namespace
}  // namespace skirmish::cli
