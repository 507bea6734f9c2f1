// What an expression of a JavaScript program gives, as far as that follows from constants and imports.
#include <algorithm>

#include "validate/javascript.h"
#include "validate/text_ops.h"

namespace hotcell::validate {
namespace {

constexpr int kMaxDepth = 40;
constexpr unsigned kMaxSteps = 400;

bool is_global_object(std::string_view name) {
  return name == "globalThis" || name == "global" || name == "window" || name == "self" || name == "root";
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size())
      if (const auto byte = from_hex(text.substr(i + 1, 2))) {
        out += *byte;
        i += 2;
        continue;
      }
    out += text[i];
  }
  return out;
}

}  // namespace

NodeId JavaScriptProgram::function_of(NodeId call) const {
  return outline_.child(call, outline_.kind(call) == Kind::new_expression ? Field::constructor : Field::function);
}

std::vector<NodeId> JavaScriptProgram::arguments_of(NodeId call, bool* spread) const {
  std::vector<NodeId> out;
  const auto list = outline_.child(call, Field::arguments);
  if (list == kNoNode) return out;
  if (outline_.kind(list) == Kind::template_string) return {list};  // tag`text`
  for (auto one = outline_.first(list); one != kNoNode && out.size() < 64; one = outline_.next(one)) {
    if (outline_.kind(one) == Kind::comment) continue;
    if (outline_.kind(one) == Kind::spread_element) {
      if (spread) *spread = true;
      continue;
    }
    out.push_back(one);
  }
  return out;
}

Values JavaScriptProgram::value(NodeId node, ScopeId scope) {
  steps_ = kMaxSteps;
  return evaluate(node, scope, 0);
}

Values JavaScriptProgram::evaluate(NodeId node, ScopeId scope, int depth) {
  for (;;) {
    const auto kind = outline_.kind(node);
    if (kind == Kind::parenthesized_expression || kind == Kind::await_expression) {
      node = outline_.inner(node);
    } else if (kind == Kind::sequence_expression) {  // (0, eval)
      auto last = kNoNode;
      for (auto one = outline_.first(node); one != kNoNode; one = outline_.next(one)) last = one;
      node = last;
    } else if (kind == Kind::assignment_expression) {
      node = outline_.child(node, Field::right);
    } else {
      break;
    }
  }
  if (node == kNoNode || depth > kMaxDepth || steps_ == 0) return {};
  --steps_;
  switch (outline_.kind(node)) {
    case Kind::identifier:
    case Kind::shorthand_property_identifier:
      return name_value(outline_.text(node), scope, outline_[node].begin, depth);
    case Kind::string:
    case Kind::template_string:
      return string_value(node, scope, depth);
    case Kind::member_expression:
    case Kind::subscript_expression:
      return member_value(node, scope, depth);
    case Kind::call_expression:
      return call_value(node, scope, depth);
    case Kind::new_expression: {
      Values out;
      for (const auto& one : evaluate(outline_.child(node, Field::constructor), scope, depth + 1))
        if (one.type == Value::Type::symbol && one.text.size() < 400) out.add({Value::Type::symbol, one.text + "()"});
      return out;
    }
    case Kind::binary_expression:
      return sum_value(node, scope, depth);
    case Kind::ternary_expression: {
      auto out = evaluate(outline_.child(node, Field::consequence), scope, depth + 1);
      out.add(evaluate(outline_.child(node, Field::alternative), scope, depth + 1));
      return out;
    }
    default:
      return {};
  }
}

Values JavaScriptProgram::name_value(std::string_view name, ScopeId scope, std::uint32_t at, int depth) {
  const auto found = scopes_.find(scope, name, at, true);
  Values out;
  for (std::size_t i = 0; i < found.count; ++i) {
    const auto& binding = *found.bindings[i];
    Values values;
    switch (binding.type) {
      case Binding::Type::symbol:
        values = Values::symbol(binding.path);
        break;
      case Binding::Type::value: {
        // An assignment from itself (x = x || y) is no news.
        if (binding.node != kNoNode && at >= outline_[binding.node].begin && at < outline_[binding.node].end &&
            depth > 0)
          break;
        values = evaluate(binding.node, binding.scope, depth + 1);
        std::string_view path = binding.path;
        while (!path.empty()) {
          path.remove_prefix(1);
          const auto end = std::min(path.find('.'), path.size());
          values = member_of(values, path.substr(0, end));
          path.remove_prefix(end);
        }
        break;
      }
      case Binding::Type::augmented: {
        // What the other bindings give, and what is added.
        Values before;
        for (std::size_t j = 0; j < found.count; ++j)
          if (found.bindings[j]->type == Binding::Type::value && found.bindings[j]->path.empty())
            before.add(evaluate(found.bindings[j]->node, found.bindings[j]->scope, depth + 1));
        values = concatenated(before, evaluate(binding.node, binding.scope, depth + 1));
        break;
      }
      default:
        break;
    }
    out.add(values);
  }
  if (found.outside) out.add({Value::Type::symbol, is_global_object(name) ? "globalThis" : std::string(name)});
  return out;
}

