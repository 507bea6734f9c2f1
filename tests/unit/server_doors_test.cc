// What other people's protocols mean in ours: the tools of agent frameworks, SandboxFusion.
#include <gtest/gtest.h>

#include "protocol/base64.h"
#include "protocol/json_reader.h"
#include "server/sandboxfusion_api.h"
#include "server/tools_api.h"

namespace hotcell::server {
namespace {

using namespace protocol;
using Json = nlohmann::json;

std::expected<Request, Problem> tool(const std::string& text) {
  std::string name;
  return request_from_tool(Json::parse(text), name);
}

TEST(Tools, code_execution_enforces_the_checks_as_its_seed_does) {
  const auto request = tool(R"({"tool":"code_execution","parameters":{"code":"x","language":"js",
      "explicit_dependencies":["a==1"],"timeout":5,"context":{"user_id":"123","n":7}}})");
  ASSERT_TRUE(request.has_value()) << request.error().detail;
  EXPECT_EQ(request->code, "x");
  EXPECT_EQ(request->language, Language::javascript);
  EXPECT_EQ(request->dependencies.mode, DependencyMode::explicit_list);
  EXPECT_EQ(request->dependencies.packages, std::vector<std::string>{"a==1"});
  EXPECT_EQ(request->timeout_seconds, 5);
  EXPECT_EQ(request->checks, Checks::enforce);
  EXPECT_EQ(request->metadata.at("user_id"), "123");
  EXPECT_EQ(request->metadata.at("n"), "7");
  const auto plain = tool(R"({"tool":"code_execution","code":"x"})");  // members beside the name
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->dependencies.mode, DependencyMode::automatic);
}

TEST(Tools, python_executor_opens_sessions_by_any_name) {
  const auto request = tool(R"({"tool_name":"python_executor","parameters":{"code":"x","session_id":"my notes",
      "timeout_seconds":60,"stdin":"in"}})");
  ASSERT_TRUE(request.has_value()) << request.error().detail;
  EXPECT_EQ(request->session_id, "my notes");
  EXPECT_TRUE(request->create_session);
  EXPECT_EQ(request->stdin_bytes, "in");
  EXPECT_EQ(tool(R"({"tool":"python_executor","code":"x","timeout_seconds":61})").error().code, "invalid_field");
}

TEST(Tools, modules_come_in_base64_or_by_name) {
  const auto bytes = tool(R"({"tool":"code_executor","parameters":{"wasm_base64":"AGFzbQ==","stdin":"x"}})");
  ASSERT_TRUE(bytes.has_value()) << bytes.error().detail;
  EXPECT_EQ(bytes->wasm->bytes, std::string("\0asm", 4));
  EXPECT_EQ(bytes->language, Language::wasm);
  EXPECT_EQ(tool(R"({"tool":"code_executor","wasm_path":"a.wasm"})")->wasm->name, "a.wasm");
  EXPECT_EQ(tool(R"({"tool":"code_executor"})").error().code, "invalid_field");
  EXPECT_EQ(tool(R"({"tool":"code_executor","wasm_path":"a","wasm_base64":"AGFzbQ=="})").error().code, "invalid_field");
}

TEST(Tools, a_runner_has_its_own_interpreter_or_ours) {
  const auto own =
      tool(R"_({"tool":"python_wasi_runner","code":"print(1)","interpreter_wasm_path":"p.wasm","argv":["a"]})_");
  ASSERT_TRUE(own.has_value()) << own.error().detail;
  EXPECT_EQ(own->language, Language::wasm);
  EXPECT_FALSE(own->code.has_value());
  EXPECT_EQ(own->files.at(0).content, "print(1)");
  EXPECT_EQ(own->args, (std::vector<std::string>{"python", "/workspace/main.py", "a"}));
  const auto ours = tool(R"_({"tool":"python_wasi_runner","code":"print(1)","argv":["a"]})_");
  EXPECT_EQ(ours->code, "print(1)");
  EXPECT_EQ(ours->args, std::vector<std::string>{"a"});
}

TEST(Tools, mistakes_are_named) {
  EXPECT_NE(tool(R"({"tool":"code_executoin","code":"x"})").error().errors.at(0).second.find("code_execution"),
            std::string::npos);
  EXPECT_EQ(tool(R"({"code":"x"})").error().errors.at(0).first, "/tool");
  const auto typo = tool(R"({"tool":"code_execution","parameters":{"code":"x","timeot":5}})");
  EXPECT_EQ(typo.error().errors.at(0).first, "/parameters/timeot");
  EXPECT_EQ(tool(R"({"tool":"code_execution","parameters":{"code":"x"},"code":"y"})").error().code, "invalid_field");
  EXPECT_EQ(tool(R"({"tool":"code_execution","parameters":5})").error().code, "invalid_field");
  EXPECT_EQ(tool(R"([1])").error().code, "invalid_field");
  EXPECT_EQ(tool(R"({"tool":"code_execution","parameters":{"code":"x","language":"cobol"}})").error().code,
            "unknown_language");
}

