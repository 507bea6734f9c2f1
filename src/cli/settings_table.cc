#include "cli/settings_table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "protocol/nearest.h"
#include "server/http/listen.h"

namespace hotcell::cli {
namespace {

namespace fs = std::filesystem;
using Value = Setting::Value;
using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr double kMib = 1 << 20;

// Where in Settings: a function that finds it, in one that is to be changed and in one that is not.
#define IN(member) [](auto& all) -> auto& { return all.member; }

std::unexpected<Error> wrong(std::string why, std::string hint = {}) {
  return fail("invalid_config", std::move(why), std::move(hint));
}

std::string plain(double number) {
  char text[32];
  std::snprintf(text, sizeof text, number == std::floor(number) && std::abs(number) < 1e15 ? "%.0f" : "%g", number);
  return text;
}

// What was given, for a sentence.
std::string shown(const Value& value) {
  return value.is_string() ? "\"" + value.get<std::string>() + "\"" : value.is_null() ? "nothing" : value.dump();
}

Setting make(std::string key, std::string type, std::string meaning) {
  Setting out;
  out.key = std::move(key), out.type = std::move(type), out.meaning = std::move(meaning);
  std::string variable = "HOTCELL_";
  for (const char c : out.key) variable += c == '.' ? '_' : static_cast<char>(std::toupper(c));
  out.variables.push_back({std::move(variable)});
  return out;
}

template <class Field>
void copies(Setting& setting, Field field) {
  setting.copy = [=](Settings& to, const Settings& from) { field(to) = field(from); };
}

// `scale`: how much of what is kept is one of the setting's.
template <class Field>
Setting number(std::string key, Field field, double least, double most, std::string meaning, double scale = 1) {
  using T = std::remove_cvref_t<decltype(field(std::declval<Settings&>()))>;
  const bool integral = std::is_integral_v<T> && scale == 1;
  auto out = make(std::move(key), (integral ? "whole number, " : "number, ") + plain(least) + " to " + plain(most),
                  std::move(meaning));
  out.set = [=](Settings& all, const Value& value, double unit) -> Expected<void> {
    const auto text = value.is_string() ? value.get<std::string>() : std::string();
    double given = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), given);
    const bool whole = integral && unit == 1;
    if (text.empty() || error != std::errc() || end != text.data() + text.size() ||
        !(given * unit >= least && given * unit <= most) || (whole && given != std::floor(given)))
      return wrong("must be a " + std::string(whole ? "whole number" : "number") + " from " + plain(least / unit) +
                   " to " + plain(most / unit) + ", not " + shown(value));
    field(all) = static_cast<T>(given * unit * scale);
    return {};
  };
  copies(out, field);
  out.get = [=](const Settings& all) -> Value {
    const double value = static_cast<double>(field(all)) / scale;
    if (value == std::floor(value) && std::abs(value) < 1e15) return static_cast<std::int64_t>(value);
    return value;
  };
  return out;
}

std::optional<bool> truth_of(const Value& value) {
  if (!value.is_string()) return std::nullopt;
  auto text = value.get<std::string>();
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (text == "true" || text == "yes" || text == "on" || text == "1") return true;
  if (text == "false" || text == "no" || text == "off" || text == "0") return false;
  return std::nullopt;
}

template <class Field>
Setting flag(std::string key, Field field, std::string meaning) {
  auto out = make(std::move(key), "true or false", std::move(meaning));
  out.set = [=](Settings& all, const Value& value, double) -> Expected<void> {
    const auto truth = truth_of(value);
    if (!truth) return wrong("must be true or false, not " + shown(value));
    field(all) = *truth;
    return {};
  };
  copies(out, field);
  out.get = [=](const Settings& all) -> Value { return field(all); };
  return out;
}

