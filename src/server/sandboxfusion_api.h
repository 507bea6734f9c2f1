// SandboxFusion's /run_code (api.md A1), for trainers that speak it already: its shapes, its words, its status codes.
//
// A refusal would be taken for a reward of zero, so a run waits for its turn and gets 504, the one status that these
// clients try again, if that takes longer than they wait themselves. Always 200 for whatever became of the program.
#pragma once
#include "server/call.h"
#include "server/launcher.h"

namespace hotcell::server {

// Thread-safe.
class SandboxFusionApi {
 public:
  explicit SandboxFusionApi(Launcher& launcher) : launcher_(launcher) {}
  void run_code(const Call& call);
  static void ping(const Call& call);

 private:
  Launcher& launcher_;
};

struct FusionRequest {
  protocol::Request request;
  // Files to give back: as the client calls them, and as they are called below the workspace.
  std::vector<std::pair<std::string, std::string>> fetch;
  double begin_within = 0;  // seconds
  std::string unsupported;  // a language of theirs that is none of ours: why nothing can run
};
// The error is the answer to a body that is not as it must be, in FastAPI's shape.
std::expected<FusionRequest, std::string> fusion_request(std::string_view body);
std::string fusion_answer(const protocol::Result& result, const decltype(FusionRequest::fetch)& fetch);
std::string fusion_refusal(const std::string& reason);        // "Failed": nothing ran, and that is the program's fault
std::string fusion_sandbox_error(const std::string& reason);  // hotcell's fault

}  // namespace hotcell::server
