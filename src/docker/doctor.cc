#include "docker/doctor.h"

#include <algorithm>

#include "base/hash.h"

namespace hotcell::docker {

using Verdict = HostFact::Verdict;

bool Diagnosis::healthy() const {
  return !error && all_hold(cell) &&
         std::none_of(host.begin(), host.end(), [](const HostFact& one) { return one.verdict == Verdict::bad; }) &&
         std::all_of(mutations.begin(), mutations.end(), [](const Mutation& one) { return one.noticed; });
}

void look_at_host(Diagnosis& out, const Daemon& daemon, const MakerOptions& options) {
  const auto& info = daemon.info;
  const auto add = [&](std::string name, std::string value, Verdict verdict = Verdict::good, std::string remark = "") {
    out.host.push_back({std::move(name), std::move(value), verdict, std::move(remark)});
  };
  add("daemon", "Docker " + info.version + " at " + daemon.client->endpoint().socket);
  add("api", daemon.client->api_version().text());
  add("system", info.operating_system + ", " + info.arch);
  add("kernel", info.kernel);
  add("storage driver", info.storage_driver);
  add("cgroups", info.cgroup_driver + ", version " + info.cgroup_version,
      info.cgroup_driver == "none" ? Verdict::bad : Verdict::good,
      info.cgroup_driver == "none" ? "the daemon enforces no limits" : "");
  add("rootless", info.rootless ? "yes" : "no",
      info.rootless && info.cgroup_version != "2" ? Verdict::weak : Verdict::good,
      info.rootless && info.cgroup_version != "2" ? "only with cgroup v2 can limits hold" : "");
  add("user namespaces", info.userns_remap || info.rootless ? "remapped" : "the machine's own");
  add("seccomp", info.seccomp ? "supported" : "not supported", info.seccomp ? Verdict::good : Verdict::bad,
      info.seccomp ? "" : "no profile can be applied");
  const auto limit = [&](const char* name, bool there, Verdict without) {
    add(name, there ? "enforced" : "not enforced", there ? Verdict::good : without,
        there ? "" : "the kernel or the daemon lacks it");
  };
  limit("memory limit", info.memory_limit, Verdict::bad);
  limit("swap limit", info.swap_limit, Verdict::weak);
  limit("cpu limit", info.cpu_quota, Verdict::bad);
  limit("process limit", info.pids_limit, Verdict::bad);
  add("runtime", options.runtime.empty() ? info.default_runtime + " (the default)" : options.runtime);
  add("agent", options.agent);
  add("seccomp profile", hex(sha256(options.seccomp)).substr(0, 12));
  for (const auto& warning : info.warnings) add("warning", warning, Verdict::weak, "the daemon's own");
}

void look_at_image(Diagnosis& out, const api::Image& image) {
  std::string tags;
  for (const auto& tag : image.tags) tags += " " + tag;
  out.host.push_back({"image", image.id.substr(0, 19) + tags + ", " + std::to_string(image.size / 1'000'000) + " MB",
                      Verdict::good, ""});
}

void look_at_cell(Diagnosis& out, CellMaker& maker, const CellClass& kind, api::Until until) {
  const auto cell = maker.make(kind, false, until, &out.cell);
  if (!cell) out.error = cell.error();
}

void test_proof(Diagnosis& out, CellMaker& maker, const CellClass& kind, api::Until until) {
  for (const auto& line : lockdown_lines()) {
    if (line == "runtime" && maker.options().runtime.empty())
      continue;  // nothing is asked for, nothing can be left out
    maker.leave_out(line);
    std::vector<Finding> findings;
    const auto cell = maker.make(kind, false, until, &findings);
    const auto found =
        std::find_if(findings.begin(), findings.end(), [&](const Finding& one) { return one.line == line; });
    // A daemon or an agent that does not even start such a cell has noticed as well.
    const bool noticed = !cell && (found == findings.end() || !found->holds);
    out.mutations.push_back({line, noticed,
                             noticed && !findings.empty() ? differences({*found})
                             : cell                       ? "nobody noticed"
                                                          : cell.error().message});
  }
  maker.leave_out("");
}

}  // namespace hotcell::docker
