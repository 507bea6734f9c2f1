#include "cli/settings.h"

#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <set>

#include "base/file.h"
#include "base/text.h"
#include "cli/environment.h"
#include "cli/settings_table.h"
#include "install/url.h"
#include "protocol/nearest.h"

namespace hotcell::cli {
namespace {

namespace fs = std::filesystem;
using Value = Setting::Value;

constexpr std::size_t kLargestFile = 1 << 20;

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

Value value_of(const YAML::Node& node) {
  if (node.IsScalar()) return node.Scalar();
  if (node.IsSequence()) {
    auto list = Value::array();
    for (const auto& item : node) list.push_back(value_of(item));
    return list;
  }
  if (node.IsMap()) {
    auto map = Value::object();
    for (const auto& item : node) map[item.first.as<std::string>("")] = value_of(item.second);
    return map;
  }
  return nullptr;
}

// Puts what it reads into the settings, notes where it came from, and collects what is wrong.
class Reader {
 public:
  explicit Reader(Mistakes& out) : out_(out) {}

  void read_file(const fs::path& file) {
    auto content = hotcell::read_file(file, kLargestFile);
    if (!content) return out_.errors.push_back(content.error());
    out_.settings.file = file;
    try {
      const auto document = YAML::Load(*content);
      if (!document.IsNull()) read_section(document, "");
    } catch (const YAML::Exception& error) {
      complain(file.string() + " is not valid YAML: " + error.what());
    }
  }

  void read_environment() {
    for (const auto& setting : settings_table())
      for (const auto& [name, unit] : setting.variables) {
        const auto text = environment(name.c_str());
        if (text.empty()) continue;
        put(setting, value_from_words(setting, text), unit, "the environment variable " + name, "$" + name);
        break;
      }
  }

  // What other tools are told on this machine is meant for us too, unless somebody has told us. Whether it can be used
  // shows when it is wanted.
  void read_others() {
    for (const auto& setting : settings_table())
      for (const auto& name : setting.told) {
        const auto text = environment(name.c_str());
        if (text.empty() || out_.settings.origin.contains(setting.key)) continue;
        put(setting, value_from_words(setting, text), 1, "the environment variable " + name, "$" + name, false);
      }
  }

  void read_flag(const GivenSetting& given) {
    const auto* setting = find_setting(given.key);
    Value value = given.words;
    if (setting->shape != Setting::Shape::list) value = given.words.empty() ? "true" : given.words.back();
    put(*setting, value, 1, given.flag, given.flag);
  }

 private:
  void complain(std::string message, std::string hint = {}) {
    out_.errors.push_back({"invalid_config", std::move(message), std::move(hint)});
  }

  static int line_of(const YAML::Node& node) { return node.Mark().line + 1; }
  std::string at(const YAML::Node& node) const {
    return out_.settings.file.string() + ":" + std::to_string(line_of(node));
  }

  void read_section(const YAML::Node& node, const std::string& name) {
    if (!node.IsMap())
      return complain(at(node) + ": " + (name.empty() ? "the file" : "the setting " + name) +
                      " must be a section of settings");
    std::set<std::string> seen;
    for (const auto& item : node) {
      const auto key = item.first.as<std::string>("");
      const auto whole = name.empty() ? key : name + "." + key;
      const auto where = at(item.first);
      if (!seen.insert(key).second) {
        complain(where + ": the setting " + whole + " is there twice");
      } else if (const auto* setting = find_setting(whole)) {
        put(*setting, value_of(item.second), 1, where + ": the setting " + whole, where);
      } else {
        const auto known = names_below(name);
        if (known.contains(key) && item.second.IsMap())
          read_section(item.second, whole);
        else if (known.contains(key))
          complain(where + ": the setting " + whole + " must be a section of settings");
        else
          complain(where + ": there is no setting " + whole,
                   protocol::suggestion(key, std::vector<std::string_view>(known.begin(), known.end())));
      }
    }
  }

  // The next words of all settings of a section.
  static std::set<std::string, std::less<>> names_below(const std::string& section) {
    std::set<std::string, std::less<>> out;
    for (const auto& setting : settings_table()) {
      std::string_view rest = setting.key;
      if (!section.empty()) {
        if (!rest.starts_with(section) || rest[section.size()] != '.') continue;
        rest.remove_prefix(section.size() + 1);
      }
      out.emplace(next_part(rest, '.'));
    }
    return out;
  }

