#include "validate/outline.h"

#include <algorithm>

#include "validate/spelling.h"
#include "validate/text_ops.h"

namespace hotcell::validate {
namespace {

// A grammar's numbers, translated once for each grammar.
struct Dictionary {
  std::vector<Kind> kinds;
  std::vector<Field> fields;

  explicit Dictionary(const TSLanguage* grammar) {
    const std::unordered_map<std::string_view, Kind> kind_names = {{"ERROR", Kind::error},
#define X(name) {#name, Kind::name},
                                                                   HOTCELL_NODE_KINDS(X)
#undef X
    };
    const std::unordered_map<std::string_view, Field> field_names = {{"operator", Field::operator_field},
#define X(name) {#name, Field::name},
                                                                     HOTCELL_NODE_FIELDS(X)
#undef X
    };
    for (std::uint32_t i = 0; i < ts_language_symbol_count(grammar); ++i) {
      const auto symbol = static_cast<TSSymbol>(i);
      const std::string_view name = ts_language_symbol_name(grammar, symbol);
      Kind kind = Kind::token;
      if (ts_language_symbol_type(grammar, symbol) == TSSymbolTypeRegular) {
        const auto found = kind_names.find(name);
        kind = found == kind_names.end() ? Kind::other : found->second;
      } else if (name == "&") {
        kind = Kind::ampersand;
      }
      kinds.push_back(kind);
    }
    fields.push_back(Field::none);
    for (std::uint32_t i = 1; i <= ts_language_field_count(grammar); ++i) {
      const auto found = field_names.find(ts_language_field_name_for_id(grammar, static_cast<TSFieldId>(i)));
      fields.push_back(found == field_names.end() ? Field::none : found->second);
    }
  }
};

const Dictionary& dictionary_of(protocol::Language language) {
  switch (language) {
    case protocol::Language::javascript: {
      static const Dictionary javascript(grammar_of(protocol::Language::javascript));
      return javascript;
    }
    case protocol::Language::bash: {
      static const Dictionary bash(grammar_of(protocol::Language::bash));
      return bash;
    }
    default: {
      static const Dictionary python(grammar_of(protocol::Language::python));
      return python;
    }
  }
}

bool is_name(Kind kind) {
  return kind == Kind::identifier || kind == Kind::dotted_name || kind == Kind::property_identifier ||
         kind == Kind::shorthand_property_identifier || kind == Kind::shorthand_property_identifier_pattern;
}

}  // namespace

void Outline::respell(NodeId id) {
  const auto text = source_.substr(nodes_[id].begin, nodes_[id].end - nodes_[id].begin);
  std::string plain;
  if (syntax_->language() == protocol::Language::python) {
    if (std::none_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; })) return;
    plain = plain_spelling(text);
  } else if (syntax_->language() == protocol::Language::javascript) {
    if (text.find('\\') == text.npos) return;
    plain = unescaped(text, false);
  }
  if (!plain.empty() && plain != text) respelled_.emplace(id, std::move(plain));
}

Outline::Outline(const Syntax& syntax) : syntax_(&syntax), source_(syntax.source()) {
  const auto& dictionary = dictionary_of(syntax.language());
  const bool bash = syntax.language() == protocol::Language::bash;
  nodes_.reserve(ts_node_descendant_count(syntax.root()) * std::size_t{2} / 3 + 8);
  NodeId parent = kNoNode;
  walk(
      syntax.root(),
      [&](TSNode node, TSFieldId field_id) {
        const auto symbol = ts_node_symbol(node);
        auto kind = symbol < dictionary.kinds.size() ? dictionary.kinds[symbol] : Kind::error;
        const auto field = field_id < dictionary.fields.size() ? dictionary.fields[field_id] : Field::none;
        if (kind <= Kind::ampersand && kind >= Kind::token) {
          // Punctuation says nothing that the tree does not, but for operators. Python and JavaScript name theirs by a
          // field; Bash has redirections whose operator has none.
          if (field == Field::operator_field ||
              (bash && parent != kNoNode && nodes_[parent].kind == Kind::file_redirect))
            kind = Kind::operator_token;
          else if (kind != Kind::ampersand || !bash)
            return Step::over;
        }
        const auto begin = ts_node_start_byte(node);
        nodes_.push_back({kind, field, begin, ts_node_end_byte(node), parent, 0});
        parent = static_cast<NodeId>(nodes_.size() - 1);
        if (is_name(kind)) respell(parent);
        return Step::into;
      },
      [&](TSNode) {
        nodes_[parent].after = static_cast<NodeId>(nodes_.size());
        parent = nodes_[parent].parent;
      });
}

NodeId Outline::inner(NodeId id) const {
  for (auto at = first(id); at != kNoNode; at = next(at))
    if (nodes_[at].kind != Kind::operator_token && nodes_[at].kind != Kind::comment) return at;
  return kNoNode;
}

}  // namespace hotcell::validate
