// Everything of the protocol that reads a stranger's bytes. What parses must serialise to text that parses again and
// serialises to the same: otherwise a field is read and lost, or written and not understood.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/output_buffer.h"
#include "protocol/base64.h"
#include "protocol/events.h"
#include "protocol/request_json.h"
#include "protocol/result_json.h"
#include "protocol/timestamp.h"
#include "protocol/utf8.h"
#include "protocol/workspace_path.h"

using namespace hotcell;
using namespace hotcell::protocol;

namespace {

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

void fuzz_documents(std::string_view text) {
  if (const auto request = request_from_json(text, {.bytes = 1 << 20, .depth = 32, .values = 10'000})) {
    const auto written = dump(to_json(*request));
    const auto again = request_from_json(written);
    require(again.has_value(), "a request that was written can be read");
    require(dump(to_json(*again)) == written, "a request survives the round trip");
  } else {
    const auto& problem = request.error();
    require(problem.http_status >= 400 && problem.http_status < 500, "a bad request is the caller's fault");
    require(is_valid_utf8(dump(to_json(problem))), "a problem is text");
    require(problem.detail.size() < 4096, "a problem does not repeat what it was sent");
  }
  if (const auto result = result_from_json(text)) {
    const auto written = dump(to_json(*result));
    const auto again = result_from_json(written);
    require(again.has_value(), "a result that was written can be read");
    require(dump(to_json(*again)) == written, "a result survives the round trip");
  }
  if (const auto event = event_from_line(text)) {
    const auto written = to_line(*event);
    require(written.find('\n') == written.size() - 1, "an event is one line");
    const auto again = event_from_line(written);
    require(again.has_value(), "an event that was written can be read");
    require(to_line(*again) == written, "an event survives the round trip");
  }
}

void fuzz_bytes(std::string_view bytes) {
  require(base64_decode(base64_encode(bytes)) == bytes, "base64 survives the round trip");
  if (const auto decoded = base64_decode(bytes)) require(base64_encode(*decoded) == bytes, "base64 has one spelling");
  if (const auto path = workspace_path(bytes)) require(workspace_path(*path) == *path, "a path has one spelling");
  if (const auto time = from_timestamp(bytes)) require(to_timestamp(*time) == bytes, "a time has one spelling");

  const auto text = to_text(bytes);
  require(is_valid_utf8(text.text), "text is UTF-8");
  require(text.lossy != is_valid_utf8(bytes), "lossy says whether something was replaced");

  const std::size_t step = bytes.empty() ? 1 : 1 + static_cast<unsigned char>(bytes[0]) % 7u;
  OutputBuffer buffer(bytes.size() / 2), whole(bytes.size());
  Utf8Splitter splitter;
  std::string pieces;
  for (std::size_t i = 0; i < bytes.size(); i += step) {
    const auto piece = bytes.substr(i, step);
    buffer.write(piece);
    whole.write(piece);
    const auto ready = splitter.push(piece);
    require(!text.lossy ? is_valid_utf8(ready) : true, "no character is split");
    pieces += ready;
  }
  require(pieces + splitter.finish() == bytes, "the splitter loses nothing");
  require(whole.take().bytes == bytes, "what fits is kept exactly");
  const auto kept = buffer.take();
  require(kept.total == bytes.size(), "every byte is counted");
  require(kept.bytes.size() <= bytes.size() / 2 + 64, "the cap holds");
  require(text.lossy || is_valid_utf8(kept.bytes), "characters are left out whole");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  fuzz_documents(input);
  fuzz_bytes(input);
  return 0;
}
