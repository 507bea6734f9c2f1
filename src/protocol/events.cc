#include "protocol/events.h"

#include <array>
#include <cmath>

#include "protocol/base64.h"
#include "protocol/result_json.h"
#include "protocol/utf8.h"
#include "protocol/wire_words.h"

namespace hotcell::protocol {

namespace {

using Ordered = nlohmann::ordered_json;

constexpr std::pair<std::string_view, event::Phase> kPhases[] = {
    {"start", event::Phase::start}, {"dependencies", event::Phase::dependencies}, {"files", event::Phase::files}};

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

void add_members(Ordered& json, const Event& event) {
  std::visit(Overloaded{
                 [&](const event::Accepted& it) {
                   json["id"] = it.id;
                   if (it.session_id) json["session_id"] = *it.session_id;
                 },
                 [&](const event::Queued& it) { json["position"] = it.position; },
                 [&](const event::Setup& it) {
                   json["phase"] = word_for(it.phase, kPhases);
                   if (!it.message.empty()) json["message"] = it.message;
                 },
                 [&](const event::Started& it) {
                   json["engine"] = it.engine;
                   json["start"] = it.start;
                 },
                 [&](const event::Output& it) {
                   if (it.base64)
                     json["base64"] = base64_encode(it.bytes);
                   else
                     json["text"] = to_text(it.bytes).text;
                 },
                 [&](const event::Shown& it) { json.update(to_json(it.value)); },
                 [&](const event::Failed& it) { json.update(to_json(it.failure)); },
                 [&](const event::Files& it) {
                   auto& files = json["files"] = Ordered::array();
                   for (const auto& file : it.files) files.push_back(to_json(file));
                 },
                 [](const event::Keepalive&) {},
                 [&](const event::Gap& it) {
                   json["from"] = it.from;
                   json["to"] = it.to;
                 },
                 [&](const event::End& it) {
                   if (const auto* result = std::get_if<Result>(&it.how))
                     json["result"] = to_json(*result, {.streams = false});
                   else
                     json["problem"] = to_json(std::get<Problem>(it.how));
                 },
             },
             event.what);
}

Problem read_problem(nlohmann::json& value, std::string pointer, Complaints& complaints) {
  ObjectReader reader(value, std::move(pointer), complaints);
  Problem problem = make_problem(reader.text("code").value_or("internal"), reader.text("detail").value_or(""),
                                 reader.text("hint").value_or(""));
  if (const auto status = reader.integer("status", 100, 599)) problem.http_status = static_cast<int>(*status);
  problem.title = reader.text("title").value_or(problem.title);
  problem.retryable = reader.boolean("retryable").value_or(problem.retryable);
  problem.request_id = reader.text("request_id").value_or("");
  if (auto* errors = reader.array("errors", 1000))
    for (std::size_t i = 0; i < errors->size(); ++i) {
      ObjectReader one((*errors)[i], pointer_to(reader.at("errors"), i), complaints);
      auto where = one.text("pointer").value_or("");
      problem.errors.emplace_back(std::move(where), one.text("detail").value_or(""));
    }
  return problem;
}

template <class T>
T needed(ObjectReader& reader, const char* name, std::optional<T>&& value) {
  if (!value && !reader.has(name)) reader.complain(name, "is missing");
  return std::move(value).value_or(T{});
}

event::Output read_output(ObjectReader& reader, Stream stream) {
  event::Output out{.stream = stream, .bytes = {}, .base64 = reader.has("base64")};
  out.bytes = out.base64 ? reader.base64("base64").value_or("") : needed(reader, "text", reader.text("text"));
  return out;
}

}  // namespace

std::string_view type_of(const Event& event) {
  if (const auto* output = std::get_if<event::Output>(&event.what))
    return output->stream == Stream::out ? "stdout" : "stderr";
  constexpr std::array<std::string_view, 11> kTypes{"accepted", "queued", "setup",     "started", "",   "result",
                                                    "error",    "files",  "keepalive", "gap",     "end"};
  static_assert(std::variant_size_v<decltype(Event::what)> == kTypes.size());
  return kTypes[event.what.index()];
}

std::string to_line(const Event& event) {
  Ordered json = {{"seq", event.seq},
                  {"type", type_of(event)},
                  {"t", std::isfinite(event.t) ? std::round(event.t * 1e6) / 1e6 : 0.0}};
  add_members(json, event);
  return dump(json) + "\n";
}

Expected<Event> event_from_line(std::string_view line) {
  auto document = parse_json(line, {.bytes = std::size_t{256} << 20});
  if (!document) return std::unexpected(error_from(document.error()));
  Complaints complaints;
  ObjectReader reader(*document, "", complaints);
  Event event;
  event.seq = needed(reader, "seq", reader.integer("seq", 0, UINT64_MAX));
  event.t = needed(reader, "t", reader.number("t", 0, 1e9, /*closed=*/true));
  const auto type = needed(reader, "type", reader.text("type"));
  if (type == "accepted") {
    event.what = event::Accepted{needed(reader, "id", reader.text("id")), reader.text("session_id")};
  } else if (type == "queued") {
    event.what = event::Queued{needed(reader, "position", reader.integer("position", 0, UINT64_MAX))};
  } else if (type == "setup") {
    const auto phase = needed(reader, "phase", reader.choice("phase", kPhases));
    event.what = event::Setup{phase, reader.text("message").value_or("")};
  } else if (type == "started") {
    auto engine = needed(reader, "engine", reader.text("engine"));
    event.what = event::Started{std::move(engine), needed(reader, "start", reader.text("start"))};
  } else if (type == "stdout" || type == "stderr") {
    event.what = read_output(reader, type == "stdout" ? Stream::out : Stream::err);
  } else if (type == "result") {
    event.what = event::Shown{read_value(reader)};
  } else if (type == "error") {
    event.what = event::Failed{read_failure(reader)};
  } else if (type == "files") {
    event::Files files;
    if (auto* list = reader.array("files", 1'000'000))
      for (std::size_t i = 0; i < list->size(); ++i)
        files.files.push_back(read_output_file((*list)[i], pointer_to(reader.at("files"), i), complaints));
    else if (!reader.has("files"))
      reader.complain("files", "is missing");
    event.what = std::move(files);
  } else if (type == "keepalive") {
    event.what = event::Keepalive{};
  } else if (type == "gap") {
    const auto from = needed(reader, "from", reader.integer("from", 0, UINT64_MAX));
    event.what = event::Gap{from, needed(reader, "to", reader.integer("to", 0, UINT64_MAX))};
  } else if (type == "end") {
    if (auto* problem = reader.find("problem"))
      event.what = event::End{read_problem(*problem, reader.at("problem"), complaints)};
    else if (auto* result = reader.find("result"))
      event.what = event::End{read_result(*result, reader.at("result"), /*streams=*/false, complaints)};
    else
      reader.complain("result", "is missing");
  } else {
    reader.complain("type", "is not a known event");
  }
  if (!complaints.empty()) return std::unexpected(error_from(complaints.to_problem()));
  return event;
}

}  // namespace hotcell::protocol