Values JavaScriptProgram::member_of(const Values& object, std::string_view name) const {
  Values out;
  for (const auto& value : object) {
    if (value.type != Value::Type::symbol) continue;
    const auto& symbol = value.text;
    if (symbol.size() > 400) continue;
    if (symbol == "globalThis")
      out.add({Value::Type::symbol, is_global_object(name) ? "globalThis"
                                    : name == "?"          ? "globalThis.?"
                                                           : std::string(name)});
    else if (name == "call" || name == "apply" || name == "bind" || name == "default")
      out.add(value);
    else if (name == "require" && (symbol == "module" || symbol == "process.mainModule" || symbol == "require.main"))
      out.add({Value::Type::symbol, "require"});
    else if (symbol == "module.constructor" || symbol == "module.Module")
      out.add({Value::Type::symbol, "module." + std::string(name)});
    else
      out.add({Value::Type::symbol, symbol + "." + std::string(name)});
  }
  return out;
}

// Of a.b and a["b"]: b; "?" where it is computed.
std::string JavaScriptProgram::property_of(NodeId member, ScopeId scope, int depth) {
  if (const auto property = outline_.child(member, Field::property); property != kNoNode)
    return std::string(outline_.text(property));
  if (const auto index = outline_.child(member, Field::index); index != kNoNode) {
    const auto keys = evaluate(index, scope, depth + 1);
    if (keys.text()) return *keys.text();
  }
  return "?";
}

Values JavaScriptProgram::member_value(NodeId node, ScopeId scope, int depth) {
  auto object = outline_.child(node, Field::object);
  while (outline_.kind(object) == Kind::parenthesized_expression) object = outline_.inner(object);
  if (object == kNoNode) return {};
  if (const auto index = outline_.child(node, Field::index); outline_.kind(index) == Kind::number) {
    const auto at = integer(outline_.text(index));
    if (outline_.kind(object) != Kind::array || !at || *at < 0 || *at >= 64) return {};
    auto one = outline_.first(object);
    for (auto i = *at; i > 0 && one != kNoNode; --i) one = outline_.next(one);
    return one == kNoNode ? Values() : evaluate(one, scope, depth + 1);
  }
  if (outline_.kind(node) == Kind::member_expression && outline_.child(node, Field::property) == kNoNode) return {};
  const auto name = property_of(node, scope, depth);
  if (name == "constructor") {
    // The constructor of a function is Function, which is eval by another name: (()=>{}).constructor,
    // [].map.constructor, "".constructor.constructor.
    const auto kind = outline_.kind(object);
    bool function =
        kind == Kind::function_expression || kind == Kind::arrow_function || kind == Kind::generator_function;
    if (kind == Kind::member_expression || kind == Kind::subscript_expression) {
      const auto below = outline_.kind(outline_.child(object, Field::object));
      function = below == Kind::array || below == Kind::string || below == Kind::number || below == Kind::regex ||
                 below == Kind::object;
      function = function || property_of(object, scope, depth) == "constructor";
    }
    if (function) return Values::symbol("Function");
  }
  return member_of(evaluate(object, scope, depth + 1), name);
}

Values JavaScriptProgram::sum_value(NodeId node, ScopeId scope, int depth) {
  const auto operation = outline_.child(node, Field::operator_field);
  if (operation == kNoNode) return {};
  const auto sign = outline_.text(operation);
  if (sign == "||" || sign == "&&" || sign == "??") {
    auto out = evaluate(outline_.child(node, Field::left), scope, depth + 1);
    out.add(evaluate(outline_.child(node, Field::right), scope, depth + 1));
    return out;
  }
  if (sign != "+") return {};
  const auto operands = operands_of_sum(outline_, node);
  auto out = evaluate(operands.front(), scope, depth + 1);
  for (auto one = operands.begin() + 1; one != operands.end() && !out.empty(); ++one)
    out = concatenated(out, evaluate(*one, scope, depth + 1));
  return out;
}

