#include "server/admission.h"

#include <algorithm>
#include <cmath>

namespace hotcell::server {

namespace {

constexpr std::size_t kMostLanes = 4096;  // of tenants that have nothing to do, before they are forgotten
constexpr unsigned kLongestRetry = 30;

}  // namespace

Admission::Lane& Admission::lane_of(const std::shared_ptr<Tenant>& tenant) {
  auto found = lanes_.find(tenant->name);
  if (found == lanes_.end()) {
    if (lanes_.size() >= kMostLanes) forget_idle_lanes();
    found = lanes_.emplace(tenant->name, Lane{}).first;
  }
  Lane& lane = found->second;
  if (lane.tenant != tenant) {  // new, or its limits have been changed
    lane.tenant = tenant;
    lane.bucket = TokenBucket(tenant->limits.runs_per_second, tenant->limits.burst);
  }
  return lane;
}

void Admission::forget_idle_lanes() {
  std::erase_if(lanes_, [](const auto& item) { return item.second.jobs.empty() && item.second.running == 0; });
}

unsigned Admission::retry_after() const {
  const double seconds = static_cast<double>(waiting_ + 1) * recent_seconds_ / std::max(1u, limits_.eager);
  return std::clamp(static_cast<unsigned>(std::ceil(std::min(seconds, 1e6))), 1u, kLongestRetry);
}

std::expected<std::size_t, Refusal> Admission::enter(std::shared_ptr<Job> job, Clock::time_point now) {
  Lane& lane = lane_of(job->tenant);
  const auto& tenant = job->tenant->limits;
  const auto refuse = [](const char* code, std::string detail, unsigned seconds) {
    return std::unexpected(Refusal{protocol::make_problem(code, std::move(detail), "try again later"), seconds});
  };
  if (!job->patient) {
    if (tenant.max_queued && lane.jobs.size() >= tenant.max_queued)
      return refuse(
          "tenant_limit",
          "there are " + std::to_string(lane.jobs.size()) + " requests of yours waiting already, the most allowed",
          retry_after());
    if (waiting_ >= limits_.max_queued)
      return refuse("at_capacity", "the queue is full: " + std::to_string(waiting_) + " requests wait", retry_after());
    if (const double wait = lane.bucket.take(job->cost, now); wait > 0)
      return refuse("tenant_limit", "more requests a second than this token may make",
                    static_cast<unsigned>(std::ceil(wait)));
  } else if (const double wait = lane.bucket.reserve(job->cost, now); wait > 0) {
    job->not_before = now + std::chrono::milliseconds(static_cast<long long>(std::min(wait, 1e6) * 1e3) + 1);
  }
  if (tenant.memory_bytes && job->memory_bytes > tenant.memory_bytes)
    return std::unexpected(Refusal{
        protocol::make_problem("limit_above_maximum", "limits.memory_bytes is " + std::to_string(job->memory_bytes) +
                                                          ", and all programs of this token together may have " +
                                                          std::to_string(tenant.memory_bytes))});
  const auto before = waiting_;
  push(lane, std::move(job));
  return before;
}

void Admission::enter_again(std::shared_ptr<Job> series) {
  Lane& lane = lane_of(series->tenant);
  push(lane, std::move(series));
}

void Admission::push(Lane& lane, std::shared_ptr<Job> job) {
  if (lane.jobs.empty() && lane.running == 0) lane.pass = std::max(lane.pass, pass_);
  lane.jobs.push_back(std::move(job));
  ++waiting_;
}

bool Admission::may_begin(const Lane& lane, Clock::time_point now) const {
  if (lane.jobs.front()->not_before > now) return false;
  const auto& limits = lane.tenant->limits;
  if (limits.max_running && lane.running >= limits.max_running) return false;
  const auto memory = lane.jobs.front()->memory_bytes;
  if (limits.memory_bytes && lane.memory_bytes + memory > limits.memory_bytes) return false;
  // One program may always run, however much it wants.
  return !limits_.memory_bytes || running_.empty() || memory_bytes_ + memory <= limits_.memory_bytes;
}

void Admission::age(Clock::time_point now) {
  for (auto& one : running_) {
    if (now - one.at < limits_.eager_time) break;
    if (std::exchange(one.eager, false)) --eager_;
  }
}

bool Admission::has_room(Clock::time_point now) {
  age(now);
  return running_.size() < limits_.max_running && eager_ < std::max(1u, limits_.eager);
}

std::optional<Admission::Ticket> Admission::take(Clock::time_point now) {
  while (waiting_ > 0 && has_room(now)) {
    Lane* next = nullptr;
    for (auto& [name, lane] : lanes_)
      if (!lane.jobs.empty() && (!next || lane.pass < next->pass) && may_begin(lane, now)) next = &lane;
    if (!next) break;
    auto job = std::move(next->jobs.front());
    next->jobs.pop_front();
    --waiting_;
    if (job->is_series()) {
      auto one = job->next_of_series();
      if (!one) continue;  // it will come again
      next->jobs.push_back(std::move(job));
      ++waiting_;
      job = std::move(one);
    }
    pass_ = next->pass;
    next->pass += 1.0 / std::max(1u, next->tenant->limits.weight);
    ++next->running;
    next->memory_bytes += job->memory_bytes;
    memory_bytes_ += job->memory_bytes;
    ++eager_;
    return running_.insert(running_.end(), Started{std::move(job), now});
  }
  return std::nullopt;
}

void Admission::finished(Ticket ticket, Clock::time_point now) {
  const auto& job = *ticket->job;
  const auto found = lanes_.find(job.tenant->name);
  if (found != lanes_.end()) {
    --found->second.running;
    found->second.memory_bytes -= job.memory_bytes;
  }
  memory_bytes_ -= job.memory_bytes;
  if (ticket->eager) --eager_;
  recent_seconds_ += 0.05 * (std::chrono::duration<double>(now - ticket->at).count() - recent_seconds_);
  running_.erase(ticket);
}

std::optional<Admission::Clock::time_point> Admission::worth_another_look(Clock::time_point now) {
  if (waiting_ == 0 || running_.size() >= limits_.max_running) return std::nullopt;
  if (!has_room(now))
    for (const auto& one : running_)
      if (one.eager) return one.at + limits_.eager_time;
  std::optional<Clock::time_point> next;
  for (const auto& [name, lane] : lanes_)
    if (!lane.jobs.empty() && lane.jobs.front()->not_before > now && (!next || lane.jobs.front()->not_before < *next))
      next = lane.jobs.front()->not_before;
  return next;
}

bool Admission::withdraw(const Job& job) {
  const auto found = lanes_.find(job.tenant->name);
  if (found == lanes_.end()) return false;
  auto& jobs = found->second.jobs;
  const auto at = std::ranges::find(jobs, &job, [](const auto& one) { return one.get(); });
  if (at == jobs.end()) return false;
  jobs.erase(at);
  --waiting_;
  return true;
}

std::vector<std::shared_ptr<Job>> Admission::expired(Clock::time_point now) {
  std::vector<std::shared_ptr<Job>> out;
  for (auto& [name, lane] : lanes_)
    std::erase_if(lane.jobs, [&](auto& job) {
      if (job->deadline > now) return false;
      out.push_back(std::move(job));
      return true;
    });
  waiting_ -= out.size();
  return out;
}

std::vector<std::shared_ptr<Job>> Admission::clear() {
  std::vector<std::shared_ptr<Job>> out;
  for (auto& [name, lane] : lanes_) {
    std::ranges::move(lane.jobs, std::back_inserter(out));
    lane.jobs.clear();
  }
  waiting_ = 0;
  return out;
}

std::optional<Admission::Clock::time_point> Admission::next_deadline() const {
  std::optional<Clock::time_point> next;
  for (const auto& [name, lane] : lanes_)
    for (const auto& job : lane.jobs)
      if (job->deadline != Clock::time_point::max() && (!next || job->deadline < *next)) next = job->deadline;
  return next;
}

}  // namespace hotcell::server
