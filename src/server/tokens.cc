#include "server/tokens.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/file.h"
#include "protocol/json_reader.h"

namespace hotcell::server {

namespace {

constexpr std::size_t kMostTokens = 10'000;
constexpr std::size_t kLargestFile = 8u << 20;

using Json = nlohmann::json;

std::optional<Digest> digest_from_hex(std::string_view text) {
  Digest out{};
  if (text.size() != 2 * out.size()) return std::nullopt;
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return out;
}

Token read_token(Json& value, std::string pointer, protocol::Complaints& complaints) {
  protocol::ObjectReader reader(value, std::move(pointer), complaints);
  Token token;
  token.name = reader.text("name", 64).value_or("");
  if (!is_token_name(token.name)) reader.complain("name", "must be 1 to 64 letters, digits, '.', '-' and '_'");
  const auto digest = digest_from_hex(reader.text("sha256").value_or(""));
  if (!digest) reader.complain("sha256", "must be the token's SHA-256 in 64 lower-case hex digits");
  token.sha256 = digest.value_or(Digest{});
  token.created_at = reader.text("created_at").value_or("");
  auto& limits = token.limits;
  const auto small = [&](const char* name, unsigned low, unsigned& field) {
    if (const auto number = reader.integer(name, low, 1'000'000)) field = static_cast<unsigned>(*number);
  };
  small("weight", 1, limits.weight);
  small("max_running", 0, limits.max_running);
  small("max_queued", 0, limits.max_queued);
  limits.runs_per_second = reader.number("runs_per_second", 0, 1e6, true).value_or(0);
  limits.burst = reader.number("burst", 0, 1e6, true).value_or(0);
  limits.memory_bytes = reader.integer("memory_bytes", 0, std::uint64_t{1} << 62).value_or(0);
  limits.max_timeout_seconds = reader.number("max_timeout_seconds", 0, 86'400).value_or(limits.max_timeout_seconds);
  token.operates = reader.boolean("operator").value_or(false);
  reader.finish();
  return token;
}

}  // namespace

bool is_token_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  });
}

std::string new_token() {
  std::array<std::uint8_t, 32> random;
  if (getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    throw std::runtime_error("getrandom failed");  // a token must never be guessable
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out = "hct_";
  unsigned bits = 0, have = 0;
  for (const auto byte : random) {
    bits = (bits << 8 | byte) & 0xffff;
    for (have += 8; have >= 6; have -= 6) out += kAlphabet[bits >> (have - 6) & 63];
  }
  out += kAlphabet[bits << (6 - have) & 63];
  return out;
}

Expected<std::vector<Token>> tokens_from_json(std::string_view text) {
  auto document = protocol::parse_json(text, {.bytes = kLargestFile});
  if (!document) return std::unexpected(protocol::error_from(document.error()));
  protocol::Complaints complaints;
  protocol::ObjectReader reader(*document, "", complaints);
  std::vector<Token> out;
  if (auto* list = reader.array("tokens", kMostTokens))
    for (std::size_t i = 0; i < list->size(); ++i)
      out.push_back(read_token((*list)[i], protocol::pointer_to("/tokens", i), complaints));
  else if (!reader.has("tokens"))
    reader.complain("tokens", "is missing");
  reader.finish();
  for (std::size_t i = 0; i < out.size(); ++i)
    for (std::size_t k = 0; k < i; ++k)
      if (out[i].name == out[k].name)
        complaints.add("invalid_field", protocol::pointer_to("/tokens", i), "has a name that is there already");
  if (!complaints.empty()) return std::unexpected(protocol::error_from(complaints.to_problem()));
  return out;
}

std::string to_json(const std::vector<Token>& tokens) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const auto& token : tokens) {
    nlohmann::ordered_json one{{"name", token.name}, {"sha256", hex(token.sha256)}};
    const TenantLimits standard;
    const auto& limits = token.limits;
    if (!token.created_at.empty()) one["created_at"] = token.created_at;
    if (token.operates) one["operator"] = true;
    if (limits.weight != standard.weight) one["weight"] = limits.weight;
    if (limits.max_running) one["max_running"] = limits.max_running;
    if (limits.max_queued) one["max_queued"] = limits.max_queued;
    if (limits.runs_per_second > 0) one["runs_per_second"] = limits.runs_per_second;
    if (limits.burst > 0) one["burst"] = limits.burst;
    if (limits.memory_bytes) one["memory_bytes"] = limits.memory_bytes;
    if (limits.max_timeout_seconds < standard.max_timeout_seconds)
      one["max_timeout_seconds"] = limits.max_timeout_seconds;
    list.push_back(std::move(one));
  }
  return nlohmann::ordered_json{{"tokens", std::move(list)}}.dump(2) + "\n";
}

Expected<std::vector<Token>> read_tokens(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored))
    return fail("tokens_missing", "there is no token file " + file.string(), "make a token: hotcell token add NAME");
  if (auto trusted = require_trusted(file); !trusted) return std::unexpected(trusted.error());
  auto text = read_file(file, kLargestFile);
  if (!text) return std::unexpected(text.error());
  auto tokens = tokens_from_json(*text);
  if (!tokens) tokens.error().message = file.string() + ": " + tokens.error().message;
  return tokens;
}

}  // namespace hotcell::server
