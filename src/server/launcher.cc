#include "server/launcher.h"

#include <ctime>

#include "protocol/events.h"
#include "server/modules.h"

namespace hotcell::server {

using namespace protocol;
using Clock = Job::Clock;

namespace {

Clock::time_point in(double seconds) {
  return Clock::now() + std::chrono::nanoseconds(static_cast<long long>(std::min(seconds, 1e8) * 1e9));
}

}  // namespace

std::optional<Problem> Launcher::check(Request& request, const Tenant& tenant) const {
  if (request.timeout_seconds > tenant.limits.max_timeout_seconds) {
    auto problem = make_problem("limit_above_maximum", "timeout_seconds is above the most that this token may have, " +
                                                           std::to_string(tenant.limits.max_timeout_seconds));
    problem.errors.emplace_back("/timeout_seconds", problem.detail);
    return problem;
  }
  if (request.wasm && request.wasm->name) {
    auto bytes = read_module(options_.modules, *request.wasm->name);
    if (!bytes) {
      auto problem = problem_from(bytes.error());
      problem.errors.emplace_back("/wasm/name", problem.detail);
      return problem;
    }
    request.wasm->bytes = std::move(*bytes);
    request.wasm->name.reset();
  }
  return std::nullopt;
}

std::shared_ptr<Execution> Launcher::prepare(Launch launch, std::shared_ptr<Record>& record) {
  std::shared_ptr<EventLog> log;
  if (launch.events) log = std::make_shared<EventLog>(options_.event_bytes, Clock::now(), true);
  record = std::make_shared<Record>(new_execution_id(), launch.tenant->name, log, name_of(launch.request.language));
  const double wait = launch.begin_within.value_or(queue_allowance_seconds_.load());
  const auto deadline = in(launch.request.deadline_seconds.value_or(wait));
  const bool patient = launch.patient;
  const auto language = launch.request.language;
  auto whose = launch.tenant;
  Execution::Order order;
  order.request = std::move(launch.request);
  order.record = record;
  order.base64_events = launch.base64_events;
  order.ended = [this, language, tenant = launch.tenant, note = audit_.note(order.request, std::move(launch.asker)),
                 told = std::move(launch.ended)](const Record& of, const Record::Ending& ending, const Result* result) {
    auto& used = *tenant->usage;
    used.last_use.store(::time(nullptr), std::memory_order_relaxed);
    if (result) {
      instruments_.execution_ended(tenant->name, language, *result);
      const auto& usage = result->outcome.usage;
      used.runs.fetch_add(1, std::memory_order_relaxed);
      used.cpu_microseconds.fetch_add(static_cast<std::uint64_t>(usage.cpu_seconds * 1e6), std::memory_order_relaxed);
      used.wall_microseconds.fetch_add(static_cast<std::uint64_t>(usage.wall_seconds * 1e6), std::memory_order_relaxed);
    } else {
      turned_away(language, *tenant, of.id(), *ending.problem);
    }
    audit_.ended(note, *tenant, language, of, ending, result);
    if (told) told(of, ending, result);
  };
  auto execution = std::make_shared<Execution>(std::move(whose), std::move(order), backend_, records_);
  execution->deadline = deadline;
  execution->patient = patient;
  record->cancel_with([weak = std::weak_ptr(execution), this] {
    if (const auto alive = weak.lock()) alive->cancel(pool_.withdraw(*alive));
  });
  records_.add(record);
  return execution;
}

void Launcher::turned_away(Language language, const Tenant& tenant, const std::string& id, const Problem& why) {
  instruments_.turned_away(tenant.name, language, id, why);
  tenant.usage->refused.fetch_add(1, std::memory_order_relaxed);
}

std::expected<std::shared_ptr<Record>, Refusal> Launcher::start(Launch launch) {
  if (auto problem = check(launch.request, *launch.tenant)) {
    turned_away(launch.request.language, *launch.tenant, "", *problem);
    return std::unexpected(Refusal{std::move(*problem)});
  }
  std::shared_ptr<Record> record;
  const auto language = launch.request.language;
  auto execution = prepare(std::move(launch), record);
  if (const auto& log = record->log()) {
    log->add(event::Accepted{record->id(), std::nullopt});
    log->add(event::Queued{pool_.counts().waiting});
  }
  const auto tenant = execution->tenant;
  if (auto place = pool_.submit(std::move(execution)); !place) {
    records_.forget(*record);
    turned_away(language, *tenant, record->id(), place.error().problem);
    return std::unexpected(std::move(place.error()));
  }
  return record;
}

}  // namespace hotcell::server