// Accepted as false; true is a start error that says why there is no such thing.
Setting never(std::string key, const char* why, const char* hint, std::string meaning) {
  auto out = make(std::move(key), "false", std::move(meaning));
  out.set = [=](Settings&, const Value& value, double) -> Expected<void> {
    const auto truth = truth_of(value);
    if (!truth) return wrong("must be true or false, not " + shown(value));
    return *truth ? Expected<void>(wrong(why, hint)) : Expected<void>();
  };
  out.copy = [](Settings&, const Settings&) {};
  out.get = [](const Settings&) -> Value { return false; };
  return out;
}

// A text, or a path. `check` says what is wrong with one.
using Check = std::function<Expected<void>(const std::string&)>;

template <class Field>
Setting text(std::string key, Field field, std::string meaning, std::string type = "text", Check check = nullptr) {
  using T = std::remove_cvref_t<decltype(field(std::declval<Settings&>()))>;
  if (std::is_same_v<T, fs::path> && type == "text") type = "path";
  auto out = make(std::move(key), std::move(type), std::move(meaning));
  out.set = [=](Settings& all, const Value& value, double) -> Expected<void> {
    if (!value.is_string()) return wrong("must be a text, not " + shown(value));
    auto given = value.get<std::string>();
    if (check)
      if (auto good = check(given); !good) return good;
    field(all) = std::move(given);
    return {};
  };
  copies(out, field);
  out.get = [=](const Settings& all) -> Value {
    if constexpr (std::is_same_v<T, fs::path>)
      return field(all).string();
    else
      return field(all);
  };
  return out;
}

template <class Field>
Setting texts(std::string key, Field field, std::string meaning, std::string type = "list of texts",
              Check check = nullptr) {
  auto out = make(std::move(key), std::move(type), std::move(meaning));
  out.shape = Setting::Shape::list;
  out.set = [=](Settings& all, const Value& value, double) -> Expected<void> {
    if (!value.is_array()) return wrong("must be a list, not " + shown(value));
    std::vector<std::string> given;
    for (const auto& item : value) {
      if (!item.is_string()) return wrong("must be a list of texts, not " + shown(value));
      given.push_back(item.get<std::string>());
      if (check)
        if (auto good = check(given.back()); !good) return good;
    }
    field(all) = std::move(given);
    return {};
  };
  copies(out, field);
  out.get = [=](const Settings& all) -> Value { return field(all); };
  return out;
}

template <class T>
using Words = std::vector<std::pair<std::string_view, T>>;

template <class Field, class T>
Setting choice(std::string key, Field field, Words<T> words, std::string meaning) {
  std::string type;
  for (const auto& [word, value] : words) type += (type.empty() ? "`" : ", `") + std::string(word) + "`";
  auto out = make(std::move(key), std::move(type), std::move(meaning));
  out.set = [=](Settings& all, const Value& value, double) -> Expected<void> {
    std::vector<std::string_view> known;
    for (const auto& [word, meant] : words) {
      known.push_back(word);
      if (value.is_string() && value.get_ref<const std::string&>() == word) {
        field(all) = meant;
        return {};
      }
    }
    return wrong("cannot be " + shown(value),
                 protocol::suggestion(value.is_string() ? value.get<std::string>() : "", known));
  };
  copies(out, field);
  out.get = [=](const Settings& all) -> Value {
    for (const auto& [word, meant] : words)
      if (field(all) == meant) return word;
    return nullptr;
  };
  return out;
}

// Environment variables of programs. Their values may be secrets.
template <class Field>
Setting variables(std::string key, Field field, std::string meaning) {
  auto out = make(std::move(key), "map of names to values", std::move(meaning));
  out.shape = Setting::Shape::map;
  out.set = [=](Settings& all, const Value& value, double) -> Expected<void> {
    if (!value.is_object()) return wrong("must be a map of names to values, not " + shown(value));
    Pairs given;
    for (auto at = value.begin(); at != value.end(); ++at) {
      if (!at->is_string()) return wrong("must be a map of names to values, not " + shown(value));
      given.emplace_back(at.key(), at->get_ref<const std::string&>());
    }
    field(all) = std::move(given);
    return {};
  };
  copies(out, field);
  out.get = [=](const Settings& all) {
    auto shown_as = Value::object();
    for (const auto& [name, text] : field(all)) shown_as[name] = text;
    return shown_as;
  };
  return std::move(out).masked();
}

