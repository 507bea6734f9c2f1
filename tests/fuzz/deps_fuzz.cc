// Everything of the dependencies that reads text: requirements of both kinds, locks, manifests, records. What is
// accepted must be written to text that is accepted again and means the same; keys must agree with that.
//
// The first byte chooses the reader, the rest is its text.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "deps/entry_record.h"
#include "deps/key.h"
#include "deps/lock.h"
#include "deps/manifest.h"
#include "deps/npm_spec.h"
#include "deps/pep440.h"
#include "deps/requirement.h"
#include "deps/tree.h"

using namespace hotcell;
using namespace hotcell::deps;

namespace {

void require(bool holds, const char* what, const std::string& detail = {}) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s (%s)\n", what, detail.c_str());
  std::abort();
}

void one_requirement(Ecosystem ecosystem, std::string_view text) {
  const auto once = parse_requirement(ecosystem, text);
  if (!once) {
    require(once.error().code == "invalid_requirement", "another code", once.error().code);
    require(once.error().message.size() < 3 * kMaxRequirementBytes, "an endless message");
    return;
  }
  const auto twice = parse_requirement(ecosystem, once->text());
  require(twice.has_value(), "what was written is not read", once->text());
  require(*once == *twice, "what was written is read as something else", once->text() + " / " + twice->text());
  require(once->name.find_first_of("/\\ \t\n;") == std::string::npos ||
              (ecosystem == Ecosystem::npm && once->name.starts_with('@')),
          "an odd name", once->name);
  require(!once->text().starts_with('-'), "an option", once->text());
}

// A set, in this order and the other way round.
void requirements(Ecosystem ecosystem, std::string_view text) {
  std::vector<std::string> texts;
  while (!text.empty()) {
    const auto end = text.find('\n');
    texts.emplace_back(text.substr(0, end));
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
  }
  const auto forward = parse_requirements(ecosystem, texts);
  const auto backward = parse_requirements(ecosystem, std::vector<std::string>(texts.rbegin(), texts.rend()));
  require(forward.has_value() == backward.has_value(), "the order decides whether a set is accepted");
  if (!forward) return;
  const Target target{ecosystem, "x", "y"};
  require(wish_key(target, *forward) == wish_key(target, *backward), "the order changes the key",
          canonical_text(*forward) + " / " + canonical_text(*backward));
  std::vector<std::string> written;
  for (const auto& requirement : *forward) written.push_back(requirement.text());
  const auto again = parse_requirements(ecosystem, written);
  require(again && canonical_text(*again) == canonical_text(*forward), "the set is written as another one",
          canonical_text(*forward));
}

void lock(std::string_view text) {
  const auto parsed = Lock::parse(text);
  if (!parsed) return;
  require(parsed->text() == text, "a lock that is not canonical was read");
  const auto again = Lock::make(parsed->ecosystem(), parsed->packages());
  require(again && *again == *parsed, "a lock is not made of its own packages");
  for (const auto& package : parsed->packages())
    require(package.place.find("..") == std::string::npos || package.place.find("/../") == std::string::npos,
            "a place that leads out", package.place);
}

void manifest(std::string_view text) {
  const auto items = parse_manifest(text);
  if (!items) return;
  const auto again = parse_manifest(manifest_text({*items, 0}));
  require(again && compare(*items, *again).empty(), "a manifest is written as another one");
}

void record(std::string_view text) {
  // Signed here, for the reader looks at nothing else before the signature.
  const Digest secret{1, 2, 3};
  const auto unsigned_text = parse_record(text, secret);
  require(!unsigned_text, "a record without our signature was read");
  const std::string domain = "hotcell dependency record\n";
  std::string message = domain + std::string(text);
  const auto tag = hmac_sha256(secret, {reinterpret_cast<const std::uint8_t*>(message.data()), message.size()});
  const auto parsed = parse_record(std::string(text) + "hmac " + hex(tag) + "\n", secret);
  if (!parsed) return;
  const auto again = parse_record(record_text(*parsed, secret), secret);
  require(again && *again == *parsed, "a record is written as another one");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 9) {
    case 0:
      one_requirement(Ecosystem::pypi, text);
      break;
    case 1:
      one_requirement(Ecosystem::npm, text);
      break;
    case 2:
      requirements(Ecosystem::pypi, text);
      break;
    case 3:
      requirements(Ecosystem::npm, text);
      break;
    case 4:
      lock(text);
      break;
    case 5:
      manifest(text);
      break;
    case 6:
      record(text);
      break;
    case 7:
      if (const auto version = normalize_pep440_version(text))
        require(normalize_pep440_version(*version) == version, "a version changes again", *version);
      if (const auto version = normalize_npm_version(text))
        require(normalize_npm_version(*version) == version, "a version changes again", *version);
      break;
    default:
      (void)link_stays_inside("a/b/c", text);
      (void)quoted(text);
  }
  return 0;
}
