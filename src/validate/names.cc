#include "validate/names.h"

#include <algorithm>

namespace hotcell::validate {

void Values::add(Value value) {
  if (count_ == kMost || value.text.size() > kLongestText || std::find(begin(), end(), value) != end()) return;
  values_[count_++] = std::move(value);
}

Values concatenated(const Values& left, const Values& right) {
  Values out;
  for (const auto& a : left) {
    if (a.type == Value::Type::symbol) continue;
    bool known = false;
    if (a.type == Value::Type::text) {
      for (const auto& b : right) {
        if (b.type == Value::Type::symbol) continue;
        known = true;
        if (a.text.size() + b.text.size() <= kLongestText) out.add({b.type, a.text + b.text});
      }
    }
    if (!known && !a.text.empty()) out.add({Value::Type::prefix, a.text});
  }
  return out;
}

std::vector<NodeId> operands_of_sum(const Outline& outline, NodeId sum) {
  constexpr std::size_t kMostOperands = 256;
  const auto kind = outline.kind(sum);
  std::vector<NodeId> operands;
  while (outline.kind(sum) == kind && operands.size() + 1 < kMostOperands) {
    const auto sign = outline.child(sum, Field::operator_field);
    if (sign == kNoNode || outline.text(sign) != "+") break;
    operands.push_back(outline.child(sum, Field::right));
    sum = outline.child(sum, Field::left);
  }
  operands.push_back(sum);
  std::reverse(operands.begin(), operands.end());
  return operands;
}

void Scopes::bind(ScopeId scope, std::string_view name, Binding binding) {
  auto& last = last_.try_emplace(Key{scope, name}, kNone).first->second;
  binding.previous = last;
  last = static_cast<std::uint32_t>(bindings_.size());
  bindings_.push_back(std::move(binding));
}

Scopes::Found Scopes::find(ScopeId scope, std::string_view name, std::uint32_t at, bool hoisted) const {
  Found found;
  bool here = true;  // still in the code that runs now, not in one that has run, or will, around it
  for (ScopeId id = scope;; id = scopes_[id].parent) {
    const auto& place = scopes_[id];
    if (place.type != Scope::Type::class_body || id == scope) {
      unsigned looked_at = 0;
      bool certain = false;
      const auto first = last(id, name);
      for (auto i = first; i != kNone && !certain && ++looked_at < 256; i = bindings_[i].previous) {
        const auto& binding = bindings_[i];
        const bool before = binding.from <= at;
        if (here && !before && !hoisted) continue;
        if (found.count < found.bindings.size()) found.bindings[found.count++] = &binding;
        if (binding.certain && here && before && !hoisted) certain = true;
      }
      if (first != kNone && !certain) {
        // Outside of straight-line code every binding counts, and only one that is certain shuts out what is outside.
        if (place.type == Scope::Type::function && !hoisted) certain = true;
        if (!here || hoisted)
          for (auto i = first; i != kNone && !certain && ++looked_at < 512; i = bindings_[i].previous)
            certain = bindings_[i].certain;
      }
      if (certain) return found;
    }
    if (place.type == Scope::Type::function) here = false;
    if (id == 0) break;
  }
  found.outside = true;
  return found;
}

}  // namespace hotcell::validate
