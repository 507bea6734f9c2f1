#include "server/executions_api.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "protocol/json_reader.h"
#include "protocol/mime_type.h"
#include "protocol/timestamp.h"
#include "protocol/utf8.h"
#include "server/answers.h"
#include "server/event_stream.h"

namespace hotcell::server {

using namespace protocol;

namespace {

std::optional<std::uint64_t> number_from(const std::string& text) {
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(out) : std::nullopt;
}

}  // namespace

std::shared_ptr<Record> ExecutionsApi::find(const Call& call) const {
  auto record = records_.find(call.parameters.at(0), call.tenant->name);
  if (!record)
    call.refuse(make_problem("execution_not_found",
                             "there is no execution '" + shortened(call.parameters.at(0), 64) + "'",
                             "results are kept for a while only"));
  return record;
}

void ExecutionsApi::get(const Call& call) {
  const auto record = find(call);
  if (!record) return;
  if (const auto ending = record->ending()) return call.respond(answer_of(*ending, call.exchange->request_id));
  const nlohmann::ordered_json json{{"object", "execution"},
                                    {"id", record->id()},
                                    {"status", record->state() == Record::State::queued ? "queued" : "running"},
                                    {"created_at", to_timestamp(record->created_at())}};
  auto response = http::Response::json(dump(json), 202);
  response.headers.emplace_back("Retry-After", "1");
  call.respond(std::move(response));
}

void ExecutionsApi::events(const Call& call) {
  const auto record = find(call);
  if (!record) return;
  std::uint64_t after = 0;
  auto given = call.request().parameter("after");
  if (!given)
    if (const auto* header = call.request().header("last-event-id")) given = *header;
  if (given) {
    const auto number = number_from(*given);
    if (!number) {
      auto problem = make_problem("invalid_field", "'after' must be the seq of an event");
      problem.errors.emplace_back("/after", problem.detail);
      return call.refuse(std::move(problem));
    }
    after = *number;
  }
  auto log = record->log() ? record->log() : replayed_log(*record);
  if (!log)
    return call.refuse(make_problem("invalid_field", "this execution was not started as a stream and has not ended yet",
                                    "ask again when it has, or start it with Accept: application/x-ndjson"));
  const auto form = stream_form_of(call.request()).value_or(StreamForm::ndjson);
  call.respond(event_stream(std::move(log), form, after, false, call.exchange));
}

void ExecutionsApi::cancel(const Call& call) {
  const auto record = find(call);
  if (!record) return;
  const bool cancelled = record->cancel();
  call.respond(http::Response::json(dump({{"id", record->id()}, {"cancelled", cancelled}})));
}

void ExecutionsApi::file(const Call& call) {
  const auto record = find(call);
  if (!record) return;
  const auto ending = record->ending();
  if (ending)
    for (const auto& file : ending->files) {
      if (file.path != call.parameters.at(1)) continue;
      http::Response response;
      response.content_type = mime_type_of(file.path);
      // Somebody else's program wrote it: a browser shall not take it for a page of ours.
      response.headers.emplace_back("Content-Disposition", "attachment");
      response.headers.emplace_back("Content-Security-Policy", "sandbox; default-src 'none'");
      response.body = std::shared_ptr<const std::string>(ending, &file.content);
      return call.respond(std::move(response));
    }
  call.refuse(make_problem("file_not_found",
                           "the execution has no file '" + shortened(call.parameters.at(1), 256) + "'",
                           "see 'files' in its result"));
}

}  // namespace hotcell::server
