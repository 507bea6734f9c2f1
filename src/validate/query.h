// Rules that are tree-sitter queries, with the predicates that its C library leaves to its callers.
#pragma once
#include <tree_sitter/api.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "validate/syntax.h"

namespace hotcell::validate {

// Understands #eq?, #not-eq?, #any-of?, #not-any-of?, #like? and #not-like? (with * for anything). What must be
// reported is captured as @finding.
class Query {
 public:
  static Expected<Query> compile(protocol::Language language, std::string_view source);

  // Calls found(node) for each match, until the deadline. False: there was no time to finish.
  bool run(const Syntax& syntax, Deadline deadline, const std::function<void(TSNode)>& found) const;

 private:
  struct DeleteQuery {
    void operator()(TSQuery* query) const { ts_query_delete(query); }
  };
  struct Predicate {
    enum class Type { eq, any_of, like } type = Type::eq;
    bool negated = false;
    std::uint32_t capture = 0;
    bool compares_captures = false;
    std::uint32_t other = 0;
    std::vector<std::string> texts;
  };
  bool holds(const Predicate& predicate, const TSQueryMatch& match, const Syntax& syntax) const;

  std::unique_ptr<TSQuery, DeleteQuery> query_;
  std::uint32_t finding_ = 0;
  std::vector<std::vector<Predicate>> predicates_;  // by pattern
};

}  // namespace hotcell::validate
