// First walk over a JavaScript program: which scope binds which name to what.
#include "validate/javascript.h"

namespace hotcell::validate {

std::string_view plain_module(std::string_view name) {
  if (name.starts_with("node:")) name.remove_prefix(5);
  return name;
}

JavaScriptProgram::JavaScriptProgram(const Outline& outline) : outline_(outline), not_a_use_(outline.size()) {
  scopes_.add({Scope::Type::module, 0, 0, 0});
  scope_of_.push_back({0, 0});
  std::vector<ScopeId> open{0};
  for (NodeId id = 1; id < outline_.size(); ++id) {
    while (open.size() > 1 && id >= outline_[scopes_[open.back()].node].after) {
      open.pop_back();
      scope_of_.push_back({id, open.back()});
    }
    const auto scope = open.back();
    const auto enter = [&](Scope::Type type) {
      if (open.size() >= kDeepestScope) return scope;
      open.push_back(scopes_.add({type, id, id, scope}));
      scope_of_.push_back({id + 1, open.back()});
      return open.back();
    };
    const auto bind_name = [&](ScopeId where) {
      if (const auto name = outline_.child(id, Field::name); outline_.kind(name) == Kind::identifier) {
        Binding binding;
        binding.certain = true;
        bind(where, name, std::move(binding));
      }
    };
    switch (outline_.kind(id)) {
      case Kind::function_declaration:
      case Kind::generator_function_declaration:
        bind_name(scope);
        bind_function(id, enter(Scope::Type::function), scope);
        break;
      case Kind::function_expression:
      case Kind::generator_function: {
        const auto inside = enter(Scope::Type::function);
        bind_name(inside);
        bind_function(id, inside, scope);
        break;
      }
      case Kind::arrow_function:
      case Kind::method_definition:
        bind_function(id, enter(Scope::Type::function), scope);
        break;
      case Kind::class_declaration:
        bind_name(scope);
        break;
      case Kind::statement_block:
      case Kind::class_static_block:
      case Kind::for_statement:
        enter(Scope::Type::inline_block);
        break;
      case Kind::for_in_statement: {
        // Declared by its own "const" or "let"; without one it assigns, and that is no declaration.
        const auto inside = enter(Scope::Type::inline_block);
        const auto left = outline_.child(id, Field::left);
        if (left == kNoNode) break;
        const auto head =
            outline_.syntax().source().substr(outline_[id].begin, outline_[left].begin - outline_[id].begin);
        if (head.find("const") != head.npos || head.find("let") != head.npos || head.find("var") != head.npos)
          bind_pattern(left, kNoNode, inside, scope, {}, true);
        break;
      }
      case Kind::catch_clause: {
        const auto inside = enter(Scope::Type::inline_block);
        if (const auto name = outline_.child(id, Field::parameter); name != kNoNode)
          bind_pattern(name, kNoNode, inside, scope, {}, true);
        break;
      }
      case Kind::variable_declarator:
        if (const auto name = outline_.child(id, Field::name); name != kNoNode) {
          const bool is_var = outline_.kind(outline_.parent(id)) == Kind::variable_declaration;
          bind_pattern(name, outline_.child(id, Field::value), is_var ? function_scope(scope) : scope, scope, {}, true);
        }
        break;
      case Kind::import_statement:
        bind_import(id, scope);
        break;
      case Kind::export_specifier:
        for (auto one = outline_.first(id); one != kNoNode; one = outline_.next(one)) {
          const auto statement = outline_.parent(outline_.parent(id));
          if (outline_[one].field == Field::alias || outline_.child(statement, Field::source) != kNoNode)
            not_a_use_[one] = true;
        }
        break;
      case Kind::assignment_expression:
      case Kind::augmented_assignment_expression: {
        const auto left = outline_.child(id, Field::left), right = outline_.child(id, Field::right);
        if (left != kNoNode && right != kNoNode)
          assignments_.push_back({left, right, scope, outline_.kind(id) == Kind::augmented_assignment_expression});
        break;
      }
      default:
        break;
    }
  }
  bind_assignments();
}

ScopeId JavaScriptProgram::function_scope(ScopeId scope) const {
  while (scope != 0 && scopes_[scope].type == Scope::Type::inline_block) scope = scopes_[scope].parent;
  return scope;
}

void JavaScriptProgram::bind(ScopeId scope, NodeId name, Binding binding) {
  not_a_use_[name] = true;
  scopes_.bind(scope, outline_.text(name), std::move(binding));
}

void JavaScriptProgram::bind_function(NodeId function, ScopeId inside, ScopeId outside) {
  // import("fs").then(({readFile}) => …): the first parameter is what was promised.
  NodeId promised = kNoNode;
  const auto list = outline_.parent(function);
  if (outline_.kind(list) == Kind::arguments && outline_.first(list) == function) {
    const auto callee = function_of(outline_.parent(list));
    if (outline_.kind(callee) == Kind::member_expression)
      if (const auto property = outline_.child(callee, Field::property);
          property != kNoNode && outline_.text(property) == "then")
        promised = outline_.child(callee, Field::object);
  }
  if (const auto name = outline_.child(function, Field::parameter); name != kNoNode) {  // x => …
    bind_pattern(name, promised, inside, outside, {}, true);
    return;
  }
  const auto parameters = outline_.child(function, Field::parameters);
  if (parameters == kNoNode) return;
  for (auto one = outline_.first(parameters); one != kNoNode; one = outline_.next(one)) {
    if (outline_.kind(one) == Kind::comment) continue;
    bind_pattern(one, promised, inside, outside, {}, true);
    promised = kNoNode;
  }
}

std::string JavaScriptProgram::key_text(NodeId key, ScopeId scope) {
  switch (outline_.kind(key)) {
    case Kind::property_identifier:
    case Kind::identifier:
      return std::string(outline_.text(key));
    case Kind::computed_property_name:
      key = outline_.inner(key);
      [[fallthrough]];
    default: {
      if (key == kNoNode) return "?";
      const auto values = value(key, scope);
      return values.text() ? *values.text() : "?";
    }
  }
}

void JavaScriptProgram::bind_pattern(NodeId pattern, NodeId value, ScopeId scope, ScopeId value_scope, std::string path,
                                     bool certain) {
  struct Part {
    NodeId pattern, value;
    std::string path;
  };
  std::vector<Part> todo;
  todo.push_back({pattern, value, std::move(path)});
  while (!todo.empty()) {
    auto part = std::move(todo.back());
    todo.pop_back();
    while (outline_.kind(part.pattern) == Kind::parenthesized_expression) part.pattern = outline_.inner(part.pattern);
    if (part.pattern == kNoNode || part.path.size() > 256) continue;
    switch (outline_.kind(part.pattern)) {
      case Kind::identifier:
      case Kind::shorthand_property_identifier_pattern: {
        Binding binding;
        binding.type = part.value == kNoNode ? Binding::Type::opaque : Binding::Type::value;
        binding.certain = certain;
        binding.node = part.value;
        binding.scope = value_scope;
        if (outline_.kind(part.pattern) == Kind::shorthand_property_identifier_pattern)
          part.path += "." + std::string(outline_.text(part.pattern));
        binding.path = std::move(part.path);
        bind(scope, part.pattern, std::move(binding));
        break;
      }
      case Kind::object_pattern:
        for (auto one = outline_.first(part.pattern); one != kNoNode; one = outline_.next(one))
          todo.push_back({one, part.value, part.path});
        break;
      case Kind::pair_pattern: {
        const auto key = outline_.child(part.pattern, Field::key);
        todo.push_back({outline_.child(part.pattern, Field::value), part.value,
                        part.path + "." + (key == kNoNode ? std::string("?") : key_text(key, value_scope))});
        break;
      }
      case Kind::object_assignment_pattern:
      case Kind::assignment_pattern: {
        const auto left = outline_.child(part.pattern, Field::left);
        if (left == kNoNode) break;
        todo.push_back({left, part.value, part.path});
        // Its default, only for a plain name: it may be either.
        if (outline_.kind(left) == Kind::identifier ||
            outline_.kind(left) == Kind::shorthand_property_identifier_pattern) {
          Binding binding;
          binding.type = Binding::Type::value;
          binding.node = outline_.child(part.pattern, Field::right);
          binding.scope = value_scope;
          if (binding.node != kNoNode) bind(scope, left, std::move(binding));
        }
        break;
      }
      case Kind::rest_pattern:
        todo.push_back({outline_.inner(part.pattern), part.value, part.path});
        break;
      case Kind::array_pattern: {
        auto item =
            part.path.empty() && outline_.kind(part.value) == Kind::array ? outline_.first(part.value) : kNoNode;
        for (auto one = outline_.first(part.pattern); one != kNoNode; one = outline_.next(one)) {
          todo.push_back({one, item, {}});
          if (item != kNoNode) item = outline_.next(item);
        }
        break;
      }
      default:
        break;
    }
  }
}

std::string JavaScriptProgram::source_of(NodeId statement) {
  const auto source = outline_.child(statement, Field::source);
  if (source == kNoNode) return {};
  const auto values = value(source, 0);
  return values.text() ? std::string(plain_module(*values.text())) : std::string();
}

void JavaScriptProgram::bind_import(NodeId statement, ScopeId scope) {
  const auto module = source_of(statement);
  for (auto id = statement + 1; id < outline_[statement].after; ++id) {
    const auto kind = outline_.kind(id);
    if (kind != Kind::identifier) continue;
    not_a_use_[id] = true;
    const auto parent = outline_.parent(id);
    Binding binding;
    binding.type = Binding::Type::symbol;
    binding.certain = true;
    binding.path = module;
    if (outline_.kind(parent) == Kind::import_specifier) {
      const bool renamed = outline_.child(parent, Field::alias) != kNoNode;
      if (renamed && outline_[id].field != Field::alias) continue;
      const auto name = outline_.child(parent, Field::name);
      const auto text = name == kNoNode ? std::string_view() : outline_.text(name);
      if (text != "default") binding.path += "." + std::string(text);
    }
    bind(scope, id, std::move(binding));
  }
}

// After all declarations are known: an assignment belongs to the scope that declares the name.
void JavaScriptProgram::bind_assignments() {
  for (const auto& [left, right, scope, adds] : assignments_) {
    if (outline_.kind(left) == Kind::identifier) {
      auto owner = scope;
      while (owner != 0 && !scopes_.binds(owner, outline_.text(left))) owner = scopes_[owner].parent;
      Binding binding;
      binding.type = adds ? Binding::Type::augmented : Binding::Type::value;
      binding.node = right;
      binding.scope = scope;
      binding.from = outline_[right].begin;
      scopes_.bind(owner, outline_.text(left), std::move(binding));
      not_a_use_[left] = true;
    } else if (!adds && (outline_.kind(left) == Kind::object_pattern || outline_.kind(left) == Kind::array_pattern)) {
      bind_pattern(left, right, function_scope(scope), scope, {}, false);
    }
  }
  assignments_.clear();
}

}  // namespace hotcell::validate
