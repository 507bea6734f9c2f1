// Where the sources are, and the executables that were built with the tests.
#pragma once

namespace hotcell::testing {

extern const char* const kSourceFolder;
extern const char* const kBinFolder;

}  // namespace hotcell::testing
