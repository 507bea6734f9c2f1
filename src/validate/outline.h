// The tree of one program as a flat array in the order of the text.
//
// Rules and name resolution go up, down and sideways in the tree all the time, and tree-sitter's nodes are slow at all
// three (a parent is searched from the root, a field by going through all children). So its tree is walked once, and
// what matters is written into 20 bytes a node: a subtree is the range [i, after), its first child is i + 1, and a
// node's next sibling is its `after`.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "validate/kinds.h"
#include "validate/syntax.h"

namespace hotcell::validate {

using NodeId = std::uint32_t;
inline constexpr NodeId kNoNode = ~0u;

struct OutlineNode {
  Kind kind = Kind::other;
  Field field = Field::none;  // of the parent
  std::uint32_t begin = 0, end = 0;
  NodeId parent = kNoNode;
  NodeId after = 0;
};

class Outline {
 public:
  explicit Outline(const Syntax& syntax);

  const Syntax& syntax() const { return *syntax_; }
  NodeId size() const { return static_cast<NodeId>(nodes_.size()); }
  const OutlineNode& operator[](NodeId id) const { return nodes_[id]; }
  Kind kind(NodeId id) const { return id == kNoNode ? Kind::other : nodes_[id].kind; }
  // A name as its language takes it, anything else as it stands in the program.
  // Broken programs have broken trees: what is asked of a node that isn't there is answered with nothing.
  std::string_view text(NodeId id) const {
    if (id == kNoNode) return {};
    if (!respelled_.empty())
      if (const auto found = respelled_.find(id); found != respelled_.end()) return found->second;
    return source_.substr(nodes_[id].begin, nodes_[id].end - nodes_[id].begin);
  }

  NodeId parent(NodeId id) const { return id == kNoNode ? kNoNode : nodes_[id].parent; }
  NodeId first(NodeId id) const { return id != kNoNode && id + 1 < nodes_[id].after ? id + 1 : kNoNode; }
  NodeId next(NodeId id) const {
    if (id == kNoNode) return kNoNode;
    const auto& node = nodes_[id];
    return node.parent != kNoNode && node.after < nodes_[node.parent].after ? node.after : kNoNode;
  }
  // The first child that is not an operator or a comment.
  NodeId inner(NodeId id) const;
  NodeId child(NodeId id, Field field) const {
    for (auto at = first(id); at != kNoNode; at = next(at))
      if (nodes_[at].field == field) return at;
    return kNoNode;
  }

 private:
  void respell(NodeId id);

  const Syntax* syntax_;
  std::string_view source_;
  std::vector<OutlineNode> nodes_;
  std::unordered_map<NodeId, std::string> respelled_;  // names that mean others than they seem to
};

}  // namespace hotcell::validate
