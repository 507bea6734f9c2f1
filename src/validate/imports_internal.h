// What the finders of the languages share.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "validate/imports.h"

namespace hotcell::validate::imports {

// What is known about the place in the program where the walk is. Each node that changes something pushes a frame,
// which begins as a copy of the one around it.
struct Place {
  bool guarded = false, fallback = false, type_checking = false, unreachable = false, conditional = false;
  bool deferred = false, shadowed = false;
  std::uint32_t attempt = 0;
};

enum class Kind : std::uint8_t { plain, attempt, choice };
enum class Verdict : std::uint8_t { maybe, never, always, type_checking };

// Of Python's `if`, by the text of its condition.
Verdict verdict_of(std::string_view condition);
std::string_view trim(std::string_view text);

struct Frame {
  const void* node = nullptr;
  Place place;
  Kind kind = Kind::plain;
  Verdict verdict = Verdict::maybe;  // of a choice's condition
  bool settled = false;              // a choice: an earlier branch is always taken
  bool typing_settled = false;       // a choice: it is `if not TYPE_CHECKING`
  bool guards = false;               // an attempt: it catches a missing module, and goes on
};

class Frames {
 public:
  Frames() : frames_(1) {}
  Frame& top() { return frames_.back(); }
  Frame& push(TSNode node) {
    Frame frame;
    frame.node = node.id;
    frame.place = frames_.back().place;
    return frames_.emplace_back(frame);
  }
  void leave(TSNode node) {
    if (frames_.size() > 1 && frames_.back().node == node.id) frames_.pop_back();
  }
  const Place& place() const { return frames_.back().place; }

 private:
  std::vector<Frame> frames_;
};

// The number of a new attempt at this place.
std::uint32_t begin_attempt(ImportReport& report, const Place& place);
Import import_at(const Place& place, TSNode node);
Use use_at(const Place& place, TSNode node);

// Turns what may be uses into uses: each chain of names whose first is bound by an import becomes that import's name
// and the rest. Bindings are gathered first and looked up at the end, since a function may be written above the import.
class Uses {
 public:
  void bind(std::string_view name, std::string target);
  void chain(std::string_view text, const Place& place, TSNode node);
  void add(std::string name, const Place& place, TSNode node);
  std::vector<Use> resolve();
  // What the first name of the chain stands for, with the rest behind it. Valid after resolve().
  std::vector<std::string> meanings(std::string_view chain) const;

 private:
  struct Candidate {
    std::string_view text;
    Use use;
  };
  std::vector<std::pair<std::string_view, std::string>> bindings_;
  std::vector<Candidate> candidates_;
  std::vector<Use> uses_;
};

// The child that the field holds, or a null node.
TSNode field(TSNode node, TSFieldId id);
std::uint32_t line_of(TSNode node);
// Is it the text of a.b.c and nothing else?
bool is_chain(std::string_view text);

// Names of node kinds and fields as numbers. Looking one up takes microseconds, so each finder does it once.
struct GrammarNames {
  const TSLanguage* language;
  TSSymbol symbol(std::string_view kind) const {
    return ts_language_symbol_for_name(language, kind.data(), static_cast<std::uint32_t>(kind.size()), true);
  }
  TSFieldId named(std::string_view of_field) const {
    return ts_language_field_id_for_name(language, of_field.data(), static_cast<std::uint32_t>(of_field.size()));
  }
};

ImportReport find_in_python(const Syntax& syntax);
ImportReport find_in_javascript(const Syntax& syntax);
ImportReport find_in_bash(const Syntax& syntax);

}  // namespace hotcell::validate::imports
