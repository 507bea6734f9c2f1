#include "server/service.h"

#include <algorithm>
#include <cstdio>

#include "protocol/utf8.h"
#include "server/page.h"
#include "server/process_metrics.h"

namespace hotcell::embedded {
std::string_view docs_openapi_json();
}

namespace hotcell::server {

using namespace protocol;
using http::Exchange;
using http::Response;

namespace {

// Larger bodies are read on a thread of their own.
constexpr std::size_t kReadAtOnce = 64u << 10;
constexpr std::size_t kLongestRequestId = 128;
constexpr std::chrono::seconds kSaveEvery{10};  // what a kill -9 may forget of the usage

// What curl calls the body of -d counts too: that one is JSON is seen when it is read, and a web page's form is turned
// down for its Origin.
bool is_json(std::string_view type) {
  auto media = type.substr(0, type.find(';'));
  while (media.ends_with(' ')) media.remove_suffix(1);
  std::string lower(media);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower == "application/json" || lower == "application/x-www-form-urlencoded" ||
         (lower.starts_with("application/") && lower.ends_with("+json"));
}

bool is_plain_id(const std::string& id) {
  return !id.empty() && id.size() <= kLongestRequestId &&
         std::ranges::all_of(id, [](char c) { return c > ' ' && c < 0x7f; });
}

// W3C's: version, trace, span and flags, parted by dashes. Ids of zeros only name nothing.
bool is_traceparent(const std::string& text) {
  if (text.size() != 55 || text.starts_with("ff")) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (std::string_view(i == 2 || i == 35 || i == 52 ? "-" : "0123456789abcdef").find(text[i]) == text.npos)
      return false;
  return text.find_first_not_of('0', 3) < 35 && text.find_first_not_of('0', 36) < 52;
}

// What an address of server.health_listen is for.
bool is_about_health(std::string_view path) {
  return path == "/livez" || path == "/readyz" || path == "/healthz" || path == "/metrics";
}

// Paths of the API that this build has nothing behind: told apart from a mistyped one.
Problem nothing_at(const std::string& path) {
  if (path == "/v1/sessions" || path == "/v1/snapshots")
    return make_problem("unsupported_by_engine", "there are no sessions in this build", "run programs one by one");
  if (path.starts_with("/v1/sessions/"))
    return make_problem("session_not_found", "there is no such session: this build has none");
  if (path == "/mcp") return make_problem("not_found", "there is no MCP in this build", "use /v1/tools or /v1/execute");
  return make_problem("not_found", "there is nothing at '" + shortened(path, 128) + "'",
                      "the paths are listed in /openapi.json");
}

StatusApi::Facts facts_of(const ServiceOptions& options) {
  StatusApi::Facts facts;
  facts.version = HOTCELL_VERSION;
  facts.timeout_seconds = options.timeout_seconds;
  facts.max_running = options.admission.max_running;
  facts.max_queued = options.admission.max_queued;
  facts.body_bytes = options.body_bytes;
  facts.retention_seconds = static_cast<double>(options.retention.time.count());
  facts.facades = {"sandboxfusion"};
  facts.openapi = embedded::docs_openapi_json();
  return facts;
}

}  // namespace

Service::Service(ServiceOptions options, Backend& backend, Log& log)
    : log_(log),
      slow_seconds_(options.slow_seconds),
      usage_file_(options.usage),
      audit_(log, options.audit),
      access_(std::make_unique<Access>(options.access, usage_)),
      records_(options.retention),
      pool_(options.admission, [this](const std::string& what) { broke(what); }),
      launcher_(backend, pool_, records_, instruments_, audit_, options.launch),
      execute_(launcher_, idempotency_, options.timeout_seconds),
      executions_(records_),
      batch_(launcher_, execute_),
      tools_(execute_),
      fusion_(launcher_),
      status_(backend, metrics_, instruments_.recent(), pool_, facts_of(options)),
      admin_(backend, pool_, records_, instruments_.recent(), usage_, log, status_),
      id_prefix_("req_" + new_execution_id().substr(4, 12)),
      backend_(backend) {
  if (!usage_file_.empty())
    if (auto loaded = usage_.load(usage_file_); !loaded) log_.warn(loaded.error().message);
  add_routes(options.sandboxfusion);
  add_gauges();
}

Service::~Service() { close(); }

void Service::add_routes(bool sandboxfusion) {
  const auto add = [&](std::string method, std::string pattern, std::function<void(const Call&)> handler,
                       bool open = false, std::string facade = {}) {
    routes_.add({std::move(method), std::move(pattern), std::move(handler), open, std::move(facade), false, false});
  };
  add("POST", "/v1/execute", [this](const Call& call) { execute_.execute(call); });
  add("POST", "/v1/batch", [this](const Call& call) { batch_.batch(call); });
  add("POST", "/v1/tools", [this](const Call& call) { tools_.call(call); });
  add("GET", "/v1/executions/{id}", [this](const Call& call) { executions_.get(call); });
  add("GET", "/v1/executions/{id}/events", [this](const Call& call) { executions_.events(call); });
  routes_.add({"POST", "/v1/executions/{id}/cancel", [this](const Call& call) { executions_.cancel(call); }, false, "",
               /*any_media_type=*/true, false});
  add("GET", "/v1/executions/{id}/files/{path*}", [this](const Call& call) { executions_.file(call); });
  add("GET", "/v1/capabilities", [this](const Call& call) { status_.capabilities(call); });
  add("GET", "/v1/status", [this](const Call& call) { status_.status(call); });

  add("GET", "/", [](const Call& call) { call.respond(page()); }, true);
  const auto for_operators = [&](std::string method, std::string pattern, void (AdminApi::*handler)(const Call&)) {
    routes_.add({std::move(method), std::move(pattern), [this, handler](const Call& call) { (admin_.*handler)(call); },
                 false, "", /*any_media_type=*/true, true});
  };
  for_operators("GET", "/v1/service", &AdminApi::status);
  for_operators("GET", "/v1/executions", &AdminApi::executions);
  for_operators("GET", "/v1/logs", &AdminApi::logs);
  for_operators("POST", "/v1/drain", &AdminApi::drain);

  add("GET", "/livez", [this](const Call& call) { status_.alive(call); }, true);
  add("GET", "/readyz", [this](const Call& call) { status_.ready(call); }, true);
  add("GET", "/healthz", [this](const Call& call) { status_.ready(call); }, true);
  add("GET", "/metrics", [this](const Call& call) { status_.metrics(call); }, true);
  add("GET", "/openapi.json", [this](const Call& call) { status_.openapi(call); }, true);

  const std::string facade = "sandboxfusion";
  for (const std::string_view below : {"/compat/sandboxfusion", ""}) {
    if (below.empty() && !sandboxfusion) continue;
    const std::string base(below);
    add("POST", base + "/run_code", [this](const Call& call) { fusion_.run_code(call); }, false, facade);
    add("GET", base + "/v1/ping", [](const Call& call) { SandboxFusionApi::ping(call); }, true, facade);
  }
}

void Service::add_gauges() {
  metrics_.gauge("hotcell_build_info", "What is running",
                 [] { return Metrics::Samples{{label_text("version", HOTCELL_VERSION), 1.0}}; });
  metrics_.gauge("hotcell_executions_in_flight", "Programs that run",
                 [this] { return static_cast<double>(pool_.counts().running); });
  metrics_.gauge("hotcell_queue_depth", "Programs that wait for their turn",
                 [this] { return static_cast<double>(pool_.counts().waiting); });
  metrics_.gauge("hotcell_pool_ready", "Cells that are warm", [this] {
    Metrics::Samples out;
    for (const auto& engine : backend_.engines())
      for (const auto& language : engine.languages)
        out.emplace_back(label_text("engine", engine.name) + "," + label_text("language", language.name),
                         static_cast<double>(language.warm));
    return out;
  });
  metrics_.gauge("hotcell_memory_bytes", "Memory, by what it is for", [this] {
    return Metrics::Samples{{label_text("kind", "resident"), resident_bytes()},
                            {label_text("kind", "allocated"), allocated_bytes()},
                            {label_text("kind", "kept_results"), static_cast<double>(records_.counts().bytes)},
                            {label_text("kind", "readings"), static_cast<double>(backend_.readings_bytes())}};
  });
  const auto by_engine = [this](std::uint64_t EngineFacts::* number) {
    return [this, number] {
      Metrics::Samples out;
      for (const auto& engine : backend_.engines())
        out.emplace_back(label_text("engine", engine.name), static_cast<double>(engine.*number));
      return out;
    };
  };
  metrics_.total("hotcell_sandbox_escape_checks_failed_total",
                 "Cells that were not locked down as they should be, and were not used",
                 by_engine(&EngineFacts::proofs_failed));
  metrics_.total("hotcell_cleanup_failures_total", "Removals of a cell that did not succeed at once",
                 by_engine(&EngineFacts::removals_failed));
  add_process_metrics(metrics_);
}

// The caller's id of its request, or one of ours; every answer carries it.
void Service::identify(Exchange& exchange) {
  const auto* given = exchange.request().header("x-request-id");
  exchange.request_id = given && is_plain_id(*given) ? *given : id_prefix_ + std::to_string(++next_id_);
  exchange.answer_headers = "X-Request-Id: " + exchange.request_id + "\r\n";
}

std::optional<Response> Service::at_headers(Exchange& exchange) {
  auto& request = exchange.request();
  identify(exchange);
  const auto no = [&](Problem problem) { return problem_response(std::move(problem), exchange.request_id); };
  if (auto problem = access_->check_origin(request, exchange.peer())) return no(std::move(*problem));
  if (const auto* origin = request.header("origin"))  // an allowed one
    exchange.answer_headers += "Access-Control-Allow-Origin: " + *origin + "\r\nVary: Origin\r\n";
  if (const auto* trace = request.header("traceparent"); trace && is_traceparent(*trace)) {
    exchange.answer_headers += "traceparent: " + *trace + "\r\n";
    exchange.trace_id = trace->substr(3, 32);
  }

  if (exchange.peer().health_only && !is_about_health(request.path))
    return no(make_problem("not_found", "at this address there are /livez, /readyz, /healthz and /metrics only"));
  auto match = routes_.find(request.method, request.path);
  if (!match.route) {
    if (match.bad_encoding) return no(make_problem("malformed", "the path is not well encoded"));
    if (!match.allowed.empty() && request.method == "OPTIONS") {  // a browser asks before it sends
      Response response;
      response.status = 204;
      std::string methods;
      for (const auto& method : match.allowed) methods += (methods.empty() ? "" : ", ") + method;
      response.headers = {{"Allow", methods},
                          {"Access-Control-Allow-Methods", methods},
                          {"Access-Control-Allow-Headers",
                           "Authorization, Content-Type, X-API-Key, Idempotency-Key, X-Request-Id, Last-Event-ID"},
                          {"Access-Control-Max-Age", "600"}};
      return response;
    }
    if (match.allowed.empty()) return no(nothing_at(request.path));
    auto response =
        no(make_problem("method_not_allowed", "'" + shortened(request.method, 16) + "' is not possible here"));
    std::string methods;
    for (const auto& method : match.allowed) methods += (methods.empty() ? "" : ", ") + method;
    response.headers.emplace_back("Allow", methods);
    return response;
  }
  const auto& route = *match.route;
  exchange.route = &route;
  auto call = std::make_shared<Call>();
  call->parameters = std::move(match.parameters);
  if (!route.open) {
    auto tenant = access_->tenant_of(request, exchange.peer());
    if (!tenant) {
      auto response = no(std::move(tenant.error()));
      if (response.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
      return response;
    }
    if (route.for_operators && !(*tenant)->operates)
      return no(make_problem("forbidden", "this is for those who look after the service",
                             "as root or the service's own user over its unix socket, or with a token made by "
                             "hotcell token add --operator"));
    call->tenant = std::move(*tenant);
  }
  if (route.method == "POST" && !route.any_media_type) {
    const auto* type = request.header("content-type");
    if (type && !is_json(*type))
      return no(make_problem("unsupported_media_type", "the body must be JSON", "send Content-Type: application/json"));
    const auto* encoding = request.header("content-encoding");
    if (encoding && *encoding != "identity")
      return no(make_problem("unsupported_media_type", "the body must not be compressed"));
  }
  exchange.caller = std::move(call);
  return std::nullopt;
}

void Service::handle(std::shared_ptr<Exchange> exchange) {
  const auto& route = *static_cast<const Route*>(exchange->route);
  auto call = *std::static_pointer_cast<Call>(std::exchange(exchange->caller, nullptr));
  call.exchange = std::move(exchange);
  if (call.request().body.size() <= kReadAtOnce) return route.handler(call);
  reader_.post([this, &route, call = std::move(call)] { dispatch(route, call); });
}

void Service::dispatch(const Route& route, const Call& call) {
  try {
    route.handler(call);
  } catch (const std::exception& error) {
    broke(error.what());
    call.refuse(make_problem("internal", "hotcell could not handle this request"));
  }
}

Response Service::refuse(Exchange& exchange, Problem problem) {
  if (exchange.request_id.empty()) identify(exchange);
  return problem_response(std::move(problem), exchange.request_id);
}

void Service::answered(Exchange& exchange, const Response& response, std::uint64_t bytes) {
  const auto* route = static_cast<const Route*>(exchange.route);
  const double seconds = std::chrono::duration<double>(Exchange::Clock::now() - exchange.received()).count();
  const std::string_view pattern = route ? std::string_view(route->pattern) : "none";
  instruments_.request_answered(pattern, response.status, route ? std::string_view(route->facade) : "", seconds);
  const bool slow = seconds >= slow_seconds_;
  const auto level = response.status >= 500 || slow ? LogLevel::warn : LogLevel::debug;
  if (!log_.wants(level)) return;
  log_.line(level, slow ? "slow request" : "request",
            {{"request_id", exchange.request_id},
             {"trace_id", exchange.trace_id},
             {"method", exchange.request().method},
             {"route", pattern},
             {"status", response.status},
             {"code", response.code},
             {"bytes", bytes},
             {"seconds", seconds}});
}

void Service::broke(const std::string& what) { log_.error("something broke", {{"what", what}}); }

void Service::tick() {
  const auto now = Records::Clock::now();
  if (now < next_purge_) return;
  next_purge_ = now + std::chrono::seconds(1);
  records_.purge(now);
  idempotency_.purge(now);
  idempotency_.make_room();
  if (now < next_save_) return;
  next_save_ = now + kSaveEvery;
  if (!usage_file_.empty()) reader_.post([this] { save_usage(); });  // a disk may be slow
}

void Service::save_usage() {
  if (auto saved = usage_.save(usage_file_); !saved)
    log_.warn("what tenants have used was not saved", {{"why", saved.error().message}});
}

std::string Service::status_line() const {
  const auto counts = pool_.counts();
  auto out = std::string(status_.phase_name()) + "; " + std::to_string(counts.running) + " running, " +
             std::to_string(counts.waiting) + " waiting";
  for (const auto& engine : backend_.engines()) out += "; " + engine.name + (engine.ready ? " ready" : " not ready");
  return out;
}

void Service::reload(const ServiceOptions& options) {
  access_ = std::make_unique<Access>(options.access, usage_);
  pool_.set_limits(options.admission);
  records_.set_limits(options.retention);
  launcher_.set_queue_allowance(options.launch.queue_allowance_seconds);
  execute_.set_timeout(options.timeout_seconds);
  status_.set_facts(facts_of(options));
  slow_seconds_ = options.slow_seconds;
  audit_.turn(options.audit);
}

void Service::drain() {
  status_.set_phase(StatusApi::Phase::draining);
  pool_.drain();
}

void Service::give_up() {
  pool_.give_up_waiting();
  records_.cancel_all();
}

void Service::close() {
  reader_.close();
  drain();
  give_up();
  pool_.close();
  if (!std::exchange(usage_saved_, true) && !usage_file_.empty()) save_usage();
}

}  // namespace hotcell::server
