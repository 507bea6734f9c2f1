// hotcell deps: what a program needs, and where it would run. Nothing is run, and nothing is fetched.
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/engines.h"
#include "cli/installer.h"
#include "cli/program.h"
#include "cli/rules.h"
#include "cli/terminal.h"
#include "deps/cache.h"
#include "deps/needs.h"
#include "exec/route.h"
#include "protocol/result_json.h"

namespace hotcell::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

// What the cache knows of the packages. Nothing is fetched to find out, unless that was asked for.
struct Cached {
  std::string key;                                            // of the entry; empty: not resolved yet
  std::vector<std::pair<std::string, std::string>> packages;  // name and version, also of what these need
  bool there = false;
  std::string trouble;  // why the cache could not be asked
};

std::optional<Cached> look_into_cache(const Settings& settings, protocol::Language language, const deps::Needs& needs,
                                      exec::EngineChoice engine, bool resolve) {
  const auto requirements = deps::to_install(language, needs);
  Cached cached;
  const auto ask = [&]() -> Expected<void> {
    if (!requirements) return std::unexpected(requirements.error());
    auto options = deps::CacheOptions::from_environment([](const char* name) { return std::getenv(name); });
    if (!options) return std::unexpected(options.error());
    std::error_code ignored;
    if (!resolve && !fs::exists(options->folder, ignored)) return {};  // not made by looking
    auto cache = deps::DependencyCache::open(std::move(*options));
    if (!cache) return std::unexpected(cache.error());
    const auto ecosystem = language == protocol::Language::javascript ? deps::Ecosystem::npm : deps::Ecosystem::pypi;
    auto target = engine == exec::EngineChoice::wasi ? deps::wasi_target() : deps::container_target(ecosystem);
    const auto wish = wish_of(settings, std::move(target), *requirements);
    if (resolve)
      if (const auto done = (*cache)->resolve(wish, *make_installer(settings),
                                              Deadline::after_seconds(settings.indexes.timeout_seconds));
          !done)
        return std::unexpected(done.error());
    const auto lock = (*cache)->resolved(wish);
    if (!lock) return std::unexpected(lock.error());
    if (!*lock) return {};
    cached.key = hex(deps::entry_key(wish.target, **lock));
    for (const auto& package : (*lock)->packages()) cached.packages.emplace_back(package.name, package.version);
    const auto there = (*cache)->has(wish.target, **lock, wish.scope);
    if (!there) return std::unexpected(there.error());
    cached.there = *there;
    return {};
  };
  if (requirements && requirements->empty()) return std::nullopt;
  if (const auto asked = ask(); !asked) cached.trouble = asked.error().message;
  return cached;
}

// A program's names are a stranger's bytes: none of them may speak to the terminal.
std::string printable(std::string text) {
  for (auto& c : text)
    if (const auto byte = static_cast<unsigned char>(c); (byte < 0x20 && c != '\n') || byte == 0x7F) c = '?';
  return text;
}

std::string_view word(deps::Nature nature) {
  return nature == deps::Nature::native ? "native" : nature == deps::Nature::pure ? "pure" : "unknown";
}

ordered_json as_json(const deps::Needs& needs, const std::optional<Cached>& cached, const exec::Route& route) {
  auto imports = ordered_json::array(), packages = ordered_json::array(), obstacles = ordered_json::array();
  for (const auto& import : needs.report.imports) {
    ordered_json one{{"module", import.module}};
    if (!import.member.empty()) one["name"] = import.member;
    one["line"] = import.line;
    if (!import.file.empty()) one["file"] = import.file;
    for (const auto& [name, set] :
         std::initializer_list<std::pair<const char*, bool>>{{"standard", import.standard},
                                                             {"local", import.local},
                                                             {"relative", import.relative},
                                                             {"optional", import.optional},
                                                             {"fallback", import.fallback},
                                                             {"type_checking", import.type_checking},
                                                             {"unreachable", import.unreachable},
                                                             {"dynamic", import.dynamic}})
      if (set) one[name] = true;
    imports.push_back(std::move(one));
  }
  for (const auto& need : needs.packages) {
    ordered_json one{{"requirement", need.requirement}, {"package", need.package}, {"source", need.source}};
    if (!need.import.empty()) one["import"] = need.import;
    if (need.line != 0) one["line"] = need.line;
    if (!need.file.empty()) one["file"] = need.file;
    one["optional"] = need.optional;
    one["nature"] = word(need.nature);
    if (need.network) one["network"] = true;
    if (!need.look_alike.empty()) one["look_alike"] = need.look_alike;
    packages.push_back(std::move(one));
  }
  ordered_json cache;
  if (cached) {
    auto versions = ordered_json::array();
    for (const auto& [name, version] : cached->packages) versions.push_back({{"name", name}, {"version", version}});
    cache = {{"key", cached->key.empty() ? ordered_json() : ordered_json(cached->key)},
             {"installed", cached->there},
             {"packages", std::move(versions)}};
    if (!cached->trouble.empty()) cache["error"] = cached->trouble;
  }
  for (const auto& obstacle : route.obstacles)
    obstacles.push_back({{"what", obstacle.what}, {"sentence", obstacle.sentence}, {"certain", obstacle.certain}});
  ordered_json engine{{"name", exec::name_of(route.engine)},
                      {"chosen_because", route.reason},
                      {"not_wasi_because", std::move(obstacles)}};
  if (route.failure) engine["error"] = {{"code", route.failure->code}, {"message", route.failure->message}};
  ordered_json all{{"imports", std::move(imports)}, {"source", needs.source}, {"packages", std::move(packages)},
                   {"cache", std::move(cache)},     {"notes", needs.notes},   {"engine", std::move(engine)}};
  if (!needs.requires_python.empty()) all["requires_python"] = needs.requires_python;
  if (needs.report.dynamic_unknown) all["imports_unknown_names"] = true;
  return all;
}

