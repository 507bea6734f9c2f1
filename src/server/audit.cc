#include "server/audit.h"

#include "base/hash.h"

namespace hotcell::server {

using namespace protocol;

Asker asker_of(const http::Exchange& exchange) {
  const auto& peer = exchange.peer();
  return {exchange.request_id, exchange.trace_id, peer.unix_socket ? "unix" : peer.address};
}

Audit::Note Audit::note(const Request& request, Asker asker) const {
  if (!on_) return {};
  if (request.code) return {std::move(asker), "code", hex(sha256(*request.code))};
  if (request.wasm) return {std::move(asker), "wasm", hex(sha256(request.wasm->bytes))};
  std::string words;
  for (const auto& word : request.argv.value_or(std::vector<std::string>())) words.append(word).push_back('\0');
  return {std::move(asker), "argv", hex(sha256(words))};
}

void Audit::ended(const Note& note, const Tenant& tenant, Language language, const Record& record,
                  const Record::Ending& ending, const Result* result) const {
  if (note.sha256.empty()) return;
  const auto or_null = [](const std::string& text) {
    return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
  };
  const auto* outcome = result ? &result->outcome : nullptr;
  log_.always("execution", {{"id", record.id()},
                            {"request_id", note.asker.request_id},
                            {"trace_id", or_null(note.asker.trace_id)},
                            {"tenant", tenant.name},
                            {"from", note.asker.from},
                            {"language", name_of(language)},
                            {"what", note.what},
                            {"sha256", note.sha256},
                            {"engine", or_null(outcome ? outcome->engine.name : "")},
                            {"image", or_null(outcome ? outcome->engine.image : "")},
                            {"status", outcome ? name_of(outcome->status) : "refused"},
                            {"code", !outcome           ? or_null(ending.problem->code)
                                     : outcome->failure ? or_null(outcome->failure->code)
                                                        : nullptr},
                            {"exit_code", outcome && outcome->exit_code ? nlohmann::ordered_json(*outcome->exit_code)
                                                                        : nlohmann::ordered_json(nullptr)},
                            {"wall_seconds", outcome ? outcome->usage.wall_seconds : 0.0},
                            {"cpu_seconds", outcome ? outcome->usage.cpu_seconds : 0.0}});
}

}  // namespace hotcell::server
