// Asks the real interpreter, in a cell, whether a program is one.
#pragma once
#include "protocol/engine.h"
#include "validate/check.h"

namespace hotcell::validate {

// For CheckOptions::confirm_syntax. Python's compile() in a cell of that engine, which must outlive the function; the
// program is only compiled, never run. Unknown for other languages, and when the engine cannot say.
ConfirmSyntax confirm_with(protocol::Engine& engine);

}  // namespace hotcell::validate
