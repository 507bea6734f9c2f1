#include <gtest/gtest.h>

#include <string>

#include "protocol/request_json.h"

namespace hotcell::protocol {
namespace {

Request accepted(std::string_view text) {
  auto request = request_from_json(text);
  if (request) return *request;
  ADD_FAILURE() << text << " was refused: " << request.error().detail;
  return {};
}

Problem refused(std::string_view text) {
  auto request = request_from_json(text);
  if (!request) return request.error();
  ADD_FAILURE() << text << " was accepted";
  return {};
}

// A request that has nothing wrong but this member.
std::string with(std::string_view member) { return R"({"code":"",)" + std::string(member) + "}"; }

std::string pointers(const Problem& problem) {
  std::string out;
  for (const auto& [pointer, detail] : problem.errors) out += (out.empty() ? "" : " ") + pointer;
  return out;
}

TEST(Request, has_the_documented_defaults) {
  const auto request = accepted(R"({"code":"x = 1"})");
  EXPECT_EQ(request.language, Language::python);
  EXPECT_EQ(request.code, "x = 1");
  EXPECT_EQ(request.timeout_seconds, 30);
  EXPECT_EQ(request.engine, EngineWish::any);
  EXPECT_EQ(request.checks, Checks::warn);
  EXPECT_EQ(request.network.mode, NetworkMode::none);
  EXPECT_EQ(request.dependencies.mode, DependencyMode::automatic);
  EXPECT_TRUE(request.collect.changed);
  EXPECT_EQ(request.collect.inline_bytes, 65536u);
  EXPECT_EQ(request.collect.max_files, 64u);
  EXPECT_FALSE(request.stdin_bytes);
}

constexpr std::string_view kEverything = R"({"language":"node","code":"a\u0000b","mode":"cell","session_id":"ses_1",
  "if_no_session":"create","if_busy":"error","engine":"wasi","stdin_base64":"/w==","args":["-x","é"],
  "env":{"A":"1=2","B":""},"cwd":"/workspace/src","timeout_seconds":0.5,"deadline_seconds":9,
  "limits":{"memory_bytes":1000,"cpu_seconds":1.5,"cpus":0.5,"pids":3,"disk_bytes":4,"output_bytes":5,"result_bytes":6,
  "files_bytes":7,"fuel":8e3},"network":{"mode":"allowlist","allow":["example.org:443","[::1]:80"]},
  "dependencies":["requests==2.28.0","numpy"],"image":"python:3.11","inputs":[{"stdin":"1","args":["y"],
  "expected_stdout":"2"},{}],"files":[{"path":"a/b","content":"t","mode":"0755"},{"path":"./c","content_base64":"/w=="},
  {"path":"/workspace/d","sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","mode":420}],
  "collect":{"paths":["*.csv"],"changed":false,"inline_bytes":1,"max_files":2},"checks":"enforce",
  "deterministic":{"seed":18446744073709551615,"time":0},"include":["events","receipt"],"detach":true,
  "metadata":{"k":"v"}})";

