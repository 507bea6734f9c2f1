#include "cli/serve.h"

#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "cli/config_command.h"
#include "cli/environment.h"
#include "cli/service_backend.h"
#include "cli/settings_table.h"
#include "cli/systemd.h"
#include "cli/terminal.h"
#include "server/http/server.h"
#include "server/service.h"

namespace hotcell::cli {

namespace fs = std::filesystem;
using server::Log;
using server::Service;
using Clock = std::chrono::steady_clock;

namespace {

// After everything has been cancelled: for the last answers to reach their clients.
constexpr std::chrono::seconds kFarewell{5};
// While it ends, the service manager hears every second that it needs so much longer; for the last containers more.
constexpr std::string_view kMoreTime = "EXTEND_TIMEOUT_USEC=15000000";
constexpr std::string_view kLastTime =
    "EXTEND_TIMEOUT_USEC=120000000\nWATCHDOG_USEC=120000000\nSTATUS=removing what is left";
constexpr std::chrono::seconds kStatusEvery{5};
constexpr std::string_view kHealthSocket = "health";  // FileDescriptorName= of a socket for server.health_listen

// A descriptor for each connection, two for each run, some for the workers: the usual soft limit is soon used up.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 65'536);
  setrlimit(RLIMIT_NOFILE, &limit);
}

fs::path state_of(const ServerSettings& own) { return own.state.empty() ? default_state_folder() : own.state; }

Expected<std::vector<server::Token>> tokens_of(const ServerSettings& own) {
  if (!own.tokens.empty()) return server::read_tokens(own.tokens);
  const auto file = default_tokens_file(state_of(own));
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return std::vector<server::Token>();
  return server::read_tokens(file);
}

server::ServiceOptions options_of(const Settings& settings) {
  const auto& own = settings.server;
  server::ServiceOptions options;
  options.access.allowed_origins = own.allowed_origins;
  options.access.allowed_hosts = own.allowed_hosts;
  options.admission.max_running = own.max_running ? own.max_running : settings.wasi.max_workers;
  options.admission.max_queued = own.max_queued;
  options.admission.eager = std::max(4u, 2 * std::thread::hardware_concurrency());
  options.retention.time = std::chrono::seconds(static_cast<long long>(own.retention_seconds));
  options.launch.queue_allowance_seconds = own.queue_seconds;
  options.launch.modules = own.modules;
  options.timeout_seconds = settings.timeout_seconds;
  options.sandboxfusion = own.sandboxfusion;
  options.slow_seconds = own.slow_seconds;
  options.audit = own.audit;
  options.usage = usage_file(state_of(own));
  options.body_bytes = server::http::Limits().body_bytes;
  return options;
}

server::LogForm form_of(const ServerSettings& own) {
  if (own.log_format == "json") return server::LogForm::json;
  if (own.log_format == "text") return server::LogForm::text;
  return server::form_for(2);
}

// Sockets that systemd has opened for us, and those that the settings name; the usual ones where there are neither.
struct Opened {
  server::http::Listener listener;
  bool health_only;
};

Expected<std::vector<Opened>> listeners_of(const ServerSettings& own, bool has_tokens) {
  using server::http::Listener;
  std::vector<Opened> out;
  auto inherited = inherited_sockets();
  if (!inherited) return std::unexpected(inherited.error());
  for (auto& one : *inherited) {
    auto listener = Listener::adopt(std::move(one.fd));
    if (!listener) return std::unexpected(listener.error());
    const bool health_only = one.name == kHealthSocket;
    if (auto allowed = server::allowed_to_listen(listener->address(), has_tokens || health_only); !allowed)
      return std::unexpected(allowed.error());
    out.push_back({std::move(*listener), health_only});
  }
  auto addresses = own.listen;
  if (addresses.empty() && std::ranges::all_of(out, &Opened::health_only))
    addresses = {"unix:" + default_socket().string(), "127.0.0.1:" + std::to_string(kDefaultPort)};
  const auto mode = static_cast<mode_t>(std::strtoul(own.socket_mode.c_str(), nullptr, 8));
  const auto open = [&](const std::string& text, bool health_only) -> Expected<void> {
    const auto address = server::http::parse_address(text);
    if (!address) return std::unexpected(address.error());
    const auto is_there = [&](const Opened& one) { return one.listener.address().text() == address->text(); };
    if (std::ranges::any_of(out, is_there)) return {};
    if (auto allowed = server::allowed_to_listen(*address, has_tokens || health_only); !allowed) return allowed;
    auto listener = Listener::open(*address, mode);
    if (!listener) return std::unexpected(listener.error());
    out.push_back({std::move(*listener), health_only});
    return {};
  };
  for (const auto& text : addresses)
    if (auto opened = open(text, false); !opened) return std::unexpected(opened.error());
  for (const auto& text : own.health_listen)
    if (auto opened = open(text, true); !opened) return std::unexpected(opened.error());
  return out;
}

// Signals that come before the loop can hear them: they end nothing in the middle, and are told to the loop.
class EarlySignals {
 public:
  EarlySignals() {
    struct sigaction action{};
    action.sa_handler = [](int number) {
      if (came_ == 0 || came_ == SIGHUP) came_ = number;  // an end is not forgotten for a reload
    };
    action.sa_flags = SA_RESTART;
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
  }
  // When the loop has handlers of its own.
  static void pass_on() {
    if (came_ != 0) ::raise(came_);
  }

