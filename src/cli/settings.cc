#include "cli/settings.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>

#include "base/file.h"
#include "protocol/nearest.h"

namespace hotcell::cli {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

fs::path settings_file() {
  if (const auto set = environment("HOTCELL_CONFIG"); !set.empty()) return set;
  const auto xdg = environment("XDG_CONFIG_HOME");
  for (const fs::path& path : {xdg.empty() ? fs::path(environment("HOME")) / ".config" / "hotcell" / "config.yaml"
                                           : fs::path(xdg) / "hotcell" / "config.yaml",
                               fs::path("/etc/hotcell/config.yaml")}) {
    std::error_code ignored;
    if (fs::exists(path, ignored)) return path;
  }
  return {};
}

std::unexpected<Error> wrong(const std::string& key, const std::string& why, const std::string& hint = {}) {
  return fail("invalid_config", "the setting " + key + " " + why, hint);
}

// One table says what may stand in a section and what it does; the reader is the same for all.
using Setter = std::function<Expected<void>(const YAML::Node&, const std::string& key)>;
using Section = std::map<std::string, Setter>;

template <class T>
Setter number(T& target, T least, T most, double scale = 1) {
  return [&target, least, most, scale](const YAML::Node& node, const std::string& key) -> Expected<void> {
    double value = 0;
    if (!node.IsScalar() || !YAML::convert<double>::decode(node, value)) return wrong(key, "must be a number");
    value *= scale;
    if (!(value >= static_cast<double>(least) && value <= static_cast<double>(most)))
      return wrong(key, "is out of range");
    target = static_cast<T>(value);
    return {};
  };
}

Setter flag(bool& target) {
  return [&target](const YAML::Node& node, const std::string& key) -> Expected<void> {
    if (!node.IsScalar() || !YAML::convert<bool>::decode(node, target)) return wrong(key, "must be true or false");
    return {};
  };
}

// Accepted as false; true is a start error that says why there is no such thing.
Setter never(const char* why, const char* hint) {
  return [why, hint](const YAML::Node& node, const std::string& key) -> Expected<void> {
    bool asked = false;
    if (!node.IsScalar() || !YAML::convert<bool>::decode(node, asked)) return wrong(key, "must be true or false");
    if (asked) return wrong(key, why, hint);
    return {};
  };
}

Expected<void> read_section(const YAML::Node& node, const std::string& name, const Section& section) {
  if (!node.IsMap()) return wrong(name, "must be a section of settings");
  for (const auto& item : node) {
    const auto key = item.first.as<std::string>("");
    const auto shown = name.empty() ? key : name + "." + key;
    const auto found = section.find(key);
    if (found == section.end()) {
      std::vector<std::string_view> known;
      for (const auto& [one, setter] : section) known.push_back(one);
      auto hint = protocol::suggestion(key, known);
      return fail("invalid_config", "there is no setting " + shown, std::move(hint));
    }
    if (auto set = found->second(item.second, shown); !set) return set;
  }
  return {};
}

Expected<void> read_file_into(Settings& settings, const fs::path& path) {
  auto text = read_file(path, 1 << 20);
  if (!text) return std::unexpected(text.error());
  auto& wasi = settings.wasi;
  const Section security = {
      {"fs_readonly", flag(wasi.fs_readonly)},
      {"allow_clock", flag(wasi.allow_clock)},
      {"allow_random", flag(wasi.allow_random)},
      {"allow_network", never("cannot be true: a WebAssembly program here has no network at all",
                              "run programs that need the network on the docker engine")},
      {"allow_subprocess", never("cannot be true: a WebAssembly program cannot start processes",
                                 "run programs that need subprocesses on the docker engine")},
  };
  const Section wasi_section = {
      {"memory_limit_bytes", number(wasi.memory_bytes, std::uint64_t{1} << 20, std::uint64_t{4} << 30)},
      {"max_fuel", number(wasi.max_fuel, std::uint64_t{0}, std::uint64_t{1} << 62)},
      {"execution_timeout_ms", number(settings.timeout_seconds, 0.001, 86400.0, 0.001)},
      {"max_workers", number(wasi.max_workers, 1u, 1024u)},
      {"images",
       [&](const YAML::Node& node, const std::string&) -> Expected<void> {
         if (environment("HOTCELL_IMAGES").empty()) wasi.images = node.as<std::string>("");
         return {};
       }},
      {"allowed_paths",
       [&](const YAML::Node& node, const std::string& key) -> Expected<void> {
         if (!node.IsSequence()) return wrong(key, "must be a list of folders");
         for (const auto& item : node) {
           // "/data" shows the folder under its own name, "/srv/data:/data" under another.
           const auto text_of = item.as<std::string>("");
           const auto colon = text_of.find(':');
           const auto host = text_of.substr(0, colon), guest = colon == text_of.npos ? host : text_of.substr(colon + 1);
           if (!host.starts_with('/') || !guest.starts_with('/'))
             return wrong(key, "must hold absolute paths: " + text_of);
           if (!fs::is_directory(host)) return wrong(key, "names a folder that does not exist: " + host);
           wasi.allowed_paths.emplace_back(host, guest);
         }
         return {};
       }},
      {"env_vars",
       [&](const YAML::Node& node, const std::string& key) -> Expected<void> {
         if (!node.IsMap()) return wrong(key, "must be a map of names to values");
         for (const auto& item : node)
           wasi.env.emplace_back(item.first.as<std::string>(""), item.second.as<std::string>(""));
         return {};
       }},
      {"security", [&](const YAML::Node& node, const std::string& key) { return read_section(node, key, security); }},
  };
  const Section top = {
      {"wasi", [&](const YAML::Node& node, const std::string& key) { return read_section(node, key, wasi_section); }},
  };
  try {
    const auto document = YAML::Load(*text);
    if (document.IsNull()) return {};
    auto done = read_section(document, "", top);
    if (!done) done.error().message = path.string() + ": " + done.error().message;
    return done;
  } catch (const YAML::Exception& error) {
    return fail("invalid_config", path.string() + " is not valid YAML: " + error.what());
  }
}

std::string plain(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", number);
  return text;
}

template <class T>
Expected<void> from_environment(const char* name, T& target, double least, double most, double scale = 1) {
  const auto text = environment(name);
  if (text.empty()) return {};
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= least && value <= most))
    return fail("invalid_config", "the environment variable " + std::string(name) + " must be a number from " +
                                      plain(least) + " to " + plain(most) + ", not \"" + text + "\"");
  target = static_cast<T>(value * scale);
  return {};
}

}  // namespace

Expected<Settings> load_settings(const fs::path& file) {
  Settings settings;
  const auto path = file.empty() ? settings_file() : file;
  if (!path.empty())
    if (auto done = read_file_into(settings, path); !done) return std::unexpected(done.error());
  auto& wasi = settings.wasi;
  for (const auto& done : {from_environment("WASI_MEMORY_LIMIT_MB", wasi.memory_bytes, 1, 4096, 1048576),
                           from_environment("WASI_TIMEOUT_SECONDS", settings.timeout_seconds, 0.001, 86400),
                           from_environment("HOTCELL_TIMEOUT_SECONDS", settings.timeout_seconds, 0.001, 86400),
                           from_environment("HOTCELL_WASI_MAX_WORKERS", wasi.max_workers, 1, 1024)})
    if (!done) return std::unexpected(done.error());
  return settings;
}

}  // namespace hotcell::cli