TEST(Request, every_member_arrives) {
  const auto r = accepted(kEverything);
  EXPECT_EQ(r.language, Language::javascript);
  EXPECT_EQ(r.code, std::string("a\0b", 3));
  EXPECT_EQ(r.mode, Mode::cell);
  EXPECT_EQ(r.session_id, "ses_1");
  EXPECT_TRUE(r.create_session);
  EXPECT_TRUE(r.fail_when_busy);
  EXPECT_EQ(r.engine, EngineWish::wasi);
  EXPECT_EQ(r.stdin_bytes, "\xFF");
  EXPECT_EQ(r.args, (std::vector<std::string>{"-x", "é"}));
  ASSERT_EQ(r.env.size(), 2u);
  EXPECT_EQ(r.env[0], (std::pair<std::string, std::string>("A", "1=2")));
  EXPECT_EQ(r.cwd, "src");
  EXPECT_EQ(r.timeout_seconds, 0.5);
  EXPECT_EQ(r.deadline_seconds, 9);
  EXPECT_EQ(r.limits.memory_bytes, 1000u);
  EXPECT_EQ(r.limits.cpu_seconds, 1.5);
  EXPECT_EQ(r.limits.cpus, 0.5);
  EXPECT_EQ(r.limits.pids, 3u);
  EXPECT_EQ(r.limits.disk_bytes, 4u);
  EXPECT_EQ(r.limits.output_bytes, 5u);
  EXPECT_EQ(r.limits.result_bytes, 6u);
  EXPECT_EQ(r.limits.files_bytes, 7u);
  EXPECT_EQ(r.limits.fuel, 8000u);
  EXPECT_EQ(r.network.allow.size(), 2u);
  EXPECT_EQ(r.dependencies.mode, DependencyMode::explicit_list);
  EXPECT_EQ(r.dependencies.packages.size(), 2u);
  EXPECT_EQ(r.image, "python:3.11");
  ASSERT_EQ(r.inputs.size(), 2u);
  EXPECT_EQ(r.inputs[0].expected_stdout, "2");
  EXPECT_FALSE(r.inputs[1].stdin_bytes);
  ASSERT_EQ(r.files.size(), 3u);
  EXPECT_EQ(r.files[0].mode, 0755u);
  EXPECT_EQ(r.files[1].path, "c");
  EXPECT_EQ(r.files[1].content, "\xFF");
  EXPECT_EQ(r.files[2].path, "d");
  EXPECT_EQ(r.files[2].mode, 0644u);
  EXPECT_TRUE(r.files[2].sha256);
  EXPECT_EQ(r.collect.paths, std::vector<std::string>{"*.csv"});
  EXPECT_FALSE(r.collect.changed);
  EXPECT_EQ(r.collect.max_files, 2u);
  EXPECT_EQ(r.checks, Checks::enforce);
  EXPECT_EQ(r.deterministic->seed, UINT64_MAX);
  EXPECT_EQ(r.include.size(), 2u);
  EXPECT_TRUE(r.detach);
  EXPECT_EQ(r.metadata.at("k"), "v");
}

TEST(Request, survives_being_written_and_read) {
  for (const std::string& text :
       {std::string(kEverything), std::string(R"({"argv":["ls"],"dependencies":{"mode":"none"}})"),
        std::string(R"({"wasm":{"base64":"AGFzbQ=="},"network":{"mode":"open"}})"),
        std::string(R"({"wasm":{"name":"hello.wasm"},"language":"wasm"})"), with(R"("dependencies":[])")}) {
    const auto written = dump(to_json(accepted(text)));
    EXPECT_EQ(dump(to_json(accepted(written))), written);
  }
  EXPECT_EQ(accepted(dump(to_json(accepted(kEverything)))).stdin_bytes, "\xFF");
}

TEST(Request, null_is_the_same_as_absent) {
  const auto request =
      accepted(R"({"code":"","argv":null,"stdin":null,"env":null,"timeout_seconds":null,"limits":null})");
  EXPECT_EQ(request.timeout_seconds, 30);
  EXPECT_FALSE(request.stdin_bytes);
}

TEST(Request, an_empty_program_is_a_program) { EXPECT_EQ(accepted(R"({"code":""})").code, ""); }

TEST(Request, a_module_makes_the_language_wasm) {
  const auto request = accepted(R"({"wasm":{"base64":"AGFzbQ=="}})");
  EXPECT_EQ(request.language, Language::wasm);
  EXPECT_EQ(request.wasm->bytes, std::string("\0asm", 4));
}

TEST(Request, a_typo_is_answered_with_what_was_meant) {
  const auto problem = refused(with(R"("timeout":5)"));
  EXPECT_EQ(problem.http_status, 422);
  EXPECT_EQ(problem.code, "invalid_field");
  EXPECT_EQ(pointers(problem), "/timeout");
  EXPECT_EQ(problem.hint, "did you mean 'timeout_seconds'?");
  EXPECT_EQ(refused(with(R"("timeout_ms":5)")).hint, "did you mean 'timeout_seconds'?");
  EXPECT_EQ(refused(with(R"("langauge":"py")")).hint, "did you mean 'language'?");
  EXPECT_EQ(refused(with(R"("limits":{"memory":1})")).hint, "did you mean 'memory_bytes'?");
  EXPECT_EQ(pointers(refused(with(R"("limits":{"memory":1})"))), "/limits/memory");
  EXPECT_EQ(refused(with(R"("mode":"sript")")).hint, "did you mean 'script'?");
  EXPECT_TRUE(refused(with(R"("qqqqqqqqqqqq":5)")).hint.starts_with("one of: ")) << "a wild guess helps nobody";
}

