// POST /v1/execute and what belongs to it.
#include "server_harness.h"

namespace hotcell::server {
namespace {

class Executing : public ServiceTest {};

TEST_F(Executing, the_result_is_the_answer_and_is_kept) {
  start();
  const auto answer = execute("print hi", "X-Request-Id: mine\r\n", {{"metadata", {{"k", "v"}}}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.headers.at("x-request-id"), "mine");
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  const auto json = Json::parse(answer.body);
  EXPECT_EQ(json["status"], "completed");
  EXPECT_EQ(json["stdout"], "hi\n");
  EXPECT_EQ(json["metadata"]["k"], "v");
  const std::string id = json["id"];
  EXPECT_TRUE(id.starts_with("exe_"));
  EXPECT_NE(id, "exe_of_the_backend");
  const auto again = get("/v1/executions/" + id);
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.body, answer.body);
  EXPECT_EQ(code_of(get("/v1/executions/exe_nonsense")), "execution_not_found");
}

TEST_F(Executing, a_program_that_fails_is_still_a_result) {
  start();
  const auto answer = execute("fail");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(Json::parse(answer.body)["error"]["name"], "ValueError");
}

TEST_F(Executing, what_was_never_admitted_is_a_problem) {
  start();
  EXPECT_EQ(code_of(post("/v1/execute", "{\"code\":")), "malformed");
  EXPECT_EQ(code_of(post("/v1/execute", "")), "malformed");
  EXPECT_EQ(code_of(post("/v1/execute", "{\"code\":\"print 1\",\"timeout\":5}")), "invalid_field");
  EXPECT_EQ(code_of(post("/v1/execute", "{\"code\":\"print 1\",\"language\":\"cobol\"}")), "unknown_language");
  const auto refused = execute("refuse unsupported_by_engine");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(code_of(refused), "unsupported_by_engine");
  EXPECT_EQ(execute("refuse engine_unavailable").headers.at("retry-after"), "5");
  EXPECT_EQ(code_of(execute("throw")), "internal");
  EXPECT_EQ(execute("print 1").status, 200);
}

TEST_F(Executing, the_configured_timeout_holds_for_requests_that_name_none) {
  options.timeout_seconds = 7;
  start();
  execute("print 1");
  execute("print 1", "", {{"timeout_seconds", 3}});
  EXPECT_EQ(backend.requests().at(0).timeout_seconds, 7);
  EXPECT_EQ(backend.requests().at(1).timeout_seconds, 3);
}

TEST_F(Executing, a_large_body_is_read_like_a_small_one) {
  start();
  const std::string large(1'000'000, 'x');
  const auto answer = execute("echo", "", {{"stdin", large}});
  ASSERT_EQ(answer.status, 200);
  EXPECT_EQ(backend.requests().at(0).stdin_bytes, large);
  EXPECT_EQ(code_of(post("/v1/execute", "{\"code\":\"" + large)), "malformed");
}

TEST_F(Executing, a_client_that_leaves_ends_its_program) {
  start();
  {
    RawClient client(socket);
    client.send(text_of("POST", "/v1/execute", R"({"code":"hold"})"));
    ASSERT_TRUE(backend.begun(1));
  }
  EXPECT_TRUE(backend.all_ended());
  {
    RawClient client(socket);
    client.send(text_of("POST", "/v1/execute", R"({"code":"hold"})", kNdjson));
    ASSERT_TRUE(backend.begun(2));
  }
  EXPECT_TRUE(backend.all_ended());
}

TEST_F(Executing, a_detached_program_goes_on_without_its_client) {
  start();
  std::string id;
  {
    RawClient client(socket);
    client.send(text_of("POST", "/v1/execute", R"({"code":"hold","detach":true})", kNdjson));
    ASSERT_TRUE(backend.begun(1));
    std::string piece;
    // The head comes with the first chunk: take it off by hand.
    char bytes[4096];
    std::string text;
    while (text.find("exe_") == text.npos || text.size() < text.find("exe_") + 36) {
      const auto got = ::recv(client.fd(), bytes, sizeof bytes, 0);
      ASSERT_GT(got, 0);
      text.append(bytes, static_cast<std::size_t>(got));
    }
    id = text.substr(text.find("exe_"), 36);
  }
  const auto running = get("/v1/executions/" + id);
  EXPECT_EQ(running.status, 202);
  EXPECT_EQ(Json::parse(running.body)["status"], "running");
  backend.let_go();
  EXPECT_TRUE(backend.all_ended());
  Answer ended;
  do ended = get("/v1/executions/" + id);
  while (ended.status == 202);
  EXPECT_EQ(Json::parse(ended.body)["status"], "completed");
}

TEST_F(Executing, files_too_large_for_the_result_can_be_fetched) {
  start();
  const auto json = Json::parse(execute("files", "", {{"collect", {{"inline_bytes", 1000}}}}).body);
  const auto& small = json["files"][0];
  const auto& large = json["files"][1];
  EXPECT_EQ(small["content_base64"], "c21hbGw=");
  EXPECT_EQ(large["content_base64"], nullptr);
  EXPECT_EQ(large["size_bytes"], 100'000);
  EXPECT_EQ(large["sha256"], hex(sha256(std::string(100'000, 'L'))));
  const auto file = get(large["url"]);
  EXPECT_EQ(file.status, 200);
  EXPECT_EQ(file.body, std::string(100'000, 'L'));
  EXPECT_EQ(file.headers.at("content-type"), "text/html");
  EXPECT_EQ(file.headers.at("content-disposition"), "attachment");
  EXPECT_NE(file.headers.at("content-security-policy").find("sandbox"), std::string::npos);
  EXPECT_EQ(get(small["url"]).body, "small");
  const std::string id = json["id"];
  EXPECT_EQ(code_of(get("/v1/executions/" + id + "/files/absent")), "file_not_found");
}

TEST_F(Executing, without_retention_nothing_can_be_fetched_and_nothing_pretends_so) {
  options.retention.time = std::chrono::seconds(0);
  start();
  const auto json = Json::parse(execute("files", "", {{"collect", {{"inline_bytes", 1000}}}}).body);
  EXPECT_EQ(json["files"][0]["url"], nullptr);
  EXPECT_EQ(json["files"][1]["url"], nullptr);
  const std::string id = json["id"];
  EXPECT_EQ(code_of(get("/v1/executions/" + id)), "execution_not_found");
}

TEST_F(Executing, cancelling_ends_a_program_that_runs_and_one_that_waits) {
  options.admission.max_running = options.admission.eager = 1;
  start();
  RawClient running(socket), waiting(socket);
  running.send(text_of("POST", "/v1/execute", R"({"code":"hold"})", kNdjson));
  ASSERT_TRUE(backend.begun(1));
  waiting.send(text_of("POST", "/v1/execute", R"({"code":"print late"})", kNdjson));
  // Both ids, from the first event of each stream; by another connection.
  const auto id_of = [&](RawClient& client) {
    char bytes[4096];
    std::string text;
    while (text.find("exe_") == text.npos || text.size() < text.find("exe_") + 36) {
      const auto got = ::recv(client.fd(), bytes, sizeof bytes, MSG_PEEK);
      EXPECT_GT(got, 0);
      text.assign(bytes, static_cast<std::size_t>(got));
    }
    return text.substr(text.find("exe_"), 36);
  };
  const auto late = id_of(waiting), held = id_of(running);
  EXPECT_EQ(Json::parse(get("/v1/executions/" + late).body)["status"], "queued");
  EXPECT_EQ(Json::parse(post("/v1/executions/" + late + "/cancel", "").body)["cancelled"], true);
  const auto events = lines(waiting.receive().body);
  EXPECT_EQ(events.back()["result"]["status"], "cancelled");
  EXPECT_EQ(Json::parse(post("/v1/executions/" + held + "/cancel", "").body)["cancelled"], true);
  EXPECT_EQ(lines(running.receive().body).back()["result"]["status"], "cancelled");
  EXPECT_EQ(backend.requests().size(), 1u);
  EXPECT_EQ(Json::parse(post("/v1/executions/" + held + "/cancel", "").body)["cancelled"], false);
}

TEST_F(Executing, a_full_queue_says_when_to_come_back) {
  options.admission.max_running = options.admission.eager = 1;
  options.admission.max_queued = 1;
  start();
  RawClient first(socket), second(socket);
  first.send(text_of("POST", "/v1/execute", R"({"code":"hold"})"));
  ASSERT_TRUE(backend.begun(1));
  second.send(text_of("POST", "/v1/execute", R"({"code":"print 2"})", kNdjson));
  char byte;
  ASSERT_EQ(::recv(second.fd(), &byte, 1, MSG_PEEK), 1);  // it has been admitted
  const auto refused = execute("print 3");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(code_of(refused), "at_capacity");
  EXPECT_GE(std::stoi(refused.headers.at("retry-after")), 1);
  EXPECT_EQ(execute("print 4", kNdjson).status, 503);  // also before a stream has opened
  backend.let_go();
  EXPECT_EQ(first.receive().status, 200);
  EXPECT_EQ(second.receive().status, 200);
}

TEST_F(Executing, a_deadline_that_passes_in_the_queue_is_told_in_time) {
  options.admission.max_running = options.admission.eager = 1;
  start();
  RawClient busy(socket);
  busy.send(text_of("POST", "/v1/execute", R"({"code":"hold"})"));
  ASSERT_TRUE(backend.begun(1));
  const auto begun = std::chrono::steady_clock::now();
  const auto late = execute("print 1", "", {{"deadline_seconds", 0.05}});
  EXPECT_EQ(late.status, 504);
  EXPECT_EQ(code_of(late), "deadline_in_queue");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
  const auto events = lines(execute("print 1", kNdjson, {{"deadline_seconds", 0.05}}).body);
  EXPECT_EQ(types(events), "accepted queued end");
  EXPECT_EQ(events.back()["problem"]["code"], "deadline_in_queue");
}

TEST_F(Executing, a_deadline_covers_the_run_too) {
  start();
  execute("print 1", "", {{"deadline_seconds", 2}, {"timeout_seconds", 30}});
  const auto request = backend.requests().at(0);
  EXPECT_LE(request.timeout_seconds, 2);
  EXPECT_GT(request.timeout_seconds, 1);
  EXPECT_LE(request.deadline_seconds.value(), 2);
}

TEST_F(Executing, the_same_key_runs_once) {
  start();
  const auto key = "Idempotency-Key: k1\r\n";
  const auto first = execute("print hi", key);
  const auto second = execute("print hi", key);
  EXPECT_EQ(second.body, first.body);
  EXPECT_EQ(second.headers.at("idempotency-replayed"), "true");
  EXPECT_EQ(backend.requests().size(), 1u);
  EXPECT_EQ(code_of(execute("print ho", key)), "idempotency_mismatch");
  const auto streamed = lines(execute("print hi", std::string(key) + kNdjson).body);
  EXPECT_EQ(types(streamed), "accepted started stdout end");
  EXPECT_EQ(streamed.back()["result"]["id"], Json::parse(first.body)["id"]);
  EXPECT_EQ(code_of(execute("print hi", "Idempotency-Key: with space\r\n")), "malformed");

  RawClient held(socket);
  held.send(text_of("POST", "/v1/execute", R"({"code":"hold"})", "Idempotency-Key: k2\r\n"));
  ASSERT_TRUE(backend.begun(2));
  EXPECT_EQ(code_of(execute("hold", "Idempotency-Key: k2\r\n")), "idempotency_in_progress");
  backend.let_go();
  EXPECT_EQ(held.receive().status, 200);
  EXPECT_EQ(execute("hold", "Idempotency-Key: k2\r\n").headers.at("idempotency-replayed"), "true");
  EXPECT_EQ(backend.requests().size(), 2u);
}

TEST_F(Executing, who_has_lost_the_connection_sends_the_same_key_again) {
  start();
  const auto key = "Idempotency-Key: k1\r\n";
  {
    RawClient client(socket);
    client.send(text_of("POST", "/v1/execute", R"({"code":"hold"})", key));
    ASSERT_TRUE(backend.begun(1));
  }
  ASSERT_TRUE(backend.all_ended());
  backend.let_go();
  Answer again;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  do again = execute("hold", key);  // 409 until the first one's end has been written down
  while (again.status == 409 && std::chrono::steady_clock::now() < until);
  EXPECT_EQ(again.status, 200);
  EXPECT_FALSE(again.headers.contains("idempotency-replayed"));
  EXPECT_EQ(Json::parse(again.body)["status"], "completed");
  EXPECT_TRUE(execute("hold", key).headers.contains("idempotency-replayed"));
  EXPECT_EQ(backend.requests().size(), 2u);
}

TEST_F(Executing, what_was_refused_under_a_key_may_be_tried_again) {
  start();
  const auto key = "Idempotency-Key: k1\r\n";
  EXPECT_EQ(code_of(execute("refuse engine_unavailable", key)), "engine_unavailable");
  EXPECT_EQ(code_of(execute("refuse engine_unavailable", key)), "engine_unavailable");
  EXPECT_EQ(backend.requests().size(), 2u);
}

}  // namespace
}  // namespace hotcell::server
