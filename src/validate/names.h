// Which thing a name means: scopes, bindings, and values as far as they can be known without running anything.
//
// Not a data-flow analysis. A name means all that it may have been bound to when control comes by: in straight-line
// code the last binding before, inside a function that runs later every binding of the enclosing scopes, after a branch
// each branch. What isn't a constant, an import, or made of these is unknown, and unknown is never reported. So what is
// reported is nearly always true, and what is hidden well enough stays hidden: the cell is the boundary, not this.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "validate/outline.h"

namespace hotcell::validate {

struct Value {
  enum class Type : std::uint8_t {
    symbol,  // "os.system", "builtins.eval", "socket.socket()" (what the call gives)
    text,    // a constant string
    prefix,  // a string that begins with this
  };
  Type type = Type::symbol;
  std::string text;
  bool operator==(const Value&) const = default;
};

// What an expression may be: a few values, or none that is known.
class Values {
 public:
  Values() = default;
  static Values symbol(std::string name) { return Values(Value{Value::Type::symbol, std::move(name)}); }
  static Values constant(std::string text) { return Values(Value{Value::Type::text, std::move(text)}); }
  explicit Values(Value value) { add(std::move(value)); }

  void add(Value value);  // dropped when it is there already, too long, or one too many
  void add(const Values& other) {
    for (const auto& value : other) add(value);
  }
  const Value* begin() const { return values_.data(); }
  const Value* end() const { return values_.data() + count_; }
  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }
  // The constant string, if it is one and only one.
  const std::string* text() const {
    return count_ == 1 && values_[0].type == Value::Type::text ? &values_[0].text : nullptr;
  }

 private:
  static constexpr std::size_t kMost = 4;
  std::array<Value, kMost> values_;
  std::size_t count_ = 0;
};

// The operands of a chain of +, from the left. A long sum leans to the left, so it is gone down in a loop. At most 256.
std::vector<NodeId> operands_of_sum(const Outline& outline, NodeId sum);

// Every string of `left` followed by every string of `right`; what is not known on the right makes a prefix.
Values concatenated(const Values& left, const Values& right);

inline constexpr std::size_t kLongestText = 32u << 10;
// Scopes nested deeper than this are taken for one: a look-up goes through all that are around it.
inline constexpr std::size_t kDeepestScope = 128;

using ScopeId = std::uint32_t;

struct Scope {
  enum class Type : std::uint8_t {
    module,
    function,
    class_body,    // not seen by the functions inside it
    inline_block,  // runs where it stands: a comprehension, a JavaScript block
  };
  Type type = Type::module;
  NodeId node = 0;
  NodeId body = kNoNode;  // whose direct children are executed always
  ScopeId parent = 0;
};

struct Binding {
  enum class Type : std::uint8_t {
    opaque,     // a definition, a parameter: nothing that we know
    symbol,     // an import
    value,      // what the expression gives
    element,    // one of what the expression holds
    augmented,  // name += expression
  };
  Type type = Type::opaque;
  bool certain = false;  // ends what the name meant before
  NodeId node = kNoNode;
  ScopeId scope = 0;       // where the expression is evaluated
  std::uint32_t from = 0;  // the byte from which on it holds
  std::uint32_t previous = ~0u;
  std::string path;  // symbol: its name. value: members taken of it, ".exec", by destructuring
};

class Scopes {
 public:
  ScopeId add(Scope scope) {
    scopes_.push_back(scope);
    return static_cast<ScopeId>(scopes_.size() - 1);
  }
  const Scope& operator[](ScopeId id) const { return scopes_[id]; }
  Scope& operator[](ScopeId id) { return scopes_[id]; }
  std::size_t size() const { return scopes_.size(); }

  void bind(ScopeId scope, std::string_view name, Binding binding);
  bool binds(ScopeId scope, std::string_view name) const { return last(scope, name) != kNone; }

  struct Found {
    std::array<const Binding*, 8> bindings;
    std::size_t count = 0;
    bool outside = false;  // it may also be what is bound nowhere: a builtin
  };
  // `hoisted`: a name means the same all through its scope, even before its binding (JavaScript).
  Found find(ScopeId scope, std::string_view name, std::uint32_t at, bool hoisted) const;

 private:
  static constexpr std::uint32_t kNone = ~0u;
  struct Key {
    ScopeId scope;
    std::string_view name;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const {
      return std::hash<std::string_view>()(key.name) ^ (std::size_t{key.scope} * 0x9E3779B97F4A7C15u);
    }
  };
  std::uint32_t last(ScopeId scope, std::string_view name) const {
    const auto found = last_.find(Key{scope, name});
    return found == last_.end() ? kNone : found->second;
  }

  std::vector<Scope> scopes_;
  std::vector<Binding> bindings_;
  std::unordered_map<Key, std::uint32_t, Hash> last_;
};

// Calls visit(node, scope) for each node in the order of the text, until it returns false. `changes`: from which node
// on which scope holds.
template <class Visit>
void each_in_scope(const Outline& outline, const std::vector<std::pair<NodeId, ScopeId>>& changes, Visit&& visit) {
  ScopeId scope = 0;
  std::size_t change = 0;
  for (NodeId id = 0; id < outline.size(); ++id) {
    while (change < changes.size() && changes[change].first <= id) scope = changes[change++].second;
    if (!visit(id, scope)) return;
  }
}

}  // namespace hotcell::validate
