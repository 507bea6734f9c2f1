#include "install/explain.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/text.h"
#include "deps/requirement.h"

namespace hotcell::install {
namespace {

using nlohmann::json;

constexpr std::size_t kMostLog = 256 << 10;  // of it the end is looked at
constexpr std::size_t kTailLines = 12, kTailBytes = 1500, kMostExplanation = 600;

std::string_view end_of(std::string_view log) { return log.substr(log.size() - std::min(log.size(), kMostLog)); }

bool has(std::string_view text, std::string_view words) { return text.find(words) != text.npos; }

// What stands between the first `before` and the next `after`; empty: not there.
std::string between(std::string_view text, std::string_view before, std::string_view after) {
  const auto begin = text.find(before);
  if (begin == text.npos) return {};
  text.remove_prefix(begin + before.size());
  return std::string(text.substr(0, text.find(after)));
}

// The word that ends where `after` begins: "Because " | numpy | " was not found".
std::string word_before(std::string_view text, std::string_view after) {
  const auto at = text.find(after);
  if (at == text.npos) return {};
  const auto head = text.substr(0, at);
  return std::string(head.substr(head.find_last_of(" \n`") + 1));
}

// One line: runs of blanks become one, what is no letter becomes "?".
std::string flat(std::string_view text, std::size_t most = kMostExplanation) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ') {
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else {
      out += byte == 127 ? '?' : c;
    }
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  if (out.size() > most) {
    while (most > 0 && (static_cast<unsigned char>(out[most]) & 0xc0) == 0x80) --most;
    out.resize(most);
    out += "…";
  }
  return out;
}

std::string host_in(std::string_view text) {
  const auto url = between(text, "://", "/");
  return flat(url.substr(0, url.find_first_of(" \n:\")'")), 200);
}

Error error(const char* code, std::string message, std::string hint, std::string_view log) {
  const auto tail = log_tail(log);
  if (!tail.empty()) hint += (hint.empty() ? "" : "\n  ") + std::string("the end of the installer's log:\n") + tail;
  return {code, std::move(message), std::move(hint)};
}

// What uv derived from what is there, as a sentence that reads on after a colon.
std::string derivation(std::string_view log) {
  auto text = flat(between(log, "cause: Because ", "\n\n"), 4 * kMostExplanation);
  for (const std::string_view end : {", we can conclude that your requirements are unsatisfiable.",
                                     " we can conclude that your requirements are unsatisfiable."})
    if (const auto at = text.find(end); at != text.npos) text.resize(at);
  return flat(text);
}

// The name without its versions: "requests==99.1", "numpy<=1.9.3".
std::string bare(const std::string& requirement) { return requirement.substr(0, requirement.find_first_of("=<>!~[(")); }

constexpr const char* kTrust =
    "if the index or the proxy is your own, let deps.ca_file name the certificate (PEM) of the authority that signed "
    "for "
    "it";
constexpr const char* kCredentials =
    "put the right ones into the file that deps.credentials_file names: machine HOST login NAME password WORD";
constexpr const char* kNetwork = "look at the network, at deps.proxy and at the index; then try again";

std::optional<Error> network_error(std::string_view log) {
  const auto host = host_in(log);
  const auto place = host.empty() ? std::string("the package index") : "the package index at " + host;
  if (has(log, "invalid peer certificate")) {
    const auto why = flat(between(log, "invalid peer certificate: ", "\n"), 120);
    return error("dependency_network",
                 "the certificate of " + (host.empty() ? "the package index" : host) + " is not trusted (" + why + ")",
                 has(why, "UnknownIssuer") ? kTrust : "", log);
  }
  if (has(log, "401 Unauthorized") || has(log, "403 Forbidden"))
    return error("dependency_failed",
                 place + " wants credentials, and got none or wrong ones (" +
                     (has(log, "401 Unauthorized") ? "401 Unauthorized" : "403 Forbidden") + ")",
                 kCredentials, log);
  if (has(log, "was not found in the cache") || has(log, "network was disabled") ||
      has(log, "Network connectivity is disabled")) {
    const auto name = word_before(log, " was not found in the cache");
    return error("dependency_network",
                 (name.empty() ? "a package" : flat(name, 200)) +
                     " was not downloaded before, and nothing may be downloaded now (deps.offline)",
                 "install it once with the network on, or set deps.offline to false", log);
  }
  if (has(log, "operation timed out"))
    return error("dependency_network", place + " did not answer in time", kNetwork, log);
  if (has(log, "error sending request") || has(log, "error decoding response body") ||
      has(log, "end of file before message length") || has(log, "HTTP status server error") ||
      has(log, "connection closed before")) {
    std::string why, line;  // the last cause is the first one that happened
    for (auto rest = log; !rest.empty();) {
      line = std::string(next_line(rest));
      if (const auto at = line.find("cause: "); at != line.npos) why = line.substr(at + 7);
    }
    if (has(log, "end of file before message length")) why = "it broke off in the middle of a file";
    if (has(log, "HTTP status server error")) why = "it answers " + between(log, "HTTP status server error (", ")");
    return error("dependency_network", place + " cannot be reached" + (why.empty() ? "" : ": " + flat(why, 200)),
                 kNetwork, log);
  }
  return std::nullopt;
}

}  // namespace

