// What a daemon, or whatever listens where one should, may send: any bytes, in pieces of any size, through the reader
// of answers and then through the demultiplexer or the splitter of lines. However the bytes are cut up, the same must
// come out, and never more than went in.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "docker/api/call.h"
#include "docker/api/demultiplexer.h"
#include "docker/api/http_reader.h"
#include "docker/api/line_splitter.h"

using namespace hotcell;
using namespace hotcell::docker::api;

namespace {

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

struct Read {
  bool head = false, done = false, failed = false;
  int status = 0;
  std::string body, rest, error;
};

Read read_answer(std::string_view input, std::size_t piece) {
  Read out;
  HttpReader reader;
  const auto fail = [&](const Expected<void>& result) {
    if (result || out.failed) return;
    out.failed = true;
    out.error = result.error().code;
    require(out.error == "docker_protocol" || out.error == "docker_unreachable", "a failure has a known code");
  };
  while (!input.empty() && !out.failed && !reader.done()) {
    fail(reader.feed(input.substr(0, piece)));
    input.remove_prefix(std::min(piece, input.size()));
    if (!out.failed && reader.head_done() && reader.status() != 101) fail(reader.decode(out.body));
  }
  out.head = reader.head_done();
  out.status = reader.status();
  const bool raw = out.head && out.status == 101;
  if (!out.failed && !raw) fail(reader.end());
  if (!out.failed && !raw) fail(reader.decode(out.body));
  out.done = reader.done();
  out.rest = reader.take_rest();
  return out;
}

struct Heard {
  std::string out, err;
  bool failed = false;
};

Heard demultiplex(std::string_view input, std::size_t piece) {
  Heard heard;
  Demultiplexer demultiplexer;
  while (!input.empty()) {
    auto part = input.substr(0, piece);
    input.remove_prefix(part.size());
    for (;;) {
      const auto before = part.size();
      const auto next = demultiplexer.next(part);
      heard.failed = !next;
      if (!next) return heard;
      require(part.size() < before || !*next, "a piece uses something up");
      if (!*next) break;
      require(!(*next)->bytes.empty(), "a piece has bytes");
      ((*next)->stream == Stream::err ? heard.err : heard.out) += (*next)->bytes;
    }
    require(part.empty(), "all that was fed is used");
  }
  return heard;
}

std::string lines(std::string_view input, std::size_t piece) {
  std::string out;
  LineSplitter splitter;
  while (!input.empty()) {
    splitter.input() += input.substr(0, piece);
    input.remove_prefix(std::min(piece, input.size()));
    for (;;) {
      const auto line = splitter.next();
      if (!line) return out + "failed";
      if (!*line) break;
      require(!(*line)->empty() && (*line)->find('\n') == std::string_view::npos, "a line is a line");
      (out += **line) += '\n';
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::size_t piece = 1 + data[0] % 61;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);

  const auto whole = read_answer(input, std::string_view::npos);
  const auto parts = read_answer(input, piece);
  require(whole.body.size() <= input.size(), "a body comes from nowhere");
  // Which of the two errors it is may differ: Beast waits for the end of a head once it has seen a good beginning of
  // one.
  require(whole.failed == parts.failed, "an answer fails however it is cut up");
  if (!whole.failed) {
    require(whole.head && whole.status == parts.status && whole.done == parts.done && whole.body == parts.body,
            "an answer is the same however it is cut up");
  }
  if (whole.head && (whole.status < 200 || whole.status > 299)) {
    const auto error = refusal(Call::get("look", "/x"), whole.status, whole.body);
    require(error.code.starts_with("docker_") && error.message.size() < 8192, "a refusal is an error of bounded size");
  }

  const auto heard = demultiplex(input, std::string_view::npos);
  const auto again = demultiplex(input, piece);
  require(heard.failed == again.failed && heard.out == again.out && heard.err == again.err,
          "streams are the same however they are cut up");
  require(heard.out.size() + heard.err.size() <= input.size(), "output comes from nowhere");
  require(lines(input, std::string_view::npos) == lines(input, piece), "lines are the same however they are cut up");
  return 0;
}
