#include "protocol/nearest.h"

#include <algorithm>
#include <vector>

namespace hotcell::protocol {

namespace {

constexpr std::size_t kLongestName = 64;  // the table is quadratic, and no name of ours is as long

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string_view first_word(std::string_view name) { return name.substr(0, name.find('_')); }

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> table((a.size() + 1) * width);
  const auto at = [&](std::size_t i, std::size_t j) -> std::size_t& { return table[i * width + j]; };
  for (std::size_t i = 0; i <= a.size(); ++i) at(i, 0) = i;
  for (std::size_t j = 0; j <= b.size(); ++j) at(0, j) = j;
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      at(i, j) = std::min({at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0u : 1u)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
    }
  return at(a.size(), b.size());
}

std::string_view nearest(std::string_view name, std::span<const std::string_view> known) {
  if (name.empty() || name.size() > kLongestName) return {};
  const std::string wanted = lower(name);
  std::string_view best;
  std::size_t best_score = 2 + wanted.size() / 3;  // further away than this is a guess, not a typo
  for (const auto candidate : known) {
    std::size_t score = edit_distance(wanted, candidate);
    const auto shorter = std::min(wanted.size(), candidate.size());
    if (shorter >= 3 && wanted.substr(0, shorter) == candidate.substr(0, shorter))
      score = std::min<std::size_t>(score, 1);
    if (shorter >= 3 && first_word(wanted) == first_word(candidate)) score = std::min<std::size_t>(score, 2);
    if (score < best_score) {
      best_score = score;
      best = candidate;
    }
  }
  return best;
}

std::string suggestion(std::string_view name, std::span<const std::string_view> known) {
  if (const auto meant = nearest(name, known); !meant.empty()) return "did you mean '" + std::string(meant) + "'?";
  std::string out = "one of: ";
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (i > 0) out += ", ";
    out += known[i];
  }
  return out;
}

}  // namespace hotcell::protocol
