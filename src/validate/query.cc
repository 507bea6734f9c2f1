#include "validate/query.h"

#include <algorithm>
#include <optional>

#include "protocol/utf8.h"
#include "validate/rules.h"

namespace hotcell::validate {
namespace {

std::unexpected<Error> wrong(std::string_view source, std::uint32_t offset, const std::string& why) {
  const auto before = source.substr(0, offset);
  return fail("invalid_rules",
              "line " + std::to_string(1 + std::count(before.begin(), before.end(), '\n')) + " of its query " + why);
}

std::string name_at(std::string_view source, std::uint32_t offset) {
  const auto rest = source.substr(std::min<std::size_t>(offset, source.size()));
  return "\"" + protocol::shortened(rest.substr(0, rest.find_first_of(" \n)\"")), 40) + "\"";
}

std::string_view string_of(const TSQuery* query, std::uint32_t id) {
  std::uint32_t size = 0;
  const char* text = ts_query_string_value_for_id(query, id, &size);
  return {text, size};
}

}  // namespace

Expected<Query> Query::compile(protocol::Language language, std::string_view source) {
  std::uint32_t offset = 0;
  TSQueryError error = TSQueryErrorNone;
  Query made;
  made.query_.reset(
      ts_query_new(grammar_of(language), source.data(), static_cast<std::uint32_t>(source.size()), &offset, &error));
  if (!made.query_) {
    const auto name = name_at(source, offset);
    switch (error) {
      case TSQueryErrorNodeType:
        return wrong(source, offset, "names a node type that the grammar does not have: " + name);
      case TSQueryErrorField:
        return wrong(source, offset, "names a field that the grammar does not have: " + name);
      case TSQueryErrorCapture:
        return wrong(source, offset, "uses a capture that it has not: " + name);
      case TSQueryErrorStructure:
        return wrong(source, offset, "can never match, at " + name);
      default:
        return wrong(source, offset, "has a syntax error at " + name);
    }
  }
  const auto* query = made.query_.get();
  bool has_finding = false;
  for (std::uint32_t i = 0; i < ts_query_capture_count(query); ++i) {
    std::uint32_t size = 0;
    const char* name = ts_query_capture_name_for_id(query, i, &size);
    if (std::string_view(name, size) == "finding") {
      made.finding_ = i;
      has_finding = true;
    }
  }
  if (!has_finding) return wrong(source, 0, "has no @finding: the node to report");

  for (std::uint32_t pattern = 0; pattern < ts_query_pattern_count(query); ++pattern) {
    auto& predicates = made.predicates_.emplace_back();
    const auto at = ts_query_start_byte_for_pattern(query, pattern);
    std::uint32_t count = 0;
    const auto* steps = ts_query_predicates_for_pattern(query, pattern, &count);
    for (std::uint32_t i = 0; i < count; ++i) {
      std::vector<TSQueryPredicateStep> words;
      for (; i < count && steps[i].type != TSQueryPredicateStepTypeDone; ++i) words.push_back(steps[i]);
      if (words.empty() || words[0].type != TSQueryPredicateStepTypeString)
        return wrong(source, at, "has a bad predicate");
      const std::string name(string_of(query, words[0].value_id));
      Predicate predicate;
      predicate.negated = name.starts_with("not-");
      const auto plain = predicate.negated ? name.substr(4) : name;
      if (plain == "eq?")
        predicate.type = Predicate::Type::eq;
      else if (plain == "any-of?")
        predicate.type = Predicate::Type::any_of;
      else if (plain == "like?")
        predicate.type = Predicate::Type::like;
      else
        return wrong(
            source, at,
            "has a predicate #" + name + " that is not known: there are eq?, any-of?, like?, and not- before each");
      if (words.size() < 3 || words[1].type != TSQueryPredicateStepTypeCapture || (plain == "eq?" && words.size() != 3))
        return wrong(source, at, "must write #" + name + " @capture \"text\"");
      predicate.capture = words[1].value_id;
      for (std::size_t w = 2; w < words.size(); ++w) {
        if (words[w].type == TSQueryPredicateStepTypeString) {
          predicate.texts.emplace_back(string_of(query, words[w].value_id));
        } else if (plain == "eq?") {
          predicate.compares_captures = true;
          predicate.other = words[w].value_id;
        } else {
          return wrong(source, at, "must write #" + name + " @capture \"text\"");
        }
      }
      predicates.push_back(std::move(predicate));
    }
  }
  return made;
}

bool Query::holds(const Predicate& predicate, const TSQueryMatch& match, const Syntax& syntax) const {
  const auto text_of = [&](std::uint32_t capture) -> std::optional<std::string_view> {
    for (std::uint16_t i = 0; i < match.capture_count; ++i)
      if (match.captures[i].index == capture) return syntax.text(match.captures[i].node);
    return std::nullopt;
  };
  const auto text = text_of(predicate.capture);
  if (!text) return true;  // an optional part that isn't there
  bool found = false;
  if (predicate.compares_captures) {
    found = text_of(predicate.other) == text;
  } else {
    found = std::any_of(predicate.texts.begin(), predicate.texts.end(), [&](const std::string& one) {
      return predicate.type == Predicate::Type::like ? text->size() <= 4096 && like(one, *text) : one == *text;
    });
  }
  return found != predicate.negated;
}

bool Query::run(const Syntax& syntax, Deadline deadline, const std::function<void(TSNode)>& found) const {
  struct DeleteCursor {
    void operator()(TSQueryCursor* cursor) const { ts_query_cursor_delete(cursor); }
  };
  const std::unique_ptr<TSQueryCursor, DeleteCursor> cursor(ts_query_cursor_new());
  ts_query_cursor_set_match_limit(cursor.get(), 4096);
  struct State {
    Deadline deadline;
    bool late = false;
  } state{deadline};
  const TSQueryCursorOptions options{&state, [](TSQueryCursorState* at) {
                                       auto& own = *static_cast<State*>(at->payload);
                                       return own.late = own.late || own.deadline.passed();
                                     }};
  ts_query_cursor_exec_with_options(cursor.get(), query_.get(), syntax.root(), &options);
  TSQueryMatch match;
  while (ts_query_cursor_next_match(cursor.get(), &match)) {
    const auto& predicates = predicates_[match.pattern_index];
    if (!std::all_of(predicates.begin(), predicates.end(),
                     [&](const Predicate& one) { return holds(one, match, syntax); }))
      continue;
    for (std::uint16_t i = 0; i < match.capture_count; ++i)
      if (match.captures[i].index == finding_) found(match.captures[i].node);
  }
  return !state.late;
}

}  // namespace hotcell::validate