TEST(Request, an_unknown_language_has_its_own_code) {
  const auto problem = refused(R"({"language":"pyhton","code":""})");
  EXPECT_EQ(problem.code, "unknown_language");
  EXPECT_EQ(problem.hint, "did you mean 'python'?");
  EXPECT_EQ(pointers(problem), "/language");
}

TEST(Request, all_complaints_come_at_once) {
  const auto problem =
      refused(R"({"code":1,"timeout":5,"files":[{"path":"../x","content":""},{"content":2}],"args":[3]})");
  EXPECT_EQ(pointers(problem), "/code /args/0 /files/0/path /files/1/path /files/1/content /timeout");
}

TEST(Request, what_is_not_json_is_malformed) {
  for (const char* text : {"", "{", "{\"code\":\"\xFF\"}", "{'code':1}", "{\"code\":\"\"} x", "NaN",
                           "{\"code\":\"\\ud800\"}", "{\"code\":\"\",\"timeout_seconds\":1e999}", "{\"code\":\"\",}"}) {
    const auto problem = refused(text);
    EXPECT_EQ(problem.code, "malformed") << text;
    EXPECT_EQ(problem.http_status, 400);
  }
  EXPECT_EQ(refused("[]").code, "invalid_field");
  EXPECT_LT(refused("\"" + std::string(100'000, 'x')).detail.size(), 400u) << "an answer does not echo megabytes";
}

TEST(Request, a_key_given_twice_is_refused_wherever_it_is) {
  EXPECT_EQ(pointers(refused(R"({"code":"a","code":"b"})")), "/code");
  EXPECT_EQ(pointers(refused(R"({"code":"","files":[{"path":"a","content":""},{"path":"b","path":"c"}]})")),
            "/files/1/path");
  EXPECT_EQ(pointers(refused(R"({"a/b~":1,"a/b~":1})")), "/a~1b~0");
}

TEST(Request, size_depth_and_number_of_values_are_capped_while_reading) {
  EXPECT_EQ(request_from_json(R"({"code":"0123456789"})", {.bytes = 20}).error().code, "body_too_large");
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(parse_json(nested(32)));
  EXPECT_FALSE(parse_json(nested(33)));
  EXPECT_FALSE(parse_json(nested(1'000'000)));
  EXPECT_TRUE(parse_json("[1,2]", {.values = 3}));
  EXPECT_FALSE(parse_json("[1,2,3]", {.values = 3}));
}

TEST(Request, exactly_one_program_is_given) {
  EXPECT_EQ(refused("{}").code, "invalid_field");
  EXPECT_EQ(refused(R"({"code":"","argv":["a"]})").code, "invalid_field");
  EXPECT_EQ(pointers(refused(R"({"argv":[]})")), "/argv");
  EXPECT_EQ(pointers(refused(R"({"wasm":{"name":"a","base64":""}})")), "/wasm");
  EXPECT_EQ(pointers(refused(R"({"wasm":{"name":"../a"}})")), "/wasm/name");
  EXPECT_EQ(pointers(refused(R"({"wasm":{"blob":"abc"}})")), "/wasm/blob");
  EXPECT_EQ(pointers(refused(R"({"language":"wasm","code":""})")), "/language");
  EXPECT_EQ(pointers(refused(R"({"language":"python","wasm":{"name":"a"}})")), "/language");
}

TEST(Request, paths_stay_in_the_workspace) {
  for (const char* path : {"../a", "a/../b", "/etc/passwd", "/workspace/../etc", "", "a//b", "a/", "/", "/workspacex/a",
                           "a\\u0000b", ".."}) {
    const auto problem = refused(with(R"("files":[{"path":")" + std::string(path) + R"(","content":""}])"));
    EXPECT_EQ(problem.code, "path_outside_workspace") << path;
    EXPECT_EQ(pointers(problem), "/files/0/path");
  }
  EXPECT_EQ(refused(with(R"("cwd":"/tmp")")).code, "path_outside_workspace");
  EXPECT_EQ(refused(with(R"("collect":{"paths":["/etc/*"]})")).code, "path_outside_workspace");
  EXPECT_EQ(refused(with(R"("files":[{"path":")" + std::string(256, 'x') + R"(","content":""}])")).code,
            "path_outside_workspace");
  EXPECT_EQ(accepted(with(R"("cwd":"/workspace")")).cwd, ".");
  EXPECT_EQ(accepted(with(R"("files":[{"path":"..a/...","content":""}])")).files[0].path, "..a/...");
}

TEST(Request, two_files_cannot_claim_one_place) {
  const auto files = [](const char* a, const char* b, const char* c) {
    std::string out;
    for (const char* path : {a, b, c})
      out += (out.empty() ? "" : ",") + (R"({"path":")" + std::string(path) + R"(","content":""})");
    return with(R"("files":[)" + out + "]");
  };
  EXPECT_EQ(pointers(refused(files("a", "b", "./a"))), "/files");
  EXPECT_EQ(pointers(refused(files("a/b", "a-b", "a"))), "/files");  // '-' sorts before '/' in ASCII
  EXPECT_EQ(accepted(files("a/b", "a/c", "ab")).files.size(), 3u);
}

struct Refusal {
  const char* member;
  const char* pointer;
};

class RequestRefuses : public testing::TestWithParam<Refusal> {};

TEST_P(RequestRefuses, a_value_out_of_bounds_and_points_at_it) {
  const auto problem = refused(with(GetParam().member));
  EXPECT_EQ(problem.code, "invalid_field");
  EXPECT_EQ(pointers(problem), GetParam().pointer);
  EXPECT_EQ(problem.http_status, 422);
}

INSTANTIATE_TEST_SUITE_P(
    Members, RequestRefuses,
    testing::Values(
        Refusal{R"("timeout_seconds":0)", "/timeout_seconds"}, Refusal{R"("timeout_seconds":-1)", "/timeout_seconds"},
        Refusal{R"("timeout_seconds":86400.1)", "/timeout_seconds"},
        Refusal{R"("timeout_seconds":1e300)", "/timeout_seconds"},
        Refusal{R"("timeout_seconds":"5")", "/timeout_seconds"},
        Refusal{R"("timeout_seconds":true)", "/timeout_seconds"},
        Refusal{R"("deadline_seconds":0)", "/deadline_seconds"}, Refusal{R"("stdin":5)", "/stdin"},
        Refusal{R"("stdin":"","stdin_base64":"")", "/stdin_base64"}, Refusal{R"("stdin_base64":"a")", "/stdin_base64"},
        Refusal{R"("stdin_base64":"YQ")", "/stdin_base64"}, Refusal{R"("stdin_base64":"YR==")", "/stdin_base64"},
        Refusal{R"("stdin_base64":"YQ==YQ==")", "/stdin_base64"},
        Refusal{R"("stdin_base64":"YW\nJj")", "/stdin_base64"}, Refusal{R"("args":"a")", "/args"},
        Refusal{R"("args":["a\u0000"])", "/args/0"}, Refusal{R"("args":[null])", "/args/0"},
        Refusal{R"("env":[])", "/env"}, Refusal{R"("env":{"":"x"})", "/env/"},
        Refusal{R"("env":{"a=b":"x"})", "/env/a=b"}, Refusal{R"("env":{"a":"\u0000"})", "/env/a"},
        Refusal{R"("env":{"a":1})", "/env/a"}, Refusal{R"("limits":{"memory_bytes":0})", "/limits/memory_bytes"},
        Refusal{R"("limits":{"memory_bytes":-1})", "/limits/memory_bytes"},
        Refusal{R"("limits":{"memory_bytes":1.5})", "/limits/memory_bytes"},
        Refusal{R"("limits":{"memory_bytes":99999999999999999999})", "/limits/memory_bytes"},
        Refusal{R"("limits":{"cpus":0})", "/limits/cpus"}, Refusal{R"("limits":{"fuel":0})", "/limits/fuel"},
        Refusal{R"("limits":[])", "/limits"}, Refusal{R"("network":{"mode":"allowlist"})", "/network/allow"},
        Refusal{R"("network":{"allow":["a:1"]})", "/network/allow"},
        Refusal{R"("network":{"mode":"allowlist","allow":["a"]})", "/network/allow/0"},
        Refusal{R"("network":{"mode":"allowlist","allow":["a:0"]})", "/network/allow/0"},
        Refusal{R"("network":{"mode":"allowlist","allow":["a b:80"]})", "/network/allow/0"},
        Refusal{R"("dependencies":["--index-url=x"])", "/dependencies/0"},
        Refusal{R"("dependencies":[""])", "/dependencies/0"},
        Refusal{R"("dependencies":{"mode":"none","packages":["a"]})", "/dependencies/packages"},
        Refusal{R"("dependencies":"numpy")", "/dependencies"}, Refusal{R"("image":"")", "/image"},
        Refusal{R"("session_id":"a\n")", "/session_id"}, Refusal{R"("inputs":[1])", "/inputs/0"},
        Refusal{R"("inputs":[{"std":""}])", "/inputs/0/std"}, Refusal{R"("files":[{"path":"a"}])", "/files/0"},
        Refusal{R"("files":[{"path":".","content":""}])", "/files/0/path"},
        Refusal{R"("files":[{"path":"a","content":"","sha256":""}])", "/files/0 /files/0/sha256"},
        Refusal{R"("files":[{"path":"a","content":"","mode":644}])", "/files/0/mode"},
        Refusal{R"("files":[{"path":"a","content":"","mode":"4755"}])", "/files/0/mode"},
        Refusal{R"("files":[{"path":"a","content":"","mode":""}])", "/files/0/mode"},
        Refusal{R"("collect":{"max_files":100000})", "/collect/max_files"}, Refusal{R"("checks":"on")", "/checks"},
        Refusal{R"("deterministic":{"time":-1})", "/deterministic/time"},
        Refusal{R"("deterministic":{"seed":-1})", "/deterministic/seed"}, Refusal{R"("include":["x"])", "/include/0"},
        Refusal{R"("include":[1])", "/include/0"}, Refusal{R"("detach":1)", "/detach"},
        Refusal{R"("metadata":{"a":1})", "/metadata/a"}, Refusal{R"("language":"wasm")", "/language"},
        Refusal{
            R"("metadata":{"a":"","b":"","c":"","d":"","e":"","f":"","g":"","h":"","i":"","j":"","k":"","l":"","m":"","n":"","o":"","p":"","q":""})",
            "/metadata"}));

TEST(Request, ten_thousand_files_are_the_most) {
  const auto files = [](int count) {
    std::string out;
    for (int i = 0; i < count; ++i)
      out += (i ? "," : "") + (R"({"path":"f)" + std::to_string(i) + R"(","content":""})");
    return with(R"("files":[)" + out + "]");
  };
  EXPECT_EQ(accepted(files(10'000)).files.size(), 10'000u);
  EXPECT_EQ(pointers(refused(files(10'001))), "/files");
}

TEST(Language, every_alias_has_one_canonical_name) {
  for (const char* name : {"py", "python", "python3"}) EXPECT_EQ(language_from_name(name), Language::python);
  for (const char* name : {"js", "node", "nodejs", "javascript"})
    EXPECT_EQ(language_from_name(name), Language::javascript);
  for (const char* name : {"sh", "shell", "bash"}) EXPECT_EQ(language_from_name(name), Language::bash);
  EXPECT_EQ(language_from_name("Python"), std::nullopt);
  EXPECT_EQ(language_from_name(""), std::nullopt);
  for (const auto language : {Language::python, Language::javascript, Language::bash, Language::wasm})
    EXPECT_EQ(language_from_name(name_of(language)), language);
}

TEST(Problem, has_the_members_of_rfc_9457_and_ours) {
  EXPECT_EQ(dump(to_json(refused(R"({"code":"","timeout":5})"))),
            R"({"type":"urn:hotcell:problem:invalid_field","title":"A field of the request is not valid","status":422,)"
            R"("detail":"/timeout: the member 'timeout' is not known","code":"invalid_field","retryable":false,)"
            R"("hint":"did you mean 'timeout_seconds'?","errors":[{"pointer":"/timeout",)"
            R"("detail":"the member 'timeout' is not known; did you mean 'timeout_seconds'?"}]})");
}

TEST(Problem, an_error_keeps_its_code_and_gets_its_status) {
  EXPECT_EQ(problem_from({"at_capacity", "m", "h"}).http_status, 503);
  EXPECT_TRUE(problem_from({"at_capacity", "m", "h"}).retryable);
  EXPECT_EQ(problem_from({"session_not_found", "m", ""}).http_status, 404);
  EXPECT_EQ(problem_from({"something_new", "m", ""}).http_status, 500);
  EXPECT_EQ(problem_from({"something_new", "m", ""}).code, "something_new");
  EXPECT_EQ(error_from(problem_from({"internal", "m", "h"})).hint, "h");
}

}  // namespace
}  // namespace hotcell::protocol
