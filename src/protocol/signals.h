// Signal names and numbers as Linux on x86-64 and arm64 has them. A result names a signal ("SIGKILL") because a name
// means the same everywhere; an exit status needs the number.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace hotcell::protocol {

std::optional<int> signal_number(std::string_view name);  // nullopt: no such signal
std::string signal_name(int number);                      // empty: no such signal

}  // namespace hotcell::protocol
