#include "server/recent.h"

#include <gtest/gtest.h>

#include <numeric>

namespace hotcell::server {
namespace {

using namespace protocol;
using std::chrono::milliseconds;
using std::chrono::seconds;

Result run_of(milliseconds took, Status status = Status::completed) {
  Result result;
  result.id = "exe_1";
  result.finished_at = result.created_at + took;
  result.outcome.status = status;
  return result;
}

TEST(Recent, counts_runs_by_the_second_in_which_they_ended) {
  Recent recent;
  const auto begin = Recent::Clock::now();
  for (int i = 0; i < 5; ++i) recent.ended("a", Language::python, run_of(milliseconds(1)), begin + seconds(3));
  recent.ended("a", Language::python, run_of(milliseconds(1)), begin + seconds(5));
  auto view = recent.view(begin + seconds(6));
  EXPECT_EQ(view.per_second[59], 1u);  // the second before this one
  EXPECT_EQ(view.per_second[57], 5u);
  EXPECT_EQ(view.per_second[58], 0u);
  EXPECT_EQ(recent.view(begin + seconds(5)).per_second[59], 0u);  // that second is not over
  view = recent.view(begin + seconds(64));                        // the fifth is sixty seconds ago, the third is not
  EXPECT_EQ(std::accumulate(view.per_second.begin(), view.per_second.end(), 0u), 1u);
  view = recent.view(begin + seconds(10'000));
  EXPECT_EQ(std::accumulate(view.per_second.begin(), view.per_second.end(), 0u), 0u);
  EXPECT_FALSE(view.minute.seconds.has_value());
  EXPECT_EQ(view.totals[static_cast<std::size_t>(Status::completed)], 6u);
}

TEST(Recent, a_second_that_comes_round_again_starts_at_zero) {
  Recent recent;
  const auto begin = Recent::Clock::now();
  recent.ended("a", Language::python, run_of(milliseconds(1)), begin);
  recent.ended("a", Language::python, run_of(milliseconds(1)), begin + seconds(61));
  EXPECT_EQ(recent.view(begin + seconds(62)).per_second[59], 1u);
}

TEST(Recent, knows_how_long_the_last_runs_took) {
  Recent recent;
  const auto now = Recent::Clock::now();
  for (int i = 1; i <= 100; ++i) recent.ended("a", Language::python, run_of(milliseconds(i)), now);
  const auto view = recent.view(now);
  const auto& took = view.minute.seconds;
  ASSERT_TRUE(took.has_value());
  EXPECT_NEAR(took->p50, 0.050, 0.001);
  EXPECT_NEAR(took->p90, 0.090, 0.001);
  EXPECT_NEAR(took->p99, 0.099, 0.001);
  EXPECT_NEAR(took->longest, 0.100, 0.001);
}

TEST(Recent, each_engine_has_a_minute_of_its_own) {
  Recent recent;
  const auto now = Recent::Clock::now();
  auto slow = run_of(seconds(2), Status::failed);
  slow.outcome.engine.name = "docker";
  recent.ended("a", Language::python, slow, now);
  auto quick = run_of(milliseconds(10));
  quick.outcome.engine.name = "wasi";
  // More than are kept of one engine: they leave the other's alone.
  for (std::size_t i = 0; i < 2 * Recent::kDurations; ++i) recent.ended("a", Language::python, quick, now);
  const auto view = recent.view(now + seconds(1));
  ASSERT_EQ(view.engines.size(), 2u);
  EXPECT_EQ(view.engines[0].first, "docker");
  EXPECT_EQ(view.engines[0].second.runs, 1u);
  EXPECT_EQ(view.engines[0].second.failed, 1u);
  EXPECT_NEAR(view.engines[0].second.seconds.value().p50, 2, 0.001);
  EXPECT_EQ(view.engines[1].second.runs, 2 * Recent::kDurations);
  EXPECT_NEAR(view.engines[1].second.seconds.value().longest, 0.010, 0.001);
  EXPECT_EQ(view.minute.runs, 2 * Recent::kDurations + 1);
  const auto later = recent.view(now + seconds(100));
  EXPECT_EQ(later.engines[0].second.runs, 0u);
  EXPECT_FALSE(later.engines[0].second.seconds.has_value());
}

TEST(Recent, an_exceptions_name_is_told_apart_from_what_the_program_says) {
  Recent recent;
  auto result = run_of(milliseconds(1), Status::failed);
  auto& failure = result.outcome.failure.emplace();
  failure.code = failure.kind = "exception";
  failure.name = "ValueError";
  failure.message = "the user's secret";
  recent.ended("a", Language::python, result, Recent::Clock::now());
  const auto view = recent.view(Recent::Clock::now());
  EXPECT_EQ(view.failures[0].name, "ValueError");
  EXPECT_EQ(view.failures[0].message, "the user's secret");
}

TEST(Recent, keeps_the_last_failures_the_newest_first_and_bounded) {
  Recent recent;
  const auto now = Recent::Clock::now();
  for (int i = 0; i < 50; ++i) {
    auto result = run_of(milliseconds(1), Status::timeout);
    result.outcome.failure.emplace();
    result.outcome.failure->code = "timeout";
    result.outcome.failure->message = std::to_string(i) + std::string(100'000, 'x');
    recent.ended("a", Language::bash, result, now);
  }
  recent.refused("b", Language::bash, "", make_problem("at_capacity", "full"), now);
  const auto view = recent.view(now);
  ASSERT_EQ(view.failures.size(), Recent::kFailures);
  EXPECT_EQ(view.failures[0].status, "refused");
  EXPECT_EQ(view.failures[0].code, "at_capacity");
  EXPECT_TRUE(view.failures[1].message.starts_with("49x"));
  EXPECT_LT(view.failures[1].message.size(), 400u);
  EXPECT_EQ(view.refused, 1u);
  EXPECT_EQ(view.minute.refused, 1u);
}

}  // namespace
}  // namespace hotcell::server
