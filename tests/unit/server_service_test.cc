// The service as a whole: who may ask for what, what it says about itself, how it ends.
#include <cstdlib>
#include <ctime>
#include <set>

#include "server_harness.h"

namespace hotcell::server {
namespace {

class Services : public ServiceTest {
 protected:
  void with_tokens(TenantLimits of_a = {}) {
    options.access.tokens = {{"a", sha256("secret-a"), "", of_a}, {"b", sha256("secret-b"), "", {}}};
  }
  static constexpr const char* kA = "Authorization: Bearer secret-a\r\n";
  static constexpr const char* kB = "Authorization: Bearer secret-b\r\n";
};

TEST_F(Services, wrong_paths_methods_and_media_types_are_told_apart) {
  start();
  EXPECT_EQ(code_of(get("/v1/nonsense")), "not_found");
  EXPECT_EQ(code_of(post("/v1/sessions", "{}")), "unsupported_by_engine");
  EXPECT_EQ(code_of(get("/v1/sessions/ses_1/files")), "session_not_found");
  EXPECT_EQ(code_of(post("/mcp", "{}")), "not_found");
  const auto wrong_method = get("/v1/execute");
  EXPECT_EQ(code_of(wrong_method), "method_not_allowed");
  EXPECT_EQ(wrong_method.headers.at("allow"), "POST");
  RawClient client(socket);
  for (const auto* type : {"text/plain", "multipart/form-data; boundary=x", "application/xml", ""}) {
    client.send("POST /v1/execute HTTP/1.1\r\nHost: x\r\nContent-Type: " + std::string(type) +
                "\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(code_of(client.receive()), "unsupported_media_type") << type;
  }
  client.send("POST /v1/execute HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(code_of(client.receive()), "unsupported_media_type");
  // What curl sends for -d, and nothing at all, are read as JSON.
  for (const auto* type : {"Content-Type: application/x-www-form-urlencoded\r\n", "",
                           "Content-Type: Application/JSON; charset=utf-8\r\n"}) {
    client.send("POST /v1/execute HTTP/1.1\r\nHost: x\r\n" + std::string(type) +
                "Content-Length: 18\r\n\r\n{\"code\":\"print 1\"}");
    EXPECT_EQ(client.receive().status, 200) << type;
  }
}

TEST_F(Services, every_answer_has_a_request_id) {
  start();
  EXPECT_TRUE(get("/livez").headers.at("x-request-id").starts_with("req_"));
  EXPECT_NE(get("/livez").headers.at("x-request-id"), get("/livez").headers.at("x-request-id"));
  EXPECT_EQ(get("/livez", "X-Request-Id: abc-1\r\n").headers.at("x-request-id"), "abc-1");
  EXPECT_TRUE(get("/livez", "X-Request-Id: a b\r\n").headers.at("x-request-id").starts_with("req_"));
  EXPECT_TRUE(get("/nothing").headers.contains("x-request-id"));
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  EXPECT_EQ(get("/livez", "traceparent: " + trace + "\r\n").headers.at("traceparent"), trace);
  for (const std::string_view bad : {"nonsense", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                     "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                                     "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                                     "00-0af7651916cd43dd-448eb211c80319c-b7ad6b7169203331-01"})
    EXPECT_FALSE(get("/livez", "traceparent: " + std::string(bad) + "\r\n").headers.contains("traceparent")) << bad;
}

TEST_F(Services, one_tenant_does_not_see_anothers_executions) {
  with_tokens();
  start();
  const std::string id = Json::parse(execute("print hi", kA).body)["id"];
  EXPECT_EQ(get("/v1/executions/" + id, kA).status, 200);
  for (const std::string& path :
       {"/v1/executions/" + id, "/v1/executions/" + id + "/events", "/v1/executions/" + id + "/files/x"}) {
    EXPECT_EQ(code_of(get(path, kB)), "execution_not_found");
    EXPECT_EQ(code_of(get(path)), "execution_not_found");  // the user of the socket is a tenant of its own
  }
  EXPECT_EQ(code_of(post("/v1/executions/" + id + "/cancel", "", kB)), "execution_not_found");
  // Nor may it use its keys.
  execute("print 1", std::string(kA) + "Idempotency-Key: k\r\n");
  EXPECT_FALSE(execute("print 2", std::string(kB) + "Idempotency-Key: k\r\n").headers.contains("idempotency-replayed"));
}

TEST_F(Services, a_wrong_token_is_turned_away_before_its_body_is_read) {
  with_tokens();
  start();
  RawClient client(socket);
  client.send(
      "POST /v1/execute HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\nContent-Type: "
      "application/json\r\nContent-Length: 50000000\r\n\r\n");
  const auto answer = client.receive();
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.headers.at("www-authenticate"), "Bearer");
  EXPECT_EQ(get("/livez", "Authorization: Bearer wrong\r\n").status, 200);  // health is for everybody
}

TEST_F(Services, a_tenants_limit_is_its_own) {
  TenantLimits limits_of_a;
  limits_of_a.runs_per_second = 0.001;
  limits_of_a.burst = 1;
  limits_of_a.max_timeout_seconds = 5;
  with_tokens(limits_of_a);
  start();
  EXPECT_EQ(code_of(execute("print 1", kA)), "limit_above_maximum");
  EXPECT_EQ(execute("print 1", kA, {{"timeout_seconds", 1}}).status, 200);
  const auto refused = execute("print 1", kA, {{"timeout_seconds", 1}});
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(code_of(refused), "tenant_limit");
  EXPECT_GT(std::stoi(refused.headers.at("retry-after")), 100);
  EXPECT_EQ(execute("print 1", kB).status, 200);
}

TEST_F(Services, pages_of_others_cannot_use_it_and_allowed_ones_can) {
  options.access.allowed_origins = {"https://lab.example"};
  start();
  EXPECT_EQ(code_of(execute("print 1", "Origin: https://evil.example\r\n")), "origin_forbidden");
  EXPECT_EQ(code_of(get("/livez", "Origin: null\r\n")), "origin_forbidden");
  EXPECT_TRUE(backend.requests().empty());
  const auto allowed = execute("print 1", "Origin: https://lab.example\r\n");
  EXPECT_EQ(allowed.status, 200);
  EXPECT_EQ(allowed.headers.at("access-control-allow-origin"), "https://lab.example");
  RawClient client(socket);
  client.send("OPTIONS /v1/execute HTTP/1.1\r\nHost: x\r\nOrigin: https://lab.example\r\n\r\n");
  const auto preflight = client.receive();
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.headers.at("access-control-allow-methods"), "POST");
}

TEST_F(Services, readiness_follows_the_engines_and_the_end) {
  start();
  EXPECT_EQ(get("/livez").status, 200);
  EXPECT_EQ(get("/readyz").status, 200);
  EXPECT_EQ(Json::parse(get("/healthz").body)["status"], "ready");
  backend.set_ready(false);
  EXPECT_EQ(get("/readyz").status, 503);
  EXPECT_EQ(get("/livez").status, 200);
  backend.set_ready(true);
  service->drain();
  EXPECT_EQ(get("/readyz").status, 503);
  EXPECT_EQ(Json::parse(get("/readyz").body)["status"], "draining");
}

TEST_F(Services, capabilities_say_what_is_there) {
  start();
  const auto json = Json::parse(get("/v1/capabilities").body);
  EXPECT_EQ(json["engines"][0]["name"], "fake");
  EXPECT_EQ(json["languages"][0]["engines"], Json::array({"fake"}));
  EXPECT_EQ(json["limits"]["timeout_seconds"]["default"], 30);
  EXPECT_EQ(json["features"]["sessions"], false);
}

TEST_F(Services, the_status_tells_what_went_wrong_and_its_owner_what_it_said) {
  with_tokens();
  start();
  execute("print 1", kA);
  const std::string id = Json::parse(execute("fail", kA).body)["id"];
  const auto own = Json::parse(get("/v1/status", kA).body), others = Json::parse(get("/v1/status", kB).body);
  EXPECT_EQ(own["phase"], "serving");
  EXPECT_EQ(own["totals"]["completed"], 1);
  EXPECT_EQ(own["totals"]["failed"], 1);
  ASSERT_EQ(own["failures"].size(), 1);
  EXPECT_EQ(own["failures"][0]["id"], id);
  EXPECT_TRUE(own["failures"][0]["message"].is_string());
  EXPECT_EQ(others["failures"][0]["code"], own["failures"][0]["code"]);
  EXPECT_TRUE(others["failures"][0]["id"].is_null());
  EXPECT_TRUE(others["failures"][0]["message"].is_null());
  EXPECT_EQ(code_of(get("/v1/status", "Authorization: Bearer wrong\r\n")), "unauthenticated");
}

// A browser runs of the page what the policy has the hash of, and nothing else.
TEST_F(Services, the_page_allows_nothing_but_itself) {
  with_tokens();
  start();
  const auto page = get("/");  // whoever may look at it still needs a token for what it asks
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.headers.at("content-type"), "text/html; charset=utf-8");
  const auto& policy = page.headers.at("content-security-policy");
  EXPECT_TRUE(policy.starts_with("default-src 'none'; script-src 'sha256-")) << policy;
  EXPECT_EQ(policy.find("unsafe"), std::string::npos);
  EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos);
  EXPECT_EQ(page.body.find("https://"), std::string::npos);  // nothing from outside
  EXPECT_EQ(code_of(get("/", "Origin: https://evil.example\r\n")), "origin_forbidden");
}

