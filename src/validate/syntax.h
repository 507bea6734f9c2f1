// One parse of one program, shared by everything that reads programs before they run: rules, imports, routing.
//
// The program is a stranger's: it may be 10 MB long, nested a hundred thousand deep, one endless line, or no program at
// all. So a parse has a size, a time and a memory limit, and nothing here or in those who use it recurses over the
// tree: walk() keeps its way in the cursor, not on the stack.
#pragma once
#include <tree_sitter/api.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "protocol/request.h"

namespace hotcell::validate {

struct ParseLimits {
  std::size_t bytes = 16u << 20;          // longer programs are not parsed at all
  std::size_t memory_bytes = 512u << 20;  // what the tree may take while it grows
  std::chrono::milliseconds time{2000};
};

// As editors count: both from 1, columns in characters (code points), not bytes.
struct Position {
  std::uint32_t line = 1, column = 1;
};

enum class Step {
  into,  // go on with the children
  over,  // skip them
  stop,  // the walk is over
};

// Immutable once it is there; may be read by several threads. Nodes live as long as their Syntax (it may be moved).
class Syntax {
 public:
  // Fails with unsupported_language (wasm), program_too_large, parse_timeout or parse_memory: never for what the
  // program says. Wrong programs have trees too; see has_error().
  static Expected<Syntax> parse(protocol::Language language, std::string source, const ParseLimits& limits = {});

  protocol::Language language() const { return language_; }
  std::string_view source() const { return *source_; }
  TSNode root() const { return ts_tree_root_node(tree_.get()); }
  bool has_error() const { return ts_node_has_error(root()); }
  const TSTree* tree() const { return tree_.get(); }
  const TSLanguage* grammar() const { return ts_tree_language(tree_.get()); }

  std::string_view text(TSNode node) const;
  // Counts from the beginning of the line: cheap, except on a line of megabytes.
  Position position(TSNode node) const;
  Position position(std::uint32_t byte) const;
  // The line (from 1) without its end; empty past the last one.
  std::string_view line(std::uint32_t number) const;

 private:
  struct DeleteTree {
    void operator()(TSTree* tree) const { ts_tree_delete(tree); }
  };
  Syntax() = default;

  protocol::Language language_ = protocol::Language::python;
  std::unique_ptr<const std::string> source_;  // behind a pointer: a moved Syntax keeps its views
  std::unique_ptr<TSTree, DeleteTree> tree_;
};

// nullptr for languages without a grammar (wasm).
const TSLanguage* grammar_of(protocol::Language language);

// Owns a cursor.
class Cursor {
 public:
  explicit Cursor(TSNode from) : cursor_(ts_tree_cursor_new(from)) {}
  ~Cursor() { ts_tree_cursor_delete(&cursor_); }
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;
  TSTreeCursor* get() { return &cursor_; }
  TSNode node() const { return ts_tree_cursor_current_node(&cursor_); }

 private:
  TSTreeCursor cursor_;
};

// Every node below `from` (and itself) in the order of the text. `enter(node, field)` says how to go on (Step), where
// `field` is the id of the parent's field that holds the node, or 0; `leave(node)` is called after a node's children,
// for each node whose `enter` said `into`.
template <class Enter, class Leave>
void walk(TSNode from, Enter&& enter, Leave&& leave) {
  Cursor cursor(from);
  std::size_t depth = 0;
  for (;;) {
    const auto node = cursor.node();
    const Step step = enter(node, depth == 0 ? TSFieldId{0} : ts_tree_cursor_current_field_id(cursor.get()));
    if (step == Step::stop) return;
    if (step == Step::into) {
      if (ts_tree_cursor_goto_first_child(cursor.get())) {
        ++depth;
        continue;
      }
      leave(node);
    }
    while (depth > 0 && !ts_tree_cursor_goto_next_sibling(cursor.get())) {
      ts_tree_cursor_goto_parent(cursor.get());
      --depth;
      leave(cursor.node());
    }
    if (depth == 0) return;
  }
}

template <class Enter>
void walk(TSNode from, Enter&& enter) {
  walk(from, enter, [](TSNode) {});
}

}  // namespace hotcell::validate
