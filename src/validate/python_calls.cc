// What the calls give that Python programs use to reach a thing by its name: getattr, __import__, vars, "".join, …
#include <algorithm>

#include "validate/python.h"
#include "validate/text_ops.h"

namespace hotcell::validate {

Values PythonProgram::call_value(NodeId node, ScopeId scope, int depth) {
  const auto call = call_at(node);
  auto function = call.function;
  while (outline_.kind(function) == Kind::parenthesized_expression) function = outline_.inner(function);
  if (function == kNoNode) return {};
  Values out;
  if (outline_.kind(function) == Kind::attribute) {
    const auto object = outline_.child(function, Field::object), name = outline_.child(function, Field::attribute);
    if (object == kNoNode || name == kNoNode) return {};
    const auto objects = evaluate(object, scope, depth + 1);
    const auto method = outline_.text(name);
    for (const auto& one : objects) {
      if (one.type == Value::Type::text) out.add(call_text_method(one.text, method, call, scope, depth));
      // os.__dict__.get("system"), sys.modules.get("os")
      if (one.type == Value::Type::symbol &&
          (method == "get" || method == "__getitem__" || method == "pop" || method == "setdefault"))
        if (const auto key = call.positional(0); key != kNoNode)
          if (const auto keys = evaluate(key, scope, depth + 1); keys.text() != nullptr)
            out.add(item_of(objects, *keys.text(), scope, outline_[node].begin, depth + 1));
      // os.__getattribute__("system")
      if (one.type == Value::Type::symbol && (method == "__getattribute__" || method == "__getattr__") &&
          one.text != "builtins.object")
        if (const auto key = call.positional(0); key != kNoNode)
          if (const auto keys = evaluate(key, scope, depth + 1); keys.text() != nullptr)
            out.add(attribute_of(Values(one), *keys.text()));
    }
    for (const auto& one : attribute_of(objects, method)) out.add(call_symbol(one.text, call, scope, depth));
    return out;
  }
  const auto functions = evaluate(function, scope, depth + 1);
  for (const auto& one : functions)
    if (one.type == Value::Type::symbol) out.add(call_symbol(one.text, call, scope, depth));
  return out;
}

Values PythonProgram::call_symbol(const std::string& symbol, const Call& call, ScopeId scope, int depth) {
  const auto argument = [&](std::size_t index, std::string_view name = {}) {
    auto node = call.positional(index);
    if (node == kNoNode && !name.empty()) node = call.named(name);
    return node == kNoNode ? Values() : evaluate(node, scope, depth + 1);
  };
  const auto is = [&](std::string_view builtin) {
    return symbol.size() == builtin.size() + 9 && symbol.starts_with("builtins.") && symbol.ends_with(builtin);
  };
  Values out;
  if (is("__import__") || symbol == "importlib.import_module" || symbol == "importlib.__import__") {
    const bool top =
        symbol != "importlib.import_module" && call.named("fromlist") == kNoNode && call.positional(3) == kNoNode;
    for (const auto& name : argument(0, "name"))
      if (name.type == Value::Type::text && !name.text.starts_with('.'))
        out.add({Value::Type::symbol, top ? name.text.substr(0, name.text.find('.')) : name.text});
    return out;
  }
  if (symbol == "pydoc.locate" || symbol == "pkgutil.resolve_name") {
    for (const auto& name : argument(0))
      if (name.type == Value::Type::text) out.add({Value::Type::symbol, replaced(name.text, ":", ".")});
    return out;
  }
  if (is("getattr") || is("object.__getattribute__") || symbol == "inspect.getattr_static") {
    const auto object = argument(0);
    const auto name = argument(1);
    if (const auto* text = name.text()) return attribute_of(object, *text);
    for (const auto& one : name)
      if (one.type == Value::Type::text) out.add(attribute_of(object, one.text));
    if (out.empty()) return attribute_of(object, "?");
    return out;
  }
  if (is("globals") || is("locals") || (is("vars") && call.arguments.empty()) || is("dir"))
    return Values::symbol("<globals>.__dict__");
  if (is("vars")) return attribute_of(argument(0), "__dict__");
  if (is("dict")) {  // a copy of such a namespace
    for (const auto& one : argument(0))
      if (one.type == Value::Type::symbol && one.text.ends_with(".__dict__")) out.add(one);
    return out;
  }
  if (is("str") || is("bytes") || is("bytearray") || is("ascii") || symbol == "sys.intern") {
    const auto text = argument(0);
    for (const auto& one : text)
      if (one.type != Value::Type::symbol) out.add(one);
    if (!out.empty()) return out;
    if (const auto list = call.positional(0); outline_.kind(list) == Kind::list && !is("str")) {  // bytes([111, 115])
      std::string made;
      for (auto one = outline_.first(list); one != kNoNode && made.size() < 256; one = outline_.next(one)) {
        const auto number = integer(outline_.text(one));
        if (!number || *number < 0 || *number > 255) return {};
        made += static_cast<char>(*number);
      }
      return Values::constant(std::move(made));
    }
    return out;
  }
  if (is("chr")) {
    if (const auto node = call.positional(0); outline_.kind(node) == Kind::integer)
      if (const auto number = integer(outline_.text(node)); number && *number >= 0 && *number <= 0x10FFFF) {
        std::string made;
        append_utf8(made, static_cast<std::uint32_t>(*number));
        return Values::constant(std::move(made));
      }
    return {};
  }
  if (is("reversed")) {
    for (const auto& one : argument(0))
      if (one.type == Value::Type::text) out.add({Value::Type::text, reversed(one.text)});
    return out;
  }
  if (is("map")) {  // "".join(map(chr, [111, 115]))
    const auto function = argument(0);
    const auto list = call.positional(1);
    if (function.size() == 1 && function.begin()->text == "builtins.chr" && list != kNoNode &&
        (outline_.kind(list) == Kind::list || outline_.kind(list) == Kind::tuple)) {
      std::string made;
      for (auto one = outline_.first(list); one != kNoNode && made.size() < 256; one = outline_.next(one)) {
        const auto number = integer(outline_.text(one));
        if (!number || *number < 0 || *number > 0x10FFFF) return {};
        append_utf8(made, static_cast<std::uint32_t>(*number));
      }
      return Values::constant(std::move(made));
    }
    return {};
  }
  if (symbol.ends_with("b64decode") && symbol.starts_with("base64.")) {
    for (const auto& one : argument(0, "s"))
      if (one.type == Value::Type::text)
        if (auto made = from_base64(one.text)) out.add({Value::Type::text, std::move(*made)});
    return out;
  }
  if (is("bytes.fromhex") || is("bytearray.fromhex") || symbol == "binascii.unhexlify" ||
      symbol == "binascii.a2b_hex") {
    for (const auto& one : argument(0))
      if (one.type == Value::Type::text)
        if (auto made = from_hex(one.text)) out.add({Value::Type::text, std::move(*made)});
    return out;
  }
  if (symbol == "codecs.decode" || symbol == "codecs.encode") {
    const auto codec = argument(1, "encoding");
    const auto* name = codec.text();
    for (const auto& one : argument(0)) {
      if (one.type != Value::Type::text || name == nullptr) continue;
      if (name->starts_with("rot"))
        out.add({Value::Type::text, rot13(one.text)});
      else if (name->starts_with("hex"))
        out.add({Value::Type::text, from_hex(one.text).value_or("")});
      else if (name->starts_with("base64"))
        out.add({Value::Type::text, from_base64(one.text).value_or("")});
      else if (name->starts_with("utf"))
        out.add(one);
    }
    return out;
  }
  if (symbol == "os.path.join" || symbol == "posixpath.join") {
    out = argument(0);
    for (std::size_t i = 1; i < 16 && call.positional(i) != kNoNode; ++i) {
      const auto part = argument(i);
      if (const auto* text = part.text(); text && text->starts_with('/')) {
        out = part;
        continue;
      }
      Values with_slash;
      for (const auto& one : out)
        with_slash.add({one.type, one.type == Value::Type::text && !one.text.empty() && !one.text.ends_with('/')
                                      ? one.text + "/"
                                      : one.text});
      out = concatenated(with_slash, part);
    }
    return call.spread ? concatenated(out, {}) : out;
  }
  if (symbol == "os.path.expanduser" || symbol == "os.path.abspath" || symbol == "os.path.normpath" ||
      symbol == "os.fspath" || symbol == "os.path.realpath")
    return argument(0);
  if (symbol == "operator.attrgetter" || symbol == "operator.methodcaller") {
    if (const auto name = argument(0); name.text() != nullptr) return Values::symbol(symbol + ":" + *name.text());
    return {};
  }
  for (const std::string_view getter : {"operator.attrgetter:", "operator.methodcaller:"})
    if (symbol.starts_with(getter)) {
      for (const auto& one : attribute_of(argument(0), std::string_view(symbol).substr(getter.size())))
        out.add({Value::Type::symbol, getter.starts_with("operator.m") ? one.text + "()" : one.text});
      return out;
    }
  if (symbol == "functools.partial" || symbol == "functools.cache" || symbol == "functools.lru_cache" ||
      symbol == "functools.wraps")
    return argument(0);
  if (symbol.size() > 400) return {};
  return Values::symbol(symbol + "()");
}

Values PythonProgram::call_text_method(const std::string& text, std::string_view method, const Call& call,
                                       ScopeId scope, int depth) {
  const auto argument = [&](std::size_t index) {
    const auto node = call.positional(index);
    return node == kNoNode ? Values() : evaluate(node, scope, depth + 1);
  };
  if (method == "lower" || method == "casefold") return Values::constant(lower(text));
  if (method == "upper") return Values::constant(upper(text));
  if (method == "decode" || method == "encode" || method == "swapcase" || method == "title" || method == "capitalize")
    return method == "decode" || method == "encode" ? Values::constant(text) : Values();
  if (method == "strip" || method == "lstrip" || method == "rstrip") {
    const auto given = argument(0);
    const std::string what = given.text() ? *given.text() : " \t\r\n";
    const auto begin = method == "rstrip" ? 0 : text.find_first_not_of(what);
    if (begin == text.npos) return Values::constant({});
    const auto end = method == "lstrip" ? text.size() : text.find_last_not_of(what) + 1;
    return Values::constant(text.substr(begin, end - std::min(begin, end)));
  }
  if (method == "replace") {
    const auto from = argument(0), to = argument(1);
    if (from.text() && to.text()) return Values::constant(replaced(text, *from.text(), *to.text()));
    return {};
  }
  if (method == "join") {
    const auto list = call.positional(0);
    const auto kind = outline_.kind(list);
    if (kind == Kind::list || kind == Kind::tuple) {
      Values out = Values::constant({});
      bool first = true;
      unsigned looked_at = 0;
      for (auto one = outline_.first(list); one != kNoNode && ++looked_at < 256; one = outline_.next(one)) {
        if (!first) out = concatenated(out, Values::constant(text));
        first = false;
        out = concatenated(out, evaluate(one, scope, depth + 1));
      }
      return out;
    }
    return text.empty() ? argument(0) : Values();
  }
  if (method == "format") {
    Values out = Values::constant({});
    std::size_t next = 0;
    std::string_view rest = text;
    while (!rest.empty()) {
      const auto mark = rest.find_first_of("{}");
      out = concatenated(out, Values::constant(std::string(rest.substr(0, mark))));
      if (mark == rest.npos) return out;
      rest.remove_prefix(mark);
      if (rest.starts_with("{{") || rest.starts_with("}}")) {
        out = concatenated(out, Values::constant(std::string(rest.substr(0, 1))));
        rest.remove_prefix(2);
        continue;
      }
      const auto close = rest.find('}');
      if (!rest.starts_with('{') || close == rest.npos) return concatenated(out, {});
      const auto name = rest.substr(1, close - 1);
      rest.remove_prefix(close + 1);
      const auto number = integer(name);
      if (name.empty() || (number && *number >= 0))
        out = concatenated(out, argument(number ? static_cast<std::size_t>(*number) : next++));
      else if (const auto node = call.named(name); node != kNoNode)
        out = concatenated(out, evaluate(node, scope, depth + 1));
      else
        return concatenated(out, {});
    }
    return out;
  }
  return {};
}

}  // namespace hotcell::validate
