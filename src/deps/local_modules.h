// Which imports are answered by the given files, and what those files import in turn.
#pragma once
#include <span>
#include <string_view>

#include "protocol/request.h"
#include "validate/imports.h"

namespace hotcell::deps {

// Sets `local` and `standard` of every import, and appends the imports and uses of the given modules that the program
// reaches. Bounded: at most 64 files and 4 MiB of them are read, each once; one that cannot be parsed is passed over.
void add_local_modules(protocol::Language language, std::span<const protocol::InputFile> files,
                       validate::ImportReport& report);

// "./a/b.py" and "/workspace/a/b.py" name the same given file, "a/b.py".
std::string_view relative_to_workspace(std::string_view path);

}  // namespace hotcell::deps
