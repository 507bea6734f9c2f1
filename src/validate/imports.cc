#include "validate/imports.h"

#include <algorithm>
#include <tuple>

#include "validate/imports_internal.h"

namespace hotcell::validate {
namespace imports {

namespace {
// A program has a use or two a line; what is beyond this is no program that anybody wrote.
constexpr std::size_t kMostCandidates = 200'000;

bool is_name_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '_' ||
         byte == '$' || byte >= 0x80;
}

auto strength(const Use& use) {
  return std::make_tuple(use.guarded || use.unreachable, use.conditional || use.deferred, use.line);
}
}  // namespace

bool is_chain(std::string_view text) {
  bool dot = true;
  for (const char c : text) {
    if (c == '.' && dot) return false;
    if (c != '.' && !is_name_byte(c)) return false;
    dot = c == '.';
  }
  return !dot;
}

std::uint32_t line_of(TSNode node) { return ts_node_start_point(node).row + 1; }

TSNode field(TSNode node, TSFieldId id) { return ts_node_child_by_field_id(node, id); }

std::uint32_t begin_attempt(ImportReport& report, const Place& place) {
  report.attempts.push_back(place.fallback ? place.attempt : 0);
  return static_cast<std::uint32_t>(report.attempts.size());
}

Import import_at(const Place& place, TSNode node) {
  Import import;
  import.line = line_of(node);
  import.attempt = place.attempt;
  import.optional = place.guarded;
  import.fallback = place.fallback;
  import.type_checking = place.type_checking;
  import.unreachable = place.unreachable;
  import.conditional = place.conditional;
  import.deferred = place.deferred;
  return import;
}

Use use_at(const Place& place, TSNode node) {
  Use use;
  use.line = line_of(node);
  use.guarded = place.guarded;
  use.unreachable = place.unreachable || place.type_checking;
  use.conditional = place.conditional;
  use.deferred = place.deferred;
  return use;
}

void Uses::bind(std::string_view name, std::string target) { bindings_.emplace_back(name, std::move(target)); }

void Uses::chain(std::string_view text, const Place& place, TSNode node) {
  if (candidates_.size() < kMostCandidates) candidates_.push_back({text, use_at(place, node)});
}

void Uses::add(std::string name, const Place& place, TSNode node) {
  if (uses_.size() >= kMostCandidates) return;
  auto use = use_at(place, node);
  use.name = std::move(name);
  uses_.push_back(std::move(use));
}

std::vector<std::string> Uses::meanings(std::string_view chain) const {
  const auto dot = std::min(chain.find('.'), chain.size());
  const auto name = chain.substr(0, dot);
  auto at = std::lower_bound(bindings_.begin(), bindings_.end(), name,
                             [](const auto& binding, std::string_view key) { return binding.first < key; });
  std::vector<std::string> found;
  for (; at != bindings_.end() && at->first == name && found.size() < 8; ++at)
    found.push_back(at->second + std::string(chain.substr(dot)));
  return found;
}

std::vector<Use> Uses::resolve() {
  std::sort(bindings_.begin(), bindings_.end());
  bindings_.erase(std::unique(bindings_.begin(), bindings_.end()), bindings_.end());
  // Programs say the same name many times; each is looked up once.
  std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
    const int order = a.text.compare(b.text);
    return order != 0 ? order < 0 : strength(a.use) < strength(b.use);
  });
  const auto same = [](const Candidate& a, const Candidate& b) { return a.text == b.text; };
  candidates_.erase(std::unique(candidates_.begin(), candidates_.end(), same), candidates_.end());
  for (auto& candidate : candidates_)
    for (auto& name : meanings(candidate.text)) {
      uses_.push_back(candidate.use);
      uses_.back().name = std::move(name);
    }
  candidates_.clear();
  std::sort(uses_.begin(), uses_.end(), [](const Use& a, const Use& b) {
    const int order = a.name.compare(b.name);
    return order != 0 ? order < 0 : strength(a) < strength(b);
  });
  uses_.erase(std::unique(uses_.begin(), uses_.end(), [](const Use& a, const Use& b) { return a.name == b.name; }),
              uses_.end());
  return std::move(uses_);
}

}  // namespace imports

ImportReport find_imports(const Syntax& syntax) {
  switch (syntax.language()) {
    case protocol::Language::python:
      return imports::find_in_python(syntax);
    case protocol::Language::javascript:
      return imports::find_in_javascript(syntax);
    case protocol::Language::bash:
      return imports::find_in_bash(syntax);
    case protocol::Language::wasm:
      break;
  }
  return {};
}

}  // namespace hotcell::validate
