// What an agent that its workload has taken over may send to the host, and what a mad host may send to the agent: any
// bytes, in pieces of any size, through the frame reader into every decoder. What decodes must encode to the same
// meaning, or two sides of the wire disagree.
#include <cstdio>
#include <cstdlib>

#include "agent/wire/wire.h"

using namespace hotcell::agent;

namespace {

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

template <class Message>
void decode(std::string_view bytes) {
  const auto message = Message::decode(bytes);
  if (!message) return;
  const auto written = message->encode();
  require(written == bytes, "there is one way to write a message");
}

void decode_all(std::string_view bytes) {
  decode<Hello>(bytes);
  decode<Warm>(bytes);
  decode<Order>(bytes);
  decode<FileIn>(bytes);
  decode<Input>(bytes);
  decode<Stop>(bytes);
  decode<Reset>(bytes);
  decode<Facts>(bytes);
  decode<Warmed>(bytes);
  decode<Output>(bytes);
  decode<WantInput>(bytes);
  decode<Report>(bytes);
  decode<FileOut>(bytes);
  decode<Cleaned>(bytes);
  decode<Fault>(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = data[0] + 1u;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  decode_all(input);
  for (const auto sender : {Side::host, Side::agent}) {
    FrameReader reader(sender);
    std::size_t taken = 0;
    for (std::size_t at = 0; at < input.size(); at += step) {
      reader.feed(input.substr(at, step));
      while (const auto frame = reader.next()) {
        const bool from_host = frame->type < FrameType::ready;
        require(from_host == (sender == Side::host), "each side says only what is its to say");
        require(input.substr(taken + kFrameHeader, frame->payload.size()) == frame->payload,
                "a frame is what was sent");
        taken += kFrameHeader + frame->payload.size();
        require(taken <= at + step, "no frame comes before its bytes");
        decode_all(frame->payload);
      }
    }
  }
  return 0;
}
