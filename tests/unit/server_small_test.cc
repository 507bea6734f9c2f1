// The small parts: metrics, idempotency, records, routes, modules.
#include <gtest/gtest.h>

#include <fstream>

#include "server/idempotency.h"
#include "server/metrics.h"
#include "server/modules.h"
#include "server/records.h"
#include "server/routes.h"
#include "server_raw_client.h"

namespace hotcell::server {
namespace {

using std::chrono::seconds;
using Clock = Records::Clock;

TEST(Metrics, are_written_as_prometheus_reads_them) {
  Metrics metrics;
  auto& runs = metrics.counter("runs_total", "Runs", {"engine", "status"});
  runs.with({"wasi", "completed"}).add();
  runs.with({"wasi", "completed"}).add(2);
  runs.with({"do\"c\\k\ner", "failed"}).add();
  metrics.counter("lonely_total", "Nothing yet");
  metrics.gauge("depth", "Depth", [] { return 1.5; });
  auto& took = metrics.histogram("took_seconds", "Time", {"engine"});
  took.with({"wasi"}).observe(0.0005);
  took.with({"wasi"}).observe(0.03);
  took.with({"wasi"}).observe(1000);
  const auto text = metrics.text();
  for (const auto* line :
       {"# HELP runs_total Runs\n# TYPE runs_total counter\n", "runs_total{engine=\"wasi\",status=\"completed\"} 3\n",
        "runs_total{engine=\"do\\\"c\\\\k\\ner\",status=\"failed\"} 1\n", "\nlonely_total 0\n",
        "# TYPE depth gauge\ndepth 1.5\n", "took_seconds_bucket{engine=\"wasi\",le=\"0.001\"} 1\n",
        "took_seconds_bucket{engine=\"wasi\",le=\"0.02\"} 1\n", "took_seconds_bucket{engine=\"wasi\",le=\"0.05\"} 2\n",
        "took_seconds_bucket{engine=\"wasi\",le=\"300\"} 2\n", "took_seconds_bucket{engine=\"wasi\",le=\"+Inf\"} 3\n",
        "took_seconds_sum{engine=\"wasi\"} 1000.0305\n", "took_seconds_count{engine=\"wasi\"} 3\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "\nin\n" << text;
}

TEST(Metrics, label_values_from_outside_cannot_fill_memory) {
  Metrics metrics;
  auto& family = metrics.counter("x_total", "X", {"label"});
  for (int i = 0; i < 10'000; ++i) family.with({std::to_string(i)}).add();
  EXPECT_LT(metrics.text().size(), 200'000u);
  EXPECT_NE(metrics.text().find("x_total{other=\"true\"} 8000\n"), std::string::npos);
}

std::shared_ptr<Record> record(const std::string& id, const std::string& tenant = "t") {
  return std::make_shared<Record>(id, tenant, nullptr);
}

void end(const std::shared_ptr<Record>& one, std::size_t bytes = 10) {
  Record::Ending ending;
  ending.body = std::make_shared<const std::string>(std::string(bytes, 'x'));
  one->ended(std::move(ending));
}

TEST(Records, belong_to_their_tenant_alone) {
  Records records{Retention{}};
  records.add(record("a", "t1"));
  EXPECT_NE(records.find("a", "t1"), nullptr);
  EXPECT_EQ(records.find("a", "t2"), nullptr);
  EXPECT_EQ(records.find("b", "t1"), nullptr);
}

TEST(Records, the_oldest_makes_room_and_what_runs_stays) {
  Records records{Retention{seconds(600), 2, 1u << 20}};
  const auto running = record("running");
  records.add(running);
  for (const auto* id : {"1", "2", "3"}) {
    const auto one = record(id);
    records.add(one);
    end(one);
    records.ended(one);
  }
  EXPECT_EQ(records.find("1", "t"), nullptr);
  EXPECT_NE(records.find("2", "t"), nullptr);
  EXPECT_NE(records.find("3", "t"), nullptr);
  EXPECT_NE(records.find("running", "t"), nullptr);
}

TEST(Records, bytes_are_bounded_and_time_passes) {
  Records records{Retention{seconds(600), 100, 10'000}};
  for (int i = 0; i < 10; ++i) {
    const auto one = record(std::to_string(i));
    records.add(one);
    end(one, 3000);
    records.ended(one);
  }
  EXPECT_LE(records.counts().bytes, 10'000u);
  EXPECT_NE(records.find("9", "t"), nullptr);
  EXPECT_TRUE(records.has_place_for(2500));
  EXPECT_FALSE(records.has_place_for(2501));
  records.purge(Clock::now() + seconds(599));
  EXPECT_NE(records.find("9", "t"), nullptr);
  records.purge(Clock::now() + seconds(601));
  EXPECT_EQ(records.find("9", "t"), nullptr);
  EXPECT_EQ(records.counts().kept, 0u);
}

TEST(Records, without_retention_nothing_is_kept) {
  Records records{Retention{seconds(0), 100, 10'000}};
  const auto one = record("1");
  records.add(one);
  EXPECT_NE(records.find("1", "t"), nullptr);
  end(one);
  records.ended(one);
  EXPECT_EQ(records.find("1", "t"), nullptr);
  EXPECT_FALSE(records.has_place_for(1));
}

TEST(Idempotency, the_same_key_gives_the_first_result) {
  Idempotency keys;
  const auto now = Idempotency::Clock::now();
  const auto payload = sha256("body");
  using Verdict = Idempotency::Verdict;
  EXPECT_EQ(keys.claim("t", "k", payload, now).verdict, Verdict::fresh);
  EXPECT_EQ(keys.claim("t", "k", payload, now).verdict, Verdict::in_progress);
  const auto one = record("1");
  keys.started("t", "k", one);
  EXPECT_EQ(keys.claim("t", "k", payload, now).verdict, Verdict::in_progress);
  EXPECT_EQ(keys.claim("t", "k", sha256("other"), now).verdict, Verdict::mismatch);
  EXPECT_EQ(keys.claim("other tenant", "k", payload, now).verdict, Verdict::fresh);
  end(one);
  const auto again = keys.claim("t", "k", payload, now);
  EXPECT_EQ(again.verdict, Verdict::replay);
  EXPECT_EQ(again.record, one);
  EXPECT_EQ(keys.claim("t", "k", payload, now + seconds(601)).verdict, Verdict::fresh);
}

TEST(Idempotency, what_never_ran_may_be_tried_again) {
  Idempotency keys;
  const auto now = Idempotency::Clock::now();
  const auto payload = sha256("body");
  using Verdict = Idempotency::Verdict;
  keys.claim("t", "refused", payload, now);
  keys.dropped("t", "refused");
  EXPECT_EQ(keys.claim("t", "refused", payload, now).verdict, Verdict::fresh);
  keys.claim("t", "late", payload, now);
  const auto one = record("1");
  keys.started("t", "late", one);
  Record::Ending ending;
  ending.problem = protocol::make_problem("deadline_in_queue", "late");
  one->ended(std::move(ending));
  EXPECT_EQ(keys.claim("t", "late", payload, now).verdict, Verdict::fresh);
  EXPECT_EQ(keys.claim("t", "late", payload, now).verdict, Verdict::in_progress);
}

TEST(Idempotency, keys_are_bounded) {
  Idempotency keys(seconds(600), 10);
  const auto now = Idempotency::Clock::now();
  for (int i = 0; i < 100; ++i) keys.claim("t", std::to_string(i), sha256("x"), now);
  EXPECT_EQ(keys.claim("t", "0", sha256("other"), now).verdict, Idempotency::Verdict::fresh);
  EXPECT_EQ(keys.claim("t", "99", sha256("other"), now).verdict, Idempotency::Verdict::mismatch);
}

TEST(Idempotency, large_results_make_room_for_newer_ones) {
  Idempotency keys(seconds(600), 100, 10'000);
  const auto now = Idempotency::Clock::now();
  for (const char* name : {"old", "runs", "new"}) {
    keys.claim("t", name, sha256("x"), now);
    const auto one = record(name);
    keys.started("t", name, one);
    if (name != std::string("runs")) end(one, 8000);
  }
  keys.make_room();
  using Verdict = Idempotency::Verdict;
  EXPECT_EQ(keys.claim("t", "new", sha256("x"), now).verdict, Verdict::replay);
  EXPECT_EQ(keys.claim("t", "runs", sha256("x"), now).verdict, Verdict::in_progress);
  EXPECT_EQ(keys.claim("t", "old", sha256("x"), now).verdict, Verdict::fresh);
}

TEST(Routes, patterns_fit_whole_paths) {
  Routes routes;
  for (const auto& [method, pattern] : {std::pair("GET", "/v1/x/{id}"),
                                        {"POST", "/v1/x/{id}/cancel"},
                                        {"GET", "/v1/x/{id}/files/{path*}"},
                                        {"POST", "/v1/x"}})
    routes.add({method, pattern, nullptr, false, "", false});
  const auto found = [&](const char* method, const char* path) {
    const auto match = routes.find(method, path);
    std::string out = match.route ? match.route->pattern : match.bad_encoding ? "bad" : "none";
    for (const auto& parameter : match.parameters) out += " " + parameter;
    for (const auto& method_there : match.allowed) out += " +" + method_there;
    return out;
  };
  EXPECT_EQ(found("GET", "/v1/x/1"), "/v1/x/{id} 1");
  EXPECT_EQ(found("HEAD", "/v1/x/1"), "/v1/x/{id} 1");
  EXPECT_EQ(found("GET", "/v1/x/a%2Fb"), "/v1/x/{id} a/b");
  EXPECT_EQ(found("POST", "/v1/x/1/cancel"), "/v1/x/{id}/cancel 1");
  EXPECT_EQ(found("GET", "/v1/x/1/files/a/b%20c"), "/v1/x/{id}/files/{path*} 1 a/b c");
  EXPECT_EQ(found("DELETE", "/v1/x/1"), "none +GET +HEAD");
  EXPECT_EQ(found("GET", "/v1/x/"), "none");
  EXPECT_EQ(found("GET", "/v1/x/1/"), "none");
  EXPECT_EQ(found("GET", "/v1/x/1/files/"), "none");
  EXPECT_EQ(found("GET", "/v1/xx"), "none");
  EXPECT_EQ(found("GET", "/v1/x"), "none +POST");
  EXPECT_EQ(found("GET", "/v1/x/%zz"), "bad");
}

TEST(Modules, names_stay_inside_their_folder) {
  TemporaryFolder folder;
  const auto inside = folder / "modules";
  std::filesystem::create_directories(inside / "sub");
  std::ofstream(folder / "secret.wasm") << "secret";
  std::ofstream(inside / "a.wasm") << "module";
  std::ofstream(inside / "sub" / "b.wasm") << "deeper";
  std::filesystem::create_symlink(folder / "secret.wasm", inside / "link.wasm");
  EXPECT_EQ(read_module(inside, "a.wasm").value(), "module");
  EXPECT_EQ(read_module(inside, "sub/b.wasm").value(), "deeper");
  for (const auto* bad :
       {"../secret.wasm", "/etc/passwd", "link.wasm", "sub", "absent.wasm", "", "sub/../../secret.wasm"})
    EXPECT_FALSE(read_module(inside, bad).has_value()) << bad;
  EXPECT_EQ(read_module("", "a.wasm").error().code, "file_not_found");
}

}  // namespace
}  // namespace hotcell::server
