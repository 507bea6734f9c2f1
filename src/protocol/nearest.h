// "Did you mean …?": of the names that exist, the one that was probably meant.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace hotcell::protocol {

// Letters inserted, left out, changed or swapped with their neighbour, at the least, to make one into the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

// Empty when nothing comes near. A beginning counts as near however much is missing ("timeout" for "timeout_seconds"),
// and so does a common first word ("timeout_ms"): units and suffixes are what people forget.
std::string_view nearest(std::string_view name, std::span<const std::string_view> known);

// "did you mean 'x'?", or what there is to choose from.
std::string suggestion(std::string_view name, std::span<const std::string_view> known);

}  // namespace hotcell::protocol
