// One side's view of a line of the lock-down: what the agent or the daemon tells of it, as an operator reads it, and
// whether that is what was asked for. And how both are read: an answer may lack anything.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "agent/wire/wire.h"
#include "docker/lockdown.h"

namespace hotcell::docker {

struct View {
  std::string text;
  bool right = false;
};
View equal(std::string text, const std::string& asked);

// A member of the daemon's answer ("/HostConfig/Memory"), or null where there is no such member.
const nlohmann::json& at(const nlohmann::json& value, std::string_view pointer);
bool nothing(const nlohmann::json& value);
std::string shown(const nlohmann::json& value);

// A runtime that was asked for and brings a kernel of its own (gVisor, Kata): programs meet that one. What this
// machine's kernel does to the runtime itself cannot be seen from inside; there the daemon's word must do.
bool has_own_kernel(const CellSpec& spec, const agent::Facts& facts, const Machine& machine);

const agent::Facts::Mount* mount_at(const agent::Facts& facts, std::string_view target);
bool has_option(std::string_view options, std::string_view wanted);

std::string joined(const std::vector<std::string>& words);
std::string limit_text(std::uint64_t value);
std::string limit_size(std::uint64_t value);
std::string cpu_text(double cpus);

}  // namespace hotcell::docker