 private:
  static inline volatile std::sig_atomic_t came_ = 0;
};

// From the first signal to the end: nothing new, then nothing waiting, then nothing at all.
class Ending {
 public:
  Ending(Service& service, server::http::Server& server, Log& log, const Notifier& notifier)
      : service_(service), server_(server), log_(log), notifier_(notifier) {}

  void begin(double drain_seconds) {
    if (stage_ == Stage::serving) {
      log_.info("draining", {{"seconds", drain_seconds}});
      notifier_.send("STOPPING=1\nSTATUS=draining\n" + std::string(kMoreTime));
      stage_ = Stage::draining;
      due_ = Clock::now() + std::chrono::milliseconds(static_cast<long long>(drain_seconds * 1e3));
      service_.drain();
      server_.drain();
    } else {
      due_ = Clock::now();  // somebody is in a hurry
    }
  }

  void tick() {
    if (stage_ == Stage::serving || stage_ == Stage::over) return;
    const auto now = Clock::now();
    if (now >= next_word_) {
      next_word_ = now + std::chrono::seconds(1);
      notifier_.send(kMoreTime);
    }
    if (server_.connections() == 0 && service_.idle()) return end();
    if (now < due_) return;
    if (stage_ == Stage::farewell) return end();
    log_.warn("cancelling what still runs");
    stage_ = Stage::farewell;
    due_ = now + kFarewell;
    service_.give_up();
  }

  bool begun() const { return stage_ != Stage::serving; }

 private:
  enum class Stage { serving, draining, farewell, over };

  void end() {
    stage_ = Stage::over;
    server_.stop();
  }

  Service& service_;
  server::http::Server& server_;
  Log& log_;
  const Notifier& notifier_;
  Stage stage_ = Stage::serving;
  Clock::time_point due_{}, next_word_{};
};

// Tells the service manager that the loop turns, and now and then how things are.
class Heartbeat {
 public:
  Heartbeat(const Notifier& notifier, Service& service) : notifier_(notifier), service_(service) {}

  void tick() {
    const auto now = Clock::now();
    const auto patience = notifier_.watchdog();
    if (patience.count() > 0 && now - last_ >= patience / 2 - kTick) {
      last_ = now;
      notifier_.send("WATCHDOG=1");
    }
    if (!notifier_.listening() || now < next_status_) return;
    next_status_ = now + kStatusEvery;
    if (auto text = service_.status_line(); text != told_) notifier_.send("STATUS=" + (told_ = std::move(text)));
  }

