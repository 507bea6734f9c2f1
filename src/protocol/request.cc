#include "protocol/request.h"

#include <array>

namespace hotcell::protocol {

namespace {

struct LanguageName {
  std::string_view name;
  Language language;
};

constexpr std::array<LanguageName, 11> kLanguageNames{{
    {"python", Language::python},
    {"py", Language::python},
    {"python3", Language::python},
    {"javascript", Language::javascript},
    {"js", Language::javascript},
    {"node", Language::javascript},
    {"nodejs", Language::javascript},
    {"bash", Language::bash},
    {"sh", Language::bash},
    {"shell", Language::bash},
    {"wasm", Language::wasm},
}};

}  // namespace

std::optional<Language> language_from_name(std::string_view name) {
  for (const auto& known : kLanguageNames)
    if (known.name == name) return known.language;
  return std::nullopt;
}

std::string_view name_of(Language language) {
  switch (language) {
    case Language::python:
      return "python";
    case Language::javascript:
      return "javascript";
    case Language::bash:
      return "bash";
    case Language::wasm:
      return "wasm";
  }
  return "unknown";
}

}  // namespace hotcell::protocol
