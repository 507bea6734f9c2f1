// hotcell token add|ls|rm: the tokens of the service. What is kept is only the hash; a token is shown once.
#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/serve.h"
#include "cli/terminal.h"
#include "protocol/json_reader.h"
#include "protocol/timestamp.h"
#include "server/tokens.h"
#include "server/usage.h"

namespace hotcell::cli {
namespace {

namespace fs = std::filesystem;
using server::Token;

struct TokenFlags {
  fs::path file;
  std::string name;
  server::TenantLimits limits;
  bool operates = false, json = false;

  fs::path path() const { return file.empty() ? default_tokens_file(default_state_folder()) : file; }
};

Expected<std::vector<Token>> read_all_tokens(const TokenFlags& flags) {
  std::error_code ignored;
  if (!fs::exists(flags.path(), ignored)) return std::vector<Token>();
  return server::read_tokens(flags.path());
}

Expected<void> write_all_tokens(const TokenFlags& flags, const std::vector<Token>& tokens) {
  std::error_code error;
  const auto folder = flags.path().parent_path();
  if (!folder.empty() && fs::create_directories(folder, error)) ::chmod(folder.c_str(), 0700);
  const auto text = server::to_json(tokens);
  return write_file_atomically(flags.path(), {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, 0600);
}

int add(const TokenFlags& flags) {
  auto tokens = read_all_tokens(flags);
  if (!tokens) return complain(tokens.error());
  if (!server::is_token_name(flags.name))
    return complain({"invalid_field", "a token's name has 1 to 64 letters, digits, '.', '-' and '_'", {}});
  if (std::ranges::find(*tokens, flags.name, &Token::name) != tokens->end())
    return complain({"invalid_field", "there is a token of this name already", "hotcell token rm " + flags.name});
  const auto secret = server::new_token();
  tokens->push_back({flags.name, sha256(secret), protocol::to_timestamp(std::chrono::system_clock::now()), flags.limits,
                     flags.operates});
  if (auto written = write_all_tokens(flags, *tokens); !written) return complain(written.error());
  put(1, secret + "\n");
  if (!flags.json) std::fprintf(stderr, "It is not shown again. A running service takes it up on SIGHUP.\n");
  return 0;
}

int list(const TokenFlags& flags) {
  const auto tokens = read_all_tokens(flags);
  if (!tokens) return complain(tokens.error());
  server::UsageBook book;
  if (auto loaded = book.load(usage_file(flags.path().parent_path())); !loaded) return complain(loaded.error());
  const auto lines = book.lines();
  const auto usage_of = [&](const Token& token) {
    const auto found = std::ranges::find(lines, token.name, &server::UsageBook::Line::name);
    return found == lines.end() ? server::UsageBook::Line{} : *found;
  };
  auto list = nlohmann::ordered_json::array();
  if (!flags.json)
    std::printf("%-20s  %-10s  %10s  %8s  %12s  %s\n", "NAME", "CREATED", "RUNS", "REFUSED", "CPU SECONDS", "LAST USE");
  for (const auto& token : *tokens) {
    const auto usage = usage_of(token);
    list.push_back({{"name", token.name},
                    {"created_at", token.created_at},
                    {"operator", token.operates},
                    {"runs", usage.runs},
                    {"refused", usage.refused},
                    {"cpu_seconds", usage.cpu_seconds},
                    {"last_use", usage.last_use.empty() ? nlohmann::ordered_json(nullptr)
                                                        : nlohmann::ordered_json(usage.last_use)}});
    if (!flags.json)
      std::printf("%-20s  %-10s  %10llu  %8llu  %12.1f  %s\n", (token.name + (token.operates ? " *" : "")).c_str(),
                  token.created_at.substr(0, 10).c_str(), static_cast<unsigned long long>(usage.runs),
                  static_cast<unsigned long long>(usage.refused), usage.cpu_seconds,
                  usage.last_use.empty() ? "never" : usage.last_use.c_str());
  }
  if (flags.json) put(1, protocol::dump(list) + "\n");
  return 0;
}

int remove(const TokenFlags& flags) {
  auto tokens = read_all_tokens(flags);
  if (!tokens) return complain(tokens.error());
  if (std::erase_if(*tokens, [&](const Token& token) { return token.name == flags.name; }) == 0)
    return complain({"not_found", "there is no token named " + flags.name, "hotcell token ls"});
  if (auto written = write_all_tokens(flags, *tokens); !written) return complain(written.error());
  return 0;
}

}  // namespace

void add_token(CLI::App& app, Commands& commands) {
  auto flags = std::make_shared<TokenFlags>();
  auto* command = app.add_subcommand("token", "The tokens of the service: add, ls, rm");
  command->require_subcommand(1);
  command->add_option("--token-file", flags->file, "where they are")->type_name("FILE");
  auto* adding = command->add_subcommand("add", "Make a token and show it, this once");
  adding->add_option("name", flags->name, "whose it is")->required();
  adding->add_option("--weight", flags->limits.weight, "how often its turn comes")->check(CLI::Range(1, 1'000'000));
  adding->add_option("--max-running", flags->limits.max_running, "programs at once");
  adding->add_option("--max-queued", flags->limits.max_queued, "programs that may wait");
  adding->add_option("--rate", flags->limits.runs_per_second, "programs a second")->type_name("RUNS");
  adding->add_option("--burst", flags->limits.burst, "and so many at once")->type_name("RUNS");
  adding->add_option("--memory-bytes", flags->limits.memory_bytes, "of all its programs that run");
  adding->add_option("--max-timeout", flags->limits.max_timeout_seconds, "of a program")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.001, 86'400.0));
  adding->add_flag("--operator", flags->operates, "it may look after the service: status, logs, drain");
  adding->callback([&commands, flags] { commands.action = [flags] { return add(*flags); }; });
  auto* listing = command->add_subcommand("ls", "List them, and what each has used; * may look after the service");
  listing->add_flag("--json", flags->json, "as JSON");
  listing->callback([&commands, flags] { commands.action = [flags] { return list(*flags); }; });
  auto* removing = command->add_subcommand("rm", "Remove one");
  removing->add_option("name", flags->name, "which")->required();
  removing->callback([&commands, flags] { commands.action = [flags] { return remove(*flags); }; });
}

}  // namespace hotcell::cli
