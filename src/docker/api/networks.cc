// The calls about networks and volumes.
#include "docker/api/call.h"
#include "docker/api/client.h"
#include "docker/api/json.h"

namespace hotcell::docker::api {
namespace {

using enum Call::Subject;

Network to_network(const Json& json) {
  Network out{text(json, "Id"),       text(json, "Name"),     text(json, "Driver"),
              flag(json, "Internal"), labels(json, "Labels"), {}};
  if (const Json& containers = field(json, "Containers"); containers.is_object())
    for (const auto& [id, container] : containers.items()) out.containers.push_back(id);
  return out;
}

Expected<void> gone(Expected<void> removed) {
  return !removed && removed.error().code == "docker_not_found" ? Expected<void>{} : removed;
}

}  // namespace

Expected<std::string> Client::create_network(const NetworkOptions& options, Until until) {
  if (auto path = network_path(options.name); !path) return std::unexpected(path.error());
  const Json body = {{"Name", options.name},     {"Driver", options.driver},   {"Internal", options.internal},
                     {"Labels", options.labels}, {"Options", options.options}, {"CheckDuplicate", true}};
  Call call{.doing = "create network " + options.name,
            .method = "POST",
            .target = "/networks/create",
            .subject = network,
            .body_type = Call::Body::json};
  auto encoded = to_text(body);
  if (!encoded) return while_doing(call, encoded.error());
  call.body = std::move(*encoded);
  const auto answer = ask_json(call, until);
  if (!answer) return std::unexpected(answer.error());
  return text(*answer, "Id");
}

Expected<Network> Client::inspect_network(std::string_view name, Until until) {
  const auto path = network_path(name);
  if (!path) return std::unexpected(path.error());
  const auto json = ask_json(Call::get("inspect network " + std::string(name), *path, network), until);
  if (!json) return std::unexpected(json.error());
  return to_network(*json);
}

Expected<std::vector<Network>> Client::list_networks(const std::vector<std::string>& with_labels, Until until) {
  const auto json =
      ask_json(Call::get("list networks", "/networks" + query({{"filters", label_filters(with_labels)}})), until);
  if (!json) return std::unexpected(json.error());
  std::vector<Network> out;
  for (const Json& item : elements(*json)) out.push_back(to_network(item));
  return out;
}

Expected<void> Client::remove_network(std::string_view name, Until until) {
  const auto path = network_path(name);
  if (!path) return std::unexpected(path.error());
  return gone(tell({.doing = "remove network " + std::string(name),
                    .method = "DELETE",
                    .target = *path,
                    .subject = network,
                    .repeatable = true},
                   until));
}

Expected<std::vector<Volume>> Client::list_volumes(const std::vector<std::string>& with_labels, Until until) {
  const auto json =
      ask_json(Call::get("list volumes", "/volumes" + query({{"filters", label_filters(with_labels)}})), until);
  if (!json) return std::unexpected(json.error());
  std::vector<Volume> out;
  for (const Json& item : elements(field(*json, "Volumes")))
    out.push_back({text(item, "Name"), text(item, "Driver"), labels(item, "Labels")});
  return out;
}

Expected<void> Client::remove_volume(std::string_view name, Until until) {
  const auto path = volume_path(name);
  if (!path) return std::unexpected(path.error());
  return gone(tell({.doing = "remove volume " + std::string(name),
                    .method = "DELETE",
                    .target = *path,
                    .subject = volume,
                    .repeatable = true},
                   until));
}

}  // namespace hotcell::docker::api
