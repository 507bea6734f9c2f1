// What a condition around an import says for the interpreter that will run the program: is this an older Python,
// another platform, a type checker? Told from the text of the few forms that people write; everything else may hold or
// not.
#include "validate/imports_internal.h"

namespace hotcell::validate::imports {

std::string_view trim(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

namespace {

constexpr int kMajor = 3, kMinor = 11;  // the Python that runs in both engines' standard images

bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text = trim(text.substr(word.size()));
  return true;
}

std::optional<int> take_number(std::string_view& text) {
  int number = 0;
  std::size_t i = 0;
  for (; i < text.size() && i < 6 && text[i] >= '0' && text[i] <= '9'; ++i) number = number * 10 + (text[i] - '0');
  if (i == 0) return {};
  text = trim(text.substr(i));
  return number;
}

Verdict holds(bool yes) { return yes ? Verdict::always : Verdict::never; }

Verdict compare(int order, std::string_view op) {
  if (op == ">=") return holds(order >= 0);
  if (op == "<=") return holds(order <= 0);
  if (op == "==") return holds(order == 0);
  if (op == "!=") return holds(order != 0);
  if (op == ">") return holds(order > 0);
  return holds(order < 0);
}

// sys.version_info >= (3, 8), sys.version_info[0] == 2, sys.version_info.major < 3
Verdict version_verdict(std::string_view text) {
  std::vector<int> ours{kMajor, kMinor, 2};
  if (take(text, "[0]") || take(text, ".major")) ours.resize(1);
  if (take(text, "[:2]")) ours.resize(2);
  std::string_view op;
  for (const std::string_view candidate : {">=", "<=", "==", "!=", ">", "<"})
    if (op.empty() && take(text, candidate)) op = candidate;
  if (op.empty()) return Verdict::maybe;
  std::vector<int> theirs;
  const bool tuple = take(text, "(");
  if (tuple == (ours.size() == 1)) return Verdict::maybe;
  while (const auto number = take_number(text)) {
    theirs.push_back(*number);
    if (!take(text, ",")) break;
  }
  if ((tuple && !take(text, ")")) || !text.empty() || theirs.empty() || theirs.size() > 3) return Verdict::maybe;
  // Python compares as many as there are; of equal beginnings the shorter is less, and the micro version is not known.
  if (ours.size() == 3 && theirs.size() < 3) {
    for (std::size_t i = 0; i < theirs.size(); ++i)
      if (ours[i] != theirs[i]) return compare(ours[i] < theirs[i] ? -1 : 1, op);
    return compare(1, op);
  }
  if (theirs.size() == 3 && theirs[0] == kMajor && theirs[1] == kMinor) return Verdict::maybe;
  return compare(ours == theirs ? 0 : (ours < theirs ? -1 : 1), op);
}

// Comparisons with platforms that no engine has. What may differ between engines (linux, wasi) stays open.
Verdict platform_verdict(std::string_view text) {
  bool equal = true, begins = false;
  if (take(text, ".startswith(")) {
    begins = true;
  } else if (take(text, "!=")) {
    equal = false;
  } else if (!take(text, "==")) {
    return Verdict::maybe;
  }
  if (text.size() < 3 || (text[0] != '"' && text[0] != '\'')) return Verdict::maybe;
  const auto end = text.find(text[0], 1);
  if (end == text.npos) return Verdict::maybe;
  const auto name = text.substr(1, end - 1);
  auto rest = trim(text.substr(end + 1));
  if (begins && !take(rest, ")")) return Verdict::maybe;
  if (!rest.empty()) return Verdict::maybe;
  for (const std::string_view other : {"win32", "darwin", "cygwin", "aix", "emscripten", "nt", "java", "Windows",
                                       "Darwin", "Java", "win", "msys", "freebsd", "sunos"})
    if (name == other) return holds(!equal);
  return name == "posix" ? holds(equal) : Verdict::maybe;
}

}  // namespace

Verdict verdict_of(std::string_view text) {
  if (text.size() > 200) return Verdict::maybe;
  text = trim(text);
  while (text.starts_with('(') && text.ends_with(')')) text = trim(text.substr(1, text.size() - 2));
  if (text == "True" || text == "1") return Verdict::always;
  if (text == "False" || text == "0") return Verdict::never;
  if (text.ends_with("TYPE_CHECKING") && is_chain(text)) {
    const auto before = text.substr(0, text.size() - std::string_view("TYPE_CHECKING").size());
    return before.empty() || before.ends_with('.') ? Verdict::type_checking : Verdict::maybe;
  }
  if (take(text, "__name__")) {
    take(text, "==");
    return text == "\"__main__\"" || text == "'__main__'" ? Verdict::always : Verdict::maybe;
  }
  if (take(text, "sys.version_info") || take(text, "version_info")) return version_verdict(text);
  if (take(text, "sys.platform") || take(text, "os.name") || take(text, "platform.system()"))
    return platform_verdict(text);
  return Verdict::maybe;
}

}  // namespace hotcell::validate::imports