std::string log_tail(std::string_view log) {
  log = end_of(log);
  std::vector<std::string> lines;
  while (!log.empty()) {
    const auto line = next_line(log);
    std::string clean;
    for (const char c : line.substr(0, 300)) clean += static_cast<unsigned char>(c) < ' ' || c == 127 ? ' ' : c;
    clean.erase(clean.find_last_not_of(' ') + 1);
    if (!clean.empty()) lines.push_back(std::move(clean));
  }
  std::string out;
  std::size_t from = lines.size(), bytes = 0;
  while (from > 0 && lines.size() - from < kTailLines && bytes + lines[from - 1].size() < kTailBytes)
    bytes += lines[--from].size();
  for (; from < lines.size(); ++from) out += (out.empty() ? "    " : "\n    ") + lines[from];
  return out;
}

Error explain_uv(std::string_view given, const deps::Target& target) {
  const auto log = end_of(given);
  const bool wasi = target.platform == "wasi";
  if (auto network = network_error(log)) return std::move(*network);
  if (const auto name = word_before(log, " was not found in the package registry"); !name.empty())
    return error("dependency_not_found", "the index has no package " + deps::quoted(name),
                 "look at the spelling; a package may be called otherwise than the module that is imported", log);
  if (const auto reason = between(log, " was yanked (reason: ", ")"); !reason.empty()) {
    const auto name = bare(word_before(log, " was yanked (reason: "));
    return error(
        "dependency_not_found",
        "every version of " + deps::quoted(name) + " that fits was withdrawn by its authors: " + flat(reason, 200),
        "ask for other versions; a withdrawn one is installed only when it is named exactly, with ==", log);
  }
  if (has(log, " was yanked"))
    return error("dependency_not_found",
                 "every version of " + deps::quoted(bare(word_before(log, " was yanked"))) +
                     " that fits was withdrawn by its authors",
                 "ask for other versions", log);
  if (const auto name = word_before(log, "has an invalid package format"); has(log, "has an invalid package format"))
    return error("dependency_failed",
                 "a file of " + deps::quoted(bare(word_before(log, " has an invalid package format"))) +
                     " is damaged or incomplete in the index",
                 "try again; if it stays so, ask for another version", log);
  if (has(log, "Hash mismatch for")) {
    const auto name = between(log, "Hash mismatch for `", "`");
    return error("dependency_failed",
                 "the index gave a file of " + deps::quoted(name) + " that is not the one whose hash it announced",
                 "do not use it: a proxy or the index may be damaged, or somebody changed the file", log);
  }
  if (has(log, "does not satisfy Python") || has(log, "depends on Python"))
    return error("dependency_conflict",
                 "the packages do not go together with " + target.interpreter + ": " + derivation(log),
                 "ask for other versions", log);
  if (has(log, "no usable wheels") || has(log, "no wheels with a matching")) {
    auto name = bare(between(log, "Wheels are required for `", "`"));
    if (name.empty()) name = bare(between(log, "Wheels are available for `", "`"));
    if (name.empty()) name = bare(between(log, "only found wheels for `", "`"));
    std::string why = "it comes as source code only, which would have to be run to be installed";
    if (has(log, "no wheels with a matching platform tag"))
      why = "its wheels are for " + flat(between(log, "on the following platform", "\n"), 200);
    if (const auto colon = why.find(": "); colon != why.npos && why.starts_with("its wheels are for "))
      why = "its wheels are for " + why.substr(colon + 2);
    if (has(log, "no wheels with a matching Python")) why = "its wheels are for other versions of Python";
    if (wasi)
      return error("dependency_no_wheel",
                   deps::quoted(name) + " has compiled code, or no wheel at all, which a WASI cell cannot load",
                   "use engine docker or auto", log);
    return error("dependency_no_wheel", deps::quoted(name) + " cannot be installed here: " + why,
                 "ask for another version, or for a package that does the same; the operator can allow source packages "
                 "(deps.allow_sdists)",
                 log);
  }
  if (has(log, "there is no version of ") || has(log, "there are no versions of ")) {
    auto what = between(log, "there is no version of ", " ");
    if (what.empty()) what = between(log, "there are no versions of ", " ");
    return error("dependency_not_found", "the index has no version " + deps::quoted(what),
                 "ask for a version that exists", log);
  }
  if (has(log, "No solution found"))
    return error("dependency_conflict", "no versions of these packages go together: " + derivation(log),
                 "ask for other versions, or for fewer packages", log);
  auto last = between(log, "error: ", "\n\n");
  return error("dependency_failed",
               "the packages could not be installed" + (last.empty() ? "" : ": " + flat(last, 300)), "", log);
}

