// Bash has no imports; what it needs are commands. Those that the script defines itself are functions, not commands,
// and of `sudo`, `env`, `xargs` and their like the command that they start is needed too.
#include <algorithm>
#include <cctype>
#include <unordered_set>

#include "validate/imports_internal.h"

namespace hotcell::validate::imports {
namespace {

struct Grammar : GrammarNames {
  Grammar() : GrammarNames{grammar_of(protocol::Language::bash)} {}
  const TSSymbol command = symbol("command"), command_name = symbol("command_name"), word = symbol("word"),
                 function = symbol("function_definition"), assignment = symbol("variable_assignment"),
                 if_statement = symbol("if_statement"), list = symbol("list"), loop = symbol("while_statement"),
                 case_item = symbol("case_item"), comment = symbol("comment"), raw = symbol("raw_string");
};

const Grammar& grammar() {
  static const Grammar known;
  return known;
}

bool starts_another(std::string_view command) {
  for (const std::string_view name : {"sudo", "env", "xargs", "nohup", "time", "timeout", "nice", "exec", "command",
                                      "builtin", "setsid", "stdbuf", "strace", "watch", "busybox"})
    if (command == name) return true;
  return false;
}

bool is_command_word(std::string_view text) {
  return !text.empty() && text.size() < 256 &&
         std::all_of(
             text.begin(), text.end(),
             [](char c) {
               return std::isalnum(static_cast<unsigned char>(c)) ||
                      std::string_view("_-./+:[@!").find(c) != std::string_view::npos;
             });
}

}  // namespace

ImportReport find_in_bash(const Syntax& syntax) {
  const auto& g = grammar();
  Frames frames;
  Uses uses;
  ImportReport report;
  std::unordered_set<std::string_view> functions;
  const auto command = [&](TSNode node) {
    bool named = false, hands_on = false;
    Cursor cursor(node);
    if (!ts_tree_cursor_goto_first_child(cursor.get())) return;
    do {
      const auto child = cursor.node();
      const auto symbol = ts_node_symbol(child);
      const auto text = syntax.text(child);
      if (symbol == g.command_name && !named) {
        named = true;
        if (!is_command_word(text)) {
          report.dynamic_unknown |= text.starts_with('$') || text.starts_with('"') || text.starts_with('`');
          return;
        }
        uses.add(std::string(text), frames.place(), child);
        hands_on = starts_another(text);
      } else if (hands_on && symbol == g.word && !text.starts_with('-') && text.find('=') == text.npos &&
                 !std::isdigit(static_cast<unsigned char>(text[0]))) {
        if (is_command_word(text)) uses.add(std::string(text), frames.place(), child);
        hands_on = starts_another(text);
      }
    } while (ts_tree_cursor_goto_next_sibling(cursor.get()));
  };
  walk(
      syntax.root(),
      [&](TSNode node, TSFieldId) {
        const auto symbol = ts_node_symbol(node);
        if (symbol == g.comment || symbol == g.raw) return Step::over;
        if (symbol == g.command) command(node);
        if (symbol == g.function) {
          frames.push(node).place.deferred = true;
          const auto name = ts_node_named_child(node, 0);
          if (!ts_node_is_null(name)) functions.insert(syntax.text(name));
        } else if (symbol == g.if_statement || symbol == g.list || symbol == g.loop || symbol == g.case_item) {
          frames.push(node).place.conditional = true;
        }
        return Step::into;
      },
      [&](TSNode node) { frames.leave(node); });
  report.uses = uses.resolve();
  std::erase_if(report.uses, [&](const Use& use) { return functions.contains(use.name); });
  return report;
}

}  // namespace hotcell::validate::imports
