// What decides whether two installs are the same: where they must run, and the resolved set.
#pragma once
#include <span>
#include <string>

#include "base/hash.h"
#include "deps/lock.h"

namespace hotcell::deps {

// Where packages will be imported.
struct Target {
  Ecosystem ecosystem = Ecosystem::pypi;
  std::string interpreter;  // "cpython-3.11"
  std::string platform;     // "linux-x86_64-glibc", "wasi"

  bool operator==(const Target&) const = default;
};

// Container cells of this release.
Target container_target(Ecosystem ecosystem);

// WASI cells: packages without compiled code.
Target wasi_target();

// The target's words are used in file names and messages: letters, digits and "._-" only.
Expected<void> check_target(const Target& target);

// The key of an entry. Equal for equal locks on equal targets, and for nothing else.
Digest entry_key(const Target& target, const Lock& lock);

// The key of a wish that has not been resolved yet.
Digest wish_key(const Target& target, std::span<const Requirement> requirements);

// Fields with their lengths before them: no two different lists of fields give the same bytes.
std::string length_prefixed(std::span<const std::string_view> fields);

}  // namespace hotcell::deps
