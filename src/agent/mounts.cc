#include "agent/mounts.h"

#include "agent/text.h"

namespace hotcell::agent {
namespace {

constexpr std::size_t kMaxMounts = 512;
constexpr std::size_t kMaxMountInfo = 512u << 10;

// "\040" for a space, and so on.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto octal = text[i] == '\\' ? number_in(text.substr(i + 1, 3), 8) : std::nullopt;
    if (octal && i + 3 < text.size() && *octal < 256) {
      out += static_cast<char>(*octal);
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

bool lists(std::string_view options, std::string_view name) {
  while (!options.empty())
    if (next_part(options, ',') == name) return true;
  return false;
}

}  // namespace

bool MountLine::has_option(std::string_view name) const { return lists(options, name); }
bool MountLine::has_super_option(std::string_view name) const { return lists(super_options, name); }

// 36 35 98:0 /root /target rw,noatime shared:1 master:2 - type source rw,errors=continue
std::vector<MountLine> mounts_in(std::string_view mountinfo) {
  std::vector<MountLine> out;
  while (!mountinfo.empty() && out.size() < kMaxMounts) {
    auto line = next_line(mountinfo);
    for (int skipped = 0; skipped < 3; ++skipped) next_word(line);
    MountLine mount;
    mount.root = unescaped(next_word(line));
    mount.target = unescaped(next_word(line));
    mount.options = next_word(line);
    while (!line.empty() && next_word(line) != "-") {
    }
    mount.type = next_word(line);
    mount.source = unescaped(next_word(line));
    mount.super_options = next_word(line);
    if (!mount.target.empty() && !mount.type.empty()) out.push_back(std::move(mount));
  }
  return out;
}

std::vector<MountLine> mounts() { return mounts_in(read_text("/proc/self/mountinfo", kMaxMountInfo)); }

}  // namespace hotcell::agent
