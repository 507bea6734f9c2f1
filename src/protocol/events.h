// What a caller hears while a program runs (api.md B6): one JSON object a line.
//
// Every stream ends with exactly one `End`, whatever happens: with the result, or with a problem when the request was
// refused after the stream had opened (a deadline that passed in the queue).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "protocol/engine.h"
#include "protocol/problem.h"
#include "protocol/result.h"

namespace hotcell::protocol {

namespace event {

struct Accepted {
  std::string id;
  std::optional<std::string> session_id;
};
struct Queued {
  std::uint64_t position = 0;
};
enum class Phase { start, dependencies, files };
struct Setup {
  Phase phase = Phase::start;
  std::string message;  // may be empty
};
struct Started {
  std::string engine, start;
};
struct Output {
  Stream stream = Stream::out;
  std::string bytes;    // as text, whole characters: see Utf8Splitter
  bool base64 = false;  // asked for: bytes as they are
};
struct Shown {  // "result": a displayed or returned value
  Value value;
};
struct Failed {  // "error"
  Failure failure;
};
struct Files {
  std::vector<OutputFile> files;
};
struct Keepalive {};
struct Gap {  // after re-attaching: events from..to are gone
  std::uint64_t from = 0, to = 0;
};
struct End {
  std::variant<Result, Problem> how;
};

}  // namespace event

struct Event {
  std::uint64_t seq = 0;
  double t = 0;  // seconds since admission
  std::variant<event::Accepted, event::Queued, event::Setup, event::Started, event::Output, event::Shown, event::Failed,
               event::Files, event::Keepalive, event::Gap, event::End>
      what;
};

std::string_view type_of(const Event& event);  // "accepted", "stdout", …: also the name of an SSE event

std::string to_line(const Event& event);  // with its newline

// One line, with or without its newline. Unknown members are ignored; an unknown type is an error ("invalid_field"),
// which a client may skip: servers to come may know more events.
Expected<Event> event_from_line(std::string_view line);

}  // namespace hotcell::protocol
