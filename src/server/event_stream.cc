#include "server/event_stream.h"

#include <utility>

#include "protocol/result_json.h"

namespace hotcell::server {

using namespace protocol;

namespace {

class EventSource final : public http::Source {
 public:
  EventSource(std::shared_ptr<EventLog> log, StreamForm form, std::uint64_t after, bool first)
      : log_(std::move(log)), form_(form), after_(after), first_(first) {}
  ~EventSource() override {
    if (first_) log_->first_leaves();
  }

  State pull(std::string& out, std::size_t most) override {
    const auto before = after_;
    const auto put = [&](const EventLog::Line& line) { write(out, line.seq, line.type, line.json); };
    const bool over = first_ ? log_->read_first(after_, most, put) : log_->read(after_, most, put);
    if (over) return State::finished;
    return after_ == before ? State::waiting : State::more;
  }

  void keepalive(std::string& out) override {
    Event event;
    event.seq = after_;
    event.t = log_->seconds();
    event.what = event::Keepalive{};
    write(out, event.seq, type_of(event), to_line(event));
  }

 private:
  void write(std::string& out, std::uint64_t seq, std::string_view type, std::string_view json) const {
    if (form_ == StreamForm::ndjson) {
      out += json;
      return;
    }
    out += "id: " + std::to_string(seq) + "\nevent: ";
    out += type;
    out += "\ndata: ";
    out += json;  // one line, with its end
    out += '\n';
  }

  const std::shared_ptr<EventLog> log_;
  const StreamForm form_;
  std::uint64_t after_;
  const bool first_;
};

}  // namespace

std::optional<StreamForm> stream_form_of(const http::Request& request) {
  const auto* accept = request.header("accept");
  if (!accept) return std::nullopt;
  if (accept->find("text/event-stream") != std::string::npos) return StreamForm::sse;
  if (accept->find("application/x-ndjson") != std::string::npos) return StreamForm::ndjson;
  return std::nullopt;
}

http::Response event_stream(std::shared_ptr<EventLog> log, StreamForm form, std::uint64_t after, bool first,
                            const std::shared_ptr<http::Exchange>& exchange) {
  log->tell([weak = std::weak_ptr(exchange)] {
    const auto alive = weak.lock();
    if (alive) alive->wake();
    return alive != nullptr;
  });
  http::Response response;
  response.source = std::make_shared<EventSource>(std::move(log), form, after, first);
  response.content_type = form == StreamForm::sse ? "text/event-stream" : "application/x-ndjson";
  response.headers.emplace_back("X-Accel-Buffering", "no");
  return response;
}

std::shared_ptr<EventLog> replayed_log(const Record& record) {
  const auto ending = record.ending();
  if (!ending) return nullptr;
  auto log = std::make_shared<EventLog>(SIZE_MAX, EventLog::Clock::now(), false);
  log->add(event::Accepted{record.id(), std::nullopt});
  if (ending->problem) {
    log->add(event::End{*ending->problem});
    return log;
  }
  auto result = result_from_json(*ending->body);
  if (!result) {
    log->add(event::End{make_problem("internal", "the kept result cannot be read")});
    return log;
  }
  const auto& outcome = result->outcome;
  log->add(event::Started{outcome.engine.name, outcome.engine.start});
  if (!outcome.out.bytes.empty()) log->add(event::Output{Stream::out, outcome.out.bytes, false});
  if (!outcome.err.bytes.empty()) log->add(event::Output{Stream::err, outcome.err.bytes, false});
  for (const auto& value : outcome.results) log->add(event::Shown{value});
  if (outcome.failure) log->add(event::Failed{*outcome.failure});
  if (!outcome.files.empty()) log->add(event::Files{outcome.files});
  log->add(event::End{std::move(*result)});
  return log;
}

}  // namespace hotcell::server
