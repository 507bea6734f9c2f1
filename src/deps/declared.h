// What a program says itself about the packages it needs: inline metadata (PEP 723), a requirements.txt or a
// package.json among its files. Who declares, declares everything: then nothing is guessed from the imports.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "protocol/request.h"

namespace hotcell::deps {

struct DeclaredRequirement {
  std::string text;  // "requests>=2,<3", "lodash@^4"; as written, checked by parse_requirement()
  std::uint32_t line = 0;
  std::string file;  // empty: the program itself
  bool optional = false;
};

struct Declared {
  std::string source;                             // "inline metadata", "requirements.txt", "package.json"
  std::vector<DeclaredRequirement> requirements;  // may be empty: nothing is needed
  std::string requires_python;                    // ">=3.11"; empty: not said
  std::vector<std::string> ignored;               // what was not obeyed, one sentence each: "--index-url (line 3)…"
};

// nullopt: the program declares nothing. Errors, all "invalid_metadata": a block that is no TOML, two blocks, a list
// that holds no strings, a package.json that is no JSON, requirements files that include each other without end.
Expected<std::optional<Declared>> find_declared(protocol::Language language, std::string_view code,
                                                std::span<const protocol::InputFile> files);

// The parts, for tests and for whoever has only one of them.
Expected<std::optional<Declared>> read_inline_metadata(std::string_view code);
Expected<Declared> read_requirements_txt(std::string_view text, std::string_view name,
                                         std::span<const protocol::InputFile> files);
Expected<Declared> read_package_json(std::string_view text);

}  // namespace hotcell::deps
