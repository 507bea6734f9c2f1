// What a worker that guest code has taken over may send: any bytes, through the frame loop into every decoder. What
// decodes must encode to the same meaning, or two sides of the wire disagree.
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "wasi/wire.h"

using namespace hotcell;
using namespace hotcell::wasi;

namespace {

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

// Flags and padding have many spellings, so it is the second encoding that must be stable.
template <class Message>
void decode(std::string_view bytes) {
  const auto message = Message::decode(bytes);
  if (!message) return;
  const auto written = message->encode();
  const auto again = Message::decode(written);
  require(again.has_value(), "what was written can be read");
  require(again->encode() == written, "a message survives the round trip");
}

void decode_all(std::string_view bytes) {
  decode<Order>(bytes);
  decode<Report>(bytes);
  decode<HostQuestion>(bytes);
  decode<HostAnswer>(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  decode_all(input);
  if (size > 60'000) return 0;  // what a socket takes without a reader

  auto ends = Channel::pair();
  if (!ends) return 0;
  require(write(ends->first.fd(), data, size) == static_cast<ssize_t>(size), "the socket takes the input");
  ends->first = Channel();
  std::size_t taken = 0;
  for (;;) {
    const auto frame = ends->second.receive(Deadline::after(std::chrono::seconds(5)), -1, 1 << 16);
    if (!frame) {
      require(frame.error().code == "peer_lost" || frame.error().code == "protocol",
              "the loop ends for a known reason");
      break;
    }
    require(input.substr(taken + 8, frame->payload.size()) == frame->payload, "a frame is what was sent");
    taken += 8 + frame->payload.size();
    require(taken <= size, "no frame comes from nowhere");
    decode_all(frame->payload);
  }
  return 0;
}