// "/data" shows the folder under its own name, "/srv/data:/data" under another.
template <class Field>
Setting folders(std::string key, Field field, std::string meaning) {
  auto out = make(std::move(key), "list of folders", std::move(meaning));
  out.shape = Setting::Shape::list;
  out.set = [=](Settings& all, const Value& value, double) -> Expected<void> {
    if (!value.is_array()) return wrong("must be a list of folders, not " + shown(value));
    std::remove_cvref_t<decltype(field(all))> given;
    for (const auto& item : value) {
      const auto both = item.is_string() ? item.get<std::string>() : std::string();
      const auto colon = both.find(':');
      const auto host = both.substr(0, colon), guest = colon == both.npos ? host : both.substr(colon + 1);
      if (!host.starts_with('/') || !guest.starts_with('/'))
        return wrong("must hold absolute paths, not " + shown(item));
      if (!fs::is_directory(host)) return wrong("names a folder that does not exist: " + host);
      given.emplace_back(host, guest);
    }
    field(all) = std::move(given);
    return {};
  };
  copies(out, field);
  out.get = [=](const Settings& all) {
    auto list = Value::array();
    for (const auto& [host, guest] : field(all)) list.push_back(host == guest ? guest : host.string() + ":" + guest);
    return list;
  };
  return out;
}

Expected<void> is_mode(const std::string& given) {
  unsigned mode = 0;
  const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), mode, 8);
  if (error == std::errc{} && end == given.data() + given.size() && mode <= 0777) return {};
  return wrong("must be a file mode, not \"" + given + "\"", "an octal number, such as \"0660\"");
}

Expected<void> is_address(const std::string& given) {
  if (const auto address = server::http::parse_address(given); !address)
    return wrong("holds what is no address: " + address.error().message, address.error().hint);
  return {};
}

using docker::PoolMode;
using docker::Reuse;
using DepsMode = deps::Policy::Mode;

