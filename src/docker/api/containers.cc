// The calls about containers.
#include "docker/api/call.h"
#include "docker/api/client.h"
#include "docker/api/connection.h"
#include "docker/api/json.h"

namespace hotcell::docker::api {
namespace {

using enum Call::Subject;
using enum Call::Body;

// "POST /containers/<id><what>", for a container whose name may stand in a path.
Expected<Call> about(std::string_view id, std::string method, std::string_view what, std::string_view doing) {
  auto path = container_path(id);
  if (!path) return std::unexpected(path.error());
  Call call;
  call.doing = std::string(doing) + " container " + std::string(id);
  call.method = std::move(method);
  call.target = *path + std::string(what);
  call.subject = container;
  call.repeatable = true;
  return call;
}

std::string condition(WaitFor what) {
  switch (what) {
    case WaitFor::not_running:
      return "not-running";
    case WaitFor::next_exit:
      return "next-exit";
    case WaitFor::removed:
      return "removed";
  }
  return "not-running";
}

std::string without_slash(std::string name) {
  if (name.starts_with('/')) name.erase(0, 1);
  return name;
}

}  // namespace

Expected<Created> Client::create(const Json& body, Until until, std::string_view name) {
  Call call{.doing = "create a container from image " + text(body, "Image"),
            .method = "POST",
            .target = "/containers/create",
            .subject = container,
            .body_type = json};
  if (!name.empty()) {
    if (auto path = container_path(name); !path) return std::unexpected(path.error());
    call.target += query({{"name", std::string(name)}});
  }
  auto encoded = to_text(body);
  if (!encoded) return while_doing(call, encoded.error());
  call.body = std::move(*encoded);
  const auto answer = ask_json(call, until);
  if (!answer) return std::unexpected(answer.error());
  Created out{text(*answer, "Id"), texts(*answer, "Warnings")};
  if (out.id.empty()) return while_doing(call, Error{"docker_protocol", "the Docker daemon names no container", ""});
  return out;
}

Expected<void> Client::start(std::string_view id, Until until) {
  auto call = about(id, "POST", "/start", "start");
  return call ? tell(*call, until) : std::unexpected(call.error());
}

Expected<Json> Client::inspect_json(std::string_view id, Until until) {
  const auto call = about(id, "GET", "/json", "inspect");
  return call ? ask_json(*call, until) : std::unexpected(call.error());
}

Expected<Container> Client::inspect(std::string_view id, Until until) {
  const auto json = inspect_json(id, until);
  if (!json) return std::unexpected(json.error());
  const Json& state = field(*json, "State");
  Container out;
  out.id = text(*json, "Id");
  out.name = without_slash(text(*json, "Name"));
  out.image_id = text(*json, "Image");
  out.status = text(state, "Status");
  out.running = flag(state, "Running");
  out.oom_killed = flag(state, "OOMKilled");
  out.pid = static_cast<int>(number(state, "Pid"));
  out.exit_code = static_cast<int>(number(state, "ExitCode"));
  out.error = text(state, "Error");
  out.labels = labels(field(*json, "Config"), "Labels");
  return out;
}

Expected<std::vector<std::string>> Client::update(std::string_view id, const Limits& limits, Until until) {
  auto call = about(id, "POST", "/update", "set the limits of");
  if (!call) return std::unexpected(call.error());
  Json body = Json::object();
  if (limits.memory_bytes) body["Memory"] = body["MemorySwap"] = *limits.memory_bytes;
  if (limits.nano_cpus) body["NanoCpus"] = *limits.nano_cpus;
  if (limits.pids) body["PidsLimit"] = *limits.pids;
  call->body_type = json;
  call->body = body.dump();
  const auto answer = ask_json(*call, until);
  if (!answer) return std::unexpected(answer.error());
  return texts(*answer, "Warnings");
}

Expected<void> Client::kill(std::string_view id, Until until, std::string_view signal) {
  auto call = about(id, "POST", "/kill" + query({{"signal", std::string(signal)}}), "kill");
  if (!call) return std::unexpected(call.error());
  call->repeatable = false;
  return tell(*call, until);
}

Expected<void> Client::stop(std::string_view id, int grace_seconds, Until until) {
  auto call = about(id, "POST", "/stop" + query({{"t", std::to_string(grace_seconds)}}), "stop");
  return call ? tell(*call, until) : std::unexpected(call.error());
}

Expected<void> Client::remove(std::string_view id, Until until) {
  auto call = about(id, "DELETE", "?force=1&v=1", "remove");
  if (!call) return std::unexpected(call.error());
  auto removed = tell(*call, until);
  if (removed) return {};
  const auto& [code, message, hint] = removed.error();
  const bool going = code == "docker_conflict" && message.find("already in progress") != std::string::npos;
  return code == "docker_not_found" || going ? Expected<void>{} : removed;
}

Expected<PendingExit> Client::watch_exit(std::string_view id, WaitFor what, Until until) {
  const auto call = about(id, "POST", "/wait" + query({{"condition", condition(what)}}), "wait for");
  if (!call) return std::unexpected(call.error());
  auto connection = open(*call, until);
  if (!connection) return std::unexpected(connection.error());
  return PendingExit(std::move(*connection));
}

Expected<Exit> Client::wait(std::string_view id, WaitFor what, Until until) {
  auto pending = watch_exit(id, what, until);
  return pending ? pending->get(until) : std::unexpected(pending.error());
}

Expected<std::vector<ListedContainer>> Client::list(const std::vector<std::string>& with_labels, Until until) {
  const auto json = ask_json(
      Call::get("list containers", "/containers/json" + query({{"all", "1"}, {"filters", label_filters(with_labels)}})),
      until);
  if (!json) return std::unexpected(json.error());
  std::vector<ListedContainer> out;
  for (const Json& item : elements(*json)) {
    const auto names = texts(item, "Names");
    out.push_back({text(item, "Id"), names.empty() ? "" : without_slash(names.front()), text(item, "Image"),
                   text(item, "ImageID"), text(item, "State"), number(item, "Created"), labels(item, "Labels")});
  }
  return out;
}

Expected<Attached> Client::attach(std::string_view id, AttachStreams streams, Until until) {
  Parameters parameters{{"stream", "1"}};
  if (streams.in) parameters.emplace_back("stdin", "1");
  if (streams.out) parameters.emplace_back("stdout", "1");
  if (streams.err) parameters.emplace_back("stderr", "1");
  auto call = about(id, "POST", "/attach" + query(parameters), "attach to");
  if (!call) return std::unexpected(call.error());
  call->repeatable = false;  // the end of the first try may have closed the container's input
  call->becomes_raw = true;
  auto connection = open(*call, until);
  if (!connection) return std::unexpected(connection.error());
  // Daemons before 1.42 call it raw whether it has frames or not.
  if (api_version() >= ApiVersion{1, 42} &&
      (*connection)->answer().content_type() == "application/vnd.docker.raw-stream")
    return while_doing(*call,
                       Error{"docker_bad_request", "it was made with a terminal (Tty), so its output has no frames",
                             "make it without Tty"});
  auto received = (*connection)->take_rest();
  return Attached(std::move(*connection), std::move(received));
}

Expected<EventStream> Client::events(const EventFilter& filter, Until until) {
  Json filters = {{"type", {"container"}}};
  if (!filter.labels.empty()) filters["label"] = filter.labels;
  if (!filter.actions.empty()) filters["event"] = filter.actions;
  if (!filter.containers.empty()) filters["container"] = filter.containers;
  Parameters parameters{{"filters", filters_text(filters)}};
  if (filter.since) parameters.emplace_back("since", std::to_string(*filter.since));
  auto connection = open(Call::get("listen to the Docker daemon's events", "/events" + query(parameters)), until);
  if (!connection) return std::unexpected(connection.error());
  return EventStream(std::move(*connection));
}

}  // namespace hotcell::docker::api
