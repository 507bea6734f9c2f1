// First walk over a Python program: which scope binds which name to what.
#include "validate/python.h"

namespace hotcell::validate {

PythonProgram::PythonProgram(const Outline& outline) : outline_(outline), not_a_use_(outline.size()) {
  scopes_.add({Scope::Type::module, 0, 0, 0});
  scope_of_.push_back({0, 0});
  std::vector<ScopeId> open{0};
  for (NodeId id = 1; id < outline_.size(); ++id) {
    while (open.size() > 1 && id >= outline_[scopes_[open.back()].node].after) {
      open.pop_back();
      scope_of_.push_back({id, open.back()});
    }
    const auto scope = open.back();
    const auto enter = [&](Scope::Type type, NodeId body) {
      if (open.size() >= kDeepestScope) return scope;
      open.push_back(scopes_.add({type, id, body, scope}));
      scope_of_.push_back({id + 1, open.back()});
      return open.back();
    };
    switch (outline_.kind(id)) {
      case Kind::function_definition:
      case Kind::class_definition: {
        const bool is_class = outline_.kind(id) == Kind::class_definition;
        if (const auto name = outline_.child(id, Field::name); name != kNoNode) {
          Binding binding;
          binding.from = outline_[id].end;
          const auto parent = outline_.parent(id);
          binding.certain =
              outline_.parent(outline_.kind(parent) == Kind::decorated_definition ? parent : id) == scopes_[scope].body;
          bind(scope, name, std::move(binding));
        }
        const auto inside =
            enter(is_class ? Scope::Type::class_body : Scope::Type::function, outline_.child(id, Field::body));
        if (const auto parameters = outline_.child(id, Field::parameters); parameters != kNoNode)
          bind_parameters(parameters, inside, scope);
        break;
      }
      case Kind::lambda: {
        const auto inside = enter(Scope::Type::function, kNoNode);
        if (const auto parameters = outline_.child(id, Field::parameters); parameters != kNoNode)
          bind_parameters(parameters, inside, scope);
        break;
      }
      case Kind::list_comprehension:
      case Kind::set_comprehension:
      case Kind::dictionary_comprehension:
      case Kind::generator_expression:
        enter(Scope::Type::inline_block, kNoNode);
        break;
      case Kind::import_statement:
      case Kind::import_from_statement:
      case Kind::future_import_statement:
        bind_import(id, scope);
        break;
      case Kind::assignment: {
        auto value = outline_.child(id, Field::right);
        while (outline_.kind(value) == Kind::assignment) value = outline_.child(value, Field::right);
        if (const auto left = outline_.child(id, Field::left); left != kNoNode && value != kNoNode) {
          auto statement = id;
          while (outline_.kind(outline_.parent(statement)) == Kind::assignment) statement = outline_.parent(statement);
          const auto around = outline_.parent(statement);
          bind_target(
              left, value, Binding::Type::value, scope, outline_[id].end,
              outline_.kind(around) == Kind::expression_statement && outline_.parent(around) == scopes_[scope].body);
        } else if (left != kNoNode && outline_.kind(left) == Kind::identifier) {
          not_a_use_[left] = true;  // x: int
        }
        break;
      }
      case Kind::augmented_assignment:
        if (const auto left = outline_.child(id, Field::left); outline_.kind(left) == Kind::identifier) {
          Binding binding;
          binding.type = Binding::Type::augmented;
          binding.scope = scope;
          binding.node = id;
          binding.from = outline_[id].end;
          binding.certain = outline_.parent(outline_.parent(id)) == scopes_[scope].body;
          bind(scope, left, std::move(binding));
        }
        break;
      case Kind::named_expression: {
        auto target = scope;
        while (scopes_[target].type == Scope::Type::inline_block) target = scopes_[target].parent;
        if (const auto name = outline_.child(id, Field::name); name != kNoNode)
          bind_target(name, outline_.child(id, Field::value), Binding::Type::value, target, outline_[id].end, false,
                      scope);
        break;
      }
      case Kind::for_statement:
      case Kind::for_in_clause: {
        const auto left = outline_.child(id, Field::left), right = outline_.child(id, Field::right);
        if (left == kNoNode) break;
        // A comprehension's names hold in all of it, also in what stands before "for".
        const bool clause = outline_.kind(id) == Kind::for_in_clause;
        bind_target(left, right, Binding::Type::element, scope,
                    clause ? outline_[scopes_[scope].node].begin : outline_[left].end, clause);
        break;
      }
      case Kind::as_pattern:
        if (const auto alias = outline_.child(id, Field::alias); alias != kNoNode)
          if (const auto name = outline_.inner(alias); name != kNoNode)
            bind_target(name, outline_.inner(id), Binding::Type::value, scope, outline_[id].end, false);
        break;
      case Kind::global_statement:
      case Kind::nonlocal_statement:
        for (auto name = outline_.first(id); name != kNoNode; name = outline_.next(name)) {
          not_a_use_[name] = true;
          if (outline_.kind(id) == Kind::global_statement) globals_.insert({scope, outline_.text(name)});
        }
        break;
      case Kind::delete_statement:
        for (auto name = id + 1; name < outline_[id].after; ++name)
          if (outline_.kind(name) == Kind::identifier) not_a_use_[name] = true;
        break;
      case Kind::case_pattern:
        if (const auto name = outline_.inner(id); outline_.kind(name) == Kind::dotted_name &&
                                                  outline_.text(name).find('.') == std::string_view::npos &&
                                                  outline_.inner(name) != kNoNode) {
          Binding binding;
          binding.from = outline_[id].begin;
          bind(scope, outline_.inner(name), std::move(binding));
        }
        break;
      case Kind::keyword_argument:
        if (const auto name = outline_.child(id, Field::name); name != kNoNode) not_a_use_[name] = true;
        break;
      case Kind::attribute:
        if (const auto name = outline_.child(id, Field::attribute); name != kNoNode) not_a_use_[name] = true;
        break;
      default:
        break;
    }
  }
}

void PythonProgram::bind(ScopeId scope, NodeId name, Binding binding) {
  not_a_use_[name] = true;
  if (!globals_.empty() && globals_.contains({scope, outline_.text(name)})) {
    scope = 0;
    binding.certain = false;
  }
  scopes_.bind(scope, outline_.text(name), std::move(binding));
}

void PythonProgram::bind_parameters(NodeId parameters, ScopeId scope, ScopeId outside) {
  for (auto one = outline_.first(parameters); one != kNoNode; one = outline_.next(one)) {
    auto name = one, value = kNoNode;
    const auto kind = outline_.kind(one);
    if (kind == Kind::default_parameter || kind == Kind::typed_default_parameter) {
      name = outline_.child(one, Field::name);
      value = outline_.child(one, Field::value);
    } else if (kind == Kind::typed_parameter) {
      name = outline_.inner(one);
    }
    if (name == kNoNode) continue;
    if (outline_.kind(name) == Kind::list_splat_pattern || outline_.kind(name) == Kind::dictionary_splat_pattern)
      name = outline_.inner(name);
    if (outline_.kind(name) != Kind::identifier) continue;
    Binding binding;
    binding.type = value == kNoNode ? Binding::Type::opaque : Binding::Type::value;
    binding.certain = true;
    binding.node = value;
    binding.scope = outside;
    binding.from = outline_[parameters].begin;
    bind(scope, name, std::move(binding));
  }
}

void PythonProgram::bind_import(NodeId statement, ScopeId scope) {
  const bool from = outline_.kind(statement) == Kind::import_from_statement;
  const bool certain = outline_.parent(statement) == scopes_[scope].body;
  std::string module;
  bool known = outline_.kind(statement) == Kind::import_statement;
  for (auto one = outline_.first(statement); one != kNoNode; one = outline_.next(one)) {
    if (outline_[one].field == Field::module_name) {
      if (outline_.kind(one) == Kind::dotted_name) {
        module = dotted(one);
        known = true;
      }
      continue;
    }
    if (outline_.kind(one) == Kind::wildcard_import && known && stars_.size() < 16) stars_.push_back(module);
    if (outline_[one].field != Field::name) continue;
    const bool renamed = outline_.kind(one) == Kind::aliased_import;
    const auto what = renamed ? outline_.child(one, Field::name) : one;
    const auto alias = renamed ? outline_.child(one, Field::alias) : kNoNode;
    if (what == kNoNode || outline_.inner(what) == kNoNode) continue;
    Binding binding;
    binding.type = known ? Binding::Type::symbol : Binding::Type::opaque;
    binding.certain = certain;
    binding.from = outline_[statement].end;
    const auto name = dotted(what);
    binding.path = from               ? std::string(module).append(".").append(name)
                   : alias != kNoNode ? name
                                      : name.substr(0, name.find('.'));
    bind(scope, alias != kNoNode ? alias : outline_.inner(what), std::move(binding));
  }
}

// `scope` gets the names; the value is evaluated where the statement stands.
void PythonProgram::bind_target(NodeId target, NodeId value, Binding::Type type, ScopeId scope, std::uint32_t from,
                                bool certain, ScopeId value_scope) {
  struct Pair {
    NodeId target, value;
    Binding::Type type;
  };
  std::vector<Pair> todo{{target, value, type}};
  while (!todo.empty()) {
    auto [left, right, how] = todo.back();
    todo.pop_back();
    while (outline_.kind(left) == Kind::parenthesized_expression || outline_.kind(left) == Kind::list_splat_pattern) {
      if (outline_.kind(left) == Kind::list_splat_pattern) how = Binding::Type::opaque;
      left = outline_.inner(left);
    }
    switch (outline_.kind(left)) {
      case Kind::identifier: {
        Binding binding;
        binding.type = right == kNoNode ? Binding::Type::opaque : how;
        binding.certain = certain;
        binding.node = right;
        binding.scope = value_scope == kSameScope ? scope : value_scope;
        binding.from = from;
        bind(scope, left, std::move(binding));
        break;
      }
      case Kind::pattern_list:
      case Kind::tuple_pattern:
      case Kind::list_pattern: {
        while (outline_.kind(right) == Kind::parenthesized_expression) right = outline_.inner(right);
        const auto kind = right == kNoNode ? Kind::other : outline_.kind(right);
        const bool pairwise =
            how == Binding::Type::value && (kind == Kind::expression_list || kind == Kind::tuple || kind == Kind::list);
        auto item = pairwise ? outline_.first(right) : kNoNode;
        bool aligned = pairwise;
        for (auto one = outline_.first(left); one != kNoNode; one = outline_.next(one)) {
          if (outline_.kind(one) == Kind::comment) continue;
          while (item != kNoNode && outline_.kind(item) == Kind::comment) item = outline_.next(item);
          if (outline_.kind(one) == Kind::list_splat_pattern || outline_.kind(item) == Kind::list_splat)
            aligned = false;
          todo.push_back({one, aligned ? item : kNoNode,
                          aligned && item != kNoNode ? Binding::Type::value : Binding::Type::opaque});
          if (item != kNoNode) item = outline_.next(item);
        }
        break;
      }
      default:
        break;  // an attribute or a subscript: nothing that we follow
    }
  }
}

std::string PythonProgram::dotted(NodeId name) const {
  std::string out;
  for (const char c : outline_.text(name))
    if (c != ' ' && c != '\t' && c != '\\' && c != '\n' && c != '\r') out += c;
  return out;
}

}  // namespace hotcell::validate
