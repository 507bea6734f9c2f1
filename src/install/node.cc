#include "install/node.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/hash.h"
#include "base/text.h"
#include "install/embedded.h"
#include "protocol/base64.h"

namespace hotcell::install {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::string_view kFolder = "node_modules/";

Expected<docker::BuildJob> job(const deps::Target& target, const IndexAccess& access, const InstallOptions& options,
                               const char* what) {
  if (target.platform != deps::container_target(target.ecosystem).platform)
    return fail("dependency_failed", "there is no builder for Node packages on " + target.platform);
  docker::BuildJob out;
  out.argv = {"sh", "node.sh", what};
  out.env = access.env;
  out.env.insert(out.env.end(), {{"npm_config_ignore_scripts", "true"},
                                 {"npm_config_audit", "false"},
                                 {"npm_config_fund", "false"},
                                 {"npm_config_update_notifier", "false"},
                                 {"npm_config_color", "false"},
                                 {"npm_config_progress", "false"},
                                 {"npm_config_loglevel", "error"},
                                 {"npm_config_logs_max", "0"},
                                 {"npm_config_fetch_retries", options.offline ? "0" : "2"},
                                 {"npm_config_fetch_retry_mintimeout", "1000"},
                                 {"npm_config_fetch_timeout", "20000"},
                                 // So that whatever names a place of its own is none of the registry's.
                                 {"npm_config_omit_lockfile_registry_resolved", "true"},
                                 {"npm_config_userconfig", "/workspace/npmrc"},
                                 {"npm_config_globalconfig", "/dev/null"}});
  if (!access.npm_registry.empty()) out.env.emplace_back("npm_config_registry", access.npm_registry);
  if (options.offline) out.env.emplace_back("npm_config_offline", "true");
  const bool shared = !options.downloads.empty();
  out.env.emplace_back("npm_config_cache", shared ? "/downloads/npm" : "/tmp/npm");
  if (shared) out.folders.push_back({(options.downloads / "content").string(), "/downloads"});
  out.network = !options.offline;
  out.openings = access.openings;
  out.hosts = access.hosts;
  out.files.push_back({"node.sh", std::string(embedded::install_node_sh()), {}, 0555, false});
  out.files.push_back({"npmrc", access.npmrc, {}, 0400, false});
  if (!access.ca_pem.empty()) out.files.push_back({"ca.pem", access.ca_pem, {}, 0444, false});
  return out;
}

// {"linux"}, {"!win32"}: does our word fit?
bool fits(const json& item, const char* field, std::string_view ours) {
  if (!item.contains(field)) return true;
  auto list = item[field].is_array() ? item[field] : json::array({item[field]});
  bool any_wanted = false, wanted = false;
  for (const auto& one : list) {
    if (!one.is_string()) continue;
    const auto& word = one.get_ref<const std::string&>();
    if (word.starts_with('!')) {
      if (word.substr(1) == ours) return false;
    } else {
      any_wanted = true;
      wanted |= word == ours || word == "any";
    }
  }
  return wanted || !any_wanted;
}

// "sha512-BASE64 sha1-…" to "sha512:HEX".
std::vector<std::string> hashes_in(std::string_view integrity) {
  std::vector<std::string> out;
  while (!integrity.empty()) {
    auto word = next_part(integrity, ' ');
    word = word.substr(0, word.find('?'));
    for (const std::string_view kind : {"sha512", "sha256"}) {
      if (!word.starts_with(kind) || word.substr(kind.size(), 1) != "-") continue;
      if (const auto bytes = protocol::base64_decode(word.substr(kind.size() + 1)))
        out.push_back(std::string(kind) + ":" +
                      hex({reinterpret_cast<const std::uint8_t*>(bytes->data()), bytes->size()}));
    }
  }
  return out;
}

std::string integrity_of(const std::vector<std::string>& hashes) {
  std::string out;
  for (std::string_view hash : hashes) {
    const auto kind = next_part(hash, ':');
    std::string bytes;
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    for (; hash.size() >= 2; hash.remove_prefix(2)) bytes += static_cast<char>(digit(hash[0]) << 4 | digit(hash[1]));
    out += (out.empty() ? "" : " ") + std::string(kind) + "-" + protocol::base64_encode(bytes);
  }
  return out;
}

// "node_modules/a/node_modules/@s/b" lies in "node_modules/a" and is called "@s/b" there.
std::pair<std::string, std::string> apart(const std::string& place) {
  const auto at = place.rfind(kFolder);
  if (at == place.npos) return {"", place};
  return {at == 0 ? "" : place.substr(0, at - 1), place.substr(at + kFolder.size())};
}

std::string text_at(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

Expected<docker::BuildJob> node_resolve_job(const deps::Target& target, std::span<const deps::Requirement> requirements,
                                            const IndexAccess& access, const InstallOptions& options) {
  auto out = job(target, access, options, "resolve");
  if (!out) return out;
  ordered_json wanted = ordered_json::object();
  for (const auto& one : requirements) wanted[one.name] = one.versions.empty() ? "*" : one.versions.front();
  const ordered_json manifest{{"name", "cell"}, {"version", "0.0.0"}, {"private", true}, {"dependencies", wanted}};
  out->files.push_back({"package.json", manifest.dump(), {}, 0644, false});
  return out;
}

Expected<docker::BuildJob> node_install_job(const deps::Target& target, const deps::Lock& lock,
                                            const IndexAccess& access, const InstallOptions& options) {
  auto out = job(target, access, options, "install");
  if (!out) return out;
  auto [manifest, package_lock] = manifests_of(lock);
  out->files.push_back({"package.json", std::move(manifest), {}, 0644, false});
  out->files.push_back({"package-lock.json", std::move(package_lock), {}, 0644, false});
  return out;
}

Expected<deps::Lock> lock_from_package_lock(std::string_view text, const deps::Target& target) {
  const auto document = json::parse(text, nullptr, false);
  if (!document.is_object() || !document.contains("packages") || !document["packages"].is_object())
    return fail("dependency_failed", "what the resolver gave back cannot be read: it is no package-lock.json");
  // "linux-x86_64-glibc", in npm's words.
  std::string_view rest = target.platform;
  const auto system = next_part(rest, '-');
  const std::string machine(next_part(rest, '-'));
  const std::string cpu = machine == "x86_64" ? "x64" : machine == "aarch64" ? "arm64" : machine;
  std::vector<deps::LockedPackage> packages;
  std::set<std::string> kept = {""};
  // In the order of the places, which puts a package before those that lie in it.
  for (const auto& [place, item] : document["packages"].items()) {
    if (place.empty() || !item.is_object()) continue;
    const auto [parent, name] = apart(place);
    if (!kept.contains(parent)) continue;         // of a package that is for other machines
    if (item.value("inBundle", false)) continue;  // it comes with the package that it lies in
    if (item.value("link", false) || item.contains("resolved"))
      return fail("dependency_failed",
                  name + " does not come from the registry but from " + deps::quoted(text_at(item, "resolved")) +
                      ", and only packages of the registry are installed",
                  "use a version of the package that needs it which does not");
    if (!fits(item, "os", system) || !fits(item, "cpu", cpu) || !fits(item, "libc", rest)) continue;
    kept.insert(place);
    deps::LockedPackage package;
    package.name = text_at(item, "name");
    if (package.name.empty()) package.name = name;
    package.version = text_at(item, "version");
    package.place = place;
    package.hashes = hashes_in(text_at(item, "integrity"));
    if (package.hashes.empty())
      return fail("dependency_failed",
                  "the registry gives no SHA-256 or SHA-512 hash of " + deps::quoted(package.name) +
                      ", so that it cannot be checked",
                  "use a newer version of it");
    packages.push_back(std::move(package));
  }
  return deps::Lock::make(deps::Ecosystem::npm, std::move(packages));
}

std::pair<std::string, std::string> manifests_of(const deps::Lock& lock) {
  std::map<std::string, ordered_json> items;
  auto& root = items[""];
  root = {{"name", "cell"}, {"version", "0.0.0"}};
  for (const auto& package : lock.packages()) {
    auto& item = items[package.place];
    if (apart(package.place).second != package.name) item["name"] = package.name;
    item["version"] = package.version;
    item["integrity"] = integrity_of(package.hashes);
  }
  for (const auto& package : lock.packages()) {
    const auto [parent, name] = apart(package.place);
    if (const auto found = items.find(parent); found != items.end())
      found->second["dependencies"][name] =
          name == package.name ? package.version : "npm:" + package.name + "@" + package.version;
  }
  ordered_json manifest = root;
  manifest["private"] = true;
  ordered_json package_lock{{"name", "cell"}, {"version", "0.0.0"}, {"lockfileVersion", 3}, {"requires", true}};
  for (auto& [place, item] : items) package_lock["packages"][place] = std::move(item);
  return {manifest.dump(), package_lock.dump()};
}

}  // namespace hotcell::install