  // In a single text lists are parted by commas: "a,b", "A=1,B=2"; those of URLs by spaces, as other tools have them.
  static Value value_from_words(const Setting& setting, const std::string& text) {
    if (setting.shape == Setting::Shape::one) return text;
    auto value = setting.shape == Setting::Shape::list ? Value::array() : Value::object();
    for (std::string_view rest = text; !rest.empty();) {
      auto word = next_part(rest, setting.between);
      if (word.empty()) continue;
      if (setting.shape == Setting::Shape::list) {
        value.push_back(std::string(word));
      } else {
        if (word.find('=') == word.npos) return text;  // which the setting refuses
        const auto name = next_part(word, '=');
        value[std::string(name)] = std::string(word);
      }
    }
    return value;
  }

  void put(const Setting& setting, const Value& value, double unit, const std::string& subject,
           const std::string& origin, bool urls_too = true) {
    auto done = setting.set(out_.settings, value, unit);
    if (done && urls_too && setting.urls) done = check_urls(setting.get(out_.settings));
    if (!done)
      complain(subject + " " +
                   (setting.secret || setting.urls ? done.error().message.substr(0, done.error().message.find(", not "))
                                                   : done.error().message),
               done.error().hint);
    out_.settings.origin[setting.key] = origin;
  }

  // A text, or a list of them.
  static Expected<void> check_urls(const Value& given) {
    for (const auto& text : given.is_string() ? Value::array({given}) : given)
      if (const auto url = install::Url::parse(text.get<std::string>()); !url && text != "")
        return fail("invalid_config", url.error());
    return {};
  }

  Mistakes& out_;
};

// What no setting can say for itself.
void settle(Mistakes& all) {
  auto& docker = all.settings.docker;
  if (docker.uids.first != 0 && docker.uids.count == 0) docker.uids.count = 1'000'000;
  if (docker.uids.count != 0 && docker.uids.first == 0) docker.uids.first = docker::kUsualUids.first;
  const auto in_order = [&](const char* low, bool good, const char* high) {
    if (!good)
      all.errors.push_back({"invalid_config",
                            "the setting " + std::string(low) + " must not be above " + std::string(high),
                            "raise the one or lower the other"});
  };
  in_order("docker.pool_min", docker.pool.min <= docker.pool.max, "docker.pool_max");
  in_order("docker.memory_mb", docker.memory_bytes <= docker.max_memory_bytes, "docker.max_memory_mb");
  in_order("docker.disk_mb", docker.disk_bytes <= docker.max_disk_bytes, "docker.max_disk_mb");
  in_order("docker.pids", docker.pids <= docker.max_pids, "docker.max_pids");
  in_order("docker.cpus", docker.max_cpus <= 0 || docker.cpus <= docker.max_cpus, "docker.max_cpus");
}

}  // namespace

std::vector<std::pair<std::string_view, protocol::Checks>> check_words() {
  return {{"off", protocol::Checks::off}, {"warn", protocol::Checks::warn}, {"enforce", protocol::Checks::enforce}};
}

Expected<protocol::Checks> checks_from_name(const std::string& name) {
  std::vector<std::string_view> known;
  for (const auto& [word, value] : check_words()) {
    if (word == name) return value;
    known.push_back(word);
  }
  return fail("invalid_field", "checks cannot be \"" + name + "\"", protocol::suggestion(name, known));
}

Mistakes examine_settings(const fs::path& file, std::span<const GivenSetting> flags) {
  Mistakes out;
  Reader reader(out);
  if (const auto path = file.empty() ? settings_file() : file; !path.empty()) reader.read_file(path);
  reader.read_environment();
  for (const auto& given : flags) reader.read_flag(given);
  settle(out);
  reader.read_others();
  return out;
}

Expected<Settings> load_settings(const fs::path& file, std::span<const GivenSetting> flags) {
  auto out = examine_settings(file, flags);
  if (!out.errors.empty()) return std::unexpected(std::move(out.errors.front()));
  return std::move(out.settings);
}

}  // namespace hotcell::cli