// docs/openapi.json is held to the code: the same routes, both ways. That answers are as it says is seen in
// tests/integration.
TEST_F(Services, the_description_has_exactly_the_routes_that_there_are) {
  options.sandboxfusion = true;
  start();
  std::set<std::string> described, there;
  const auto json = Json::parse(get("/openapi.json").body);
  for (const auto& [path, methods] : json["paths"].items())
    for (const auto& [method, operation] : methods.items()) {
      std::string name = method;
      std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      const bool open = operation.contains("security") && operation["security"].empty();
      described.insert(name + " " + path + (open ? " open" : ""));
    }
  for (const auto& route : service->routes().all()) {
    auto path = route.pattern;
    std::erase(path, '*');
    there.insert(route.method + " " + path + (route.open ? " open" : ""));
  }
  EXPECT_EQ(described, there);
}

TEST_F(Services, what_happens_is_counted) {
  start();
  execute("print 1");
  execute("fail");
  execute("refuse unsupported_by_engine");
  post("/v1/execute", "nonsense");
  // An answer may be there a moment before its thread has put the run away.
  while (!service->idle()) std::this_thread::yield();
  const auto text = get("/metrics").body;
  for (const auto* line :
       {"hotcell_executions_total{engine=\"fake\",language=\"python\",status=\"completed\"} 1\n",
        "hotcell_executions_total{engine=\"fake\",language=\"python\",status=\"failed\"} 1\n",
        "hotcell_admission_rejected_total{reason=\"unsupported_by_engine\"} 1\n",
        "hotcell_http_requests_total{route=\"/v1/execute\",code=\"200\",facade=\"\"} 2\n",
        "hotcell_http_requests_total{route=\"/v1/execute\",code=\"400\",facade=\"\"} 1\n", "hotcell_queue_depth 0\n",
        "hotcell_executions_in_flight 0\n", "hotcell_pool_ready{engine=\"fake\",language=\"python\"} 1\n",
        "# TYPE hotcell_cleanup_failures_total counter\nhotcell_cleanup_failures_total{engine=\"fake\"} 2\n",
        "hotcell_sandbox_escape_checks_failed_total{engine=\"fake\"} 3\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
}

TEST_F(Services, the_process_is_measured) {
  start();
  const auto value = [&](const std::string& name) {
    const auto text = get("/metrics").body;
    const auto at = text.find("\n" + name + " ");
    return at == text.npos ? -1 : std::atof(text.c_str() + at + name.size() + 2);
  };
  EXPECT_GT(value("process_cpu_seconds_total"), 0);
  EXPECT_GT(value("process_resident_memory_bytes"), 1 << 20);
  EXPECT_GT(value("process_virtual_memory_bytes"), value("process_resident_memory_bytes"));
  EXPECT_GT(value("process_max_fds"), value("process_open_fds"));
  EXPECT_NEAR(value("process_start_time_seconds"), static_cast<double>(time(nullptr)), 60);
  const auto before = value("process_open_fds");
  const RawClient one(socket), another(socket);
  get("/livez");  // the server has both
  EXPECT_GE(value("process_open_fds"), before + 4);
}

TEST_F(Services, tools_answer_in_their_own_words_too) {
  start();
  const auto good = Json::parse(post("/v1/tools", R"({"tool":"code_execution","code":"print hi"})").body);
  EXPECT_EQ(good["tool"], "code_execution");
  EXPECT_EQ(good["success"], true);
  EXPECT_EQ(good["status"], "completed");
  EXPECT_EQ(good["output"], "hi\n");
  EXPECT_EQ(good["error_text"], "");
  EXPECT_EQ(good["object"], "execution");
  const auto bad = Json::parse(post("/v1/tools", R"({"tool":"code_execution","parameters":{"code":"fail"}})").body);
  EXPECT_EQ(bad["success"], false);
  EXPECT_EQ(bad["error_text"], "ValueError: no");
  EXPECT_EQ(code_of(post("/v1/tools", R"({"tool":"shell","code":"x"})")), "invalid_field");
  const auto key = "Idempotency-Key: t\r\n";
  const auto first = post("/v1/tools", R"({"tool":"code_execution","code":"print hi"})", key);
  EXPECT_EQ(post("/v1/tools", R"({"tool":"code_execution","code":"print hi"})", key).body, first.body);
}

TEST_F(Services, sandboxfusion_clients_find_what_they_know) {
  options.sandboxfusion = true;
  start();
  EXPECT_EQ(get("/v1/ping").body, "\"pong\"");
  for (const auto* path : {"/run_code", "/compat/sandboxfusion/run_code"}) {
    const auto answer = post(path, R"({"code":"print hi","language":"python"})");
    EXPECT_EQ(answer.status, 200);
    const auto json = Json::parse(answer.body);
    EXPECT_EQ(json["status"], "Success");
    EXPECT_EQ(json["run_result"]["stdout"], "hi\n");
  }
  EXPECT_EQ(post("/run_code", R"({"language":"python"})").status, 422);
  EXPECT_EQ(Json::parse(post("/run_code", R"({"code":"refuse unsupported_by_engine"})").body)["status"], "Failed");
  EXPECT_EQ(Json::parse(post("/run_code", R"({"code":"refuse internal"})").body)["status"], "SandboxError");
  EXPECT_EQ(post("/run_code", R"({"code":"refuse engine_unavailable"})").status, 504);
}

TEST_F(Services, sandboxfusion_waits_where_others_are_refused_and_then_says_504) {
  options.admission.max_running = options.admission.eager = 1;
  options.admission.max_queued = 0;
  start();
  RawClient busy(socket);
  busy.send(text_of("POST", "/compat/sandboxfusion/run_code", R"({"code":"hold"})"));
  ASSERT_TRUE(backend.begun(1));
  EXPECT_EQ(execute("print 1").status, 503);
  RawClient patient(socket);
  patient.send(text_of("POST", "/compat/sandboxfusion/run_code", R"({"code":"print 1"})"));
  EXPECT_EQ(get("/v1/ping").status, 404);  // only below /compat/ unless it is configured
  backend.let_go();
  EXPECT_EQ(patient.receive().status, 200);
  EXPECT_EQ(busy.receive().status, 200);
}

TEST_F(Services, draining_finishes_what_is_there_and_takes_nothing_new) {
  start();
  RawClient busy(socket), streaming(socket);
  busy.send(text_of("POST", "/v1/execute", R"({"code":"hold"})"));
  ASSERT_TRUE(backend.begun(1));
  service->drain();
  const auto refused = execute("print 1");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(code_of(refused), "draining");
  EXPECT_FALSE(service->idle());
  backend.let_go();
  EXPECT_EQ(busy.receive().status, 200);
}

TEST_F(Services, giving_up_cancels_what_runs_and_refuses_what_waits) {
  options.admission.max_running = options.admission.eager = 1;
  start();
  RawClient running(socket), waiting(socket), batch(socket);
  running.send(text_of("POST", "/v1/execute", R"({"code":"hold"})"));
  ASSERT_TRUE(backend.begun(1));
  waiting.send(text_of("POST", "/v1/execute", R"({"code":"print 1"})", kNdjson));
  batch.send(text_of("POST", "/v1/batch", R"({"items":[{"code":"print 1"},{"code":"print 2"}]})"));
  char byte;
  ASSERT_EQ(::recv(waiting.fd(), &byte, 1, MSG_PEEK), 1);
  ASSERT_EQ(::recv(batch.fd(), &byte, 0, MSG_PEEK), 0);
  while (Json::parse(get("/readyz").body).empty() ||
         get("/metrics").body.find("hotcell_queue_depth 2") == std::string::npos)
    continue;
  service->drain();
  service->give_up();
  EXPECT_EQ(Json::parse(running.receive().body)["status"], "cancelled");
  EXPECT_EQ(lines(waiting.receive().body).back()["problem"]["code"], "draining");
  for (const auto& item : lines(batch.receive().body)) EXPECT_EQ(item["problem"]["code"], "draining");
}

}  // namespace
}  // namespace hotcell::server