Values JavaScriptProgram::string_value(NodeId node, ScopeId scope, int depth) {
  const auto whole = outline_[node];
  if (whole.end - whole.begin < 2) return {};
  const auto source = outline_.syntax().source();
  const auto plain = [&](std::uint32_t from, std::uint32_t to) {
    return Values::constant(unescaped(source.substr(from, to - std::min(from, to)), false));
  };
  if (outline_.kind(node) == Kind::string) return plain(whole.begin + 1, whole.end - 1);
  Values out = Values::constant({});
  auto at = whole.begin + 1;
  for (auto one = outline_.first(node); one != kNoNode; one = outline_.next(one)) {
    if (outline_.kind(one) != Kind::template_substitution) continue;
    out = concatenated(out, plain(at, outline_[one].begin));
    const auto inside = outline_.inner(one);
    if (outline_.kind(inside) == Kind::number)
      out = concatenated(out, Values::constant(std::string(outline_.text(inside))));
    else
      out = concatenated(out, inside == kNoNode ? Values() : evaluate(inside, scope, depth + 1));
    at = outline_[one].end;
  }
  return concatenated(out, plain(at, whole.end - 1));
}

Values JavaScriptProgram::joined(NodeId array, const std::vector<NodeId>& arguments, ScopeId scope, int depth) {
  Values between = Values::constant(",");
  if (!arguments.empty()) between = evaluate(arguments[0], scope, depth + 1);
  Values out = Values::constant({});
  unsigned count = 0;
  for (auto one = outline_.first(array); one != kNoNode && ++count < 256; one = outline_.next(one)) {
    if (count > 1) out = concatenated(out, between);
    out = concatenated(out, evaluate(one, scope, depth + 1));
  }
  return out;
}

Values JavaScriptProgram::call_value(NodeId node, ScopeId scope, int depth) {
  auto function = function_of(node);
  while (outline_.kind(function) == Kind::parenthesized_expression) function = outline_.inner(function);
  if (function == kNoNode) return {};
  const auto arguments = arguments_of(node);
  Values out;
  if (outline_.kind(function) == Kind::import) return call_symbol("require", arguments, scope, depth);
  if (outline_.kind(function) == Kind::member_expression || outline_.kind(function) == Kind::subscript_expression) {
    auto object = outline_.child(function, Field::object);
    while (outline_.kind(object) == Kind::parenthesized_expression) object = outline_.inner(object);
    const auto method = property_of(function, scope, depth);
    if (method == "join" && outline_.kind(object) == Kind::array) return joined(object, arguments, scope, depth);
    if (object != kNoNode) {
      for (const auto& one : evaluate(object, scope, depth + 1)) {
        if (one.type == Value::Type::text) out.add(text_method(one.text, method, arguments, scope, depth));
        // require.call(null, "fs"): its own arguments begin one later.
        if (one.type == Value::Type::symbol && method == "call" && !arguments.empty())
          return call_symbol(one.text, {arguments.begin() + 1, arguments.end()}, scope, depth);
        if (one.type == Value::Type::symbol && method == "bind" && arguments.size() < 2) return Values(one);
        if (one.type == Value::Type::symbol && (method == "then" || method == "catch")) return out;
      }
    }
  }
  for (const auto& one : evaluate(function, scope, depth + 1))
    if (one.type == Value::Type::symbol) out.add(call_symbol(one.text, arguments, scope, depth));
  return out;
}

