#include "docker/view.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "protocol/failures.h"

namespace hotcell::docker {

using agent::Facts;
using agent::kUnlimited;
using nlohmann::json;

View equal(std::string text, const std::string& asked) {
  const bool right = text == asked;
  return {std::move(text), right};
}

const json& at(const json& value, std::string_view pointer) {
  static const json null;
  const json* here = &value;
  while (!pointer.empty() && here->is_object()) {
    pointer.remove_prefix(1);
    const auto name = pointer.substr(0, pointer.find('/'));
    const auto found = here->find(name);
    if (found == here->end()) return null;
    here = &*found;
    pointer.remove_prefix(name.size());
  }
  return pointer.empty() ? *here : null;
}

bool nothing(const json& value) { return value.is_null() || value.empty() || value == ""; }
std::string shown(const json& value) { return value.is_null() ? "none" : value.dump(); }

bool has_own_kernel(const CellSpec& spec, const Facts& facts, const Machine& machine) {
  return !spec.runtime.empty() && !facts.kernel.empty() && facts.kernel != machine.kernel;
}

const Facts::Mount* mount_at(const Facts& facts, std::string_view target) {
  const Facts::Mount* found = nullptr;
  for (const auto& mount : facts.mounts)
    if (mount.target == target) found = &mount;  // the last one hides those before it
  return found;
}

bool has_option(std::string_view options, std::string_view wanted) {
  while (!options.empty()) {
    const auto one = options.substr(0, options.find(','));
    if (one == wanted) return true;
    options.remove_prefix(std::min(options.size(), one.size() + 1));
  }
  return false;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
  return out.empty() ? "none" : out;
}

std::string limit_text(std::uint64_t value) { return value == kUnlimited ? "none" : std::to_string(value); }
std::string limit_size(std::uint64_t value) { return value == kUnlimited ? "none" : protocol::size_text(value); }

std::string cpu_text(double cpus) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", cpus);
  return text;
}

}  // namespace hotcell::docker
