#include "cli/config_command.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/settings_table.h"
#include "cli/terminal.h"
#include "install/url.h"
#include "protocol/json_reader.h"
#include "protocol/nearest.h"

namespace hotcell::cli {
namespace {

using Value = Setting::Value;

std::string section_of(const std::string& key) { return key.substr(0, key.rfind('.')); }

// What may be shown of a URL: not its login.
std::string without_login(const std::string& text) {
  const auto url = install::Url::parse(text);
  if (!url) return text.empty() ? text : "***";
  return url->login.empty() && url->password.empty() ? text : url->scheme + "://***@" + url->authority() + url->path;
}

// What may be shown of it: of a secret only that it is there.
Value shown(const Setting& setting, const Settings& settings) {
  auto value = setting.get(settings);
  if (setting.urls) {
    if (value.is_string()) return without_login(value);
    for (auto& item : value) item = without_login(item);
    return value;
  }
  if (!setting.secret) return value;
  if (value.is_object() || value.is_array()) {
    for (auto& item : value) item = "***";
    return value;
  }
  return value == "" ? value : Value("***");
}

bool is_standard(const Setting& setting, const Settings& settings) { return !settings.origin.contains(setting.key); }

// Where a setting has no value of its own, its default is words.
std::string words_for(const Setting& setting, const Settings& settings) {
  return is_standard(setting, settings) ? setting.standard : "";
}

Expected<std::vector<const Setting*>> chosen(const std::vector<std::string>& keys) {
  std::vector<const Setting*> out;
  std::vector<std::string_view> known;
  for (const auto& setting : settings_table()) known.push_back(setting.key);
  for (const auto& key : keys) {
    const auto before = out.size();
    for (const auto& setting : settings_table())
      if (setting.key == key || setting.key.starts_with(key + ".")) out.push_back(&setting);
    if (out.size() == before)
      return fail("invalid_field", "there is no setting " + key, protocol::suggestion(key, known));
  }
  if (keys.empty())
    for (const auto& setting : settings_table()) out.push_back(&setting);
  return out;
}

void print_yaml(const std::vector<const Setting*>& settings, const Settings& all) {
  std::string section, text;
  for (const auto* setting : settings) {
    std::string indent;
    // The lines of sections that begin here, "wasi:" and "  security:".
    const auto here = section_of(setting->key);
    std::string_view rest = here;
    std::string path;
    while (!rest.empty()) {
      const auto name = next_part(rest, '.');
      path += (path.empty() ? "" : ".") + std::string(name);
      if (!(section == path || section.starts_with(path + "."))) text += indent + std::string(name) + ":\n";
      indent += "  ";
    }
    section = here;
    const auto value = protocol::dump(shown(*setting, all));
    const auto words = words_for(*setting, all);
    const auto name = setting->key.substr(here.size() + 1);
    const auto found = all.origin.find(setting->key);
    auto line = indent + (words.empty() ? "" : "# ") + name + ": " + (words.empty() ? value : words);
    if (line.size() < 48) line.resize(48, ' ');
    text += line + "  # " + (found == all.origin.end() ? "default" : found->second) + "\n";
  }
  put(1, text);
}

void print_json(const std::vector<const Setting*>& settings, const Settings& all) {
  auto list = Value::object();
  for (const auto* setting : settings) {
    const auto found = all.origin.find(setting->key);
    list[setting->key] = {{"value", shown(*setting, all)},
                          {"from", found == all.origin.end() ? "default" : found->second},
                          {"reloaded", setting->reloaded}};
  }
  put(1, protocol::dump({{"file", all.file.string()}, {"settings", std::move(list)}}) + "\n");
}

}  // namespace

int check_config(const std::filesystem::path& file, std::span<const GivenSetting> flags) {
  const auto found = examine_settings(file, flags);
  for (const auto& error : found.errors) complain(error);
  if (!found.errors.empty()) return kRefused;
  put(1, found.settings.file.empty() ? "there is no settings file; the defaults hold\n"
                                     : found.settings.file.string() + ": good\n");
  return 0;
}

int show_config(const std::filesystem::path& file, std::span<const GivenSetting> flags,
                const std::vector<std::string>& keys, bool json) {
  const auto settings = load_settings(file, flags);
  if (!settings) return complain(settings.error());
  const auto which = chosen(keys);
  if (!which) return complain(which.error());
  json ? print_json(*which, *settings) : print_yaml(*which, *settings);
  return 0;
}

std::string settings_reference() {
  const Settings standard;
  std::string out, section;
  for (const auto& setting : settings_table()) {
    const auto top = setting.key.substr(0, setting.key.find('.'));
    if (top != section) {
      section = top;
      out += (out.empty() ? "" : "\n") + ("### " + top) + "\n\n| key below `" + top +
             ":` | what | default | meaning |\n|---|---|---|---|\n";
    }
    auto value = setting.standard;
    if (value.empty()) {
      const auto standard_value = setting.get(standard);
      value = standard_value.is_string() ? standard_value.get<std::string>() : standard_value.dump();
      if (standard_value.empty() || value.empty()) value = "none";
    }
    out += "| `" + setting.key.substr(top.size() + 1) + "` | " + setting.type + " | " + value + " | " + setting.meaning;
    std::string also;
    for (std::size_t i = 1; i < setting.variables.size(); ++i)
      also += (also.empty() ? "" : ", ") + ("`$" + setting.variables[i].name + "`");
    if (!also.empty()) out += ". Also " + also;
    std::string told;
    for (const auto& name : setting.told) told += (told.empty() ? "" : ", ") + ("`$" + name + "`");
    if (!told.empty()) out += ". Where it is not set: " + told;
    if (!setting.flag.empty()) out += ". `" + setting.flag + "`";
    if (setting.reloaded) out += ". ↻";
    out += " |\n";
  }
  return out;
}

void add_config(CLI::App& app, Commands& commands) {
  struct Flags {
    std::string file;
    std::vector<std::string> keys;
    bool json = false;
  };
  auto flags = std::make_shared<Flags>();
  auto* command = app.add_subcommand("config", "The settings: check, show, reference");
  command->require_subcommand(1);
  auto* check = command->add_subcommand("check", "Say what is wrong with the settings: hotcell config check [FILE]");
  check->add_option("file", flags->file, "instead of the file that would be used");
  check->callback([&commands, flags] {
    commands.action = [&commands, flags] {
      return check_config(flags->file.empty() ? commands.config_file() : std::filesystem::path(flags->file), {});
    };
  });
  auto* show = command->add_subcommand("show", "The settings that hold, and where each comes from");
  show->add_option("keys", flags->keys, "only these settings or sections");
  show->add_flag("--json", flags->json, "as JSON");
  show->callback([&commands, flags] {
    commands.action = [&commands, flags] { return show_config(commands.config_file(), {}, flags->keys, flags->json); };
  });
  auto* reference = command->add_subcommand("reference", "What settings there are, as the tables of the documentation");
  reference->callback([&commands] {
    commands.action = [] {
      put(1, settings_reference());
      return 0;
    };
  });
}

}  // namespace hotcell::cli