Values JavaScriptProgram::call_symbol(const std::string& symbol, const std::vector<NodeId>& arguments, ScopeId scope,
                                      int depth) {
  const auto argument = [&](std::size_t index) {
    return index < arguments.size() ? evaluate(arguments[index], scope, depth + 1) : Values();
  };
  Values out;
  if (symbol == "require" || symbol == "process.getBuiltinModule" || symbol == "module._load" ||
      symbol == "module.createRequire()") {
    for (const auto& one : argument(0))
      if (one.type == Value::Type::text) out.add({Value::Type::symbol, std::string(plain_module(one.text))});
    return out;
  }
  if (symbol == "module.createRequire") return Values::symbol("require");
  if (symbol == "Reflect.get") {
    const auto key = argument(1);
    return member_of(argument(0), key.text() ? std::string_view(*key.text()) : "?");
  }
  if (symbol == "Promise.resolve" || symbol == "util.promisify" || symbol == "Object.assign" ||
      symbol == "Object.freeze" || symbol == "Object.create")
    return argument(symbol == "Object.assign" ? 1 : 0);
  if (symbol == "String" || symbol == "String.raw" || symbol == "decodeURI") return argument(0);
  if (symbol == "String.fromCharCode" || symbol == "String.fromCodePoint") {
    std::string made;
    for (const auto one : arguments) {
      const auto number = outline_.kind(one) == Kind::number ? integer(outline_.text(one)) : std::nullopt;
      if (!number || *number < 0 || *number > 0x10FFFF) return {};
      append_utf8(made, static_cast<std::uint32_t>(*number));
    }
    return Values::constant(std::move(made));
  }
  if (symbol == "atob" || symbol == "unescape" || symbol == "decodeURIComponent" || symbol == "Buffer.from" ||
      symbol == "buffer.Buffer.from") {
    const auto coding = argument(1);
    for (const auto& one : argument(0)) {
      if (one.type != Value::Type::text) continue;
      if (symbol == "atob" || (coding.text() && coding.text()->starts_with("base64")))
        out.add({Value::Type::text, from_base64(one.text).value_or("")});
      else if (coding.text() && *coding.text() == "hex")
        out.add({Value::Type::text, from_hex(one.text).value_or("")});
      else
        out.add({Value::Type::text, symbol.ends_with("from") ? one.text : percent_decoded(one.text)});
    }
    return out;
  }
  if (symbol.size() > 400) return {};
  return Values::symbol(symbol + "()");
}

Values JavaScriptProgram::text_method(const std::string& text, std::string_view method,
                                      const std::vector<NodeId>& arguments, ScopeId scope, int depth) {
  const auto argument = [&](std::size_t index) {
    return index < arguments.size() ? evaluate(arguments[index], scope, depth + 1) : Values();
  };
  const auto number = [&](std::size_t index) -> std::optional<long long> {
    if (index >= arguments.size()) return std::nullopt;
    const auto words = outline_.text(arguments[index]);
    if (words.starts_with('-')) {
      const auto value = integer(words.substr(1));
      return value ? std::optional(-*value) : std::nullopt;
    }
    return integer(words);
  };
  if (method == "toLowerCase") return Values::constant(lower(text));
  if (method == "toUpperCase") return Values::constant(upper(text));
  if (method == "toString" || method == "valueOf" || method == "normalize") return Values::constant(text);
  if (method == "trim") {
    const auto begin = text.find_first_not_of(" \t\r\n");
    return Values::constant(begin == text.npos ? "" : text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin));
  }
  if (method == "concat") {
    Values out = Values::constant(text);
    for (std::size_t i = 0; i < arguments.size(); ++i) out = concatenated(out, argument(i));
    return out;
  }
  // A string that is split into its letters is a string to us: "lave".split("").reverse().join("").
  if (method == "split" || method == "join") {
    const auto by = argument(0);
    return by.text() && by.text()->empty() ? Values::constant(text) : Values();
  }
  if (method == "reverse") return Values::constant(reversed(text));
  if (method == "replace" || method == "replaceAll") {
    const auto from = argument(0), to = argument(1);
    return from.text() && to.text() ? Values::constant(replaced(text, *from.text(), *to.text())) : Values();
  }
  if (method == "slice" || method == "substring") return Values::constant(sliced(text, number(0), number(1), 1));
  if (method == "substr" && number(0)) {
    const auto from = *number(0) < 0 ? *number(0) + static_cast<long long>(text.size()) : *number(0);
    const auto count = number(1);
    return Values::constant(sliced(text, from, count ? std::optional(from + *count) : std::nullopt, 1));
  }
  if ((method == "charAt" || method == "at") && number(0))
    return Values::constant(
        sliced(text, number(0), *number(0) == -1 ? std::nullopt : std::optional(*number(0) + 1), 1));
  return {};
}

}  // namespace hotcell::validate
