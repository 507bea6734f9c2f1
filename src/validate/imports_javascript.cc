// JavaScript's imports: static ones, `export … from`, import("x"), require("x") with its relatives (require.resolve,
// module.require, createRequire). A `require` that is a function's parameter is somebody else's: bundles bring their
// own module system along, and its names are no packages.
#include <algorithm>

#include "validate/imports_internal.h"

namespace hotcell::validate::imports {
namespace {

struct Grammar : GrammarNames {
  Grammar() : GrammarNames{grammar_of(protocol::Language::javascript)} {}
  const TSSymbol import_statement = symbol("import_statement"), export_statement = symbol("export_statement"),
                 call = symbol("call_expression"), import = symbol("import"), identifier = symbol("identifier"),
                 member = symbol("member_expression"), string = symbol("string"), fragment = symbol("string_fragment"),
                 escape = symbol("escape_sequence"), template_string = symbol("template_string"),
                 binary = symbol("binary_expression"), attempt = symbol("try_statement"),
                 handler = symbol("catch_clause"), block = symbol("statement_block"),
                 declarator = symbol("variable_declarator"), pattern = symbol("object_pattern"),
                 shorthand = symbol("shorthand_property_identifier_pattern"), pair = symbol("pair_pattern"),
                 await = symbol("await_expression"), throws = symbol("throw_statement"),
                 clause = symbol("import_clause"), named_imports = symbol("named_imports"),
                 specifier = symbol("import_specifier"), namespace_import = symbol("namespace_import"),
                 comment = symbol("comment"), parentheses = symbol("parenthesized_expression"),
                 new_expression = symbol("new_expression");
  const std::array<TSSymbol, 6> functions{symbol("function_declaration"), symbol("function_expression"),
                                          symbol("arrow_function"),       symbol("generator_function_declaration"),
                                          symbol("generator_function"),   symbol("method_definition")};
  const std::array<TSSymbol, 7> conditional{symbol("if_statement"),
                                            symbol("else_clause"),
                                            symbol("switch_case"),
                                            symbol("switch_default"),
                                            symbol("ternary_expression"),
                                            symbol("while_statement"),
                                            handler};
  const TSFieldId source = named("source"), callee = named("function"), arguments = named("arguments"),
                  object = named("object"), property = named("property"), body = named("body"), name = named("name"),
                  value = named("value"), parameters = named("parameters"), key = named("key"), alias = named("alias"),
                  handler_field = named("handler"), left = named("left"), right = named("right"),
                  op = named("operator"), constructor = named("constructor");
};

const Grammar& grammar() {
  static const Grammar known;
  return known;
}

template <class List>
bool contains(const List& list, const typename List::value_type& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

class Finder {
 public:
  explicit Finder(const Syntax& syntax) : syntax_(syntax) {
    uses_.bind("process", "process");
    uses_.bind("Worker", "Worker");
    uses_.bind("fetch", "fetch");
    uses_.bind("WebSocket", "WebSocket");
  }

  ImportReport find() {
    walk(
        syntax_.root(), [this](TSNode node, TSFieldId in) { return enter(node, in); },
        [this](TSNode node) { frames_.leave(node); });
    report_.uses = uses_.resolve();
    return std::move(report_);
  }

 private:
  Step enter(TSNode node, TSFieldId in) {
    const auto symbol = ts_node_symbol(node);
    if (symbol == g_.comment || symbol == g_.string) return Step::over;
    if (symbol == g_.import_statement || symbol == g_.export_statement) {
      const auto source = field(node, g_.source);
      if (ts_node_is_null(source)) return Step::into;
      from(node, source);
      return Step::over;
    }
    if (symbol == g_.call) return call(node), Step::into;
    if (symbol == g_.member) return member(node);
    if (symbol == g_.declarator) return declarator(node), Step::into;
    if (symbol == g_.new_expression) {
      const auto constructor = field(node, g_.constructor);
      if (ts_node_symbol(constructor) == g_.identifier)
        uses_.chain(syntax_.text(constructor), frames_.place(), constructor);
      return Step::into;
    }
    if (symbol == g_.attempt) {
      auto& frame = frames_.push(node);
      frame.kind = Kind::attempt;
      frame.guards = guards(node);
      if (frame.guards) frame.place.attempt = begin_attempt(report_, frame.place);
      return Step::into;
    }
    if (symbol == g_.block) {
      const auto& around = frames_.top();
      if (around.kind == Kind::attempt && in == g_.body && around.guards) frames_.push(node).place.guarded = true;
      return Step::into;
    }
    if (contains(g_.functions, symbol)) {
      auto& place = frames_.push(node).place;
      place.deferred = true;
      place.guarded = place.fallback = false;
      place.attempt = 0;
      place.shadowed |= names_require(field(node, g_.parameters));
      return Step::into;
    }
    if (contains(g_.conditional, symbol)) {
      const bool fallback = symbol == g_.handler && frames_.top().guards;
      auto& place = frames_.push(node).place;
      place.conditional = true;
      place.fallback |= fallback;
    }
    return Step::into;
  }

  bool names_require(TSNode parameters) {
    if (ts_node_is_null(parameters)) return false;
    const auto text = syntax_.text(parameters);
    if (text.size() > 500) return false;
    for (auto at = text.find("require"); at != text.npos; at = text.find("require", at + 1)) {
      const auto outside = [&](std::size_t i) { return i >= text.size() || !is_chain(text.substr(i, 1)); };
      if ((at == 0 || outside(at - 1)) && outside(at + 7)) return true;
    }
    return false;
  }

  // try { require("x") } catch { … } goes on without x, unless the handler throws again.
  bool guards(TSNode node) {
    const auto handler = field(node, g_.handler_field);
    if (ts_node_is_null(handler)) return false;
    const auto body = field(handler, g_.body);
    if (ts_node_is_null(body)) return true;
    Cursor cursor(body);
    if (!ts_tree_cursor_goto_first_child(cursor.get())) return true;
    do {
      if (ts_node_symbol(cursor.node()) == g_.throws || syntax_.text(cursor.node()).starts_with("process.exit("))
        return false;
    } while (ts_tree_cursor_goto_next_sibling(cursor.get()));
    return true;
  }

  void add(std::string specifier, TSNode node, bool dynamic, bool optional = false) {
    if (specifier.empty() || specifier.size() > 1000) return;
    if (report_.imports.size() >= kMostImports) {
      report_.truncated = true;
      return;
    }
    auto import = import_at(frames_.place(), node);
    import.relative = specifier[0] == '.' || specifier[0] == '/' || specifier[0] == '#';
    import.dynamic = dynamic;
    import.optional |= optional;
    import.module = std::move(specifier);
    report_.imports.push_back(std::move(import));
  }

  // import a, {b as c} from "x"; export … from "x". Both are carried out before anything else.
  void from(TSNode node, TSNode source) {
    std::string specifier;
    if (!constant(source, specifier, 0)) return;
    Cursor cursor(node);
    if (ts_tree_cursor_goto_first_child(cursor.get())) do {
        if (ts_node_symbol(cursor.node()) == g_.clause) bind_clause(cursor.node(), bare(specifier));
      } while (ts_tree_cursor_goto_next_sibling(cursor.get()));
    add(std::move(specifier), node, false);
  }

  static std::string bare(const std::string& specifier) {
    return specifier.starts_with("node:") ? specifier.substr(5) : specifier;
  }

  void bind_clause(TSNode clause, const std::string& module) {
    for (std::uint32_t i = 0, n = std::min(ts_node_named_child_count(clause), 8u); i < n; ++i) {
      const auto child = ts_node_named_child(clause, i);
      const auto symbol = ts_node_symbol(child);
      if (symbol == g_.identifier) {
        uses_.bind(syntax_.text(child), module);
      } else if (symbol == g_.namespace_import) {
        uses_.bind(syntax_.text(ts_node_named_child(child, 0)), module);
      } else if (symbol == g_.named_imports) {
        bind_members(child, module, g_.specifier, g_.name, g_.alias);
      }
    }
  }

  void bind_members(TSNode list, const std::string& module, TSSymbol kind, TSFieldId name, TSFieldId alias) {
    Cursor cursor(list);
    if (!ts_tree_cursor_goto_first_child(cursor.get())) return;
    do {
      const auto child = cursor.node();
      const auto symbol = ts_node_symbol(child);
      if (symbol == g_.shorthand) {
        const auto text = syntax_.text(child);
        uses_.bind(text, module + "." + std::string(text));
        uses_.add(module + "." + std::string(text), frames_.place(), child);
      } else if (symbol == kind) {
        const auto member = field(child, name), bound = field(child, alias);
        const std::string target = module + "." + std::string(syntax_.text(member));
        uses_.bind(syntax_.text(ts_node_is_null(bound) ? member : bound), target);
        uses_.add(target, frames_.place(), child);
      }
    } while (ts_tree_cursor_goto_next_sibling(cursor.get()));
  }

  // const x = require("m"), {y, z: w} = await import("m"), load = createRequire(import.meta.url)
  void declarator(TSNode node) {
    auto value = field(node, g_.value);
    const auto name = field(node, g_.name);
    if (ts_node_is_null(value) || ts_node_is_null(name)) return;
    for (int i = 0; i < 4 && (ts_node_symbol(value) == g_.await || ts_node_symbol(value) == g_.parentheses); ++i)
      value = ts_node_named_child(value, 0);
    if (ts_node_is_null(value) || ts_node_symbol(value) != g_.call) return;
    const auto callee = syntax_.text(field(value, g_.callee));
    if (callee == "createRequire" || callee.ends_with(".createRequire")) {
      if (ts_node_symbol(name) == g_.identifier && loaders_.size() < 16) loaders_.emplace_back(syntax_.text(name));
      return;
    }
    if (callee != "require" && callee != "import" && !contains(loaders_, callee)) return;
    std::string module;
    if (!argument(value, module)) return;
    module = bare(module);
    if (ts_node_symbol(name) == g_.identifier) {
      uses_.bind(syntax_.text(name), module);
    } else if (ts_node_symbol(name) == g_.pattern) {
      bind_members(name, module, g_.pair, g_.key, g_.value);
    }
  }

  void call(TSNode node) {
    const auto function = field(node, g_.callee);
    if (ts_node_is_null(function)) return;
    const auto symbol = ts_node_symbol(function);
    if (symbol == g_.member && caught(function)) {
      auto& place = frames_.push(node).place;
      place.guarded = true;
      return;
    }
    const auto callee = syntax_.text(function);
    bool imports = symbol == g_.import, asks = false;
    if (symbol == g_.identifier) {
      imports = (callee == "require" && !frames_.place().shadowed) || contains(loaders_, callee);
      if (!imports) uses_.chain(callee, frames_.place(), function);
    }
    if (symbol == g_.member && callee.size() < 64) {
      asks = callee == "require.resolve" && !frames_.place().shadowed;
      imports |= callee == "module.require" || asks;
    }
    // createRequire(import.meta.url)("x")
    if (symbol == g_.call) {
      const auto maker = syntax_.text(field(function, g_.callee));
      imports |= maker == "createRequire" || maker.ends_with(".createRequire");
    }
    // require("child_process").execSync
    if (!imports) return;
    std::string module;
    if (argument(node, module)) {
      add(std::move(module), node, symbol == g_.import, asks);
    } else {
      report_.dynamic_unknown = true;
    }
  }

  // import("x").catch(…): the program goes on without x.
  bool caught(TSNode member) {
    if (syntax_.text(field(member, g_.property)) != "catch") return false;
    auto object = field(member, g_.object);
    for (int i = 0; i < 8 && ts_node_symbol(object) == g_.call; ++i) {
      const auto function = field(object, g_.callee);
      if (ts_node_symbol(function) == g_.import) return true;
      if (ts_node_symbol(function) != g_.member) return false;
      object = field(function, g_.object);
    }
    return false;
  }

  Step member(TSNode node) {
    const auto text = syntax_.text(node);
    if (is_chain(text)) return uses_.chain(text, frames_.place(), node), Step::over;
    // require("child_process").execSync(…)
    const auto object = field(node, g_.object);
    if (ts_node_symbol(object) == g_.call && syntax_.text(field(object, g_.callee)) == "require" &&
        !frames_.place().shadowed) {
      std::string module;
      if (argument(object, module))
        uses_.add(bare(module) + "." + std::string(syntax_.text(field(node, g_.property))), frames_.place(), node);
    }
    return Step::into;
  }

  bool argument(TSNode call, std::string& text) {
    const auto arguments = field(call, g_.arguments);
    if (ts_node_is_null(arguments)) return false;
    for (std::uint32_t i = 0, n = std::min(ts_node_named_child_count(arguments), 8u); i < n; ++i) {
      const auto child = ts_node_named_child(arguments, i);
      if (ts_node_symbol(child) != g_.comment) return constant(child, text, 0);
    }
    return false;
  }

  bool constant(TSNode node, std::string& text, int depth) {
    if (depth > 16 || text.size() > 1000) return false;
    const auto symbol = ts_node_symbol(node);
    if (symbol == g_.string || symbol == g_.template_string) {
      for (std::uint32_t i = 0, n = ts_node_named_child_count(node); i < n; ++i) {
        const auto part = ts_node_named_child(node, i);
        if (i >= 64 || ts_node_symbol(part) != g_.fragment) return false;  // escapes, ${…}
        text += syntax_.text(part);
      }
      return true;
    }
    if (symbol == g_.parentheses) return constant(ts_node_named_child(node, 0), text, depth + 1);
    return symbol == g_.binary && syntax_.text(field(node, g_.op)) == "+" &&
           constant(field(node, g_.left), text, depth + 1) && constant(field(node, g_.right), text, depth + 1);
  }

  const Syntax& syntax_;
  const Grammar& g_ = grammar();
  Frames frames_;
  Uses uses_;
  ImportReport report_;
  std::vector<std::string_view> loaders_;
};

}  // namespace

ImportReport find_in_javascript(const Syntax& syntax) { return Finder(syntax).find(); }

}  // namespace hotcell::validate::imports
