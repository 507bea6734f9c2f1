// What an interpreter brings along, and what of it the WASI image cannot do.
//
// The lists are data (dependency-cache/), made by the interpreters themselves and by running every module in a cell.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/request.h"

namespace hotcell::deps {

// Python: by the first part of a dotted name. JavaScript: "fs", "fs/promises", "node:test".
bool is_standard(protocol::Language language, std::string_view module);

// Something of the standard library that a WASI cell has not.
struct Lack {
  enum class Kind { missing, broken, absent, fails };
  std::string_view name;  // "ssl", "os.fork", "threading.Thread": the part of the asked name that is lacking
  Kind kind = Kind::missing;
  std::string_view why;  // "starts a thread"; for missing: the module that it wants; may be empty

  // "import ssl needs the module _ssl", "threading.Thread starts a thread": the middle of a sentence.
  std::string sentence() const;
};

// "threading.Thread.start" is found by its beginning "threading.Thread". nullopt: nothing is known to be lacking.
std::optional<Lack> wasi_lacks(protocol::Language language, std::string_view dotted_name);

// Every lack below a first name, whatever it is about: for "os" perhaps "os" itself, "os.fork", "os.path.ismount".
void each_wasi_lack(protocol::Language language, std::string_view first_name,
                    const std::function<void(std::string_view name)>& found);

}  // namespace hotcell::deps
