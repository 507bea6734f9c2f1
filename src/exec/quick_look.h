// Is it plain already, without a parse, that a WASI cell can run this program?
//
// Most programs import nothing but harmless modules, and a parse takes longer than such a program runs. So its words
// are looked at first. A "yes" is a promise: the real reading would find nothing in the way. Anything out of the
// ordinary (an import that is not at the beginning of a line, a module that a cell lacks something of together with a
// word that may name it, given files that could be modules) is a "don't know", and the program is parsed.
#pragma once
#include <optional>

#include "deps/needs.h"
#include "protocol/request.h"

namespace hotcell::exec {

// nullopt: don't know. Else the needs, as far as choose_engine() asks for them: imports of the standard library.
std::optional<deps::Needs> quick_look(const protocol::Request& request);

// Are there given files that could be imported, or declare packages?
bool files_matter(const protocol::Request& request);

}  // namespace hotcell::exec
