// The service behind the HTTP server: it knows who asks, what for, and who answers.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "server/access.h"
#include "server/admin_api.h"
#include "server/audit.h"
#include "server/backend.h"
#include "server/batch_api.h"
#include "server/execute_api.h"
#include "server/executions_api.h"
#include "server/http/door.h"
#include "server/idempotency.h"
#include "server/instruments.h"
#include "server/launcher.h"
#include "server/log.h"
#include "server/reader_thread.h"
#include "server/records.h"
#include "server/routes.h"
#include "server/run_pool.h"
#include "server/sandboxfusion_api.h"
#include "server/status_api.h"
#include "server/tools_api.h"

namespace hotcell::server {

struct ServiceOptions {
  AccessOptions access;
  AdmissionLimits admission;
  Retention retention;
  LaunchOptions launch;
  double timeout_seconds = 30;  // of requests that name none
  bool sandboxfusion = false;   // its routes where its clients expect them, not only below /compat/
  double slow_seconds = 60;     // requests that take longer are logged
  bool audit = false;           // a line of the log for every program
  std::filesystem::path usage;  // where it is kept what tenants have used; empty: nowhere
  std::uint64_t body_bytes = 64ull << 20;
};

class Service final : public http::Door {
 public:
  Service(ServiceOptions options, Backend& backend, Log& log);
  ~Service() override;

  // --- http::Door, on the loop
  std::optional<http::Response> at_headers(http::Exchange& exchange) override;
  void handle(std::shared_ptr<http::Exchange> exchange) override;
  http::Response refuse(http::Exchange& exchange, protocol::Problem problem) override;
  void answered(http::Exchange& exchange, const http::Response& response, std::uint64_t bytes) override;
  void broke(const std::string& what) override;

  void tick();  // now and then, on the loop
  // On the loop: takes up what can change while it runs: access, limits, times, the audit.
  void reload(const ServiceOptions& options);
  // False: it drains already.
  bool ready() { return status_.become_ready(); }
  // Nothing new is let in; what is there goes on.
  void drain();
  // What is still there is ended: what waits is refused, what runs is cancelled. Returns at once.
  void give_up();
  bool idle() const { return pool_.idle(); }
  // Waits for the last program; after this nothing of the service touches an exchange any more.
  void close();

  // In a few words how things are: "serving; 3 running, 0 waiting; wasi ready; docker not ready". On any thread.
  std::string status_line() const;
  const Routes& routes() const { return routes_; }
  Metrics& metrics() { return metrics_; }
  AdminApi& admin() { return admin_; }

 private:
  void add_routes(bool sandboxfusion);
  void add_gauges();
  void dispatch(const Route& route, const Call& call);
  void identify(http::Exchange& exchange);
  void save_usage();

  Log& log_;
  double slow_seconds_;
  const std::filesystem::path usage_file_;
  Metrics metrics_;
  Instruments instruments_{metrics_};
  UsageBook usage_;
  Audit audit_;
  std::unique_ptr<Access> access_;
  Records records_;
  Idempotency idempotency_;
  RunPool pool_;
  Launcher launcher_;
  ExecuteApi execute_;
  ExecutionsApi executions_;
  BatchApi batch_;
  ToolsApi tools_;
  SandboxFusionApi fusion_;
  StatusApi status_;
  AdminApi admin_;
  Routes routes_;
  ReaderThread reader_;
  Records::Clock::time_point next_purge_{}, next_save_{};
  std::string id_prefix_;
  std::uint64_t next_id_ = 0;
  bool usage_saved_ = false;  // for the last time
  Backend& backend_;
};

}  // namespace hotcell::server
