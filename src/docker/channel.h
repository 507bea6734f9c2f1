// The line to the agent in a cell: whole frames over the container's attached streams.
//
// What comes back is hostile: FrameReader and decode() cap it, and whatever is no frame ends the conversation. What the
// container writes to stderr is no part of it; its beginning is kept, for the sentence that says how a cell died.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/wire/wire.h"
#include "base/error.h"
#include "docker/api/client.h"

namespace hotcell::docker {

class Channel {
 public:
  using Frame = agent::FrameReader::Frame;

  explicit Channel(api::Attached attached);

  // All of it. Only while the agent has nothing to say: it may wait for us to listen.
  Expected<void> send(std::string_view frames, api::Until until);
  // What fits now, maybe 0. Poll for POLLOUT before the next try.
  Expected<std::size_t> send_some(std::string_view frames);

  // The next frame; its payload is valid until the next call. Errors: "cell_ended" (its output is closed), "protocol",
  // and those of Attached::receive.
  Expected<Frame> receive(api::Until until);
  // Of this type, or it is an error: "protocol", or what the agent complains of in a fault.
  Expected<Frame> expect(agent::FrameType type, api::Until until);
  // The same without waiting: nothing is here yet.
  Expected<std::optional<Frame>> receive_now();

  // Nobody has hung up, and nothing has come that was not asked for.
  bool quiet();
  int fd() const { return attached_.fd(); }  // for poll, after receive_now() had nothing
  std::string last_words() const;            // " (it wrote: …)", or nothing

 private:
  std::unexpected<Error> ended() const;

  api::Attached attached_;
  agent::FrameReader reader_{agent::Side::agent};
  std::string stderr_;
};

}  // namespace hotcell::docker
