// hotcell cache: look at the dependency cache, and look after it.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/installer.h"
#include "cli/terminal.h"
#include "deps/cache.h"
#include "protocol/result_json.h"
#include "protocol/timestamp.h"

namespace hotcell::cli {
namespace {

using nlohmann::ordered_json;

constexpr int kFound = 1;  // verify: there was damage
constexpr std::size_t kShownKey = 12;

std::string timestamp(std::int64_t ms) {
  return protocol::to_timestamp(std::chrono::system_clock::time_point(std::chrono::milliseconds(ms)));
}

std::string size_text(std::uint64_t bytes) {
  char text[32];
  if (bytes < 10 * 1048576)
    std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / 1048576);
  else
    std::snprintf(text, sizeof text, "%llu MiB", static_cast<unsigned long long>(bytes >> 20));
  return text;
}

std::string age_text(std::int64_t ms) {
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  const auto seconds = std::max<std::int64_t>(0, (now.count() - ms) / 1000);
  if (seconds < 60) return std::to_string(seconds) + " s ago";
  if (seconds < 3600) return std::to_string(seconds / 60) + " min ago";
  if (seconds < 2 * 86400) return std::to_string(seconds / 3600) + " h ago";
  return std::to_string(seconds / 86400) + " days ago";
}

ordered_json row_json(const deps::IndexRow& row) {
  return {{"key", row.key},
          {"shared", row.place == "shared"},
          {"ecosystem", row.ecosystem},
          {"interpreter", row.interpreter},
          {"platform", row.platform},
          {"packages", row.packages},
          {"bytes", row.bytes},
          {"files", row.items},
          {"created_at", timestamp(row.created_ms)},
          {"used_at", timestamp(row.used_ms)},
          {"install_seconds", static_cast<double>(row.install_ms) / 1000}};
}

void print_row(const deps::IndexRow& row, const char* state) {
  std::printf("%s  %9s  used %-11s  %s%s%s\n", row.key.substr(0, kShownKey).c_str(), size_text(row.bytes).c_str(),
              age_text(row.used_ms).c_str(), state, *state ? "  " : "", row.packages.c_str());
}

// Opens the cache that the environment names and does something with it.
template <class Work>
int with_cache(Work work) {
  auto options = deps::CacheOptions::from_environment([](const char* name) { return std::getenv(name); });
  if (!options) return complain(options.error());
  // Who asks by hand has perhaps mended what failed, and wants to know how it is now.
  options->failure_memory = options->not_found_memory = std::chrono::milliseconds(0);
  auto cache = deps::DependencyCache::open(std::move(*options));
  return cache ? work(**cache) : complain(cache.error());
}

int list(deps::DependencyCache& cache, bool json) {
  const auto entries = cache.entries();
  if (!entries) return complain(entries.error());
  if (json) {
    auto out = ordered_json::array();
    for (const auto& entry : *entries) {
      out.push_back(row_json(entry.row));
      out.back()["in_use"] = entry.in_use;
    }
    put(1, protocol::dump(out) + "\n");
    return 0;
  }
  std::uint64_t total = 0;
  for (const auto& entry : *entries) {
    print_row(entry.row, entry.in_use ? "in use" : "");
    total += entry.row.bytes;
  }
  std::printf("%zu entries, %s, in %s\n", entries->size(), size_text(total).c_str(), cache.folder().c_str());
  return 0;
}

int show(deps::DependencyCache& cache, const std::string& key, bool json) {
  const auto entry = cache.entry(key);
  if (!entry) return complain(entry.error());
  const auto record = cache.record(entry->row);
  if (!record) return complain(record.error());
  const auto path = cache.folder() / record->place / record->name / "content";
  if (json) {
    auto out = row_json(entry->row);
    out["in_use"] = entry->in_use;
    out["path"] = path.string();
    out["packages"] = ordered_json::array();
    for (const auto& package : record->lock.packages()) {
      ordered_json one = {{"name", package.name}, {"version", package.version}, {"hashes", package.hashes}};
      if (!package.place.empty()) one["place"] = package.place;
      out["packages"].push_back(std::move(one));
    }
    put(1, protocol::dump(out) + "\n");
    return 0;
  }
  const auto& row = entry->row;
  std::printf("key        %s\n", row.key.c_str());
  std::printf("for        %s on %s (%s)\n", row.interpreter.c_str(), row.platform.c_str(), row.ecosystem.c_str());
  std::printf("size       %s in %llu files\n", size_text(row.bytes).c_str(),
              static_cast<unsigned long long>(row.items));
  std::printf("installed  %s, in %.1f s\n", timestamp(row.created_ms).c_str(),
              static_cast<double>(row.install_ms) / 1000);
  std::printf("used       %s%s\n", timestamp(row.used_ms).c_str(), entry->in_use ? ", in use now" : "");
  std::printf("for whom   %s\n", row.place == "shared" ? "everybody" : "one tenant");
  std::printf("folder     %s\n", path.c_str());
  for (const auto& package : record->lock.packages())
    std::printf("package    %s %s\n", package.name.c_str(), package.version.c_str());
  return 0;
}

int remove(deps::DependencyCache& cache, const std::vector<std::string>& keys, bool json) {
  int status = 0;
  auto out = ordered_json::array();
  for (const auto& key : keys) {
    const auto entry = cache.entry(key);
    const auto removed = entry ? cache.remove(entry->row) : std::unexpected(entry.error());
    if (!removed) {
      status = complain(removed.error());
    } else if (!*removed) {
      status = complain({"cache_in_use", "the entry " + entry->row.key.substr(0, kShownKey) + " is being used",
                         "try again when the programs that use it have ended"});
    } else if (json) {
      out.push_back(row_json(entry->row));
    } else {
      print_row(entry->row, "removed");
    }
  }
  if (json) put(1, protocol::dump(out) + "\n");
  return status;
}

int prune(deps::DependencyCache& cache, bool json) {
  const auto report = cache.prune();
  if (!report) return complain(report.error());
  if (json) {
    ordered_json out = {{"removed", ordered_json::array()},
                        {"bytes_freed", report->bytes_freed},
                        {"rubbish", report->rubbish},
                        {"in_use", report->in_use}};
    for (const auto& row : report->removed) out["removed"].push_back(row_json(row));
    put(1, protocol::dump(out) + "\n");
    return 0;
  }
  for (const auto& row : report->removed) print_row(row, "removed");
  std::printf("%zu entries removed, %s freed", report->removed.size(), size_text(report->bytes_freed).c_str());
  if (report->rubbish) std::printf(", %zu leftovers swept", report->rubbish);
  if (report->in_use) std::printf(", %zu kept because they are in use", report->in_use);
  std::printf("\n");
  return 0;
}

int verify(deps::DependencyCache& cache, deps::Installer* installer, bool json) {
  const auto report = cache.verify(installer != nullptr, installer, Deadline::after_seconds(24 * 3600));
  if (!report) return complain(report.error());
  const bool sound = report->damaged.empty() && report->index_sound;
  if (json) {
    ordered_json out = {{"entries", report->entries},
                        {"bytes", report->bytes},
                        {"index_sound", report->index_sound},
                        {"index_corrected", report->index_corrected},
                        {"damaged", ordered_json::array()}};
    for (const auto& found : report->damaged) {
      ordered_json one = {{"key", found.key},
                          {"name", found.name},
                          {"packages", found.packages},
                          {"action", found.action},
                          {"damage", ordered_json::array()}};
      for (const auto& damage : found.damage) one["damage"].push_back({{"path", damage.path}, {"what", damage.what}});
      out["damaged"].push_back(std::move(one));
    }
    put(1, protocol::dump(out) + "\n");
    return sound ? 0 : kFound;
  }
  for (const auto& found : report->damaged) {
    std::printf("%s: %s%s%s\n", found.action.c_str(),
                found.key.empty() ? found.name.c_str() : found.key.substr(0, kShownKey).c_str(),
                found.packages.empty() ? "" : "  ", found.packages.c_str());
    std::size_t shown = 0;
    for (const auto& damage : found.damage) {
      if (++shown > 10) {
        std::printf("  and %zu more\n", found.damage.size() - 10);
        break;
      }
      std::printf("  %s%s%s\n", damage.path.c_str(), damage.path.empty() ? "" : ": ", damage.what.c_str());
    }
  }
  if (!report->index_sound) std::printf("the index was damaged and has been rebuilt\n");
  std::printf("%zu entries, %s read, %zu damaged\n", report->entries, size_text(report->bytes).c_str(),
              report->damaged.size());
  return sound ? 0 : kFound;
}

int warm(const Settings& settings, const std::vector<std::string>& packages, const std::string& language,
         const std::string& engine, bool json) {
  const auto ecosystem = language == "javascript" ? deps::Ecosystem::npm : deps::Ecosystem::pypi;
  if (engine == "wasi" && ecosystem != deps::Ecosystem::pypi)
    return complain({"invalid_field", "WASI cells load packages of Python only", "leave --engine out"});
  auto requirements = deps::parse_requirements(ecosystem, packages);
  if (!requirements) return complain(requirements.error());
  auto target = engine == "wasi" ? deps::wasi_target() : deps::container_target(ecosystem);
  const auto installer = make_installer(settings);
  return with_cache([&](deps::DependencyCache& cache) {
    const auto lease = cache.acquire(wish_of(settings, std::move(target), std::move(*requirements)), *installer,
                                     Deadline::after_seconds(2 * settings.indexes.timeout_seconds));
    if (!lease) return complain(lease.error());
    const auto row = deps::row_of(lease->record());
    if (json) {
      auto out = row_json(row);
      out["hit"] = lease->hit;
      out["waited"] = lease->waited;
      out["stale"] = lease->stale;
      out["seconds"] = lease->install_seconds;
      put(1, protocol::dump(out) + "\n");
    } else {
      print_row(row, lease->stale ? "old, for no index answers" : lease->hit ? "was there" : "installed");
    }
    return 0;
  });
}

}  // namespace

