#include "places.h"

namespace hotcell::testing {

const char* const kSourceFolder = HOTCELL_SOURCE_DIR;
const char* const kBinFolder = HOTCELL_BIN_DIR;

}  // namespace hotcell::testing
