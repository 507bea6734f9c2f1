#include "docker/api/call.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "docker/api/json.h"

namespace hotcell::docker::api {
namespace {

constexpr std::size_t kMaxWords = 4096;  // of the daemon, in one of our messages

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-'; }

// Case does not matter: daemons of different ages spell differently.
bool has(std::string_view text, std::string_view part) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

std::string percent_encoded(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (is_word(c) || c == '~') {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

Expected<std::string> path_of(std::string_view folder, std::string_view kind, std::string_view name) {
  const bool fine = !name.empty() && name.size() <= 255 && std::ranges::all_of(name, is_word) && name.front() != '.' &&
                    name.front() != '-';
  if (fine) return std::string(folder) + std::string(name);
  return fail("docker_bad_request", "'" + std::string(name.substr(0, 255)) + "' cannot be the name of a " +
                                        std::string(kind) + ": letters, digits, _ . and - only");
}

struct Meaning {
  std::string_view code, hint;
};

// The daemon has status codes for kinds of failures, and only words for what the failure is. The words win.
Meaning meaning(const Call& call, int status, std::string_view words) {
  using enum Call::Subject;
  constexpr Meaning kNoImage{"docker_image_missing",
                             "build, import or pull the image first: hotcell never pulls one by itself"};
  if (has(words, "client version") && has(words, "too new"))
    return {"docker_too_old", "hotcell needs Docker 20.10 or newer"};
  if (has(words, "client version") && has(words, "too old"))
    return {"docker_too_new", "this Docker is newer than this hotcell knows: update hotcell"};
  if (has(words, "no space left on device") || has(words, "disk quota exceeded"))
    return {"docker_no_space", "free some space on the daemon's disk: docker system df, docker system prune"};
  if (has(words, "no such image") || (status == 404 && call.subject == image)) return kNoImage;
  const bool not_there = has(words, "no such file") || has(words, "executable file not found");
  const bool cannot_run = call.subject == container && (has(words, "fork/exec") || has(words, "failed to start shim"));
  if (has(words, "unknown runtime") || has(words, "unknown or invalid runtime") || (cannot_run && not_there))
    return {"docker_runtime_missing",
            "install that runtime and register it in the daemon's daemon.json (docker info lists the registered ones)"};
  switch (status) {
    case 404:
      return {"docker_not_found", ""};
    case 409:
      return {"docker_conflict", ""};
    case 400:
      return {"docker_bad_request", ""};
    default:
      return {"docker_error", "see the daemon's log"};
  }
}

// Of an error page or a broken JSON: what a terminal can show.
std::string printable(std::string_view text) {
  std::string out(text.substr(0, kMaxWords));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) > 126) c = ' ';
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace

std::string Call::encode(std::string_view version) const {
  std::string out = method + " ";
  if (versioned) (out += "/v") += version;
  out += target + " HTTP/1.1\r\nHost: docker\r\nUser-Agent: hotcell/" HOTCELL_VERSION "\r\n";
  out += becomes_raw ? "Connection: Upgrade\r\nUpgrade: tcp\r\n" : "Connection: close\r\n";
  if (body_type == Body::tar) out += "Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n";
  if (body_type == Body::json) out += "Content-Type: application/json\r\n";
  if (body_type != Body::tar && method != "GET") out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return out + "\r\n" + body;
}

std::string query(const Parameters& parameters) {
  std::string out;
  for (const auto& [name, value] : parameters) {
    out += out.empty() ? '?' : '&';
    (out += name) += '=';
    out += percent_encoded(value);
  }
  return out;
}

Expected<std::string> container_path(std::string_view id) { return path_of("/containers/", "container", id); }
Expected<std::string> network_path(std::string_view network) { return path_of("/networks/", "network", network); }
Expected<std::string> volume_path(std::string_view volume) { return path_of("/volumes/", "volume", volume); }

Expected<std::string> image_path(std::string_view reference) {
  const bool fine =
      !reference.empty() && reference.size() <= 512 && std::isalnum(static_cast<unsigned char>(reference.front())) &&
      is_word(reference.back()) &&
      std::ranges::all_of(reference, [](char c) { return is_word(c) || c == '/' || c == ':' || c == '@'; });
  // The daemon would tidy the path up, and then it would be another one.
  const bool plain = reference.find("//") == std::string_view::npos && reference.find("..") == std::string_view::npos &&
                     reference.find("/.") == std::string_view::npos && reference.find("./") == std::string_view::npos;
  if (fine && plain) return "/images/" + std::string(reference);
  return fail("docker_bad_request", "'" + std::string(reference.substr(0, 512)) + "' cannot be the name of an image",
              "an image is named like debian:bookworm, registry.example/team/image:tag or sha256:…");
}

Error refusal_in_words(const Call& call, int status, std::string words) {
  const auto found = meaning(call, status, words);
  Error out{std::string(found.code), "cannot " + call.doing + ": the Docker daemon says: " + std::move(words),
            std::string(found.hint)};
  if (status && found.code == "docker_error") out.message += " (HTTP " + std::to_string(status) + ")";
  return out;
}

Error refusal(const Call& call, int status, std::string_view body) {
  const auto json = parse_json(body);
  auto words = json ? text(*json, "message") : std::string();
  if (words.size() > kMaxWords) words.resize(kMaxWords);
  while (!words.empty() && words.back() == '\n') words.pop_back();
  if (words.empty()) words = printable(body);
  if (words.empty()) words = "nothing but HTTP status " + std::to_string(status);
  return refusal_in_words(call, status, std::move(words));
}

std::unexpected<Error> while_doing(const Call& call, Error error) {
  error.message = "cannot " + call.doing + ": " + error.message;
  return std::unexpected(std::move(error));
}

}  // namespace hotcell::docker::api