 private:
  static constexpr std::chrono::milliseconds kTick{100};  // the next look would be too late
  const Notifier& notifier_;
  Service& service_;
  Clock::time_point last_{}, next_status_{};
  std::string told_;
};

// SIGHUP: the tokens and the settings again. What can change while the service runs changes; of the rest it is said
// that it needs a restart. With a mistake anywhere nothing changes at all.
class Reload {
 public:
  Reload(const ServeFlags& flags, fs::path config, Settings& running, bool has_tokens, Log& log)
      : flags_(flags), config_(std::move(config)), running_(running), has_tokens_(has_tokens), log_(log) {}

  // The options to go on with; nullopt: nothing has changed, and it has been said why.
  std::optional<server::ServiceOptions> operator()() {
    const auto settings = load_settings(config_, flags_.given);
    if (!settings) {
      log_.error("the settings were not loaded again", {{"why", settings.error().message}});
      return std::nullopt;
    }
    auto tokens = tokens_of(settings->server);
    if (tokens && tokens->empty() && has_tokens_) tokens = fail("tokens_missing", "there are none any more");
    if (!tokens) {
      log_.error("the tokens were not loaded again", {{"why", tokens.error().message}});
      return std::nullopt;
    }
    auto changed = nlohmann::ordered_json::array(), restart = nlohmann::ordered_json::array();
    for (const auto& setting : settings_table()) {
      if (setting.get(*settings) == setting.get(running_)) continue;
      (setting.reloaded ? changed : restart).push_back(setting.key);
      if (setting.reloaded) setting.copy(running_, *settings);
    }
    has_tokens_ = !tokens->empty();
    log_.info("tokens loaded", {{"count", tokens->size()}});
    log_.info("settings loaded again", {{"changed", changed}});
    if (!restart.empty()) log_.warn("these settings have changed and need a restart", {{"settings", restart}});
    auto options = options_of(running_);
    options.access.tokens = std::move(*tokens);
    return options;
  }

 private:
  const ServeFlags& flags_;
  const fs::path config_;
  Settings& running_;
  bool has_tokens_;
  Log& log_;
};

}  // namespace

fs::path default_state_folder() {
  if (const auto set = environment("HOTCELL_STATE_DIR"); !set.empty()) return set;
  if (const auto xdg = environment("XDG_STATE_HOME"); !xdg.empty()) return fs::path(xdg) / "hotcell";
  const auto home = environment("HOME");
  return fs::path(home.empty() ? "/tmp" : home) / ".local" / "state" / "hotcell";
}

fs::path default_socket() {
  if (environment("HOTCELL_STATE_DIR").empty()) {
    if (const auto xdg = environment("XDG_RUNTIME_DIR"); !xdg.empty()) return fs::path(xdg) / "hotcell.sock";
    if (geteuid() == 0) return "/run/hotcell/hotcell.sock";
  }
  return default_state_folder() / "hotcell.sock";
}

fs::path default_tokens_file(const fs::path& state) { return state / "tokens.json"; }
fs::path usage_file(const fs::path& state) { return state / "usage.json"; }

void add_serve_options(CLI::App& app, ServeFlags& flags) {
  for (const auto& setting : settings_table()) {
    if (setting.flag.empty()) continue;
    const auto take = [&flags, key = setting.key, flag = setting.flag](std::vector<std::string> words) {
      flags.given.push_back({key, flag, std::move(words)});
    };
    if (setting.flag_type.empty()) {
      app.add_flag_callback(setting.flag, [take] { take({}); }, setting.meaning);
    } else if (setting.shape == Setting::Shape::list) {
      app.add_option_function<std::vector<std::string>>(setting.flag, take, setting.meaning + "; may be repeated")
          ->type_name(setting.flag_type)
          ->allow_extra_args(false);
    } else {
      app.add_option_function<std::string>(
             setting.flag, [take](const std::string& word) { take({word}); }, setting.meaning)
          ->type_name(setting.flag_type);
    }
  }
}

