#include "install/python.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "install/embedded.h"

namespace hotcell::install {
namespace {

using nlohmann::json;

// A platform without threads, sockets and compiled code, as far as packages know any: the one that browsers have. None
// of its own wheels fit Python 3.11, so that what it can load is pure.
constexpr const char* kPureOnly = "wasm32-pyodide2024";

bool is_wasi(const deps::Target& target) { return target.platform == "wasi"; }

Expected<docker::BuildJob> job(const deps::Target& target, const IndexAccess& access, const InstallOptions& options,
                               const char* what) {
  constexpr std::string_view kPython = "cpython-";
  if (!target.interpreter.starts_with(kPython) ||
      (!is_wasi(target) && target.platform != deps::container_target(target.ecosystem).platform))
    return fail("dependency_failed", "there is no builder for " + target.interpreter + " on " + target.platform);
  const bool sdists = options.allow_sdists && !is_wasi(target);
  docker::BuildJob out;
  out.argv = {"sh", "python.sh", what, "--python-version", target.interpreter.substr(kPython.size())};
  const auto add = [&](std::initializer_list<std::string> words) { out.argv.insert(out.argv.end(), words); };
  if (is_wasi(target)) add({"--python-platform", kPureOnly});
  if (!sdists) add({"--only-binary", ":all:"});
  if (options.offline) add({"--offline"});
  if (!access.index_url.empty()) add({"--default-index", access.index_url});
  for (const auto& url : access.extra_index_urls) add({"--index", url});
  out.env = access.env;
  out.env.insert(out.env.end(), {{"NO_COLOR", "1"},
                                 {"UV_NO_PROGRESS", "1"},
                                 {"UV_NO_CONFIG", "1"},
                                 {"UV_PYTHON", "/usr/bin/python3"},
                                 {"UV_PYTHON_DOWNLOADS", "never"},
                                 {"UV_LINK_MODE", "copy"},
                                 {"UV_HTTP_TIMEOUT", "20"},
                                 {"UV_HTTP_RETRIES", "2"},
                                 // What is compiled never looks at the times of its sources again.
                                 {"PYC_INVALIDATION_MODE", "UNCHECKED_HASH"}});
  // Where packages run code of their own, what they could have changed serves nobody else.
  const bool shared = !sdists && !options.downloads.empty();
  out.env.emplace_back("UV_CACHE_DIR", shared ? "/downloads/uv" : "/tmp/uv");
  if (shared) out.folders.push_back({(options.downloads / "content").string(), "/downloads"});
  out.network = !options.offline;
  out.openings = access.openings;
  out.hosts = access.hosts;
  out.files.push_back({"python.sh", std::string(embedded::install_python_sh()), {}, 0555, false});
  if (!access.ca_pem.empty()) out.files.push_back({"ca.pem", access.ca_pem, {}, 0444, false});
  if (!access.netrc.empty()) {
    out.files.push_back({"netrc", access.netrc, {}, 0400, false});
    out.env.emplace_back("NETRC", "/workspace/netrc");
  }
  return out;
}

std::string text_at(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::vector<std::string> hashes_of(const json& file) {
  std::vector<std::string> out;
  if (file.is_object() && file.contains("hashes"))
    for (const char* kind : {"sha256", "sha512"})
      if (auto hash = text_at(file["hashes"], kind); !hash.empty()) out.push_back(std::string(kind) + ":" + hash);
  return out;
}

// The last part of where a file comes from, without what may follow a path.
std::string file_name(const json& file) {
  auto name = text_at(file, "name");
  if (name.empty()) name = text_at(file, "url");
  name.resize(std::min(name.find_first_of("?#"), name.size()));
  return name.substr(name.rfind('/') + 1);
}

}  // namespace

Expected<docker::BuildJob> python_resolve_job(const deps::Target& target,
                                              std::span<const deps::Requirement> requirements,
                                              const IndexAccess& access, const InstallOptions& options) {
  auto out = job(target, access, options, "resolve");
  if (!out) return out;
  std::string lines;
  for (const auto& requirement : requirements) lines += requirement.text() + "\n";
  out->files.push_back({"requirements.in", std::move(lines), {}, 0444, false});
  return out;
}

Expected<docker::BuildJob> python_install_job(const deps::Target& target, const deps::Lock& lock,
                                              const IndexAccess& access, const InstallOptions& options) {
  auto out = job(target, access, options, "install");
  if (!out) return out;
  std::string lines;
  for (const auto& package : lock.packages()) {
    lines += package.name + "==" + package.version;
    for (const auto& hash : package.hashes) lines += " --hash=" + hash;
    lines += "\n";
  }
  out->files.push_back({"requirements.txt", std::move(lines), {}, 0444, false});
  return out;
}

Expected<deps::Lock> lock_from_pylock(std::string_view text, const deps::Target& target) {
  const auto document = json::parse(text, nullptr, false);
  if (!document.is_object() || !document.contains("packages") || !document["packages"].is_array())
    return fail("dependency_failed", "what the resolver gave back cannot be read: it is no pylock");
  std::vector<deps::LockedPackage> packages;
  for (const auto& item : document["packages"]) {
    deps::LockedPackage package;
    package.name = text_at(item, "name");
    package.version = text_at(item, "version");
    const auto wheels = item.is_object() && item.contains("wheels") ? item["wheels"] : json::array();
    for (const auto& wheel : wheels) {
      if (is_wasi(target) && !file_name(wheel).ends_with("-none-any.whl")) continue;
      for (auto& hash : hashes_of(wheel)) package.hashes.push_back(std::move(hash));
    }
    if (wheels.empty() && item.is_object() && item.contains("sdist")) package.hashes = hashes_of(item["sdist"]);
    if (package.hashes.empty())
      return is_wasi(target) && !wheels.empty()
                 ? fail("dependency_no_wheel", package.name + " has compiled code, which a WASI cell cannot load",
                        "use engine docker or auto")
                 : fail("dependency_failed", "the index gives no hash of any file of " + deps::quoted(package.name) +
                                                 ", so that nothing can be checked");
    packages.push_back(std::move(package));
  }
  return deps::Lock::make(deps::Ecosystem::pypi, std::move(packages));
}

}  // namespace hotcell::install