std::string flags_of(const validate::Import& import) {
  std::string flags;
  const auto add = [&](bool set, const char* name) {
    if (set) flags += (flags.empty() ? "" : ", ") + std::string(name);
  };
  add(import.local, "a given file");
  add(import.relative && !import.local, "relative");
  add(import.standard, "standard library");
  add(import.optional, "optional");
  add(import.fallback, "substitute");
  add(import.type_checking, "for type checking only");
  add(import.unreachable, "never reached");
  add(import.dynamic, "by a call");
  return flags;
}

void print(const protocol::Request& request, const deps::Needs& needs, const std::optional<Cached>& cached,
           const exec::Route& route) {
  std::string text;
  if (request.language == protocol::Language::bash) {
    text += "commands:\n";
    for (const auto& use : needs.report.uses) text += "  " + use.name + ", line " + std::to_string(use.line) + "\n";
  } else {
    text += needs.report.imports.empty() ? "imports: none\n" : "imports:\n";
    for (const auto& import : needs.report.imports) {
      text += "  " + import.module + (import.member.empty() ? "" : ": " + import.member) + ", ";
      if (!import.file.empty()) text += import.file + " ";
      text += "line " + std::to_string(import.line);
      if (const auto flags = flags_of(import); !flags.empty()) text += " (" + flags + ")";
      text += "\n";
    }
  }
  text += needs.packages.empty() ? "packages: none\n" : "packages, from " + needs.source + ":\n";
  for (const auto& need : needs.packages) {
    text += "  " + need.requirement;
    if (!need.import.empty()) text += ", for import " + need.import;
    text += need.nature == deps::Nature::unknown ? "" : need.nature == deps::Nature::native ? ", compiled" : ", pure";
    if (need.optional) text += ", optional";
    if (!need.look_alike.empty()) text += ", not a known package: did you mean " + need.look_alike + "?";
    text += "\n";
  }
  if (cached && !cached->trouble.empty()) {
    text += "cache: " + cached->trouble + "\n";
  } else if (cached && cached->key.empty()) {
    text += "cache: these packages have not been resolved yet (--resolve does it)\n";
  } else if (cached) {
    text += "cache: key " + cached->key.substr(0, 12) + (cached->there ? ", installed:" : ", not installed:");
    for (const auto& [name, version] : cached->packages) text.append(" ").append(name).append(" ").append(version);
    text += "\n";
  }
  for (const auto& note : needs.notes) text += "note: " + note + "\n";
  text += "engine: " + std::string(exec::name_of(route.engine)) + ": " + route.reason + "\n";
  put(1, printable(text));
}

int show(const ProgramFlags& flags, bool resolve, const Settings& settings) {
  const auto request = program_request(flags, settings);
  if (!request) return complain(request.error());
  const auto rules = reading_rules(settings);
  if (!rules) return complain(rules.error());
  const auto syntax = validate::Syntax::parse(request->language, *request->code);
  if (!syntax) return complain(syntax.error());
  const auto needs = deps::find_needs(request->language, *request->code, validate::find_imports(*syntax),
                                      request->dependencies, request->files, rules->packages, rules->package_map);
  if (!needs) return complain(needs.error());
  const auto route = exec::choose_engine(*request, &*needs, LocalEngines(settings).states());
  const auto cached = look_into_cache(settings, request->language, *needs, route.engine, resolve);
  if (flags.json)
    put(1, protocol::dump(as_json(*needs, cached, route)) + "\n");
  else
    print(*request, *needs, cached, route);
  return 0;
}

}  // namespace

void add_deps(CLI::App& app, Commands& commands) {
  auto flags = std::make_shared<ProgramFlags>();
  auto resolve = std::make_shared<bool>();
  auto* command = app.add_subcommand(
      "deps", "Show what a program imports, the packages it needs, and the engine: hotcell deps FILE|-|-c CODE");
  command->add_option("-l,--language", flags->language, "python, javascript or bash; else from extension or shebang")
      ->type_name("LANGUAGE");
  auto* code = command->add_option("-c,--code", flags->code, "the program itself")->type_name("CODE");
  command->add_option("file", flags->file, "the program's file, or - for standard input");
  command->add_option("--dep", flags->packages, "a package, as a request would name it: then nothing is detected")
      ->type_name("REQUIREMENT")
      ->allow_extra_args(false);
  command->add_option("--engine", flags->engine, "auto, docker or wasi")->capture_default_str();
  command->add_option("--file", flags->files, "a file that goes with the program")
      ->type_name("FILE[:PATH]")
      ->allow_extra_args(false);
  command->add_flag("--resolve", *resolve, "ask the package index for the versions, if they are not known yet");
  command->add_flag("--json", flags->json, "as JSON");
  command->callback([&commands, flags, resolve, code] {
    commands.action = [&commands, flags, resolve, code]() -> int {
      flags->has_code = code->count() > 0;
      if (flags->has_code == !flags->file.empty())
        return complain(
            {"invalid_field", "there must be one program", "give a file, - for standard input, or -c CODE"});
      auto settings = commands.settings();
      return settings ? show(*flags, *resolve, *settings) : complain(settings.error());
    };
  });
}

}  // namespace hotcell::cli
