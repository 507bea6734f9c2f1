// What a program needs to run: its imports sorted into local files, standard library and packages, and for each package
// the requirement that goes to the installer.
//
// In the order of who knows best: the request's own list; what the program declares (deps/declared.h); its imports.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "deps/declared.h"
#include "deps/package_map.h"
#include "deps/requirement.h"
#include "protocol/request.h"
#include "validate/imports.h"

namespace hotcell::deps {

// The operator's word (deps.mode, deps.allow, deps.deny, deps.look_alikes).
struct Policy {
  enum class Mode {
    automatic,      // what the imports say is installed
    explicit_only,  // only what the request or the program names
    off,            // nothing is ever installed
  };
  Mode mode = Mode::automatic;
  std::vector<std::string> allow;  // when not empty: nothing else; "azure-*" is a beginning
  std::vector<std::string> deny;
  bool refuse_look_alikes = false;  // a name that is neither well known nor allowed, but nearly a well-known one
};

struct PackageNeed {
  std::string requirement;  // "PyYAML", "requests==2.28.0"
  std::string package;      // the name in it, normalized
  std::string import;       // what was imported; empty when it was named
  std::string source;       // "map", "own name", "request", or Declared::source
  std::string file;         // of the import or declaration; empty: the program
  std::uint32_t line = 0;
  bool optional = false;  // the program goes on without it
  bool known = true;      // false: a guess, the import's own name, and nobody's well-known package
  bool at_once = true;    // false: imported in a function or a branch only
  Nature nature = Nature::unknown;
  bool network = false;
  std::string look_alike;  // the well-known name that it nearly has
};

struct Needs {
  validate::ImportReport report;  // of the program and the given modules that it reaches; local and standard are set
  std::vector<PackageNeed> packages;
  std::string source = "imports";  // "request", Declared::source, "imports", "off"
  std::string requires_python;
  std::vector<std::string> notes;  // sentences for the user: what was not obeyed, what no package brings
};

// What is to be installed: every package that the program cannot do without; without `guesses`, only those that are
// named, declared or known. The error is parse_requirements()'s.
Expected<std::vector<Requirement>> to_install(protocol::Language language, const Needs& needs, bool guesses = true);

// " (line 3)", " ('lib.py' line 3)", " ('package.json')": where something stands, for the end of a sentence. `file`
// empty: the program; `line` 0: not known.
std::string at_place(const std::string& file, std::uint32_t line);

// `report` is find_imports() of `code`. Errors: invalid_metadata; invalid_requirement; dependency_denied (by deny, by
// allow, by mode off); dependency_look_alike.
Expected<Needs> find_needs(protocol::Language language, std::string_view code, validate::ImportReport report,
                           const protocol::Dependencies& asked, std::span<const protocol::InputFile> files,
                           const Policy& policy, const PackageMap& map);

}  // namespace hotcell::deps
