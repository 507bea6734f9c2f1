#include "install/installer.h"

#include <sys/stat.h>
#include <unistd.h>

#include "deps/errors.h"
#include "install/downloads.h"
#include "install/explain.h"
#include "install/node.h"
#include "install/python.h"

namespace hotcell::install {
namespace {

using deps::Ecosystem;
using protocol::Status;

std::string names_of(std::span<const deps::Requirement> requirements) {
  constexpr std::size_t kShown = 5;
  std::string out;
  for (const auto& one : requirements.first(std::min(kShown, requirements.size())))
    out += (out.empty() ? "" : ", ") + one.name;
  return out + (requirements.size() > kShown ? ", …" : "");
}

std::string names_of(const deps::Lock& lock) {
  std::vector<deps::Requirement> names;
  for (const auto& package : lock.packages()) names.push_back({lock.ecosystem(), package.name, {}, {}, {}});
  return names_of(names);
}

}  // namespace

Expected<docker::Builder*> BuilderInstaller::builder() {
  const std::lock_guard lock(mutex_);
  if (!builder_) {
    auto made = docker::Builder::create(builder_options_);
    if (!made) return std::unexpected(made.error());
    builder_ = std::move(*made);
  }
  return builder_.get();
}

Expected<std::string> BuilderInstaller::run(const deps::Target& target, docker::BuildJob job, const IndexAccess& access,
                                            const std::string& doing, Deadline deadline) {
  auto made = builder();
  if (!made) return std::unexpected(made.error());
  std::optional<Downloads> downloads;
  Fd in_use;
  if (!options_.downloads.empty()) {
    auto opened = Downloads::open(options_.downloads);
    if (!opened) return std::unexpected(opened.error());
    auto used = opened->use(deadline);
    if (!used) return std::unexpected(used.error());
    downloads = std::move(*opened);
    in_use = std::move(*used);
  }
  const auto outcome = (*made)->run(job, deadline);
  in_use.reset();
  if (downloads) downloads->shrink(options_.max_download_bytes);
  if (!outcome) return std::unexpected(outcome.error());

  const auto log = access.masked(outcome->err.bytes);
  const auto failed = [&](const char* code, const std::string& why, const std::string& hint) {
    const auto tail = log_tail(log);
    return fail(code, doing + " " + why, hint + (tail.empty() ? "" : "\n  the end of the installer's log:\n" + tail));
  };
  switch (outcome->status) {
    case Status::completed:
      if (outcome->out.truncated)
        return failed("dependency_failed", "gave too long an answer", "ask for fewer packages");
      return outcome->out.bytes;
    case Status::failed: {
      if (outcome->signal) return failed("dependency_failed", "was ended by " + *outcome->signal, "try again");
      const auto said = access.masked(outcome->out.bytes);
      return std::unexpected(target.ecosystem == Ecosystem::pypi ? explain_uv(log, target) : explain_npm(said, log));
    }
    case Status::timeout:
      return failed(
          "dependency_timeout", "was not done in time",
          "try again, allow more time (deps.timeout_seconds), or look at the package index: it may be slow, or "
          "take connections and never answer");
    default:
      return failed("dependency_failed",
                    "failed: " + (outcome->failure ? outcome->failure->message : std::string("the builder was lost")),
                    outcome->failure && outcome->failure->limit == "disk"
                        ? "free space on the disk of the dependency cache"
                        : "");
  }
}

Expected<deps::Lock> BuilderInstaller::resolve(const deps::Target& target,
                                               std::span<const deps::Requirement> requirements, Deadline deadline) {
  deadline = deadline.sooner(Deadline::after_seconds(options_.timeout_seconds));
  const auto access = IndexAccess::prepare(options_, deadline);
  if (!access) return std::unexpected(access.error());
  const bool python = target.ecosystem == Ecosystem::pypi;
  auto job = python ? python_resolve_job(target, requirements, *access, options_)
                    : node_resolve_job(target, requirements, *access, options_);
  if (!job) return std::unexpected(job.error());
  auto answer = run(target, std::move(*job), *access, "resolving " + names_of(requirements), deadline);
  if (!answer) return std::unexpected(answer.error());
  auto lock = python ? lock_from_pylock(*answer, target) : lock_from_package_lock(*answer, target);
  if (lock && lock->packages().empty())  // every requirement has a marker that is not ours
    return fail("dependency_not_found",
                "none of these packages is meant for " + target.interpreter + ": " + names_of(requirements));
  return lock;
}

Expected<void> BuilderInstaller::install(const deps::Target& target, const deps::Lock& lock,
                                         const std::filesystem::path& folder, Deadline deadline) {
  deadline = deadline.sooner(Deadline::after_seconds(options_.timeout_seconds));
  const auto access = IndexAccess::prepare(options_, deadline);
  if (!access) return std::unexpected(access.error());
  auto job = target.ecosystem == Ecosystem::pypi ? python_install_job(target, lock, *access, options_)
                                                 : node_install_job(target, lock, *access, options_);
  if (!job) return std::unexpected(job.error());
  // A builder of root's is another user. Nobody else can get at the folder: those above it are closed.
  if (geteuid() == 0 && chmod(folder.c_str(), 0777))
    return deps::cache_error("cannot open " + folder.string() + " to a builder");
  job->folders.push_back({folder.string(), "/staging"});
  auto done = run(target, std::move(*job), *access, "installing " + names_of(lock), deadline);
  return done ? Expected<void>{} : std::unexpected(done.error());
}

}  // namespace hotcell::install