Error explain_npm(std::string_view text, std::string_view given) {
  const auto log = end_of(given);
  const auto document = json::parse(text, nullptr, false);
  std::string code, summary, detail;
  if (document.is_object() && document.contains("error") && document["error"].is_object()) {
    const auto& said = document["error"];
    const auto field = [&](const char* name) {
      return said.contains(name) && said[name].is_string() ? said[name].get<std::string>() : "";
    };
    code = field("code"), summary = field("summary"), detail = field("detail");
  }
  const auto is = [&](std::initializer_list<std::string_view> codes) {
    return std::ranges::find(codes, code) != codes.end();
  };
  const auto host = host_in(summary);
  const auto place = host.empty() ? std::string("the npm registry") : "the npm registry at " + host;
  if (code == "E404") {
    // "The requested resource 'name@*' could not be found"
    auto name = between(detail, "'", "'");
    return error("dependency_not_found", "the registry has no package " + deps::quoted(name.substr(0, name.rfind('@'))),
                 "look at the spelling; a package may be called otherwise than the module that is imported", log);
  }
  if (code == "ETARGET") {
    auto what = between(summary, "No matching version found for ", "\n");
    if (what.ends_with('.')) what.pop_back();
    return error("dependency_not_found", "the registry has no version " + deps::quoted(what),
                 "ask for a version that exists", log);
  }
  if (code == "ERESOLVE")
    return error("dependency_conflict",
                 "no versions of these packages go together: " +
                     flat(between(detail, "Could not resolve dependency:\n", "\n\n")) + "; found " +
                     flat(between(detail, "Found: ", "\n"), 200),
                 "ask for other versions, or for fewer packages", log);
  if (is({"EBADPLATFORM", "EBADENGINE"}))
    return error("dependency_no_wheel",
                 deps::quoted(between(summary + " ", "Unsupported platform for ", ":")) +
                     " does not run here: " + flat(detail, 200),
                 "ask for another package", log);
  if (code == "EINTEGRITY")
    return error("dependency_failed",
                 "the registry gave a file that is not the one whose hash it announced: " + flat(summary, 200),
                 "do not use it: a proxy or the registry may be damaged, or somebody changed the file", log);
  if (is({"E401", "E403", "ENEEDAUTH"}))
    return error("dependency_failed", place + " wants credentials, and got none or wrong ones (" + code.substr(1) + ")",
                 kCredentials, log);
  if (code == "ENOTCACHED")
    return error("dependency_network",
                 "a package was not downloaded before (" + flat(between(summary, "request to ", " failed"), 200) +
                     "), and nothing may be downloaded now (deps.offline)",
                 "install it once with the network on, or set deps.offline to false", log);
  if (is({"SELF_SIGNED_CERT_IN_CHAIN", "DEPTH_ZERO_SELF_SIGNED_CERT", "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
          "UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "UNABLE_TO_GET_ISSUER_CERT"}))
    return error("dependency_network", "the certificate of " + host + " is not trusted (" + code + ")", kTrust, log);
  if (is({"CERT_HAS_EXPIRED", "ERR_TLS_CERT_ALTNAME_INVALID"}))
    return error("dependency_network", "the certificate of " + host + " is not trusted (" + code + ")", "", log);
  // npm starts git for what is no package of the registry; a builder has none.
  if (has(summary, "spawn git") || has(detail, "git ") || has(log, "syscall spawn git"))
    return error("dependency_failed",
                 "one of the packages comes from a Git repository, and only packages of the registry are installed",
                 "use a version of it that does not", log);
  const bool network =
      is({"ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH", "EACCES",
          "FETCH_ERROR", "ERR_SOCKET_TIMEOUT", "E500", "E502", "E503", "E504", "E429"});
  if (network)
    return error("dependency_network",
                 has(summary, "timeout") || code == "ETIMEDOUT" ? place + " did not answer in time"
                                                                : place + " cannot be reached: " + flat(summary, 200),
                 kNetwork, log);
  if (has(summary, "premature close") || has(summary, "terminated") || code == "ERR_STREAM_PREMATURE_CLOSE" ||
      has(summary, "aborted"))
    return error("dependency_network", place + " cannot be reached: it broke off in the middle of a file", kNetwork,
                 log);
  return error("dependency_failed",
               "the packages could not be installed" + (summary.empty() ? "" : ": " + flat(summary, 300)), "", log);
}

}  // namespace hotcell::install
