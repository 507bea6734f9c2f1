// One request to the daemon, and what its refusals mean.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace hotcell::docker::api {

struct Call {
  enum class Subject { daemon, container, image, network, volume };
  enum class Body { none, json, tar };  // a tar is streamed behind the head, in chunks

  std::string doing;  // for the sentence when it fails: "start container 1234"
  std::string method;
  std::string target;  // behind the version: "/containers/json?all=1"
  Subject subject = Subject::daemon;
  Body body_type = Body::none;
  std::string body = {};     // of Body::json
  bool repeatable = false;   // to make it twice changes nothing
  bool versioned = true;     // /v1.41 goes before the target
  bool becomes_raw = false;  // the connection turns into a raw stream

  // What only looks.
  static Call get(std::string doing, std::string target, Subject subject = Subject::daemon) {
    return {.doing = std::move(doing),
            .method = "GET",
            .target = std::move(target),
            .subject = subject,
            .repeatable = true};
  }

  // The head, and a json body behind it.
  std::string encode(std::string_view version) const;
};

struct Answer {
  int status = 0;
  std::string api_version;  // the newest that the daemon speaks; may be empty
  std::string body;
};

// "?all=1&filters=%7B…"; nothing when there are no parameters.
using Parameters = std::vector<std::pair<std::string_view, std::string>>;
std::string query(const Parameters& parameters);

// What may stand in a target. A name that could mean another path is refused: "docker_bad_request".
Expected<std::string> container_path(std::string_view id);
Expected<std::string> image_path(std::string_view reference);
Expected<std::string> network_path(std::string_view network);
Expected<std::string> volume_path(std::string_view volume);

// The Error for an answer that is neither 2xx nor 304, or for what a stream of progress says went wrong (status 0).
// Keeps the daemon's words; which code they mean is decided here and nowhere else.
Error refusal(const Call& call, int status, std::string_view body);
Error refusal_in_words(const Call& call, int status, std::string words);

// "cannot start container 1234: …" in front of an Error that does not say what was tried.
std::unexpected<Error> while_doing(const Call& call, Error error);

}  // namespace hotcell::docker::api
