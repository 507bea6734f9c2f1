// The file with the tokens that may be used, each by its SHA-256 only. A token is 256 random bits, so a plain hash is
// enough: there is nothing to guess, and who reads the file cannot use what is in it.
//
//   {"tokens": [{"name": "ci", "sha256": "…", "created_at": "…", "weight": 1, "max_running": 8, …}]}
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "server/tenant.h"

namespace hotcell::server {

struct Token {
  std::string name;  // the tenant's
  Digest sha256{};
  std::string created_at;
  TenantLimits limits;
  bool operates = false;  // "operator": may look after the service too
};

// Refuses a file that others could have written, or read as text what is none of theirs. An absent file is an error
// ("tokens_missing"): whoever names one means it.
Expected<std::vector<Token>> read_tokens(const std::filesystem::path& file);
Expected<std::vector<Token>> tokens_from_json(std::string_view text);
std::string to_json(const std::vector<Token>& tokens);

// "hct_" and 43 letters.
std::string new_token();
bool is_token_name(std::string_view name);  // letters, digits, ".-_", at most 64

}  // namespace hotcell::server