int serve(const ServeFlags& flags, const fs::path& config) {
  const EarlySignals signals;
  auto loaded = load_settings(config, flags.given);
  if (!loaded) return complain(loaded.error());
  auto& settings = *loaded;
  const auto& own = settings.server;
  const auto notifier = Notifier::from_environment();
  signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  // Memory is taken on one thread and given back on another: with an arena for each, what lies unused in all of them
  // only grows. Two are enough, since most of it comes from the threads' own caches.
  mallopt(M_ARENA_MAX, 2);
  Log log(server::level_from(own.log_level), Log::to_stderr, form_of(own));

  auto options = options_of(settings);
  auto tokens = tokens_of(own);
  if (!tokens) return complain(tokens.error());
  options.access.tokens = std::move(*tokens);
  const bool has_tokens = !options.access.tokens.empty();
  auto listeners = listeners_of(own, has_tokens);
  if (!listeners) return complain(listeners.error());
  std::error_code ignored;
  if (fs::create_directories(state_of(own), ignored)) ::chmod(state_of(own).c_str(), 0700);

  const auto warm_cells = std::max(2u, std::thread::hardware_concurrency());
  auto backend = ServiceBackend::create(settings, warm_cells, log);
  if (!backend) return complain(backend.error());

  Service service(std::move(options), **backend, log);
  server::http::Server server(server::http::Limits(), service);
  for (auto& [listener, health_only] : *listeners) {
    log.info(health_only ? "listening for health" : "listening", {{"address", listener.address().text()}});
    server.listen(std::move(listener), health_only);
  }
  service.metrics().gauge("hotcell_http_connections", "Connections that are open",
                          [&] { return static_cast<double>(server.connections()); });
  Ending ending(service, server, log, notifier);
  Heartbeat heartbeat(notifier, service);
  Reload reload(flags, config, settings, has_tokens, log);
  service.admin().connections = [&] { return server.connections(); };
  service.admin().drain_seconds = [&] { return own.drain_seconds; };
  service.admin().on_drain = [&] {
    if (!ending.begun()) ending.begin(own.drain_seconds);
  };
  server.on_signal([&](int number) {
    if (number != SIGHUP) return ending.begin(own.drain_seconds);
    if (ending.begun()) return;  // nothing is ready any more, whatever the settings say
    notifier.send("RELOADING=1\nMONOTONIC_USEC=" + monotonic_usec());
    if (const auto again = reload()) {
      service.reload(*again);
      log.set_level(server::level_from(own.log_level));
      (*backend)->resize(settings.docker.pool);
    }
    notifier.send("READY=1");
  });
  signals.pass_on();
  server.each_tick([&] {
    service.tick();
    heartbeat.tick();
    ending.tick();
  });
  (*backend)->check_engines([&] {
    if (!service.ready()) return;  // it is to end already
    log.info("ready");
    notifier.send("READY=1\nSTATUS=" + service.status_line());
  });
  server.run();
  notifier.send(kLastTime);
  (*backend)->stop_checking();
  service.close();
  backend->reset();  // which removes its containers
  log.info("ended");
  return 0;
}

int run_daemon(int argc, char** argv) {
  CLI::App app("hotcelld runs programs for those who ask over HTTP, where they can do no harm.", "hotcelld");
  app.set_version_flag("--version", std::string("hotcelld ") + HOTCELL_VERSION);
  app.failure_message(CLI::FailureMessage::simple);
  std::string config;
  bool check = false, print = false;
  app.add_option("--config", config, "settings file (YAML)")->type_name("FILE");
  app.add_flag("--check-config", check, "say what is wrong with the settings, and end");
  app.add_flag("--print-config", print, "print the settings that hold and where each comes from, and end");
  ServeFlags flags;
  add_serve_options(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& error) {
    return app.exit(error);
  } catch (const CLI::ParseError& error) {
    return complain({"invalid_field", error.what(), "see hotcelld --help"});
  }
  if (check) return check_config(config, flags.given);
  if (print) return show_config(config, flags.given, {}, false);
  return serve(flags, config);
}

}  // namespace hotcell::cli
