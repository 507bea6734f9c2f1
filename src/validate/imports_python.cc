// Python's imports, as the interpreter's own grammar has them, and the idioms around them: which import may fail
// without harm (try … except ImportError), which is the substitute, which is never carried out (if TYPE_CHECKING, a
// check for another platform or an older Python), and which names are imported by a call.
//
// One walk in the order of the text. What surrounds a node is a stack of frames, not a search upwards: asking
// tree-sitter for a node's parent starts at the root each time.
#include <algorithm>
#include <memory>

#include "validate/imports_internal.h"

namespace hotcell::validate::imports {
namespace {

struct Grammar : GrammarNames {
  Grammar() : GrammarNames{grammar_of(protocol::Language::python)} {}
  const TSSymbol import = symbol("import_statement"), from = symbol("import_from_statement"),
                 future = symbol("future_import_statement"), aliased = symbol("aliased_import"),
                 dotted_name = symbol("dotted_name"), relative = symbol("relative_import"),
                 wildcard = symbol("wildcard_import"), attempt = symbol("try_statement"),
                 except = symbol("except_clause"), else_clause = symbol("else_clause"),
                 finally = symbol("finally_clause"), if_statement = symbol("if_statement"),
                 elif = symbol("elif_clause"), with = symbol("with_statement"), with_clause = symbol("with_clause"),
                 loop = symbol("while_statement"), case_clause = symbol("case_clause"), block = symbol("block"),
                 function = symbol("function_definition"), lambda = symbol("lambda"), call = symbol("call"),
                 attribute = symbol("attribute"), string = symbol("string"), content = symbol("string_content"),
                 joined = symbol("concatenated_string"), parentheses = symbol("parenthesized_expression"),
                 binary = symbol("binary_operator"), keyword = symbol("keyword_argument"),
                 raise = symbol("raise_statement"), expression = symbol("expression_statement"),
                 comment = symbol("comment");
  const TSFieldId name = named("name"), alias = named("alias"), module_name = named("module_name"),
                  body = named("body"), condition = named("condition"), consequence = named("consequence"),
                  callee = named("function"), arguments = named("arguments"), value = named("value"),
                  left = named("left"), right = named("right"), op = named("operator"), object = named("object");
};

const Grammar& grammar() {
  static const Grammar known;
  return known;
}

// "os . path" (which is allowed) as "os.path".
std::string without_space(std::string_view text) {
  std::string clean;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '#') {  // inside parentheses a comment may stand between the names
      i = std::min(text.find('\n', i), text.size());
    } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != '\\') {
      clean += c;
    }
  }
  return clean;
}

