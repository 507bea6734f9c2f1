// How much memory the processes of a cell have for themselves, as the kernel counts it.
#pragma once
#include <cstdint>
#include <optional>

namespace hotcell::docker {

// A process and all its children: what they share with nobody, or only among themselves through nothing but fork, is
// counted once for each that has it. nullopt: we may not look.
std::optional<std::uint64_t> private_bytes_of_tree(int pid);

}  // namespace hotcell::docker
