// Second walk over a Python program: tells the matcher what it uses and calls.
#include "validate/python.h"

namespace hotcell::validate {
namespace {

std::string_view last_part(std::string_view symbol) { return symbol.substr(symbol.rfind('.') + 1); }

class PythonChecker {
 public:
  PythonChecker(const Outline& outline, Matcher& matcher) : outline_(outline), matcher_(matcher), program_(outline) {}

  void run() {
    each_in_scope(outline_, program_.scope_changes(), [&](NodeId id, ScopeId scope) {
      scope_ = scope;
      visit(id);
      return matcher_.go_on();
    });
  }

 private:
  void visit(NodeId id) {
    switch (outline_.kind(id)) {
      case Kind::identifier:
        if (program_.is_use(id) && outline_.kind(outline_.parent(id)) != Kind::dotted_name) use(id);
        break;
      case Kind::attribute: {
        const auto name = outline_.child(id, Field::attribute);
        if (name != kNoNode && matcher_.knows_member(outline_.text(name)))
          matcher_.member(outline_.text(name), outline_[name].begin);
        use(id);
        break;
      }
      case Kind::subscript:
        use(id);
        if (const auto key = outline_.child(id, Field::subscript); outline_.kind(key) == Kind::string) {
          const auto values = program_.value(key, scope_);
          if (const auto* name = values.text()) matcher_.member(*name, outline_[key].begin);
        }
        break;
      case Kind::call:
        call(id);
        break;
      case Kind::import_statement:
      case Kind::import_from_statement:
        imported(id);
        break;
      case Kind::exec_statement:  // Python 2's
        matcher_.use("builtins.exec", outline_[id].begin);
        break;
      default:
        break;
    }
  }

  void use(NodeId id) {
    for (const auto& value : program_.value(id, scope_))
      if (value.type == Value::Type::symbol) matcher_.use(value.text, outline_[id].begin);
  }

  void imported(NodeId id) {
    const bool from = outline_.kind(id) == Kind::import_from_statement;
    std::string module;
    if (from) {
      const auto name = outline_.child(id, Field::module_name);
      if (outline_.kind(name) != Kind::dotted_name) return;
      module = program_.dotted(name);
    }
    bool named = false;
    for (auto one = outline_.first(id); one != kNoNode; one = outline_.next(one)) {
      if (outline_.kind(one) == Kind::wildcard_import) matcher_.use(module, outline_[id].begin);
      if (outline_[one].field != Field::name) continue;
      named = true;
      const auto what = outline_.kind(one) == Kind::aliased_import ? outline_.child(one, Field::name) : one;
      if (what == kNoNode) continue;
      const auto name = program_.dotted(what);
      // from subprocess import run: one finding, with the longer name.
      matcher_.use(from ? std::string(module).append(".").append(name) : name, outline_[what].begin);
    }
    if (from && named) matcher_.use(module, outline_[outline_.child(id, Field::module_name)].begin);
  }

  void call(NodeId id) {
    const auto call = program_.call_at(id);
    if (call.function == kNoNode) return;
    // What the call gives: getattr(os, "system"), __import__("subprocess").
    for (const auto& value : program_.value(id, scope_)) {
      if (value.type != Value::Type::symbol) continue;
      if (!value.text.ends_with("()")) matcher_.use(value.text, outline_[id].begin);
    }
    for (const auto& function : program_.value(call.function, scope_)) {
      if (function.type != Value::Type::symbol) continue;
      if (function.text == "builtins.getattr" || function.text == "operator.attrgetter" ||
          function.text == "builtins.setattr")
        for (const auto& argument : call.arguments) {
          const auto values = program_.value(argument.second, scope_);
          if (const auto* name = values.text(); name && matcher_.knows_member(last_part(*name)))
            matcher_.member(last_part(*name), outline_[argument.second].begin);
        }
      if (!matcher_.has_calls(function.text)) continue;
      std::vector<Argument> arguments;
      for (const auto& [keyword, node] : call.arguments) {
        const auto kind = outline_.kind(node);
        auto& made = arguments.emplace_back();
        made.name = keyword;
        made.values = program_.value(node, scope_);
        made.is_true = outline_.text(node) == "True" || outline_.text(node) == "1";
        made.is_text = kind == Kind::string || kind == Kind::concatenated_string || made.values.text() != nullptr;
        made.is_literal = kind == Kind::integer || kind == Kind::other;
      }
      matcher_.call(function.text, outline_[id].begin, arguments, call.spread);
    }
  }

  const Outline& outline_;
  Matcher& matcher_;
  PythonProgram program_;
  ScopeId scope_ = 0;
};

}  // namespace

void check_python(const Outline& outline, Matcher& matcher) { PythonChecker(outline, matcher).run(); }

}  // namespace hotcell::validate
