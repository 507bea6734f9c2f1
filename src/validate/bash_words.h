// The words of a shell program, as the shell would see them after quoting, escapes and expansions.
#pragma once
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "validate/names.h"
#include "validate/outline.h"

namespace hotcell::validate {

struct ShellWord {
  std::vector<std::string> texts;  // what it may be; none: unknown
  bool prefix = false;             // the one text is only its beginning
  NodeId node = kNoNode;

  bool computed() const { return texts.empty() || prefix; }
  bool is(std::string_view text) const;
  std::string_view text() const { return texts.empty() || prefix ? std::string_view() : std::string_view(texts[0]); }
};

// {rm,-rf,/} and a{b,c}: one level, as evasions write it.
std::vector<std::string> brace_expanded(const std::string& text);

class ShellWords {
 public:
  explicit ShellWords(const Outline& outline);

  // A command's name and arguments, expanded and split. Redirections and assignments before it are left out. Mostly one
  // command; more where the grammar, led astray by a here-document further down, took several lines for one.
  std::vector<std::vector<ShellWord>> of_command(NodeId command) const;
  // One word, not split.
  Values value(NodeId word) const {
    steps_ = kMaxSteps;
    return evaluate(word, 0, false);
  }

 private:
  static constexpr unsigned kMaxSteps = 1000;  // for one command
  Values evaluate(NodeId node, int depth, bool unset_is_empty) const;
  Values variable(std::string_view name, int depth, bool unset_is_empty) const;
  Values double_quoted(NodeId node, int depth, bool unset_is_empty) const;
  Values expansion(NodeId node, int depth, bool unset_is_empty) const;
  Values substituted(NodeId node, int depth) const;
  Values output_of(NodeId command, int depth) const;
  bool is_split(NodeId node) const;

  const Outline& outline_;
  std::unordered_map<std::string_view, std::vector<NodeId>> assigned_;  // name to values; kNoNode: unknown
  mutable unsigned steps_ = 0;
};

}  // namespace hotcell::validate
