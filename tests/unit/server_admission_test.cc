#include "server/admission.h"

#include <gtest/gtest.h>

namespace hotcell::server {
namespace {

using Clock = Job::Clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct NamedJob : Job {
  NamedJob(std::shared_ptr<Tenant> whose, std::string given) : Job(std::move(whose)), name(std::move(given)) {}
  void run() override {}
  void give_up(const protocol::Problem&) override {}
  const std::string name;
};

struct Series : NamedJob {
  using NamedJob::NamedJob;
  bool is_series() const override { return true; }
  std::shared_ptr<Job> next_of_series() override {
    if (left == 0) return nullptr;
    return std::make_shared<NamedJob>(tenant, name + std::to_string(left--));
  }
  unsigned left = 0;
};

class Admissions : public testing::Test {
 protected:
  AdmissionLimits many() {
    AdmissionLimits limits;
    limits.max_running = limits.eager = 1000;
    return limits;
  }
  std::shared_ptr<Tenant> tenant(const std::string& name, TenantLimits limits = {}) {
    return std::make_shared<Tenant>(name, limits);
  }
  std::string enter(Admission& admission, const std::shared_ptr<Tenant>& of, const std::string& name) {
    const auto entered = admission.enter(std::make_shared<NamedJob>(of, name), now);
    return entered ? "" : entered.error().problem.code;
  }
  // The names of those that begin now, in order.
  std::string take_all(Admission& admission, std::size_t most = SIZE_MAX) {
    std::string out;
    for (std::size_t i = 0; i < most; ++i) {
      const auto ticket = admission.take(now);
      if (!ticket) break;
      tickets.push_back(*ticket);
      out += (out.empty() ? "" : " ") + static_cast<const NamedJob&>(*(*ticket)->job).name;
    }
    return out;
  }
  void finish_one(Admission& admission) {
    admission.finished(tickets.front(), now);
    tickets.erase(tickets.begin());
  }

