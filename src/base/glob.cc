#include "base/glob.h"

#include <cstddef>
#include <vector>

namespace hotcell {
namespace {

struct Token {
  enum class Kind { literal, any_char, any_run, any_path, set } kind;
  char literal = 0;
  std::string_view set;
  bool negated = false;
};

std::vector<Token> tokens_of(std::string_view pattern) {
  std::vector<Token> out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '*') {
      const bool twice = i + 1 < pattern.size() && pattern[i + 1] == '*';
      if (twice) {
        ++i;
        if (i + 1 < pattern.size() && pattern[i + 1] == '/') ++i;  // "**/x" matches "x" too
      }
      out.push_back({twice ? Token::Kind::any_path : Token::Kind::any_run, 0, {}, false});
    } else if (c == '?') {
      out.push_back({Token::Kind::any_char, 0, {}, false});
    } else if (const auto end = pattern.find(']', i + 2); c == '[' && end != pattern.npos) {
      const bool negated = pattern[i + 1] == '!';
      out.push_back({Token::Kind::set, 0, pattern.substr(i + 1 + negated, end - i - 1 - negated), negated});
      i = end;
    } else {
      out.push_back({Token::Kind::literal, c, {}, false});
    }
  }
  return out;
}

bool in_set(std::string_view set, char c) {
  for (std::size_t i = 0; i < set.size(); ++i) {
    if (i + 2 < set.size() && set[i + 1] == '-') {
      if (set[i] <= c && c <= set[i + 2]) return true;
      i += 2;
    } else if (set[i] == c) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view path) {
  const auto tokens = tokens_of(pattern);
  // reach[i]: the first i tokens match what has been read so far.
  std::vector<char> reach(tokens.size() + 1, 0), next(tokens.size() + 1, 0);
  const auto is_run = [&](std::size_t i) {
    return tokens[i].kind == Token::Kind::any_run || tokens[i].kind == Token::Kind::any_path;
  };
  const auto spread = [&](std::vector<char>& states) {
    for (std::size_t i = 0; i < tokens.size(); ++i)
      if (states[i] && is_run(i)) states[i + 1] = 1;
  };
  reach[0] = 1;
  spread(reach);
  for (const char c : path) {
    next.assign(next.size(), 0);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (!reach[i]) continue;
      const auto& token = tokens[i];
      switch (token.kind) {
        case Token::Kind::literal:
          next[i + 1] |= token.literal == c;
          break;
        case Token::Kind::any_char:
          next[i + 1] |= c != '/';
          break;
        case Token::Kind::set:
          next[i + 1] |= c != '/' && in_set(token.set, c) != token.negated;
          break;
        case Token::Kind::any_run:
          next[i] |= c != '/';
          break;
        case Token::Kind::any_path:
          next[i] = 1;
          break;
      }
    }
    spread(next);
    reach.swap(next);
  }
  return reach.back();
}

}  // namespace hotcell
