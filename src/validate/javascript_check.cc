// Second walk over a JavaScript program: tells the matcher what it uses and calls.
#include "validate/javascript.h"

namespace hotcell::validate {
namespace {

class JavaScriptChecker {
 public:
  JavaScriptChecker(const Outline& outline, Matcher& matcher)
      : outline_(outline), matcher_(matcher), program_(outline) {}

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
      case Kind::shorthand_property_identifier:
        if (program_.is_use(id)) use(id);
        break;
      case Kind::member_expression:
        if (const auto name = outline_.child(id, Field::property);
            name != kNoNode && matcher_.knows_member(outline_.text(name)))
          matcher_.member(outline_.text(name), outline_[name].begin);
        use(id);
        break;
      case Kind::subscript_expression:
        use(id);
        if (const auto key = outline_.child(id, Field::index); outline_.kind(key) == Kind::string) {
          const auto values = program_.value(key, scope_);
          if (values.text()) matcher_.member(*values.text(), outline_[key].begin);
        }
        break;
      case Kind::pair_pattern:
      case Kind::shorthand_property_identifier_pattern:
        break;
      case Kind::variable_declarator:
      case Kind::assignment_expression:
        destructured(id);
        break;
      case Kind::call_expression:
      case Kind::new_expression:
        call(id);
        break;
      case Kind::import_statement:
      case Kind::export_statement:
        imported(id);
        break;
      default:
        break;
    }
  }

  void use(NodeId id) {
    for (const auto& value : program_.value(id, scope_))
      if (value.type == Value::Type::symbol) matcher_.use(value.text, outline_[id].begin);
  }

  // const {exec: run} = child_process: each name that is taken out of a known thing is used.
  void destructured(NodeId id) {
    const bool declared = outline_.kind(id) == Kind::variable_declarator;
    const auto pattern = outline_.child(id, declared ? Field::name : Field::left);
    const auto value = outline_.child(id, declared ? Field::value : Field::right);
    if (outline_.kind(pattern) != Kind::object_pattern || value == kNoNode) return;
    const auto object = program_.value(value, scope_);
    if (object.empty()) return;
    for (auto one = outline_.first(pattern); one != kNoNode; one = outline_.next(one)) {
      auto name = one;
      if (outline_.kind(one) == Kind::pair_pattern) name = outline_.child(one, Field::key);
      if (outline_.kind(one) == Kind::object_assignment_pattern) name = outline_.child(one, Field::left);
      if (name == kNoNode || outline_.kind(name) == Kind::rest_pattern) continue;
      std::string text(outline_.text(name));
      if (outline_.kind(name) == Kind::computed_property_name) name = outline_.inner(name);
      if (outline_.kind(name) == Kind::string || outline_.kind(one) == Kind::computed_property_name) {
        const auto values = program_.value(name, scope_);
        text = values.text() ? *values.text() : "?";
      }
      for (const auto& member : program_.member_of(object, text)) matcher_.use(member.text, outline_[one].begin);
    }
  }

  void imported(NodeId id) {
    const auto source = outline_.child(id, Field::source);
    if (source == kNoNode) return;
    const auto module = program_.source_of(id);
    matcher_.use(module, outline_[source].begin);
    for (auto one = id + 1; one < outline_[id].after; ++one) {
      if (outline_.kind(one) != Kind::import_specifier && outline_.kind(one) != Kind::export_specifier) continue;
      if (const auto name = outline_.child(one, Field::name); name != kNoNode)
        matcher_.use(module + "." + std::string(outline_.text(name)), outline_[one].begin);
    }
  }

  void call(NodeId id) {
    const auto function = program_.function_of(id);
    if (function == kNoNode) return;
    if (outline_.kind(id) == Kind::call_expression)
      for (const auto& value : program_.value(id, scope_))
        if (value.type == Value::Type::symbol && !value.text.ends_with("()"))
          matcher_.use(value.text, outline_[id].begin);
    auto callees = program_.value(function, scope_);
    if (outline_.kind(function) == Kind::import) callees = Values::symbol("import");
    for (const auto& callee : callees) {
      if (callee.type != Value::Type::symbol || !matcher_.has_calls(callee.text)) continue;
      bool spread = false;
      std::vector<Argument> arguments;
      for (const auto node : program_.arguments_of(id, &spread)) {
        const auto kind = outline_.kind(node);
        auto& made = arguments.emplace_back();
        made.values = program_.value(node, scope_);
        made.is_text = kind == Kind::string || kind == Kind::template_string || made.values.text() != nullptr ||
                       (made.values.size() > 0 && made.values.begin()->type == Value::Type::prefix);
        made.is_true = outline_.text(node) == "true";
        made.is_literal = kind == Kind::number || kind == Kind::other;
        if (kind == Kind::object) members(node, arguments);
      }
      matcher_.call(callee.text, outline_[id].begin, arguments, spread);
    }
  }

  // {shell: true} counts as an argument by that name.
  void members(NodeId object, std::vector<Argument>& arguments) {
    for (auto one = outline_.first(object); one != kNoNode && arguments.size() < 64; one = outline_.next(one)) {
      if (outline_.kind(one) != Kind::pair) continue;
      const auto key = outline_.child(one, Field::key), value = outline_.child(one, Field::value);
      if (key == kNoNode || value == kNoNode) continue;
      Argument made;
      made.name = outline_.text(key);
      made.values = program_.value(value, scope_);
      made.is_true = outline_.text(value) == "true";
      arguments.push_back(std::move(made));
    }
  }

  const Outline& outline_;
  Matcher& matcher_;
  JavaScriptProgram program_;
  ScopeId scope_ = 0;
};

}  // namespace

void check_javascript(const Outline& outline, Matcher& matcher) { JavaScriptChecker(outline, matcher).run(); }

}  // namespace hotcell::validate
