// The calls about images.
#include "docker/api/call.h"
#include "docker/api/client.h"
#include "docker/api/connection.h"
#include "docker/api/json.h"
#include "docker/api/upload.h"

namespace hotcell::docker::api {
namespace {

constexpr std::size_t kShownOutput = 2048;  // the end of what a failed build printed

Expected<Call> about(std::string_view image, std::string method, std::string_view what, std::string_view doing) {
  auto path = image_path(image);
  if (!path) return std::unexpected(path.error());
  Call call;
  call.doing = std::string(doing) + " image " + std::string(image);
  call.method = std::move(method);
  call.target = *path + std::string(what);
  call.subject = Call::Subject::image;
  call.repeatable = true;
  return call;
}

Call tar_call(std::string doing, std::string target) {
  Call call;
  call.doing = std::move(doing);
  call.method = "POST";
  call.target = std::move(target);
  call.body_type = Call::Body::tar;
  return call;
}

std::vector<std::string> real_tags(const Json& image) {
  auto out = texts(image, "RepoTags");
  std::erase(out, "<none>:<none>");
  return out;
}

}  // namespace

Expected<Image> Client::inspect_image(std::string_view image, Until until) {
  const auto call = about(image, "GET", "/json", "find");
  if (!call) return std::unexpected(call.error());
  const auto json = ask_json(*call, until);
  if (!json) return std::unexpected(json.error());
  const Json& config = field(*json, "Config");
  Image out;
  out.id = text(*json, "Id");
  out.tags = real_tags(*json);
  out.size = number(*json, "Size");
  out.labels = labels(config, "Labels");
  out.os = text(*json, "Os");
  out.arch = text(*json, "Architecture");
  out.user = text(config, "User");
  out.work_dir = text(config, "WorkingDir");
  out.env = texts(config, "Env");
  out.entrypoint = texts(config, "Entrypoint");
  out.command = texts(config, "Cmd");
  return out;
}

Expected<std::vector<Image>> Client::list_images(const std::vector<std::string>& with_labels, Until until) {
  const auto json =
      ask_json(Call::get("list images", "/images/json" + query({{"filters", label_filters(with_labels)}})), until);
  if (!json) return std::unexpected(json.error());
  std::vector<Image> out;
  for (const Json& item : elements(*json)) {
    Image image;
    image.id = text(item, "Id");
    image.tags = real_tags(item);
    image.size = number(item, "Size");
    image.labels = labels(item, "Labels");
    out.push_back(std::move(image));
  }
  return out;
}

// Without force, tag by tag: with force, a container that was only created would lose its image.
Expected<void> Client::remove_image(std::string_view image, Until until) {
  const auto found = inspect_image(image, until);
  if (!found) return found.error().code == "docker_image_missing" ? Expected<void>{} : std::unexpected(found.error());
  auto names = found->tags;
  names.push_back(found->id);
  for (const auto& name : names) {
    const auto call = about(name, "DELETE", "", "remove");
    if (!call) return std::unexpected(call.error());
    if (auto removed = tell(*call, until); !removed && removed.error().code != "docker_image_missing") return removed;
  }
  return {};
}

Expected<void> Client::tag_image(std::string_view image, std::string_view repository, std::string_view tag,
                                 Until until) {
  const auto call =
      about(image, "POST", "/tag" + query({{"repo", std::string(repository)}, {"tag", std::string(tag)}}), "tag");
  return call ? tell(*call, until) : std::unexpected(call.error());
}

Expected<std::string> Client::import_image(int tar_fd, std::string_view repository, std::string_view tag,
                                           const std::vector<std::string>& changes, Until until,
                                           const Progress& progress) {
  Parameters parameters{{"fromSrc", "-"}, {"repo", std::string(repository)}, {"tag", std::string(tag)}};
  for (const auto& change : changes) parameters.emplace_back("changes", change);
  const auto call = tar_call("import image " + std::string(repository) + ":" + std::string(tag),
                             "/images/create" + query(parameters));
  std::string id;
  const auto sent = upload(call, tar_fd, until, progress, [&](const Json& line) {
    if (auto status = text(line, "status"); status.starts_with("sha256:")) id = std::move(status);
  });
  if (!sent) return std::unexpected(sent.error());
  if (id.empty())
    return while_doing(call, Error{"docker_protocol", "the Docker daemon does not say which image it made", ""});
  return id;
}

Expected<std::vector<std::string>> Client::load_images(int tar_fd, Until until, const Progress& progress) {
  const auto call = tar_call("load images", "/images/load");
  std::vector<std::string> names;
  const auto sent = upload(call, tar_fd, until, progress, [&](const Json& line) {
    const auto stream = text(line, "stream");
    std::string_view words = stream;
    while (words.ends_with('\n')) words.remove_suffix(1);
    for (const std::string_view start : {"Loaded image ID: ", "Loaded image: "})
      if (words.starts_with(start)) names.emplace_back(words.substr(start.size()));
  });
  if (!sent) return std::unexpected(sent.error());
  return names;
}

Expected<std::string> Client::build_image(int tar_fd, const BuildOptions& options, Until until,
                                          const Progress& progress) {
  Parameters parameters{{"dockerfile", options.dockerfile},
                        {"labels", filters_text(options.labels)},
                        {"buildargs", filters_text(options.build_args)},
                        {"rm", "1"},
                        {"forcerm", "1"}};
  for (const auto& tag : options.tags) parameters.emplace_back("t", tag);
  if (!options.network.empty()) parameters.emplace_back("networkmode", options.network);
  if (options.no_cache) parameters.emplace_back("nocache", "1");
  if (options.pull) parameters.emplace_back("pull", "1");
  const auto call = tar_call("build image " + (options.tags.empty() ? "(without a name)" : options.tags.front()),
                             "/build" + query(parameters));
  std::string id, printed;
  const auto sent = upload(call, tar_fd, until, progress, [&](const Json& line) {
    if (auto made = text(field(line, "aux"), "ID"); !made.empty()) id = std::move(made);
    printed += text(line, "stream");
    if (printed.size() > 2 * kShownOutput) printed.erase(0, printed.size() - kShownOutput);
  });
  if (!sent) {
    auto error = sent.error();
    if (printed.size() > kShownOutput) printed.erase(0, printed.size() - kShownOutput);
    if (!printed.empty()) error.message += "\nThe build printed last:\n" + printed;
    return std::unexpected(std::move(error));
  }
  if (id.empty())
    return while_doing(call, Error{"docker_protocol", "the Docker daemon does not say which image it made", ""});
  return id;
}

Expected<void> Client::upload(const Call& call, int tar_fd, Until until, const Progress& progress,
                              const std::function<void(const Json&)>& look) {
  const auto connection = Connection::open(endpoint_, until);
  if (!connection) return while_doing(call, connection.error());
  if (auto sent = (*connection)->send(call.encode(api_version().text()), until); !sent)
    return while_doing(call, sent.error());
  Upload upload(**connection, tar_fd);
  std::optional<Error> failed;
  const auto done = upload.run(until, [&](std::string_view line) {
    if (progress) progress(line);
    const auto json = parse_json(line);
    if (!json) return;
    // The status of the answer was sent before the daemon knew how it would end.
    if (auto words = text(*json, "error"); !words.empty()) failed = refusal_in_words(call, 0, std::move(words));
    look(*json);
  });
  if (!done) return while_doing(call, done.error());
  const int status = (*connection)->answer().status();
  if (status < 200 || status > 299) return std::unexpected(refusal(call, status, upload.refused()));
  if (failed) return std::unexpected(*failed);
  return {};
}

}  // namespace hotcell::docker::api