bool names_import_error(std::string_view text) {
  for (const std::string_view name : {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
    for (auto at = text.find(name); at != text.npos; at = text.find(name, at + 1)) {
      const auto after = at + name.size();
      const auto part = [&](char c) {
        return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
      };
      if ((at == 0 || !part(text[at - 1])) && (after == text.size() || !part(text[after]))) return true;
    }
  return false;
}

class Finder {
 public:
  explicit Finder(const Syntax& syntax) : syntax_(syntax) {}

  ImportReport find() {
    walk(
        syntax_.root(), [this](TSNode node, TSFieldId in) { return enter(node, in); },
        [this](TSNode node) { frames_.leave(node); });
    report_.uses = uses_.resolve();
    resolve_calls();
    forgive_asked();
    return std::move(report_);
  }

 private:
  struct Call {
    std::string callee;
    TSNode node;
    Place place;
  };

  Step enter(TSNode node, TSFieldId in) {
    const auto symbol = ts_node_symbol(node);
    if (symbol == g_.import || symbol == g_.future) return import_statement(node), Step::over;
    if (symbol == g_.from) return from_statement(node), Step::over;
    if (symbol == g_.attribute) return attribute(node);
    if (symbol == g_.call) return call(node), Step::into;
    if (symbol == g_.block) return block(node, in), Step::into;
    if (symbol == g_.attempt) return attempt(node), Step::into;
    if (symbol == g_.except) {
      const bool guards = frames_.top().guards;
      auto& place = frames_.push(node).place;
      place.fallback |= guards;
      place.conditional = true;
      return Step::into;
    }
    if (symbol == g_.if_statement || symbol == g_.elif) return choice(node, symbol == g_.elif), Step::into;
    if (symbol == g_.else_clause) return else_clause(node), Step::into;
    if (symbol == g_.finally) return frames_.push(node), Step::into;
    if (symbol == g_.with) return with(node), Step::into;
    if (symbol == g_.loop || symbol == g_.case_clause) {
      frames_.push(node).place.conditional = true;
      return Step::into;
    }
    if (symbol == g_.function || symbol == g_.lambda) {
      // What a function does happens later: a try around its definition guards nothing.
      auto& place = frames_.push(node).place;
      place.deferred = true;
      place.guarded = place.fallback = false;
      place.attempt = 0;
      return Step::into;
    }
    return symbol == g_.comment ? Step::over : Step::into;
  }

  void add(Import import) {
    if (report_.imports.size() >= kMostImports) {
      report_.truncated = true;
      return;
    }
    report_.imports.push_back(std::move(import));
  }

  std::string dotted(TSNode node) { return without_space(syntax_.text(node)); }

  // import a.b as c, d
  void import_statement(TSNode node) {
    if (ts_node_symbol(node) == g_.future) return future(node);
    each_name(node, [&](TSNode name, TSNode alias) {
      auto import = import_at(frames_.place(), node);
      import.module = dotted(name);
      if (import.module.empty()) return;
      if (ts_node_is_null(alias)) {
        const auto text = syntax_.text(name);
        const auto first = text.substr(0, text.find_first_of(". \t\\\n"));
        uses_.bind(first, std::string(first));
      } else {
        uses_.bind(syntax_.text(alias), import.module);
      }
      add(std::move(import));
    });
  }

  void future(TSNode node) {
    each_name(node, [&](TSNode name, TSNode) {
      auto import = import_at(frames_.place(), node);
      import.module = "__future__";
      import.member = dotted(name);
      add(std::move(import));
    });
  }

  // from a.b import c as d, e    from . import x    from ..y import *
  void from_statement(TSNode node) {
    const auto module = field(node, g_.module_name);
    if (ts_node_is_null(module)) return;
    const auto name_of_module = dotted(module);
    if (name_of_module.empty()) return;
    const bool relative = ts_node_symbol(module) == g_.relative;
    const auto put = [&](std::string member, std::string_view bound) {
      auto import = import_at(frames_.place(), node);
      import.module = name_of_module;
      import.member = std::move(member);
      import.relative = relative;
      if (!relative && import.member != "*") {
        auto target = name_of_module + "." + import.member;
        uses_.add(target, frames_.place(), node);
        if (import.module.starts_with("importlib") && loaders_.size() < 16) loaders_.push_back(bound);
        uses_.bind(bound, std::move(target));
      }
      add(std::move(import));
    };
    each_name(node, [&](TSNode name, TSNode alias) {
      if (ts_node_eq(name, module)) return;
      if (ts_node_symbol(name) == g_.wildcard) return put("*", {});
      auto member = dotted(name);
      if (!member.empty()) put(std::move(member), syntax_.text(ts_node_is_null(alias) ? name : alias));
    });
  }

  template <class Each>
  void each_name(TSNode node, Each&& each) {
    Cursor cursor(node);
    if (!ts_tree_cursor_goto_first_child(cursor.get())) return;
    do {
      const auto child = cursor.node();
      const auto symbol = ts_node_symbol(child);
      if (symbol == g_.aliased) {
        each(field(child, g_.name), field(child, g_.alias));
      } else if (symbol == g_.dotted_name || symbol == g_.wildcard) {
        each(child, TSNode{});
      }
    } while (ts_tree_cursor_goto_next_sibling(cursor.get()));
  }

  // A try is a guard when one of its handlers takes a missing module and the program goes on.
  void attempt(TSNode node) {
    bool guards = false;
    Cursor cursor(node);
    if (ts_tree_cursor_goto_first_child(cursor.get())) do {
        if (ts_node_symbol(cursor.node()) == g_.except) guards |= catches(cursor.node());
      } while (ts_tree_cursor_goto_next_sibling(cursor.get()));
    auto& frame = frames_.push(node);
    frame.kind = Kind::attempt;
    frame.guards = guards;
    frame.place.attempt = guards ? begin_attempt(report_, frame.place) : frame.place.attempt;
  }

  bool catches(TSNode handler) {
    bool ends = false;
    Cursor cursor(handler);
    if (!ts_tree_cursor_goto_first_child(cursor.get())) return false;
    do {
      const auto child = cursor.node();
      if (!ts_node_is_named(child) || ts_node_symbol(child) == g_.comment) continue;
      if (ts_node_symbol(child) == g_.block) {
        ends = gives_up(child);
      } else if (!names_import_error(syntax_.text(child))) {
        return false;
      }
    } while (ts_tree_cursor_goto_next_sibling(cursor.get()));
    return !ends;
  }

  // Does this handler end the program (raise, sys.exit) rather than go on?
  bool gives_up(TSNode block) {
    Cursor cursor(block);
    if (!ts_tree_cursor_goto_first_child(cursor.get())) return false;
    do {
      const auto symbol = ts_node_symbol(cursor.node());
      if (symbol == g_.raise) return true;
      if (symbol != g_.expression) continue;
      const auto text = syntax_.text(cursor.node());
      for (const std::string_view end : {"sys.exit(", "exit(", "quit(", "os._exit("})
        if (text.starts_with(end)) return true;
    } while (ts_tree_cursor_goto_next_sibling(cursor.get()));
    return false;
  }

  void block(TSNode node, TSFieldId in) {
    auto& around = frames_.top();
    if (around.kind == Kind::attempt && in == g_.body) {
      const bool guards = around.guards;
      auto& frame = frames_.push(node);
      frame.place.guarded |= guards;
    } else if (around.kind == Kind::choice && in == g_.consequence) {
      const auto verdict = around.verdict;
      auto& place = frames_.push(node).place;
      place.unreachable |= verdict == Verdict::never;
      place.type_checking |= verdict == Verdict::type_checking;
      place.conditional |= verdict == Verdict::maybe;
    }
  }

  void choice(TSNode node, bool elif) {
    const auto condition = field(node, g_.condition);
    auto text = ts_node_is_null(condition) ? std::string_view() : trim(syntax_.text(condition));
    const bool negated = text.starts_with("not ") || text.starts_with("not(");
    auto verdict = verdict_of(negated ? text.substr(3) : text);
    bool typing_else = false;
    if (negated) {
      typing_else = verdict == Verdict::type_checking;
      if (typing_else || verdict == Verdict::never) {
        verdict = Verdict::always;
      } else if (verdict == Verdict::always) {
        verdict = Verdict::never;
      }
    }
    // The branches of one if are siblings: what an elif settles is for the else beside it.
    if (elif && frames_.top().kind == Kind::choice) {
      auto& chain = frames_.top();
      const bool settled = chain.settled, typing = chain.typing_settled, open = chain.verdict == Verdict::maybe;
      chain.settled |= verdict == Verdict::always;
      chain.typing_settled |= typing_else;
      chain.verdict =
          chain.verdict == Verdict::never || chain.verdict == Verdict::type_checking ? verdict : chain.verdict;
      auto& frame = frames_.push(node);
      frame.kind = Kind::choice;
      frame.verdict = verdict;
      frame.place.unreachable |= settled && !typing;
      frame.place.type_checking |= typing;
      frame.place.conditional |= open;
      return;
    }
    auto& frame = frames_.push(node);
    frame.kind = Kind::choice;
    frame.verdict = verdict;
    frame.settled = verdict == Verdict::always;
    frame.typing_settled = typing_else;
  }

  void else_clause(TSNode node) {
    const auto around = frames_.top();
    auto& place = frames_.push(node).place;
    if (around.kind == Kind::choice) {
      place.unreachable |= around.settled && !around.typing_settled;
      place.type_checking |= around.typing_settled;
      const bool sure = around.verdict == Verdict::never || around.verdict == Verdict::type_checking;
      place.conditional |= !sure && !around.settled;
    } else if (around.kind == Kind::attempt) {
      place.conditional |= around.guards;
    }
  }

  // with contextlib.suppress(ImportError): …
  void with(TSNode node) {
    Cursor cursor(node);
    if (!ts_tree_cursor_goto_first_child(cursor.get())) return;
    do {
      if (ts_node_symbol(cursor.node()) != g_.with_clause) continue;
      const auto text = syntax_.text(cursor.node());
      const auto at = text.find("suppress(");
      if (at == text.npos || !names_import_error(text.substr(at))) return;
      auto& place = frames_.push(node).place;
      place.guarded = true;
      place.attempt = begin_attempt(report_, place);
      return;
    } while (ts_tree_cursor_goto_next_sibling(cursor.get()));
  }

  Step attribute(TSNode node) {
    const auto text = syntax_.text(node);
    if (is_chain(text)) return uses_.chain(text, frames_.place(), node), Step::over;
    // "os . fork", or over several lines in parentheses: rare, and then the text is not what is looked up.
    const auto clean = text.size() < 200 && text.find_first_of("(['\"{") == text.npos ? without_space(text) : "";
    if (!clean.empty() && is_chain(clean)) {
      for (auto& kept : spaced_)
        if (*kept == clean) return uses_.chain(*kept, frames_.place(), node), Step::over;
      spaced_.push_back(std::make_unique<std::string>(clean));
      uses_.chain(*spaced_.back(), frames_.place(), node);
      return Step::over;
    }
    return Step::into;
  }

  void call(TSNode node) {
    const auto function = field(node, g_.callee);
    if (ts_node_is_null(function)) return;
    const auto text = syntax_.text(function);
    if (text.size() > 200) return;
    if (text == "hasattr") return has_attribute(node);
    bool loads = std::find(loaders_.begin(), loaders_.end(), text) != loaders_.end();
    for (const std::string_view end : {"import_module", "__import__", "find_spec", "importorskip"})
      loads |= text.ends_with(end);
    if (!loads || calls_.size() >= kMostImports) return;
    auto callee = without_space(text);
    if (is_chain(callee)) calls_.push_back({std::move(callee), node, frames_.place()});
  }

  // hasattr(os, "fork"): the program knows what to do without it.
  void has_attribute(TSNode node) {
    const auto arguments = field(node, g_.arguments);
    if (ts_node_is_null(arguments) || ts_node_named_child_count(arguments) != 2 || asked_.size() >= 1000) return;
    std::string name(syntax_.text(ts_node_named_child(arguments, 0))), member;
    if (is_chain(name) && constant(ts_node_named_child(arguments, 1), member, 0)) asked_.push_back(name + "." + member);
  }

  void forgive_asked() {
    for (const auto& chain : asked_)
      for (const auto& name : uses_.meanings(chain)) {
        const auto use = std::lower_bound(report_.uses.begin(), report_.uses.end(), name,
                                          [](const Use& a, const std::string& key) { return a.name < key; });
        if (use != report_.uses.end() && use->name == name) use->guarded = true;
      }
  }

  void resolve_calls() {
    for (const auto& call : calls_) {
      bool imports = call.callee == "__import__", asks = false;
      for (const auto& name : uses_.meanings(call.callee)) {
        imports |= name == "importlib.import_module" || name == "importlib.__import__" || name == "builtins.__import__";
        asks |= name == "importlib.util.find_spec" || name == "pytest.importorskip";
      }
      if (!imports && !asks) continue;
      const auto module = first_string(call.node);
      if (!module) {
        report_.dynamic_unknown |= imports;
        continue;
      }
      auto import = import_at(call.place, call.node);
      import.module = *module;
      import.dynamic = true;
      import.relative = module->starts_with('.');
      import.optional |= asks;
      if (!module->empty() && module->find_first_of(" \n\t/\\") == module->npos) add(std::move(import));
    }
  }

  std::optional<std::string> first_string(TSNode call) {
    const auto arguments = field(call, g_.arguments);
    if (ts_node_is_null(arguments)) return {};
    Cursor cursor(arguments);
    if (!ts_tree_cursor_goto_first_child(cursor.get())) return {};
    do {
      auto node = cursor.node();
      if (!ts_node_is_named(node) || ts_node_symbol(node) == g_.comment) continue;
      if (ts_node_symbol(node) == g_.keyword) {
        if (syntax_.text(field(node, g_.name)) != "name") continue;
        node = field(node, g_.value);
      }
      std::string text;
      return constant(node, text, 0) ? std::optional(text) : std::nullopt;
    } while (ts_tree_cursor_goto_next_sibling(cursor.get()));
    return {};
  }

  // "a", 'a' "b", ("a" + "b"): what the compiler itself would fold. Depth-bounded; nobody writes a module name deeper.
  bool constant(TSNode node, std::string& text, int depth) {
    if (depth > 16 || ts_node_is_null(node) || text.size() > 1000) return false;
    const auto symbol = ts_node_symbol(node);
    if (symbol == g_.string) {
      bool plain = true;
      for (std::uint32_t i = 0, n = ts_node_named_child_count(node); i < n && plain && i < 64; ++i) {
        const auto child = ts_node_named_child(node, i);
        if (ts_node_symbol(child) == g_.content) {
          if (ts_node_named_child_count(child) > 0) plain = false;  // an escape sequence
          text += syntax_.text(child);
        } else if (std::string_view(ts_node_type(child)) == "interpolation") {
          plain = false;
        }
      }
      const auto prefix = syntax_.text(node).substr(0, 2);
      return plain && prefix.find_first_of("bB") == prefix.npos;
    }
    if (symbol == g_.parentheses || symbol == g_.joined) {
      for (std::uint32_t i = 0, n = ts_node_named_child_count(node); i < n; ++i)
        if (i >= 64 || !constant(ts_node_named_child(node, i), text, depth + 1)) return false;
      return true;
    }
    if (symbol != g_.binary || syntax_.text(field(node, g_.op)) != "+") return false;
    return constant(field(node, g_.left), text, depth + 1) && constant(field(node, g_.right), text, depth + 1);
  }

  const Syntax& syntax_;
  const Grammar& g_ = grammar();
  Frames frames_;
  Uses uses_;
  ImportReport report_;
  std::vector<Call> calls_;
  std::vector<std::string_view> loaders_;  // names for what may be import_module
  std::vector<std::unique_ptr<std::string>> spaced_;
  std::vector<std::string> asked_;
};

}  // namespace

ImportReport find_in_python(const Syntax& syntax) { return Finder(syntax).find(); }

}  // namespace hotcell::validate::imports
