// The Docker Engine API, as far as hotcell uses it: typed calls over the daemon's unix socket.
//
// Every call takes an Until (a deadline, maybe a stop descriptor) and ends by then, whatever the daemon does: accept
// and say nothing, send half an answer, send for ever. What it sends is capped. Every failure is an Error that keeps
// the daemon's own words:
//
//   docker_unreachable      no socket, nobody listens, or the connection broke in the middle
//   docker_permission       the socket may not be opened by this user
//   docker_not_answering    the deadline came first
//   docker_too_old          the daemon speaks no API as new as 1.41
//   docker_too_new          the daemon speaks no API as old as ours
//   docker_image_missing    there is no such image (nothing is ever pulled)
//   docker_runtime_missing  there is no such runtime, or its program is not there
//   docker_no_space         the daemon's disk is full
//   docker_not_found        there is no such container, network or volume
//   docker_conflict         not in this state: a name in use, a container that is not running, an image in use
//   docker_bad_request      the daemon did not like what was asked
//   docker_error            it failed in another way
//   docker_protocol         what came is no answer of a Docker daemon, or is larger than any should be
//   stopped                 the stop descriptor became readable
//
// A call that changes nothing when made twice is tried once more when the connection broke before any byte of an answer
// (a daemon that restarts). The others are not: create() may then have left a container that nobody knows, which is
// what labels and the sweeper are for.
//
// Thread-safe. Each call has a connection of its own, so calls never wait for one another.
#pragma once
#include <atomic>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "docker/api/endpoint.h"
#include "docker/api/streams.h"
#include "docker/api/types.h"
#include "docker/api/until.h"

namespace hotcell::docker::api {

// The oldest API that has all we need, and the newest one that our tests have seen a daemon speak.
inline constexpr ApiVersion kOldestApi{1, 41};
inline constexpr ApiVersion kNewestApi{1, 52};

struct Call;    // one request: call.h
struct Answer;  // and what came back

class Client {
 public:
  // Finds a daemon there and agrees on an API version with it: the newest one that both know. Two round trips of
  // /_ping, which is the one call that every daemon answers fast. `newest` is for tests.
  static Expected<std::unique_ptr<Client>> connect(Endpoint endpoint, Until until, ApiVersion newest = kNewestApi);

  ApiVersion api_version() const;
  const Endpoint& endpoint() const { return endpoint_; }

  // ---- The daemon ----
  Expected<void> ping(Until until);
  // Slow (50 ms): the daemon starts runc and others to ask them for theirs.
  Expected<DaemonVersion> version(Until until);
  Expected<Info> info(Until until);

  // ---- Containers, by id or name ----
  // `body` is the API's own: Image, Entrypoint, HostConfig, … Never pulls.
  Expected<Created> create(const nlohmann::json& body, Until until, std::string_view name = {});
  // A container that runs already is no error.
  Expected<void> start(std::string_view id, Until until);
  Expected<Container> inspect(std::string_view id, Until until);
  // The whole answer: how the daemon shows what was asked for.
  Expected<nlohmann::json> inspect_json(std::string_view id, Until until);
  // Returns the daemon's warnings (a limit that its kernel cannot enforce).
  Expected<std::vector<std::string>> update(std::string_view id, const Limits& limits, Until until);
  // "docker_conflict" when it does not run.
  Expected<void> kill(std::string_view id, Until until, std::string_view signal = "KILL");
  // SIGTERM, and SIGKILL after `grace_seconds`. A container that does not run is no error.
  Expected<void> stop(std::string_view id, int grace_seconds, Until until);
  // With its anonymous volumes, running or not. Already gone, or going, is what was wanted.
  Expected<void> remove(std::string_view id, Until until);
  // Blocks until it has ended. To be sure to see the end of a container that removes itself, watch_exit() before
  // start(): it returns once the daemon listens for the end.
  Expected<Exit> wait(std::string_view id, WaitFor what, Until until);
  Expected<PendingExit> watch_exit(std::string_view id, WaitFor what, Until until);
  // Running or not. Labels: "key" or "key=value"; all must match.
  Expected<std::vector<ListedContainer>> list(const std::vector<std::string>& labels, Until until);
  Expected<Attached> attach(std::string_view id, AttachStreams streams, Until until);
  Expected<EventStream> events(const EventFilter& filter, Until until);

  // ---- Images, by id or reference ----
  Expected<Image> inspect_image(std::string_view image, Until until);
  Expected<std::vector<Image>> list_images(const std::vector<std::string>& labels, Until until);
  // All its tags too. Already gone is what was wanted; "docker_conflict" while a container uses it.
  Expected<void> remove_image(std::string_view image, Until until);
  Expected<void> tag_image(std::string_view image, std::string_view repository, std::string_view tag, Until until);
  // One layer from the tar that is read from `tar_fd` until its end: a file, or a pipe that somebody fills. `changes`
  // are lines of a Dockerfile: "ENV A=b", "LABEL a=b", "CMD [\"/x\"]". Returns the image's id.
  Expected<std::string> import_image(int tar_fd, std::string_view repository, std::string_view tag,
                                     const std::vector<std::string>& changes, Until until,
                                     const Progress& progress = {});
  // What `docker save` wrote. Returns the names (or ids) that the daemon says it loaded.
  Expected<std::vector<std::string>> load_images(int tar_fd, Until until, const Progress& progress = {});
  // Builds the context in the tar. Returns the image's id. A step that fails is "docker_error" with the end of what the
  // build printed.
  Expected<std::string> build_image(int tar_fd, const BuildOptions& options, Until until,
                                    const Progress& progress = {});

  // ---- Networks and volumes ----
  Expected<std::string> create_network(const NetworkOptions& options, Until until);  // its id
  Expected<Network> inspect_network(std::string_view network, Until until);
  Expected<std::vector<Network>> list_networks(const std::vector<std::string>& labels, Until until);
  Expected<void> remove_network(std::string_view network, Until until);  // already gone is what was wanted
  Expected<std::vector<Volume>> list_volumes(const std::vector<std::string>& labels, Until until);
  Expected<void> remove_volume(std::string_view volume, Until until);  // already gone is what was wanted

 private:
  Client(Endpoint endpoint, ApiVersion newest) : endpoint_(std::move(endpoint)), newest_(newest) {}

  Expected<void> negotiate(Until until);
  // Sends the call and reads the whole answer; an answer other than 2xx or 304 is an Error.
  Expected<Answer> ask(const Call& call, Until until);
  Expected<nlohmann::json> ask_json(const Call& call, Until until);
  Expected<void> tell(const Call& call, Until until);  // of the answer only counts that it is a good one
  // Sends the call and reads the answer's header; its body is for the caller to read.
  Expected<std::unique_ptr<Connection>> open(const Call& call, Until until);
  // Sends the tar and passes on the lines that come back; `look` sees each one as JSON.
  Expected<void> upload(const Call& call, int tar_fd, Until until, const Progress& progress,
                        const std::function<void(const nlohmann::json&)>& look);

  const Endpoint endpoint_;
  const ApiVersion newest_;
  std::atomic<int> minor_{0};  // of the version agreed on, 1.x; a daemon that was replaced may change it
};

}  // namespace hotcell::docker::api
