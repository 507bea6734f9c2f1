// Answers that go on for as long as the caller wants: a container's standard streams, the daemon's events, an exit that
// has not happened yet. Each owns its connection; destroying it ends it.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "docker/api/demultiplexer.h"
#include "docker/api/line_splitter.h"
#include "docker/api/types.h"
#include "docker/api/until.h"

namespace hotcell::docker::api {

class Connection;

// A container's standard streams: after attach, the HTTP connection belongs to them.
//
// What a container writes between its start and the moment when the daemon has wired the stream (after its 101 answer!)
// is lost: whoever is inside must speak only after it has been spoken to.
//
// One thread may send while another one receives. Errors, besides "docker_not_answering" at the deadline and "stopped":
// "docker_unreachable" when the connection broke, "docker_protocol" when what came cannot be a frame, "docker_error"
// when the daemon reports trouble of its own within the stream.
class Attached {
 public:
  Attached(std::unique_ptr<Connection> connection, std::string received);
  Attached(Attached&&) noexcept;
  Attached& operator=(Attached&&) noexcept;
  ~Attached();

  // All of it, waiting while the other side does not read. A container that waits for its own output to be read may
  // never get so far: who sends a lot sends with send_some, or from a thread of its own.
  Expected<void> send(std::string_view bytes, Until until);
  // As many bytes as the socket takes now, maybe 0; never waits. poll fd() for POLLOUT before the next try.
  Expected<std::size_t> send_some(std::string_view bytes);
  // The container's standard input ends (if it has StdinOnce); its output still comes.
  Expected<void> close_input();

  // The next bytes of one stream, as they arrive: a piece of a frame, since frames mean nothing to the reader. Nothing:
  // the container closed its output (it has ended, or the daemon is going away).
  // The bytes are valid until the next call.
  Expected<std::optional<Piece>> receive(Until until);
  // Whether receive() would return at once because of bytes that poll cannot see any more.
  bool received() const;

  // For poll only.
  int fd() const;

 private:
  std::unique_ptr<Connection> connection_;
  std::string buffer_;  // received; from consumed_ on, not yet given out
  std::size_t consumed_ = 0;
  bool ended_ = false;
  Demultiplexer demultiplexer_;
};

// The daemon's events about containers, from the moment when Client::events returned. Not thread-safe.
class EventStream {
 public:
  explicit EventStream(std::unique_ptr<Connection> connection);
  EventStream(EventStream&&) noexcept;
  EventStream& operator=(EventStream&&) noexcept;
  ~EventStream();

  // Waits for the next one. "docker_not_answering": none came before the deadline, and the stream is still good.
  // "docker_unreachable": the daemon closed the stream; subscribe again, with `since` to miss nothing.
  Expected<Event> next(Until until);
  int fd() const;  // for poll only, and only a hint: an event may already be here

 private:
  std::unique_ptr<Connection> connection_;
  LineSplitter lines_;
};

// An exit that the daemon has promised to report. Not thread-safe.
class PendingExit {
 public:
  explicit PendingExit(std::unique_ptr<Connection> connection);
  PendingExit(PendingExit&&) noexcept;
  PendingExit& operator=(PendingExit&&) noexcept;
  ~PendingExit();

  // May be asked again after "docker_not_answering" (it has not ended yet). Once it has answered, it is used up.
  Expected<Exit> get(Until until);
  int fd() const;  // for poll only

 private:
  std::unique_ptr<Connection> connection_;
  std::string answer_;  // as far as it has come
};

}  // namespace hotcell::docker::api