std::vector<Setting> make_table() {
  std::vector<Setting> table;
  const auto add = [&](Setting setting) { table.push_back(std::move(setting)); };

  add(choice("checks.mode", IN(checks), check_words(), "what comes of dangerous code in a run that does not say"));
  add(text("checks.policy", IN(check_policy),
           "what `enforce` and `hotcell check` refuse by: `warn`, `standard`, `strict`, or one of the rule file's"));
  add(text("checks.rules", IN(check_rules),
           "a file with rules and policies of your own: see [validation.md](validation.md#rule-files)"));

  add(choice(
      "deps.mode", IN(packages.mode),
      Words<DepsMode>{{"auto", DepsMode::automatic}, {"explicit", DepsMode::explicit_only}, {"off", DepsMode::off}},
      "`auto`: what the imports say is installed; `explicit`: only what is named; `off`: nothing"));
  add(texts("deps.allow", IN(packages.allow),
            "packages; `azure-*` stands for all that begin so. Where there are any, nothing else is installed"));
  add(texts("deps.deny", IN(packages.deny), "packages that are never installed"));
  add(choice("deps.look_alikes", IN(packages.refuse_look_alikes), Words<bool>{{"allow", false}, {"refuse", true}},
             "`refuse`: no package whose name is nearly a well-known one, unless `deps.allow` has it"));
  add(text("deps.packages", IN(package_map),
           "a file with imports and packages of your own: see [dependencies.md](dependencies.md#packages)"));
  add(text("deps.index_url", IN(indexes.index_url), "the index of Python packages (simple API)")
          .of_urls()
          .else_as_told({"PIP_INDEX_URL"})
          .usually("the public one"));
  add(texts("deps.extra_index_urls", IN(indexes.extra_index_urls),
            "more of them. A package that one of these has is never taken from the one before")
          .of_urls()
          .else_as_told({"PIP_EXTRA_INDEX_URL"}));
  add(text("deps.npm_registry", IN(indexes.npm_registry), "the registry of Node packages")
          .of_urls()
          .else_as_told({"npm_config_registry", "NPM_CONFIG_REGISTRY"})
          .usually("the public one"));
  add(text("deps.ca_file", IN(indexes.ca_file), "authorities (PEM) to trust besides the usual ones")
          .else_as_told({"PIP_CERT", "SSL_CERT_FILE"}));
  add(text("deps.credentials_file", IN(indexes.credentials_file),
           "logins for the indexes: see [dependencies.md](dependencies.md#installing)"));
  add(text("deps.proxy", IN(indexes.proxy), "by which packages are fetched")
          .of_urls()
          .else_as_told({"HTTPS_PROXY", "https_proxy"}));
  add(text("deps.no_proxy", IN(indexes.no_proxy), "hosts that are asked without it")
          .else_as_told({"NO_PROXY", "no_proxy"}));
  add(flag("deps.offline", IN(indexes.offline),
           "true: nothing is fetched; what was downloaded before can still be installed"));
  add(flag("deps.allow_sdists", IN(indexes.allow_sdists),
           "true: source packages too. Their own code then runs in the builder, which keeps its downloads to itself"));
  add(number("deps.timeout_seconds", IN(indexes.timeout_seconds), 1, 86'400, "of resolving, and of installing"));

  add(flag("docker.enabled", IN(docker_enabled), "false: there is no docker engine"));
  add(text("docker.host", IN(docker.docker_host), "the daemon; unix sockets only")
          .also("DOCKER_HOST")
          .usually("unix:///var/run/docker.sock"));
  add(text("docker.image", IN(docker.image), "of a request that names none"));
  add(texts("docker.allowed_images", IN(docker.allowed_images), "further images that a request may name"));
  add(text("docker.runtime", IN(docker.runtime), "`runsc`, …").usually("the daemon's"));
  add(choice("docker.pool", IN(docker.pool.mode),
             Words<PoolMode>{{"off", PoolMode::off}, {"prefer", PoolMode::prefer}, {"require", PoolMode::require}},
             "see [docker.md](docker.md#the-pool)"));
  add(number("docker.pool_min", IN(docker.pool.min), 0, 256, "ready cells of a class that is in use").on_reload());
  add(number("docker.pool_max", IN(docker.pool.max), 1, 256, "the most of them").on_reload());
  add(number("docker.max_cells", IN(docker.pool.max_cells), 1, 4096, "cells in all").on_reload());
  add(number("docker.makers", IN(docker.pool.makers), 1, 16, "cells that are made at once"));
  add(choice("docker.reuse", IN(docker.reuse), Words<Reuse>{{"never", Reuse::never}, {"tenant", Reuse::tenant}},
             "`tenant`: a cell may be used again by the same tenant"));
  add(number("docker.memory_mb", IN(docker.memory_bytes), 8, 8192, "memory of a run that asks for nothing else", kMib)
          .also("CODE_EXECUTION_MEMORY_MB"));
  add(number("docker.max_memory_mb", IN(docker.max_memory_bytes), 8, 1 << 20, "the most that one may ask for", kMib));
  add(number("docker.disk_mb", IN(docker.disk_bytes), 1, 1024, "of `/workspace` and of `/tmp`, each", kMib));
  add(number("docker.max_disk_mb", IN(docker.max_disk_bytes), 1, 65'536, "the most that a run may ask for", kMib));
  add(number("docker.cpus", IN(docker.cpus), 0.01, 1024, "CPUs of a run that asks for nothing else")
          .also("CODE_EXECUTION_CPU_CORES"));
  add(number("docker.max_cpus", IN(docker.max_cpus), 0.01, 1024, "the most that one may ask for")
          .usually("as many as there are"));
  add(number("docker.pids", IN(docker.pids), 4, 4096, "processes and threads of a run that asks for nothing else"));
  add(number("docker.max_pids", IN(docker.max_pids), 4, 1 << 22, "the most that one may ask for"));
  add(flag("docker.network", IN(docker.allow_network), "false: no program gets a network"));
  add(number("docker.uid_start", IN(docker.uids.first), 1000, 2'147'000'000, "the first uid of cells")
          .usually("as the daemon allows"));
  add(number("docker.uid_count", IN(docker.uids.count), 1000, 1'000'000'000, "how many uids cells may have")
          .usually("as the daemon allows"));
  add(text("docker.seccomp", IN(docker.seccomp), "a seccomp profile of your own").usually("built in"));
  add(texts("docker.warm_modules", IN(docker.warm_modules),
            "Python modules that a waiting interpreter has imported, besides the usual ones"));
  add(variables("docker.env_vars", IN(docker.env), "environment variables for every program; a request's own win"));

  add(texts("server.listen", IN(server.listen), "`unix:PATH` and `IP:PORT`: see [http.md](http.md)",
            "list of addresses", is_address)
          .by_flag("--listen", "ADDRESS")
          .usually("a unix socket and 127.0.0.1:4682"));
  add(texts("server.health_listen", IN(server.health_listen),
            "where only /livez, /readyz, /healthz and /metrics are answered: such an address may be open to others "
            "without "
            "tokens",
            "list of addresses", is_address)
          .by_flag("--health-listen", "ADDRESS"));
  add(text("server.state_dir", IN(server.state), "where the service keeps what outlives it")
          .also("HOTCELL_STATE_DIR")
          .by_flag("--state-dir", "DIR")
          .usually("`${XDG_STATE_HOME:-~/.local/state}/hotcell`"));
  add(text("server.token_file", IN(server.tokens), "the tokens that may be used; what is in it is read again on SIGHUP")
          .by_flag("--token-file", "FILE")
          .usually("`tokens.json` in the state folder, if it is there"));
  add(text("server.socket_mode", IN(server.socket_mode), "the file mode of the unix socket: who may connect",
           "octal number", is_mode)
          .by_flag("--socket-mode", "MODE"));
  add(texts("server.allowed_origins", IN(server.allowed_origins), "origins of web pages that may use the service")
          .by_flag("--allow-origin", "ORIGIN")
          .on_reload());
  add(texts("server.allowed_hosts", IN(server.allowed_hosts), "names that the service is known by")
          .by_flag("--allow-host", "NAME")
          .on_reload());
  add(text("server.modules", IN(server.modules), "a folder of WebAssembly modules that can be run by name")
          .by_flag("--modules", "DIR"));
  add(number("server.max_running", IN(server.max_running), 1, 4096, "programs at once")
          .by_flag("--max-running", "NUMBER")
          .usually("`wasi.max_workers`")
          .on_reload());
  add(number("server.max_queued", IN(server.max_queued), 0, 1'000'000, "programs that may wait")
          .by_flag("--max-queued", "NUMBER")
          .on_reload());
  add(number("server.queue_seconds", IN(server.queue_seconds), 0, 86'400,
             "how long a program waits for its turn, unless it has a deadline")
          .by_flag("--queue-seconds", "SECONDS")
          .on_reload());
  add(number("server.drain_seconds", IN(server.drain_seconds), 0, 86'400, "how long programs may go on after SIGTERM")
          .by_flag("--drain-seconds", "SECONDS")
          .on_reload());
  add(number("server.retention_seconds", IN(server.retention_seconds), 0, 86'400,
             "how long results are kept; 0: not at all")
          .by_flag("--retention-seconds", "SECONDS")
          .on_reload());
  add(flag("server.sandboxfusion", IN(server.sandboxfusion), "SandboxFusion's /run_code at the root too")
          .by_flag("--sandboxfusion", ""));
  add(choice("server.log_level", IN(server.log_level),
             Words<std::string>{
                 {"quiet", "quiet"}, {"error", "error"}, {"warn", "warn"}, {"info", "info"}, {"debug", "debug"}},
             "what is worth a line of the log")
          .by_flag("--log-level", "LEVEL")
          .on_reload());
  add(choice("server.log_format", IN(server.log_format),
             Words<std::string>{{"auto", "auto"}, {"json", "json"}, {"text", "text"}},
             "`auto`: text where standard error is a terminal, JSON elsewhere")
          .by_flag("--log-format", "FORMAT"));
  add(number("server.slow_seconds", IN(server.slow_seconds), 0.001, 86'400,
             "a request that takes longer is a line of the log")
          .by_flag("--slow-seconds", "SECONDS")
          .on_reload());
  add(flag("server.audit", IN(server.audit),
           "a line of the log for every program: who ran the code of which hash, and what became of it")
          .by_flag("--audit", "")
          .on_reload());

  add(number("wasi.memory_limit_bytes", IN(wasi.memory_bytes), kMib, 4096 * kMib,
             "linear memory of a run that asks for nothing else. No run gets more than 2 GiB")
          .also("WASI_MEMORY_LIMIT_MB", kMib));
  add(number("wasi.max_fuel", IN(wasi.max_fuel), 0, 4611686018427387904.0,
             "fuel of a run that asks for none, and the most that it may ask for; 0: not metered"));
  add(number("wasi.execution_timeout_ms", IN(timeout_seconds), 1, 86'400'000,
             "timeout of a run that asks for none, on every engine", 0.001)
          .also("HOTCELL_TIMEOUT_SECONDS", 1000)
          .also("WASI_TIMEOUT_SECONDS", 1000)
          .also("CODE_EXECUTION_TIMEOUT", 1000)
          .on_reload());
  add(number("wasi.max_workers", IN(wasi.max_workers), 1, 1024, "worker processes at once; a run beyond waits"));
  add(text("wasi.images", IN(wasi.images), "the folder that holds one folder for each image")
          .also("HOTCELL_IMAGES")
          .usually("beside the executable"));
  add(folders("wasi.allowed_paths", IN(wasi.allowed_paths), "see [below](#allowed_paths)"));
  add(variables("wasi.env_vars", IN(wasi.env), "environment variables for every program; a request's own win"));
  add(flag("wasi.security.fs_readonly", IN(wasi.fs_readonly),
           "every change to a file is \"Read-only file system\". The request's files are still there"));
  add(flag("wasi.security.allow_clock", IN(wasi.allow_clock),
           "false: reading a clock is \"Operation not permitted\"; relative sleeps still work"));
  add(flag("wasi.security.allow_random", IN(wasi.allow_random),
           "false: asking for random bytes fails. Python's `random` then starts from the same state in every run"));
  add(never("wasi.security.allow_network", "cannot be true: a WebAssembly program here has no network at all",
            "run programs that need the network on the docker engine",
            "true is a start error: there is no network in a WebAssembly program here"));
  add(never("wasi.security.allow_subprocess", "cannot be true: a WebAssembly program cannot start processes",
            "run programs that need subprocesses on the docker engine",
            "true is a start error: a WebAssembly program cannot start processes"));
  return table;
}

}  // namespace

std::span<const Setting> settings_table() {
  static const auto table = make_table();
  return table;
}

const Setting* find_setting(std::string_view key) {
  const auto table = settings_table();
  const auto at = std::ranges::find(table, key, &Setting::key);
  return at == table.end() ? nullptr : &*at;
}

}  // namespace hotcell::cli
