// An execution's events as the body of an answer: a JSON object a line (NDJSON), or server-sent events.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "server/event_log.h"
#include "server/http/exchange.h"
#include "server/record.h"

namespace hotcell::server {

enum class StreamForm { ndjson, sse };

// What a client's Accept asks for; nullopt: a plain answer.
std::optional<StreamForm> stream_form_of(const http::Request& request);

// `first`: the listener that the program is slowed down for.
http::Response event_stream(std::shared_ptr<EventLog> log, StreamForm form, std::uint64_t after, bool first,
                            const std::shared_ptr<http::Exchange>& exchange);

// The events of an execution that nobody listened to, made from what is kept of it. nullptr: it has not ended.
std::shared_ptr<EventLog> replayed_log(const Record& record);

}  // namespace hotcell::server
