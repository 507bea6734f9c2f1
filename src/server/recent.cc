#include "server/recent.h"

#include <algorithm>
#include <utility>

#include "protocol/utf8.h"

namespace hotcell::server {

using namespace protocol;

namespace {

constexpr std::size_t kLongestMessage = 300;
constexpr std::size_t kMostEngines = 8;  // there are few; whatever comes, memory stays bounded

}  // namespace

Recent::Second& Recent::Track::at(std::int64_t second) {
  auto& bucket = seconds[static_cast<std::size_t>(second) % seconds.size()];
  if (bucket.number != second) bucket = {second};
  return bucket;
}

void Recent::Track::ended(std::int64_t second, float took, bool failed) {
  auto& bucket = at(second);
  ++bucket.runs;
  bucket.failed += failed;
  durations[next_duration++ % kDurations] = {second, took};
}

Recent::Minute Recent::Track::minute(std::int64_t second) const {
  constexpr auto kMinute = static_cast<std::int64_t>(kSeconds);
  Minute out;
  for (const auto& bucket : seconds) {
    if (bucket.number < 0 || bucket.number < second - kMinute) continue;
    out.runs += bucket.runs;
    out.failed += bucket.failed;
    out.refused += bucket.refused;
  }
  std::vector<float> sorted;
  for (const auto& one : durations)
    if (one.second >= 0 && one.second >= second - kMinute) sorted.push_back(one.seconds);
  if (sorted.empty()) return out;
  std::ranges::sort(sorted);
  const auto part = [&](double of) {
    return static_cast<double>(sorted[static_cast<std::size_t>(of * static_cast<double>(sorted.size() - 1))]);
  };
  out.seconds = Quantiles{part(0.5), part(0.9), part(0.95), part(0.99), part(1)};
  return out;
}

Recent::Track* Recent::track_of(const std::string& engine) {
  const auto found = std::ranges::find(engines_, engine, &std::pair<std::string, Track>::first);
  if (found != engines_.end()) return &found->second;
  if (engine.empty() || engines_.size() >= kMostEngines) return nullptr;
  return &engines_.emplace_back(engine, Track{}).second;
}

void Recent::ended(const std::string& tenant, Language language, const Result& result, Clock::time_point now) {
  const auto& outcome = result.outcome;
  const double took = std::chrono::duration<double>(result.finished_at - result.created_at).count();
  const bool failed = outcome.status != Status::completed;
  const auto second = second_of(now);
  const std::lock_guard lock(mutex_);
  ++totals_[static_cast<std::size_t>(outcome.status)];
  all_.ended(second, static_cast<float>(took), failed);
  if (auto* own = track_of(outcome.engine.name)) own->ended(second, static_cast<float>(took), failed);
  if (!failed) return;
  Failure failure;
  failure.at = std::chrono::system_clock::now();
  failure.tenant = tenant;
  failure.id = result.id;
  failure.language = name_of(language);
  failure.engine = outcome.engine.name;
  failure.status = name_of(outcome.status);
  failure.code = outcome.failure ? outcome.failure->code : "exit";
  failure.seconds = took;
  if (outcome.failure) {
    failure.message = outcome.failure->message;
    if (outcome.failure->kind == "exception")
      failure.name = outcome.failure->name.empty() ? "exception" : outcome.failure->name;
  } else if (outcome.exit_code) {
    failure.message = "exit code " + std::to_string(*outcome.exit_code);
  }
  remember(std::move(failure));
}

void Recent::refused(const std::string& tenant, Language language, const std::string& id, const Problem& problem,
                     Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  ++refused_;
  ++all_.at(second_of(now)).refused;
  Failure failure;
  failure.at = std::chrono::system_clock::now();
  failure.tenant = tenant;
  failure.id = id;
  failure.language = name_of(language);
  failure.status = "refused";
  failure.code = problem.code;
  failure.message = problem.detail;
  remember(std::move(failure));
}

void Recent::remember(Failure failure) {
  failure.message = shortened(failure.message, kLongestMessage);
  failure.name = shortened(failure.name, kLongestMessage);
  failures_.push_front(std::move(failure));
  if (failures_.size() > kFailures) failures_.pop_back();
}

Recent::View Recent::view(Clock::time_point now) const {
  const auto second = second_of(now);
  constexpr auto kMinute = static_cast<std::int64_t>(kSeconds);
  View view;
  view.uptime_seconds = std::chrono::duration<double>(now - began_).count();
  Track all;
  decltype(engines_) engines;
  {
    const std::lock_guard lock(mutex_);
    view.totals = totals_;
    view.refused = refused_;
    view.failures.assign(failures_.begin(), failures_.end());
    all = all_;
    engines = engines_;
  }
  for (const auto& bucket : all.seconds)
    if (bucket.number >= 0 && bucket.number < second && bucket.number >= second - kMinute)
      view.per_second[static_cast<std::size_t>(bucket.number - (second - kMinute))] = bucket.runs;
  view.minute = all.minute(second);
  for (const auto& [name, track] : engines) view.engines.emplace_back(name, track.minute(second));
  return view;
}

}  // namespace hotcell::server
