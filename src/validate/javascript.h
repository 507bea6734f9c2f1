// What the names and expressions of one JavaScript program mean.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "validate/matcher.h"
#include "validate/names.h"
#include "validate/outline.h"

namespace hotcell::validate {

// Symbols are global names ("eval", "process.binding") and Node's modules ("child_process.exec", without "node:"). Node
// itself mixes the two: its modules are global names in a program given on the command line.
class JavaScriptProgram {
 public:
  explicit JavaScriptProgram(const Outline& outline);

  Values value(NodeId node, ScopeId scope);
  Values member_of(const Values& object, std::string_view name) const;
  const std::vector<std::pair<NodeId, ScopeId>>& scope_changes() const { return scope_of_; }
  bool is_use(NodeId identifier) const { return !not_a_use_[identifier]; }
  std::vector<NodeId> arguments_of(NodeId call, bool* spread = nullptr) const;
  NodeId function_of(NodeId call) const;
  // Of import and export … from: "node:fs" gives "fs".
  std::string source_of(NodeId statement);

 private:
  void bind(ScopeId scope, NodeId name, Binding binding);
  // Every name in the pattern gets what the value has there.
  void bind_pattern(NodeId pattern, NodeId value, ScopeId scope, ScopeId value_scope, std::string path, bool certain);
  void bind_function(NodeId function, ScopeId inside, ScopeId outside);
  void bind_import(NodeId statement, ScopeId scope);
  void bind_assignments();
  ScopeId function_scope(ScopeId scope) const;
  std::string key_text(NodeId key, ScopeId scope);

  Values evaluate(NodeId node, ScopeId scope, int depth);
  Values name_value(std::string_view name, ScopeId scope, std::uint32_t at, int depth);
  std::string property_of(NodeId member, ScopeId scope, int depth);
  Values member_value(NodeId node, ScopeId scope, int depth);
  Values call_value(NodeId node, ScopeId scope, int depth);
  Values call_symbol(const std::string& symbol, const std::vector<NodeId>& arguments, ScopeId scope, int depth);
  Values text_method(const std::string& text, std::string_view method, const std::vector<NodeId>& arguments,
                     ScopeId scope, int depth);
  Values string_value(NodeId node, ScopeId scope, int depth);
  Values sum_value(NodeId node, ScopeId scope, int depth);
  Values joined(NodeId array, const std::vector<NodeId>& arguments, ScopeId scope, int depth);

  struct Assignment {
    NodeId left, right;
    ScopeId scope;
    bool adds;  // +=
  };

  const Outline& outline_;
  Scopes scopes_;
  std::vector<std::pair<NodeId, ScopeId>> scope_of_;
  std::vector<bool> not_a_use_;
  std::vector<Assignment> assignments_;
  unsigned steps_ = 0;
};

// "node:fs" and "fs" are the same module.
std::string_view plain_module(std::string_view name);

}  // namespace hotcell::validate
