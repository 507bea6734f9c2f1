// What a program asks for by name: modules (Python, JavaScript), commands (Bash), and what it uses of the modules.
//
// Read from the syntax tree that the rules use too; nothing is run and nothing is looked up. Whether a module belongs
// to the standard library, to the given files or to a package is for deps/ to say: it fills `local` and `standard`.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "validate/syntax.h"

namespace hotcell::validate {

// One name that is imported. `from a import b, c` is two of them.
struct Import {
  std::string module;          // "a.b"; "..a" keeps its dots; for JavaScript the specifier as written
  std::string member;          // Python's `from module import member`; "*" too
  std::uint32_t line = 0;      // in its file, from 1
  std::uint32_t attempt = 0;   // imports of one try statement share a number: see `fallback`
  bool relative = false;       // "from . import x", "./x", "#x"
  bool optional = false;       // the program goes on without it: try … except ImportError, require in try, find_spec
  bool fallback = false;       // only where an optional one of the same attempt was not found
  bool type_checking = false;  // under `if TYPE_CHECKING`
  bool unreachable = false;    // under a condition that cannot hold here: another platform, an older Python
  bool conditional = false;    // under a condition that may hold
  bool deferred = false;       // inside a function
  bool dynamic = false;        // import_module("x"), __import__("x"), import("x") in JavaScript
  bool local = false;          // one of the given files (filled by deps)
  bool standard = false;       // the interpreter's own (filled by deps)
  std::string file;            // which given file imports it; empty: the program itself (filled by deps)

  // Is it needed at run time, as far as the text tells?
  bool required() const { return !optional && !type_checking && !unreachable; }
};

// A name of an imported module that the program uses, aliases resolved: "threading.Thread". For Bash a command.
struct Use {
  std::string name;
  std::uint32_t line = 0;
  bool guarded = false;      // inside a try that would catch its absence
  bool unreachable = false;  // as in Import
  bool conditional = false;
  bool deferred = false;
  std::string file;  // as in Import
};

struct ImportReport {
  std::vector<Import> imports;  // in the order of the text
  std::vector<Use> uses;        // sorted by name, each name once: its strongest, then first, use
  // attempts[n - 1]: the attempt whose substitute the nth one is; 0: of none. try a except: try b except: c.
  std::vector<std::uint32_t> attempts;
  bool dynamic_unknown = false;  // some name is only known when the program runs
  bool truncated = false;        // there were more than kMostImports
};

inline constexpr std::size_t kMostImports = 10'000;

ImportReport find_imports(const Syntax& syntax);

}  // namespace hotcell::validate
