// Two things about tree-sitter shape this file. It calls its progress callback every hundred steps or so, and that is
// the only place where a parse can be ended; so both limits, time and memory, are looked at there. And it never asks
// how much memory it may use: its allocator is replaced by one that counts, per thread, what the parse that runs on
// this thread holds. (GLR parsing of garbage keeps several stacks alive, so a limit on the source's size alone says
// little.)
#include "validate/syntax.h"

#include <malloc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <mutex>

#include "base/deadline.h"

extern "C" {
const TSLanguage* tree_sitter_python(void);
const TSLanguage* tree_sitter_javascript(void);
const TSLanguage* tree_sitter_bash(void);
}

namespace hotcell::validate {
namespace {

// What this thread's running parse holds. Trees freed by another thread don't matter: only the difference between the
// beginning and the end of one parse is looked at, and that happens on one thread.
thread_local std::int64_t held_bytes = 0;

void* count(void* block) {
  if (block == nullptr) std::abort();  // as tree-sitter itself does
  held_bytes += static_cast<std::int64_t>(malloc_usable_size(block));
  return block;
}
void discount(void* block) { held_bytes -= static_cast<std::int64_t>(malloc_usable_size(block)); }

void install_counting_allocator() {
  static std::once_flag once;
  std::call_once(once, [] {
    ts_set_allocator([](std::size_t size) { return count(std::malloc(size)); },
                     [](std::size_t many, std::size_t size) { return count(std::calloc(many, size)); },
                     [](void* old, std::size_t size) {
                       discount(old);
                       return count(std::realloc(old, size));
                     },
                     [](void* block) {
                       discount(block);
                       std::free(block);
                     });
  });
}

struct DeleteParser {
  void operator()(TSParser* parser) const { ts_parser_delete(parser); }
};
using Parser = std::unique_ptr<TSParser, DeleteParser>;

// A parser is 30 µs to make and keeps its stacks: one for each thread and language.
Parser& parser_of_thread(protocol::Language language) {
  thread_local std::array<Parser, 3> parsers;
  auto& parser = parsers[static_cast<std::size_t>(language)];
  if (!parser) {
    parser.reset(ts_parser_new());
    ts_parser_set_language(parser.get(), grammar_of(language));
  }
  return parser;
}

struct Run {
  std::string_view source;
  Deadline deadline;
  std::int64_t memory_end;
  unsigned until_clock = 0;  // looking at the clock costs more than a step
  bool late = false, fat = false;
};

const char* read_source(void* payload, std::uint32_t byte, TSPoint, std::uint32_t* size) {
  const auto source = static_cast<Run*>(payload)->source;
  const auto at = std::min<std::size_t>(byte, source.size());
  *size = static_cast<std::uint32_t>(source.size() - at);
  return source.data() + at;
}

bool must_stop(TSParseState* state) {
  auto& run = *static_cast<Run*>(state->payload);
  run.fat = held_bytes > run.memory_end;
  if (run.until_clock-- == 0) {
    run.until_clock = 16;
    run.late = run.deadline.passed();
  }
  return run.fat || run.late;
}

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::string mebibytes(std::size_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

const TSLanguage* grammar_of(protocol::Language language) {
  switch (language) {
    case protocol::Language::python:
      return tree_sitter_python();
    case protocol::Language::javascript:
      return tree_sitter_javascript();
    case protocol::Language::bash:
      return tree_sitter_bash();
    case protocol::Language::wasm:
      break;
  }
  return nullptr;
}

Expected<Syntax> Syntax::parse(protocol::Language language, std::string source, const ParseLimits& limits) {
  if (grammar_of(language) == nullptr)
    return fail("unsupported_language", "a WebAssembly module has no source text to check");
  if (source.size() > std::min<std::size_t>(limits.bytes, 1u << 30))
    return fail("program_too_large", "the program is longer than the " + mebibytes(limits.bytes) + " that are checked");
  install_counting_allocator();
  auto& parser = parser_of_thread(language);

  Syntax syntax;
  syntax.language_ = language;
  syntax.source_ = std::make_unique<const std::string>(std::move(source));
  Run run{syntax.source(), Deadline::after(limits.time), held_bytes + static_cast<std::int64_t>(limits.memory_bytes)};
  const TSInput input{&run, read_source, TSInputEncodingUTF8, nullptr};
  syntax.tree_.reset(ts_parser_parse_with_options(parser.get(), nullptr, input, {&run, must_stop}));
  // A stopped parser would go on where it was; one that has read a long program keeps long stacks.
  if (!syntax.tree_ || syntax.source_->size() > (1u << 20)) parser.reset();
  if (syntax.tree_) return syntax;
  if (run.fat)
    return fail("parse_memory",
                "checking the program would take more than " + mebibytes(limits.memory_bytes) + " of memory");
  return fail("parse_timeout",
              "checking the program took longer than " + std::to_string(limits.time.count()) + " milliseconds");
}

std::string_view Syntax::text(TSNode node) const {
  const auto begin = std::min<std::size_t>(ts_node_start_byte(node), source_->size());
  const auto end = std::clamp<std::size_t>(ts_node_end_byte(node), begin, source_->size());
  return source().substr(begin, end - begin);
}

namespace {
std::uint32_t characters(std::string_view text) {
  return static_cast<std::uint32_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}
}  // namespace

Position Syntax::position(TSNode node) const {
  const auto point = ts_node_start_point(node);
  auto before = source().substr(0, ts_node_start_byte(node));
  before.remove_prefix(before.size() - std::min<std::size_t>(point.column, before.size()));
  if (point.row == 0 && before.starts_with(kByteOrderMark)) before.remove_prefix(kByteOrderMark.size());
  return {point.row + 1, characters(before) + 1};
}

Position Syntax::position(std::uint32_t byte) const {
  auto before = source().substr(0, byte);
  const auto line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  const auto line = 1 + static_cast<std::uint32_t>(std::count(before.begin(), before.begin() + line_start, '\n'));
  before.remove_prefix(line_start);
  if (line == 1 && before.starts_with(kByteOrderMark)) before.remove_prefix(kByteOrderMark.size());
  return {line, characters(before) + 1};
}

std::string_view Syntax::line(std::uint32_t number) const {
  auto rest = source();
  for (; number > 1; --number) {
    const auto newline = rest.find('\n');
    if (newline == rest.npos) return {};
    rest.remove_prefix(newline + 1);
  }
  rest = rest.substr(0, rest.find('\n'));
  if (rest.ends_with('\r')) rest.remove_suffix(1);
  return rest;
}

}  // namespace hotcell::validate
