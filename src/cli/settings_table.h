// Every setting, once: its name, what it may be, what it means, where in Settings it lives. The file, the environment,
// the flags of hotcelld, `hotcell config`, what SIGHUP takes up, and the reference in docs/configuration.md: all of
// them are this table.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "cli/settings.h"

namespace hotcell::cli {

struct Setting {
  // From outside: texts, lists of texts, objects of texts. To be shown: whatever suits.
  using Value = nlohmann::ordered_json;
  enum class Shape { one, list, map };
  struct Variable {
    std::string name;
    double unit = 1;  // of its number, in the setting's own: megabytes for a setting in bytes
  };

  std::string key;  // "docker.memory_mb"
  std::string type, meaning;
  Shape shape = Shape::one;
  // The error's message goes on from the setting's name: "must be a number".
  std::function<Expected<void>(Settings&, const Value&, double unit)> set;
  std::function<Value(const Settings&)> get;
  std::function<void(Settings& to, const Settings& from)> copy;
  std::vector<Variable> variables;  // of the environment; the first that is set wins
  std::vector<std::string> told;    // variables of other tools, which hold where nobody has told us anything
  char between = ',';               // the words of a list in a single text
  std::string flag, flag_type;      // of hotcelld; may be empty
  std::string standard;             // the default in words, where it is no value
  bool reloaded = false;            // SIGHUP takes it up
  bool secret = false;              // its values are not for showing
  bool urls = false;                // nor are logins in its URLs

  // For the table.
  Setting&& also(std::string variable, double unit = 1) && {
    variables.push_back({std::move(variable), unit});
    return std::move(*this);
  }
  Setting&& else_as_told(std::vector<std::string> others) && {
    told = std::move(others);
    return std::move(*this);
  }
  Setting&& of_urls() && {
    urls = true, between = ' ';
    return std::move(*this);
  }
  Setting&& by_flag(std::string name, std::string words) && {
    flag = std::move(name), flag_type = std::move(words);
    return std::move(*this);
  }
  Setting&& usually(std::string words) && {
    standard = std::move(words);
    return std::move(*this);
  }
  Setting&& on_reload() && {
    reloaded = true;
    return std::move(*this);
  }
  Setting&& masked() && {
    secret = true;
    return std::move(*this);
  }
};

std::span<const Setting> settings_table();
// nullptr: there is none.
const Setting* find_setting(std::string_view key);

}  // namespace hotcell::cli
