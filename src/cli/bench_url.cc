#include "cli/bench_url.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "cli/bench_figures.h"
#include "cli/http_client.h"
#include "cli/terminal.h"
#include "protocol/request_json.h"
#include "protocol/result_json.h"

namespace hotcell::cli {
namespace {

using namespace protocol;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{120};

// What one client saw.
struct Seen {
  std::vector<double> right, refused;  // microseconds
  unsigned errors = 0;
  std::map<std::string, unsigned> kinds;  // of refusals and errors: by status, or by what went wrong
};

class Client {
 public:
  Client(const UrlBench& bench, const std::string& body, const std::string& mark)
      : bench_(bench), body_(body), mark_(mark) {}

  // One request. A connection that is lost is made anew, and counts as an error.
  void once(Seen& seen) {
    if (!client_ && !connect(seen)) return;
    const auto start = Clock::now();
    const bool batch = bench_.batch > 0;
    auto answer = client_->send("POST", batch ? "/v1/batch" : "/v1/execute", body_, Deadline::after(kPatience));
    const double micros = micros_since(start);
    if (!answer) {
      wrong(seen, answer.error().code);
      client_.reset();
    } else if (answer->status == 429 || answer->status == 503 || answer->status == 504) {
      seen.refused.push_back(micros);
      ++seen.kinds[std::to_string(answer->status)];
    } else if (answer->status != 200) {
      wrong(seen, std::to_string(answer->status));
    } else if (count(answer->body) != std::max(1u, bench_.batch)) {
      wrong(seen, "output");
    } else {
      seen.right.push_back(micros);
    }
  }

 private:
  bool connect(Seen& seen) {
    auto made = HttpClient::connect(bench_.url, Deadline::after(kPatience));
    if (!made) {
      wrong(seen, made.error().code);
      return false;
    }
    client_ = std::move(*made);
    if (const char* token = std::getenv("HOTCELL_TOKEN")) client_->token = token;
    return true;
  }
  static void wrong(Seen& seen, const std::string& what) {
    ++seen.errors;
    ++seen.kinds[what];
  }
  // How many results have the right output. Reading all of the JSON would take as long as running the program.
  unsigned count(std::string_view body) const {
    unsigned found = 0;
    for (auto at = body.find(mark_); at != body.npos; at = body.find(mark_, at + mark_.size())) ++found;
    return found;
  }

  const UrlBench& bench_;
  const std::string& body_;
  const std::string& mark_;
  std::optional<HttpClient> client_;
};

std::string body_of(const Request& request, unsigned batch) {
  const auto one = dump(to_json(request));
  if (batch == 0) return one;
  std::string body = "{\"items\":[";
  for (unsigned i = 0; i < batch; ++i) body += (i ? "," : "") + one;
  return body + "]}";
}

Expected<std::string> first_output(const UrlBench& bench, const Request& request) {
  auto client = HttpClient::connect(bench.url, Deadline::after(kPatience));
  if (!client) return std::unexpected(client.error());
  if (const char* token = std::getenv("HOTCELL_TOKEN")) client->token = token;
  auto answer = client->send("POST", "/v1/execute", body_of(request, 0), Deadline::after(kPatience));
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 200)
    return fail("bench_failed", "the service answers " + std::to_string(answer->status) + ": " + answer->body);
  auto result = result_from_json(answer->body);
  if (!result) return std::unexpected(result.error());
  return result->outcome.out.bytes;
}

}  // namespace

int bench_url(UrlBench bench, const Request& request) {
  if (!bench.has_expect) {
    auto first = first_output(bench, request);
    if (!first) return complain(first.error());
    bench.expect = std::move(*first);
  }
  const std::string body = body_of(request, bench.batch);
  const std::string mark = "\"stdout\":" + dump(bench.expect) + ",\"stderr\":";

  std::vector<HttpClient> idle;
  for (unsigned i = 0; i < bench.idle; ++i) {
    auto one = HttpClient::connect(bench.url, Deadline::after(kPatience));
    if (!one) return complain(one.error());
    idle.push_back(std::move(*one));
  }
  Seen warm_up;
  Client warmer(bench, body, mark);
  for (unsigned i = 0; i < bench.warmup; ++i) warmer.once(warm_up);

  std::atomic<unsigned> taken{0};
  std::vector<Seen> each(bench.clients);
  const auto start = Clock::now();
  const auto work = [&](unsigned index) {
    Client client(bench, body, mark);
    for (;;) {
      const unsigned number = taken.fetch_add(1);
      if (bench.seconds > 0 ? micros_since(start) >= bench.seconds * 1e6 : number >= bench.runs) return;
      if (bench.pace > 0)
        std::this_thread::sleep_until(start +
                                      std::chrono::nanoseconds(static_cast<long long>(number / bench.pace * 1e9)));
      client.once(each[index]);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < bench.clients; ++i) threads.emplace_back(work, i);
  work(0);
  for (auto& thread : threads) thread.join();
  const double seconds = micros_since(start) / 1e6;

  Seen all;
  for (auto& one : each) {
    all.right.insert(all.right.end(), one.right.begin(), one.right.end());
    all.refused.insert(all.refused.end(), one.refused.begin(), one.refused.end());
    all.errors += one.errors;
    for (const auto& [kind, count] : one.kinds) all.kinds[kind] += count;
  }
  const double programs = static_cast<double>(all.right.size()) * std::max(1u, bench.batch);
  nlohmann::ordered_json out{
      {"runs", static_cast<std::uint64_t>(programs)}, {"errors", all.errors}, {"clients", bench.clients}};
  out.update(figures(all.right));
  out["runs_per_second"] = std::round(programs / seconds * 10) / 10;
  out["url"] = bench.url;
  if (bench.batch) out["batch"] = bench.batch;
  if (bench.idle) out["idle_connections"] = bench.idle;
  if (!all.refused.empty()) {
    out["refused"] = figures(all.refused);
    out["refused"]["count"] = all.refused.size();
  }
  if (!all.kinds.empty()) out["kinds"] = all.kinds;
  if (bench.json)
    put(1, dump(out) + "\n");
  else
    std::printf("%.0f runs, %u errors, %zu refused, %u clients: p50 %.1f us, p95 %.1f us, p99 %.1f us; %.0f runs/s\n",
                programs, all.errors, all.refused.size(), bench.clients, out["p50_us"].get<double>(),
                out["p95_us"].get<double>(), out["p99_us"].get<double>(), out["runs_per_second"].get<double>());
  return all.errors == 0 ? 0 : 1;
}

}  // namespace hotcell::cli