  Clock::time_point now = Clock::now();
  std::vector<Admission::Ticket> tickets;
};

TEST_F(Admissions, one_tenants_jobs_keep_their_order) {
  Admission admission(many());
  const auto a = tenant("a");
  for (const auto* name : {"1", "2", "3"}) enter(admission, a, name);
  EXPECT_EQ(take_all(admission), "1 2 3");
}

TEST_F(Admissions, a_tenant_with_many_jobs_does_not_keep_another_waiting) {
  Admission admission(many());
  const auto a = tenant("a"), b = tenant("b");
  for (const auto* name : {"a1", "a2", "a3", "a4"}) enter(admission, a, name);
  enter(admission, b, "b1");
  enter(admission, b, "b2");
  EXPECT_EQ(take_all(admission), "a1 b1 a2 b2 a3 a4");
}

TEST_F(Admissions, turns_come_by_weight) {
  Admission admission(many());
  TenantLimits heavy;
  heavy.weight = 3;
  const auto a = tenant("a", heavy), b = tenant("b");
  for (int i = 0; i < 8; ++i) {
    enter(admission, a, "a");
    enter(admission, b, "b");
  }
  const auto order = take_all(admission, 8);
  EXPECT_EQ(std::ranges::count(order, 'a'), 6);
}

TEST_F(Admissions, waiting_saves_up_nothing) {
  Admission admission(many());
  const auto a = tenant("a"), b = tenant("b");
  for (int i = 0; i < 100; ++i) enter(admission, a, "a");
  take_all(admission);
  for (int i = 0; i < 4; ++i) enter(admission, b, "b");
  for (int i = 0; i < 4; ++i) enter(admission, a, "a");
  EXPECT_EQ(take_all(admission), "b a b a b a b a");
}

TEST_F(Admissions, the_queue_has_an_end_and_says_when_to_come_back) {
  auto limits = many();
  limits.max_queued = 2;
  Admission admission(limits);
  EXPECT_EQ(enter(admission, tenant("a"), "1"), "");
  EXPECT_EQ(enter(admission, tenant("b"), "2"), "");
  const auto refused = admission.enter(std::make_shared<NamedJob>(tenant("c"), "3"), now);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().problem.code, "at_capacity");
  EXPECT_GE(refused.error().retry_after.value_or(0), 1u);
  auto patient = std::make_shared<NamedJob>(tenant("c"), "3");
  patient->patient = true;
  EXPECT_TRUE(admission.enter(patient, now).has_value());
}

TEST_F(Admissions, who_is_patient_is_held_to_the_rate_by_waiting) {
  Admission admission(many());
  TenantLimits limits;
  limits.runs_per_second = 2;
  limits.burst = 1;
  const auto trainer = tenant("t", limits);
  for (const char* name : {"1", "2", "3"}) {
    auto job = std::make_shared<NamedJob>(trainer, name);
    job->patient = true;
    EXPECT_TRUE(admission.enter(job, now).has_value());
  }
  EXPECT_EQ(enter(admission, tenant("b"), "4"), "");  // holds up nobody else
  EXPECT_TRUE(admission.take(now).has_value());
  EXPECT_TRUE(admission.take(now).has_value());
  EXPECT_FALSE(admission.take(now).has_value());
  EXPECT_EQ(admission.worth_another_look(now), now + milliseconds(501));
  EXPECT_FALSE(admission.take(now + milliseconds(499)).has_value());
  EXPECT_TRUE(admission.take(now + milliseconds(501)).has_value());
  EXPECT_FALSE(admission.take(now + milliseconds(501)).has_value());
  EXPECT_TRUE(admission.take(now + milliseconds(1001)).has_value());
}

TEST_F(Admissions, a_tenants_own_queue_is_its_own_limit) {
  Admission admission(many());
  TenantLimits limits;
  limits.max_queued = 1;
  const auto a = tenant("a", limits);
  EXPECT_EQ(enter(admission, a, "1"), "");
  EXPECT_EQ(enter(admission, a, "2"), "tenant_limit");
  EXPECT_EQ(enter(admission, tenant("b"), "3"), "");
}

TEST_F(Admissions, a_rate_lets_a_burst_through_and_then_says_when) {
  Admission admission(many());
  TenantLimits limits;
  limits.runs_per_second = 0.5;
  limits.burst = 2;
  const auto a = tenant("a", limits);
  EXPECT_EQ(enter(admission, a, "1"), "");
  EXPECT_EQ(enter(admission, a, "2"), "");
  const auto refused = admission.enter(std::make_shared<NamedJob>(a, "3"), now);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().problem.code, "tenant_limit");
  EXPECT_EQ(refused.error().retry_after, 2u);
  now += seconds(2);
  EXPECT_EQ(enter(admission, a, "3"), "");
  EXPECT_EQ(enter(admission, a, "4"), "tenant_limit");
}

TEST_F(Admissions, what_is_made_of_many_costs_as_many) {
  Admission admission(many());
  TenantLimits limits;
  limits.runs_per_second = 1;
  limits.burst = 1;
  const auto a = tenant("a", limits);
  const auto batch = std::make_shared<NamedJob>(a, "batch");
  batch->cost = 10;
  EXPECT_TRUE(admission.enter(batch, now).has_value());
  now += seconds(9);
  EXPECT_EQ(enter(admission, a, "too early"), "tenant_limit");
  now += seconds(2);
  EXPECT_EQ(enter(admission, a, "paid"), "");
}

TEST_F(Admissions, a_tenant_runs_no_more_at_once_than_it_may) {
  Admission admission(many());
  TenantLimits limits;
  limits.max_running = 2;
  const auto a = tenant("a", limits);
  for (const auto* name : {"1", "2", "3"}) enter(admission, a, name);
  enter(admission, tenant("b"), "b");
  EXPECT_EQ(take_all(admission), "1 b 2");
  finish_one(admission);
  EXPECT_EQ(take_all(admission), "3");
}

