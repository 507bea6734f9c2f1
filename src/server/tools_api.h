// POST /v1/tools: the tool calls of agent frameworks, in their own words (api.md B9), as executions.
#pragma once
#include "server/call.h"
#include "server/execute_api.h"

namespace hotcell::server {

// Thread-safe.
class ToolsApi {
 public:
  explicit ToolsApi(ExecuteApi& execute) : execute_(execute) {}
  void call(const Call& call);

 private:
  ExecuteApi& execute_;
};

// The request that a tool call stands for; `name` is set to the tool's. The document is used up.
std::expected<protocol::Request, protocol::Problem> request_from_tool(nlohmann::json&& document, std::string& name);

}  // namespace hotcell::server
