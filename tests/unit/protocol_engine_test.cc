#include <gtest/gtest.h>
#include <poll.h>

#include <thread>

#include "fake_engine.h"
#include "protocol/request_json.h"

namespace hotcell::protocol {
namespace {

struct Collected : OutputSink {
  std::string out, err;
  void output(Stream stream, std::span<const char> bytes) override {
    (stream == Stream::out ? out : err).append(bytes.data(), bytes.size());
  }
};

TEST(Engine, a_caller_needs_only_the_seam) {
  FakeEngine fake;
  fake.will({.output = {{Stream::out, "hel"}, {Stream::err, "oops"}, {Stream::out, "lo"}}, .outcome = [] {
               Outcome outcome;
               outcome.status = Status::failed;
               outcome.exit_code = 3;
               return outcome;
             }()});
  Engine& engine = fake;
  const auto request = request_from_json(R"({"code":"x","args":["1"]})");
  ASSERT_TRUE(request);
  Collected sink;
  const auto outcome = engine.run(*request, &sink, nullptr);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(sink.out, "hello");
  EXPECT_EQ(outcome->out.bytes, "hello");
  EXPECT_EQ(outcome->err.total, 4u);
  EXPECT_EQ(exit_status_of(*outcome), 3);
  ASSERT_EQ(fake.requests().size(), 1u);
  EXPECT_EQ(fake.requests()[0].args, std::vector<std::string>{"1"});
}

TEST(Engine, a_refusal_is_an_error_and_not_an_outcome) {
  FakeEngine fake;
  fake.will({.output = {}, .outcome = fail("unsupported_by_engine", "the fake engine has no network")});
  const auto outcome = fake.run({}, nullptr, nullptr);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, "unsupported_by_engine");
}

TEST(Engine, a_stop_from_another_thread_ends_a_run_that_waits) {
  FakeEngine fake;
  fake.will({.output = {}, .outcome = Outcome{}, .until_stopped = true});
  StopToken stop;
  std::thread other([&] { stop.stop(); });
  const auto outcome = fake.run({}, nullptr, &stop);
  other.join();
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->status, Status::cancelled);
}

TEST(StopToken, its_descriptor_becomes_and_stays_readable) {
  StopToken stop;
  pollfd wait{.fd = stop.fd(), .events = POLLIN, .revents = 0};
  EXPECT_FALSE(stop.stopped());
  EXPECT_EQ(poll(&wait, 1, 0), 0);
  errno = 77;
  stop.stop();
  stop.stop();
  EXPECT_EQ(errno, 77);  // signal handlers may call it
  EXPECT_TRUE(stop.stopped());
  EXPECT_EQ(poll(&wait, 1, 0), 1);
  EXPECT_EQ(poll(&wait, 1, 0), 1);
}

}  // namespace
}  // namespace hotcell::protocol
