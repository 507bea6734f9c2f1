#include "server/execute_api.h"

#include <algorithm>

#include "base/hash.h"
#include "protocol/json_reader.h"
#include "protocol/request_json.h"
#include "protocol/result_json.h"
#include "server/answers.h"

namespace hotcell::server {

using namespace protocol;

namespace {

constexpr std::size_t kLongestKey = 255;

const std::string* idempotency_key(const Call& call) { return call.request().header("idempotency-key"); }

bool is_plain_key(const std::string& key) {
  return !key.empty() && key.size() <= kLongestKey &&
         std::ranges::all_of(key, [](char c) { return c > ' ' && c < 0x7f; });
}

// The same key with another request is a mistake of the client's; what makes two requests the same is all of them.
Digest payload_of(const http::Request& request) {
  return sha256(request.path + "\n" + request.query + "\n" + request.body);
}

}  // namespace

std::expected<Request, Problem> ExecuteApi::read(nlohmann::json&& document) const {
  if (document.is_object() && !document.contains("timeout_seconds"))
    document["timeout_seconds"] = timeout_seconds_.load();
  return request_from_document(std::move(document));
}

void ExecuteApi::execute(const Call& call) {
  auto document = parse_json(call.request().body);
  if (!document) return call.refuse(std::move(document.error()));
  auto request = read(std::move(*document));
  if (!request) return call.refuse(std::move(request.error()));
  if (!request->inputs.empty()) {
    if (idempotency_key(call))
      return call.refuse(make_problem("invalid_field", "Idempotency-Key is for single executions, not for 'inputs'"));
    return start_inputs(call, std::move(*request), launcher_);
  }
  run(call, std::move(*request));
}

bool ExecuteApi::settled_by_key(const Call& call, const std::string& key, const Dress& dress) {
  if (!is_plain_key(key)) {
    call.refuse(make_problem("malformed", "Idempotency-Key must be 1 to 255 visible ASCII characters"));
    return true;
  }
  const auto claim = idempotency_.claim(call.tenant->name, key, payload_of(call.request()), Idempotency::Clock::now());
  switch (claim.verdict) {
    case Idempotency::Verdict::fresh:
      return false;
    case Idempotency::Verdict::in_progress:
      call.refuse(
          make_problem("idempotency_in_progress", "the first request with this Idempotency-Key is still running",
                       "send it again when that one has ended"),
          1);
      return true;
    case Idempotency::Verdict::mismatch:
      call.refuse(make_problem("idempotency_mismatch", "this Idempotency-Key came with another request before",
                               "use a new key for a new request"));
      return true;
    case Idempotency::Verdict::replay:
      break;
  }
  http::Response response;
  if (const auto form = stream_form_of(call.request())) {
    auto log = claim.record->log() ? claim.record->log() : replayed_log(*claim.record);
    response = event_stream(std::move(log), *form, 0, false, call.exchange);
  } else {
    const auto ending = claim.record->ending();
    if (dress) {
      const auto result = result_from_json(*ending->body);
      response = dress(*claim.record, *ending, result ? &*result : nullptr);
    } else {
      response = answer_of(*ending, call.exchange->request_id);
    }
  }
  response.headers.emplace_back("Idempotency-Replayed", "true");
  call.respond(std::move(response));
  return true;
}

void ExecuteApi::run(const Call& call, Request request, Dress dress) {
  std::string key;
  if (const auto* given = idempotency_key(call)) {
    key = *given;
    if (settled_by_key(call, key, dress)) return;
  }
  const auto form = stream_form_of(call.request());
  const bool detach = request.detach;
  Launch launch;
  launch.request = std::move(request);
  launch.tenant = call.tenant;
  launch.asker = asker_of(*call.exchange);
  launch.events = form.has_value();
  launch.base64_events = call.request().parameter("output") == "base64";
  call.request().body = {};  // read; the program may run for long
  if (!form)
    launch.ended = [exchange = call.exchange, dress = std::move(dress)](
                       const Record& record, const Record::Ending& ending, const Result* result) {
      exchange->respond(dress && result ? dress(record, ending, result) : answer_of(ending, exchange->request_id));
    };
  auto record = launcher_.start(std::move(launch));
  if (!record) {
    if (!key.empty()) idempotency_.dropped(call.tenant->name, key);
    return call.refuse(std::move(record.error()));
  }
  if (!key.empty()) idempotency_.started(call.tenant->name, key, *record);
  if (!detach) cancel_when_gone(call, *record);
  if (form) call.respond(event_stream((*record)->log(), *form, 0, true, call.exchange));
}

}  // namespace hotcell::server