TEST(SandboxFusion, requests_have_its_names_and_defaults) {
  const auto plain = fusion_request(R"_({"code":"print(1)","anything":"else"})_");
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->request.language, Language::python);
  EXPECT_EQ(plain->request.timeout_seconds, 10);
  EXPECT_EQ(plain->begin_within, 19);
  EXPECT_EQ(plain->request.checks, Checks::off);
  EXPECT_FALSE(plain->request.limits.memory_bytes.has_value());
  const auto full = fusion_request(R"({"code":"x","language":"nodejs","compile_timeout":2,"run_timeout":3,
      "memory_limit_MB":1024,"stdin":"in","files":{"a/b.txt":"aGk=","skipped":null},"fetch_files":["out.txt"]})");
  ASSERT_TRUE(full.has_value()) << full.error();
  EXPECT_EQ(full->request.language, Language::javascript);
  EXPECT_EQ(full->request.timeout_seconds, 3);
  EXPECT_EQ(full->begin_within, 11);
  EXPECT_EQ(full->request.limits.memory_bytes, 1024ull << 20);
  EXPECT_EQ(full->request.stdin_bytes, "in");
  ASSERT_EQ(full->request.files.size(), 1u);
  EXPECT_EQ(full->request.files[0].content, "hi");
  EXPECT_EQ(full->request.collect.paths, std::vector<std::string>{"out.txt"});
  EXPECT_FALSE(fusion_request(R"({"code":"x","language":"rust"})")->unsupported.empty());
  const auto odd = fusion_request(R"({"code":"x","fetch_files":["a*[1]?"],"files":{"f":"aG\nk=\n"}})");
  EXPECT_EQ(odd->request.collect.paths, std::vector<std::string>{"a[*][[]1][?]"});  // a path, not a pattern
  EXPECT_EQ(odd->request.files.at(0).content, "hi");                                // with its lines broken
}

TEST(SandboxFusion, a_wrong_body_is_told_as_fastapi_tells_it) {
  const auto loc = [](const char* text) {
    const auto request = fusion_request(text);
    return request ? "" : Json::parse(request.error())["detail"][0]["loc"][1].get<std::string>();
  };
  EXPECT_EQ(loc("{}"), "code");
  EXPECT_EQ(loc(R"({"code":5})"), "code");
  EXPECT_EQ(loc(R"({"code":"x","language":"cobol"})"), "language");
  EXPECT_EQ(loc(R"({"code":"x","run_timeout":"5"})"), "run_timeout");
  EXPECT_EQ(loc(R"({"code":"x","files":{"a":"not base64!"}})"), "files");
  EXPECT_EQ(loc(R"({"code":"x","files":{"../a":"aGk="}})"), "files");
  EXPECT_EQ(loc(R"({"code":"x","fetch_files":5})"), "fetch_files");
  EXPECT_EQ(loc("nonsense"), "");
  EXPECT_FALSE(fusion_request("nonsense").has_value());
}

Json answer(Outcome outcome, const decltype(FusionRequest::fetch)& fetch = {}) {
  Result result;
  result.outcome = std::move(outcome);
  return Json::parse(fusion_answer(result, fetch));
}

Outcome outcome(Status status) {
  Outcome out;
  out.status = status;
  out.out.bytes = "out";
  out.usage.wall_seconds = 0.25;
  return out;
}

// The decision order of the clients that compute rewards: api.md A1.
TEST(SandboxFusion, every_fate_has_the_shape_that_its_clients_expect) {
  auto done = answer(outcome(Status::completed));
  EXPECT_EQ(done["status"], "Success");
  EXPECT_EQ(done["compile_result"], nullptr);
  EXPECT_EQ(done["run_result"], Json::parse(R"({"status":"Finished","execution_time":0.25,"return_code":0,
      "stdout":"out","stderr":""})"));
  EXPECT_EQ(done["files"], Json::object());
  EXPECT_EQ(done["message"], "");
  EXPECT_EQ(done["executor_pod_name"], nullptr);

  auto failed = outcome(Status::failed);
  failed.exit_code = 3;
  EXPECT_EQ(answer(failed)["status"], "Failed");
  EXPECT_EQ(answer(failed)["run_result"]["return_code"], 3);
  failed.exit_code.reset();
  failed.signal = "SIGSEGV";
  EXPECT_EQ(answer(failed)["run_result"]["return_code"], -11);

  const auto late = answer(outcome(Status::timeout));
  EXPECT_EQ(late["status"], "Failed");
  EXPECT_EQ(late["run_result"]["status"], "TimeLimitExceeded");
  EXPECT_EQ(late["run_result"]["return_code"], nullptr);
  EXPECT_EQ(late["run_result"]["stdout"], "out");

  EXPECT_EQ(answer(outcome(Status::limit_exceeded))["run_result"]["return_code"], -9);

  auto rejected = outcome(Status::rejected);
  rejected.failure.emplace().message = "no engine has it";
  const auto refused = answer(rejected);
  EXPECT_EQ(refused["status"], "Failed");
  EXPECT_EQ(refused["run_result"]["return_code"], 1);
  EXPECT_EQ(refused["run_result"]["stderr"], "no engine has it");

  for (const auto status : {Status::cancelled, Status::sandbox_error}) {
    auto ours = outcome(status);
    ours.failure.emplace().message = "it broke";
    const auto error = answer(ours);
    EXPECT_EQ(error["status"], "SandboxError");
    EXPECT_EQ(error["message"], "it broke");
    EXPECT_EQ(error["run_result"]["status"], "Error");
    EXPECT_TRUE(error["run_result"]["stdout"].is_string());
  }
}

TEST(SandboxFusion, fetched_files_come_back_in_base64) {
  auto with_file = outcome(Status::completed);
  with_file.files.push_back({"out.bin", Change::created, 2, std::string("\xff\x00", 2), false, "", ""});
  // By the name that the client has for it, and what it did not ask for not at all.
  EXPECT_EQ(answer(with_file, {{"./out.bin", "out.bin"}, {"absent", "absent"}})["files"],
            Json({{"./out.bin", base64_encode(std::string("\xff\x00", 2))}}));
  EXPECT_EQ(answer(with_file)["files"], Json::object());
}

}  // namespace
}  // namespace hotcell::server
