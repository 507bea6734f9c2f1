// What an expression of a Python program gives, as far as that follows from constants and imports.
#include <algorithm>

#include "validate/python.h"
#include "validate/text_ops.h"

namespace hotcell::validate {
namespace {

// Deeper than anybody nests by hand, shallow enough for any thread's stack.
constexpr int kMaxDepth = 40;
constexpr unsigned kMaxSteps = 400;

constexpr std::string_view kNamespace = ".__dict__";  // os.__dict__, vars(os): what has members as items
constexpr std::string_view kGlobals = "<globals>";

bool is_namespace(std::string_view symbol) { return symbol.ends_with(kNamespace); }
// Modules that many others import, so that they can be reached through those.
bool is_often_inside(std::string_view name) {
  return name == "os" || name == "sys" || name == "subprocess" || name == "builtins" || name == "importlib";
}
std::string owner_of(std::string_view name_space) {
  return std::string(name_space.substr(0, name_space.size() - kNamespace.size()));
}

}  // namespace

NodeId PythonProgram::Call::positional(std::size_t index) const {
  for (const auto& [name, node] : arguments)
    if (name.empty() && index-- == 0) return node;
  return kNoNode;
}

NodeId PythonProgram::Call::named(std::string_view name) const {
  for (const auto& [own, node] : arguments)
    if (own == name) return node;
  return kNoNode;
}

PythonProgram::Call PythonProgram::call_at(NodeId node) const {
  Call call;
  call.function = outline_.child(node, Field::function);
  const auto list = outline_.child(node, Field::arguments);
  if (list == kNoNode) return call;
  if (outline_.kind(list) != Kind::argument_list) {  // f(x for x in y)
    call.arguments.emplace_back(std::string_view(), list);
    return call;
  }
  for (auto one = outline_.first(list); one != kNoNode && call.arguments.size() < 64; one = outline_.next(one)) {
    switch (outline_.kind(one)) {
      case Kind::comment:
        break;
      case Kind::list_splat:
      case Kind::dictionary_splat:
        call.spread = true;
        break;
      case Kind::keyword_argument: {
        const auto name = outline_.child(one, Field::name), value = outline_.child(one, Field::value);
        if (name != kNoNode && value != kNoNode) call.arguments.emplace_back(outline_.text(name), value);
        break;
      }
      default:
        call.arguments.emplace_back(std::string_view(), one);
    }
  }
  return call;
}

Values PythonProgram::value(NodeId node, ScopeId scope) {
  steps_ = kMaxSteps;
  return evaluate(node, scope, 0);
}

Values PythonProgram::evaluate(NodeId node, ScopeId scope, int depth) {
  while (outline_.kind(node) == Kind::parenthesized_expression || outline_.kind(node) == Kind::await)
    node = outline_.inner(node);
  if (node == kNoNode || depth > kMaxDepth || steps_ == 0) return {};
  --steps_;
  switch (outline_.kind(node)) {
    case Kind::identifier:
      return name_value(outline_.text(node), scope, outline_[node].begin, depth);
    case Kind::dotted_name:
      return outline_.inner(node) == kNoNode ? Values() : evaluate(outline_.inner(node), scope, depth + 1);
    case Kind::attribute: {
      const auto object = outline_.child(node, Field::object), name = outline_.child(node, Field::attribute);
      if (object == kNoNode || name == kNoNode) return {};
      return attribute_of(evaluate(object, scope, depth + 1), outline_.text(name));
    }
    case Kind::string:
    case Kind::concatenated_string:
      return string_value(node, scope, depth);
    case Kind::subscript:
      return subscript_value(node, scope, depth);
    case Kind::call:
      return call_value(node, scope, depth);
    case Kind::binary_operator:
      return operator_value(node, scope, depth);
    case Kind::named_expression:
      return evaluate(outline_.child(node, Field::value), scope, depth + 1);
    case Kind::boolean_operator: {
      auto values = evaluate(outline_.child(node, Field::left), scope, depth + 1);
      values.add(evaluate(outline_.child(node, Field::right), scope, depth + 1));
      return values;
    }
    case Kind::conditional_expression: {  // a if condition else b
      const auto first = outline_.inner(node);
      auto last = first;
      for (auto at = first; at != kNoNode; at = outline_.next(at))
        if (outline_.kind(at) != Kind::comment) last = at;
      auto values = evaluate(first, scope, depth + 1);
      if (last != first) values.add(evaluate(last, scope, depth + 1));
      return values;
    }
    default:
      return {};
  }
}

Values PythonProgram::name_value(std::string_view name, ScopeId scope, std::uint32_t at, int depth) {
  const auto found = scopes_.find(scope, name, at, false);
  Values values;
  for (std::size_t i = 0; i < found.count; ++i) values.add(binding_value(*found.bindings[i], name, scope, depth));
  if (found.outside) {
    if (name == "__builtins__")
      values.add({Value::Type::symbol, "builtins"});
    else
      values.add({Value::Type::symbol, "builtins." + std::string(name)});
    for (const auto& module : stars_) values.add({Value::Type::symbol, module + "." + std::string(name)});
  }
  return values;
}

Values PythonProgram::binding_value(const Binding& binding, std::string_view name, ScopeId, int depth) {
  switch (binding.type) {
    case Binding::Type::opaque:
      return {};
    case Binding::Type::symbol:
      return Values::symbol(binding.path);
    case Binding::Type::value:
      return evaluate(binding.node, binding.scope, depth + 1);
    case Binding::Type::element:
      return elements_of(binding.node, binding.scope, depth + 1);
    case Binding::Type::augmented:
      // What it was before this statement, and what is added.
      if (depth > kMaxDepth || steps_ == 0) return {};
      --steps_;
      return concatenated(name_value(name, binding.scope, outline_[binding.node].begin, depth + 1),
                          evaluate(outline_.child(binding.node, Field::right), binding.scope, depth + 1));
  }
  return {};
}

Values PythonProgram::elements_of(NodeId node, ScopeId scope, int depth) {
  while (outline_.kind(node) == Kind::parenthesized_expression) node = outline_.inner(node);
  if (depth > kMaxDepth || node == kNoNode) return {};
  if (outline_.kind(node) == Kind::identifier) {  // a list that has a name
    const auto found = scopes_.find(scope, outline_.text(node), outline_[node].begin, false);
    Values values;
    for (std::size_t i = 0; i < found.count; ++i)
      if (found.bindings[i]->type == Binding::Type::value && steps_ > 1) {
        --steps_;
        values.add(elements_of(found.bindings[i]->node, found.bindings[i]->scope, depth + 1));
      }
    return values;
  }
  const auto kind = outline_.kind(node);
  if (kind != Kind::list && kind != Kind::tuple && kind != Kind::expression_list && kind != Kind::other) return {};
  Values values;
  unsigned looked_at = 0;
  for (auto one = outline_.first(node); one != kNoNode && ++looked_at <= 8; one = outline_.next(one))
    values.add(evaluate(one, scope, depth + 1));
  return values;
}

Values PythonProgram::attribute_of(const Values& object, std::string_view name) const {
  Values out;
  for (const auto& value : object) {
    if (value.type != Value::Type::symbol) continue;
    const auto& symbol = value.text;
    if (symbol.size() > 400) continue;
    if (name == "__call__" || name == "__func__" || name == "__wrapped__")
      out.add(value);
    else if (name == "__self__" && symbol.starts_with("builtins."))
      out.add({Value::Type::symbol, "builtins"});  // print.__self__ is their module
    else if (name == "__builtins__")
      out.add({Value::Type::symbol, "builtins"});
    else if (name == "__globals__")
      out.add({Value::Type::symbol, std::string(kGlobals) + std::string(kNamespace)});
    else if (name == "__dict__" && is_namespace(symbol))
      out.add(value);
    else if (is_often_inside(name) && !symbol.starts_with("builtins.") && symbol.find('(') == symbol.npos)
      out.add({Value::Type::symbol, std::string(name)});  // shutil.os is os
    else
      out.add({Value::Type::symbol, symbol + "." + std::string(name)});
  }
  return out;
}

// object[key], where object is something with members: vars(os), globals(), sys.modules, __builtins__.
Values PythonProgram::item_of(const Values& object, const std::string& key, ScopeId, std::uint32_t at, int depth) {
  Values out;
  for (const auto& value : object) {
    if (value.type != Value::Type::symbol) continue;
    if (value.text == "sys.modules")
      out.add({Value::Type::symbol, key});
    else if (value.text == "builtins")
      out.add({Value::Type::symbol, "builtins." + key});
    else if (is_namespace(value.text) && owner_of(value.text) == kGlobals)
      // The key's own text may not live as long as a binding's name, but a look-up keeps nothing of it.
      out.add(name_value(key, 0, std::max(at, outline_[0].end), depth + 1));
    else if (is_namespace(value.text))
      out.add({Value::Type::symbol, owner_of(value.text) + "." + key});
  }
  return out;
}

Values PythonProgram::subscript_value(NodeId node, ScopeId scope, int depth) {
  const auto object = outline_.child(node, Field::value), key = outline_.child(node, Field::subscript);
  if (object == kNoNode || key == kNoNode) return {};
  const auto number = [&](NodeId one) -> std::optional<long long> {
    if (outline_.kind(one) == Kind::integer) return integer(outline_.text(one));
    if (outline_.kind(one) == Kind::unary_operator && outline_.text(one).starts_with('-'))
      if (const auto inside = outline_.child(one, Field::argument); outline_.kind(inside) == Kind::integer)
        if (const auto value = integer(outline_.text(inside))) return -*value;
    return std::nullopt;
  };
  const auto values = evaluate(object, scope, depth + 1);
  if (outline_.kind(key) == Kind::slice) {
    // Which of the three parts a number is follows from the colons before it.
    std::optional<long long> parts[3];
    unsigned colons = 0;
    auto at = outline_[key].begin;
    auto part = outline_.first(key);
    const auto whole = outline_.syntax().source();
    while (at < outline_[key].end) {
      if (part != kNoNode && at == outline_[part].begin) {
        if (colons < 3) parts[colons] = number(part);
        if (colons < 3 && !parts[colons]) return {};
        at = std::max(outline_[part].end, at + 1);
        part = outline_.next(part);
        continue;
      }
      if (whole[at] == ':') ++colons;
      ++at;
    }
    Values out;
    for (const auto& value : values)
      if (value.type == Value::Type::text)
        out.add({Value::Type::text, sliced(value.text, parts[0], parts[1], parts[2].value_or(1))});
    return out;
  }
  if (const auto index = number(key)) {
    auto list = object;
    while (outline_.kind(list) == Kind::parenthesized_expression) list = outline_.inner(list);
    if ((outline_.kind(list) == Kind::list || outline_.kind(list) == Kind::tuple) && *index >= 0 && *index < 64) {
      auto one = outline_.first(list);
      for (auto i = *index; i > 0 && one != kNoNode; --i) one = outline_.next(one);
      return one == kNoNode ? Values() : evaluate(one, scope, depth + 1);
    }
    Values out;
    for (const auto& value : values)
      if (value.type == Value::Type::text)
        out.add(
            {Value::Type::text, sliced(value.text, index, *index == -1 ? std::nullopt : std::optional(*index + 1), 1)});
    return out;
  }
  if (values.empty()) return {};
  Values out;
  const auto keys = evaluate(key, scope, depth + 1);
  for (const auto& one : keys)
    if (one.type == Value::Type::text) out.add(item_of(values, one.text, scope, outline_[node].begin, depth + 1));
  return out;
}

Values PythonProgram::operator_value(NodeId node, ScopeId scope, int depth) {
  const auto operation = outline_.child(node, Field::operator_field);
  if (operation == kNoNode) return {};
  const auto sign = outline_.text(operation);
  if (sign != "+" && sign != "%") return {};
  if (sign == "%") {
    const auto left = evaluate(outline_.child(node, Field::left), scope, depth + 1);
    if (left.text() == nullptr) return {};
    auto right = outline_.child(node, Field::right);
    while (outline_.kind(right) == Kind::parenthesized_expression) right = outline_.inner(right);
    std::vector<NodeId> items;
    if (outline_.kind(right) == Kind::tuple)
      for (auto one = outline_.first(right); one != kNoNode && items.size() < 32; one = outline_.next(one))
        items.push_back(one);
    else
      items.push_back(right);
    Values out = Values::constant({});
    std::size_t used = 0;
    std::string_view rest = *left.text();
    while (!rest.empty()) {
      const auto mark = rest.find('%');
      out = concatenated(out, Values::constant(std::string(rest.substr(0, mark))));
      if (mark == rest.npos) return out;
      rest.remove_prefix(mark + 1);
      if (rest.starts_with('%'))
        out = concatenated(out, Values::constant("%"));
      else if (rest.starts_with('s') && used < items.size())
        out = concatenated(out, evaluate(items[used++], scope, depth + 1));
      else
        return concatenated(out, {});
      rest.remove_prefix(1);
    }
    return out;
  }
  const auto operands = operands_of_sum(outline_, node);
  auto out = evaluate(operands.front(), scope, depth + 1);
  for (auto one = operands.begin() + 1; one != operands.end() && !out.empty(); ++one)
    out = concatenated(out, evaluate(*one, scope, depth + 1));
  return out;
}

Values PythonProgram::string_value(NodeId node, ScopeId scope, int depth) {
  if (outline_.kind(node) == Kind::concatenated_string) {
    Values out = Values::constant({});
    for (auto one = outline_.first(node); one != kNoNode; one = outline_.next(one))
      if (outline_.kind(one) == Kind::string) out = concatenated(out, string_value(one, scope, depth + 1));
    return out;
  }
  const auto start = outline_.first(node);
  if (outline_.kind(start) != Kind::string_start) return {};
  bool raw = false;
  for (const char c : outline_.text(start)) raw = raw || c == 'r' || c == 'R';
  const auto source = outline_.syntax().source();
  Values out = Values::constant({});
  auto at = outline_[start].end;
  const auto take = [&](std::uint32_t end) {
    if (end <= at) return;
    const auto piece = source.substr(at, end - at);
    out = concatenated(out, Values::constant(raw ? std::string(piece) : unescaped(piece, true)));
  };
  for (auto one = outline_.next(start); one != kNoNode; one = outline_.next(one)) {
    if (outline_.kind(one) == Kind::interpolation) {
      take(outline_[one].begin);
      const auto inside = outline_.child(one, Field::expression);
      out = concatenated(out, inside == kNoNode ? Values() : evaluate(inside, scope, depth + 1));
      at = outline_[one].end;
    } else if (outline_.kind(one) == Kind::string_end) {
      take(outline_[one].begin);
      at = outline_[one].end;
    }
  }
  return out;
}

}  // namespace hotcell::validate
