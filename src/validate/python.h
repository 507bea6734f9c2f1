// What the names and expressions of one Python program mean.
#pragma once
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "validate/matcher.h"
#include "validate/names.h"
#include "validate/outline.h"

namespace hotcell::validate {

class PythonProgram {
 public:
  explicit PythonProgram(const Outline& outline);

  Values value(NodeId node, ScopeId scope);
  Values attribute_of(const Values& object, std::string_view name) const;

  // The scope in which each node stands, for a walk in order: (first node, scope) pairs.
  const std::vector<std::pair<NodeId, ScopeId>>& scope_changes() const { return scope_of_; }
  // Names that are bound, keywords of arguments, attributes: not expressions.
  bool is_use(NodeId identifier) const { return !not_a_use_[identifier]; }
  std::string dotted(NodeId name) const;
  // The constant that a string literal is; nothing for one with unknown parts, but its beginning.
  Values string_value(NodeId node, ScopeId scope, int depth);

  struct Call {
    NodeId function = kNoNode;
    std::vector<std::pair<std::string_view, NodeId>> arguments;  // name (or empty) and value
    bool spread = false;
    NodeId positional(std::size_t index) const;
    NodeId named(std::string_view name) const;
  };
  Call call_at(NodeId node) const;

 private:
  static constexpr ScopeId kSameScope = ~0u;

  void bind(ScopeId scope, NodeId name, Binding binding);
  void bind_parameters(NodeId parameters, ScopeId scope, ScopeId outside);
  void bind_import(NodeId statement, ScopeId scope);
  void bind_target(NodeId target, NodeId value, Binding::Type type, ScopeId scope, std::uint32_t from, bool certain,
                   ScopeId value_scope = kSameScope);

  Values evaluate(NodeId node, ScopeId scope, int depth);
  Values name_value(std::string_view name, ScopeId scope, std::uint32_t at, int depth);
  Values binding_value(const Binding& binding, std::string_view name, ScopeId scope, int depth);
  Values elements_of(NodeId node, ScopeId scope, int depth);
  Values subscript_value(NodeId node, ScopeId scope, int depth);
  Values call_value(NodeId node, ScopeId scope, int depth);
  Values call_symbol(const std::string& symbol, const Call& call, ScopeId scope, int depth);
  Values call_text_method(const std::string& text, std::string_view method, const Call& call, ScopeId scope, int depth);
  Values operator_value(NodeId node, ScopeId scope, int depth);
  Values item_of(const Values& object, const std::string& key, ScopeId scope, std::uint32_t at, int depth);

  const Outline& outline_;
  Scopes scopes_;
  std::vector<std::pair<NodeId, ScopeId>> scope_of_;
  std::vector<bool> not_a_use_;
  std::set<std::pair<ScopeId, std::string_view>> globals_;  // "global x" in this scope
  std::vector<std::string> stars_;                          // from M import *
  unsigned steps_ = 0;                                      // left for the expression that is evaluated
};

}  // namespace hotcell::validate
