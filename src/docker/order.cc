#include "docker/order.h"

#include <algorithm>

#include "docker/lockdown.h"
#include "docker/module_syntax.h"
#include "protocol/workspace_path.h"

namespace hotcell::docker {
namespace {

using agent::FrameType;
using protocol::Request;

// A program whose time is over may print its traceback and tidy up.
constexpr std::uint64_t kGraceNs = 200'000'000;
// So much is collected before it is written to the socket.
constexpr std::size_t kBatch = 1 << 20;

std::uint64_t nanoseconds(double seconds) { return static_cast<std::uint64_t>(seconds * 1e9); }

Expected<std::string> place(const std::string& path) {
  if (path.starts_with("/tmp/")) return path;
  auto inside = protocol::workspace_path(path);
  if (!inside) return fail("path_outside_workspace", "cannot put a file at " + path + ": " + inside.error());
  return std::string(kWorkspace) + "/" + *inside;
}

std::string main_file(const Request& request) {
  const std::string folder = std::string(kWorkspace) + "/";
  switch (request.language) {
    case protocol::Language::python:
      return folder + "main.py";
    case protocol::Language::javascript:
      return folder + (is_es_module(*request.code) ? "main.mjs" : "main.js");
    default:
      return folder + "main.sh";
  }
}

// Where interpreters and programs look for packages. What a library should know of its cell is only said where nobody
// has said otherwise.
void add_packages(agent::Order& order, const Request& request, const protocol::Limits& limits) {
  const auto content = std::string(kPackagesInCell) + "/" + request.packages->entry + "/content";
  if (request.language == protocol::Language::javascript) {
    const auto modules = content + "/node_modules";
    order.prepend = {"NODE_PATH=" + modules, "PATH=" + modules + "/.bin"};
    // import looks for packages beside the program and in the folders above only.
    order.links = {std::string(kWorkspace) + "/node_modules=" + modules};
    return;
  }
  order.prepend = {"PYTHONPATH=" + content, "PATH=" + content + "/bin"};
  const auto by_default = [&](const std::string& name, const std::string& value) {
    const auto begin = name + "=";
    if (std::none_of(order.env.begin(), order.env.end(), [&](const auto& one) { return one.starts_with(begin); }))
      order.env.push_back(begin + value);
  };
  // One thread for each CPU of the machine would be more than the cell has, each with a stack and a task of its limit.
  const auto threads = std::to_string(std::max(1, static_cast<int>(*limits.cpus)));
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"})
    by_default(name, threads);
  by_default("MPLBACKEND", "Agg");  // there is no screen
}

class Batch {
 public:
  Batch(Channel& channel, api::Until until) : channel_(channel), until_(until) {}
  Expected<void> add(FrameType type, std::string_view payload) {
    agent::append_frame(frames_, type, payload);
    return frames_.size() < kBatch ? Expected<void>{} : flush();
  }
  Expected<void> add_file(const std::string& path, std::uint32_t mode, std::string_view content) {
    agent::FileIn file;
    file.path = path;
    file.mode = mode;
    do {
      file.bytes = content.substr(0, agent::kMaxChunk);
      content.remove_prefix(file.bytes.size());
      file.last = content.empty();
      if (auto added = add(FrameType::file, file.encode()); !added) return added;
      file.first = false;
    } while (!content.empty());
    return {};
  }
  Expected<void> flush() {
    auto sent = channel_.send(frames_, until_);
    frames_.clear();
    return sent;
  }

 private:
  Channel& channel_;
  const api::Until until_;
  std::string frames_;
};

}  // namespace

agent::Language language_of(const Request& request) {
  if (request.argv) return agent::Language::none;
  switch (request.language) {
    case protocol::Language::python:
      return agent::Language::python;
    case protocol::Language::javascript:
      return agent::Language::node;
    default:
      return agent::Language::bash;
  }
}

Expected<agent::Order> order_of(const Request& request, const protocol::Limits& limits, const Variables& env,
                                bool live_input) {
  agent::Order order;
  order.language = language_of(request);
  if (request.argv) {
    order.args = *request.argv;
    if (order.args.empty() || order.args.front().empty()) return fail("invalid_field", "argv names no program");
  } else {
    order.program = main_file(request);
  }
  order.args.insert(order.args.end(), request.args.begin(), request.args.end());
  // No such user is known to the image, and a home that cannot be written to makes many programs fail.
  order.env.emplace_back("HOME=/tmp");
  for (const auto* list : {&env, &request.env})
    for (const auto& [name, value] : *list) {
      const auto begin = name + "=";
      std::erase_if(order.env, [&](const std::string& one) { return one.starts_with(begin); });
      order.env.push_back(begin + value);
    }
  if (request.packages) add_packages(order, request, limits);
  if (request.cwd) {
    const auto inside = protocol::workspace_path(*request.cwd);
    if (!inside) return fail("invalid_field", "a program cannot start in " + *request.cwd + ": " + inside.error());
    order.cwd = *inside == "." ? std::string(kWorkspace) : std::string(kWorkspace) + "/" + *inside;
  }
  const auto too_long = [](const auto& list) {
    return list.size() > agent::kMaxStrings ||
           std::any_of(list.begin(), list.end(), [](const auto& one) { return one.size() > agent::kMaxString; });
  };
  if (too_long(order.args) || too_long(order.env) || too_long(request.collect.paths))
    return fail("invalid_field",
                "there are more than 4096 arguments, variables or patterns, or one is longer than 128 KiB");
  order.live_input = live_input;
  order.collect_changed = request.collect.changed;
  order.collect = request.collect.paths;
  order.timeout_ns = nanoseconds(request.timeout_seconds);
  if (limits.cpu_seconds) order.cpu_ns = std::max<std::uint64_t>(1, nanoseconds(*limits.cpu_seconds));
  order.grace_ns = kGraceNs;
  order.output_bytes = *limits.output_bytes;
  order.files_bytes = *limits.files_bytes;
  order.inline_bytes = request.collect.inline_bytes;
  order.max_files = request.collect.max_files;
  if (request.files.size() >= agent::kMaxFilesIn)
    return fail("invalid_field", "a cell can be given at most " + std::to_string(agent::kMaxFilesIn - 1) + " files");
  for (const auto& file : request.files)
    if (auto path = place(file.path); !path) return std::unexpected(path.error());
  // What does not fit a frame would not be read on the other side.
  if (order.encode().size() > agent::kMaxFrame)
    return fail("invalid_field", "the arguments and variables are more than 1 MiB in all");
  return order;
}

Expected<void> send_order(Channel& channel, const agent::Order& order, const Request& request, api::Until until) {
  Batch batch(channel, until);
  if (auto added = batch.add(FrameType::order, order.encode()); !added) return added;
  for (const auto& file : request.files) {
    const auto path = *place(file.path);
    if (file.directory) {
      agent::FileIn folder;
      folder.path = path;
      folder.mode = file.mode.value_or(0755);
      folder.directory = true;
      if (path == std::string(kWorkspace) + "/.") continue;  // it is there
      if (auto added = batch.add(FrameType::file, folder.encode()); !added) return added;
    } else if (auto added = batch.add_file(path, file.mode.value_or(0644), file.content); !added) {
      return added;
    }
  }
  if (!order.program.empty())
    if (auto added = batch.add_file(order.program, 0644, *request.code); !added) return added;
  return batch.flush();
}

}  // namespace hotcell::docker
