// Names that are written in unusual letters and yet are others: to Python "ｅｖａｌ" and "𝓮𝓿𝓪𝓵" are eval, to JavaScript
// "\u0065val" is.
#pragma once
#include <string>
#include <string_view>

namespace hotcell::validate {

// An identifier of Python as its parser takes it (Unicode's NFKC), as far as that leads to ASCII letters. Rules only
// have names in those.
std::string plain_spelling(std::string_view identifier);

}  // namespace hotcell::validate
