// A guess at a program's imports from its lines alone, in microseconds: enough to have the likely engine ready while
// the real parse goes on beside it. Lines inside strings count too, and so does dead code: nothing is decided by this.
#pragma once
#include <string_view>
#include <vector>

#include "protocol/request.h"

namespace hotcell::validate {

// First parts of Python's module names, JavaScript's specifiers, in the order of the text, repeated as often as they
// stand there. At most `most`; looks at the first 256 KiB. The views are into `code`.
std::vector<std::string_view> scan_imports(protocol::Language language, std::string_view code, std::size_t most = 64);

}  // namespace hotcell::validate