void add_cache(CLI::App& app, Commands& commands) {
  struct Flags {
    bool json = false, dry_run = false;
    std::string key, language = "python", engine = "docker";
    std::vector<std::string> keys, packages;
  };
  auto flags = std::make_shared<Flags>();
  auto* cache = app.add_subcommand("cache", "Look at installed packages, and look after them");
  cache->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, std::function<int()> action) {
    auto* command = cache->add_subcommand(name, help);
    command->add_flag("--json", flags->json, "as JSON");
    command->callback([&commands, action = std::move(action)] { commands.action = action; });
    return command;
  };
  add("ls", "List the entries, least recently used first",
      [flags] { return with_cache([&](auto& open) { return list(open, flags->json); }); });
  add("show", "Show one entry",
      [flags] { return with_cache([&](auto& open) { return show(open, flags->key, flags->json); }); })
      ->add_option("key", flags->key, "the beginning of its key")
      ->required();
  add("rm", "Remove entries that are not in use",
      [flags] { return with_cache([&](auto& open) { return remove(open, flags->keys, flags->json); }); })
      ->add_option("key", flags->keys, "the beginnings of their keys")
      ->required();
  add("prune", "Remove what was not used for long, and what is over the size bound",
      [flags] { return with_cache([&](auto& open) { return prune(open, flags->json); }); });
  add("verify",
      "Compare every file with what was installed, and install damaged entries again; exit status 1 if there were any",
      [flags, &commands] {
        const auto settings = commands.settings();
        if (!settings) return complain(settings.error());
        const auto installer = flags->dry_run ? nullptr : make_installer(*settings);
        return with_cache([&](auto& open) { return verify(open, installer.get(), flags->json); });
      })
      ->add_flag("--dry-run", flags->dry_run, "only say what is damaged");
  auto* warming = add("warm", "Install packages before they are needed", [flags, &commands] {
    const auto settings = commands.settings();
    return settings ? warm(*settings, flags->packages, flags->language, flags->engine, flags->json)
                    : complain(settings.error());
  });
  warming->add_option("package", flags->packages, "as in `requests>=2`, or with -l javascript `lodash@^4`")->required();
  warming->add_option("-l,--language", flags->language, "python or javascript")
      ->check(CLI::IsMember({"python", "javascript"}));
  warming->add_option("--engine", flags->engine, "whose cells will load them: docker or wasi")
      ->check(CLI::IsMember({"docker", "wasi"}));
}

}  // namespace hotcell::cli