TEST_F(Admissions, memory_is_counted_while_programs_run) {
  Admission admission(many());
  TenantLimits limits;
  limits.memory_bytes = 100;
  const auto a = tenant("a", limits);
  const auto with_memory = [&](std::uint64_t bytes) {
    auto job = std::make_shared<NamedJob>(a, std::to_string(bytes));
    job->memory_bytes = bytes;
    return admission.enter(job, now);
  };
  EXPECT_TRUE(with_memory(60).has_value());
  EXPECT_TRUE(with_memory(50).has_value());
  EXPECT_EQ(with_memory(101).error().problem.code, "limit_above_maximum");
  EXPECT_EQ(take_all(admission), "60");
  finish_one(admission);
  EXPECT_EQ(take_all(admission), "50");
}

TEST_F(Admissions, new_programs_are_few_at_once_and_old_ones_do_not_count) {
  auto limits = many();
  limits.eager = 2;
  limits.eager_time = milliseconds(50);
  Admission admission(limits);
  const auto a = tenant("a");
  for (const auto* name : {"1", "2", "3", "4", "5"}) enter(admission, a, name);
  EXPECT_EQ(take_all(admission), "1 2");
  EXPECT_EQ(admission.worth_another_look(now), now + milliseconds(50));
  finish_one(admission);
  EXPECT_EQ(take_all(admission), "3");
  now += milliseconds(50);
  EXPECT_EQ(take_all(admission), "4 5");
  EXPECT_EQ(admission.running(), 4u);
}

TEST_F(Admissions, no_more_run_than_the_machine_can_hold) {
  auto limits = many();
  limits.max_running = 2;
  Admission admission(limits);
  for (const auto* name : {"1", "2", "3"}) enter(admission, tenant("a"), name);
  EXPECT_EQ(take_all(admission), "1 2");
  now += seconds(10);
  EXPECT_EQ(take_all(admission), "");
  EXPECT_EQ(admission.worth_another_look(now), std::nullopt);
  finish_one(admission);
  EXPECT_EQ(take_all(admission), "3");
}

TEST_F(Admissions, deadlines_pass_in_the_queue) {
  Admission admission(many());
  const auto a = tenant("a");
  const auto early = std::make_shared<NamedJob>(a, "early"), late = std::make_shared<NamedJob>(a, "late");
  early->deadline = now + seconds(1);
  late->deadline = now + seconds(9);
  ASSERT_TRUE(admission.enter(late, now) && admission.enter(early, now));
  EXPECT_EQ(admission.next_deadline(), now + seconds(1));
  const auto gone = admission.expired(now + seconds(1));
  ASSERT_EQ(gone.size(), 1u);
  EXPECT_EQ(gone.front(), early);
  EXPECT_EQ(admission.waiting(), 1u);
}

TEST_F(Admissions, a_job_can_be_withdrawn_while_it_waits_only) {
  Admission admission(many());
  const auto a = tenant("a");
  const auto job = std::make_shared<NamedJob>(a, "1");
  ASSERT_TRUE(admission.enter(job, now).has_value());
  EXPECT_TRUE(admission.withdraw(*job));
  EXPECT_FALSE(admission.withdraw(*job));
  EXPECT_EQ(take_all(admission), "");
}

TEST_F(Admissions, a_series_takes_turns_with_its_own_tenants_others) {
  Admission admission(many());
  const auto a = tenant("a");
  const auto series = std::make_shared<Series>(a, "s");
  series->left = 3;
  ASSERT_TRUE(admission.enter(series, now).has_value());
  enter(admission, a, "x");
  enter(admission, a, "y");
  EXPECT_EQ(take_all(admission), "s3 x y s2 s1");
  series->left = 1;
  EXPECT_EQ(take_all(admission), "");
  admission.enter_again(series);
  EXPECT_EQ(take_all(admission), "s1");
}

}  // namespace
}  // namespace hotcell::server
