// Is a JavaScript program an ES module? Node tells by a file's name (.mjs), and a program that comes as text has none.
#pragma once
#include <string_view>

namespace hotcell::docker {

// True when a statement at the top level begins with `import` or `export`, when `await` stands outside of all
// functions, or import.meta is used: none of these is possible in a CommonJS program. Comments, strings, templates and
// regular expressions are skipped. One pass, no grammar; what it misjudges, Node's own error says.
bool is_es_module(std::string_view code);

}  // namespace hotcell::docker
