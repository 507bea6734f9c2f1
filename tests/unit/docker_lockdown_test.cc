// The proof, against a daemon and an agent that say what a daemon and an agent say of a cell that is as it should be,
// and then of one that is not, one difference at a time.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "docker/lockdown.h"
#include "docker_helpers.h"

namespace hotcell::docker {
namespace {

using agent::Facts;
using nlohmann::json;

CellSpec spec() {
  CellSpec out;
  out.image = "sha256:abc";
  out.agent = "/usr/bin/hotcell-agent";
  out.packages = "/var/cache/hotcell/shared";
  out.seccomp = R"({"defaultAction":"SCMP_ACT_ERRNO"})";
  out.uid = 2'000'000'123;
  out.memory_bytes = 64u << 20;
  out.disk_bytes = 10u << 20;
  out.cpus = 0.5;
  out.pids = 32;
  out.labels = {{"hotcell.home", "h"}, {"hotcell.owner", "o"}};
  return out;
}

Machine machine() {
  Machine out;
  out.namespaces = {"pid:[1]", "ipc:[1]", "uts:[1]", "cgroup:[1]", "net:[1]"};
  out.kernel = "6.1.0";
  out.paths = {"/proc/keys", "/proc/timer_list", "/sys/firmware", "/proc/sys", "/proc/bus"};
  return out;
}

Facts facts() { return facts_of(spec(), machine()); }

// The names of the lines that do not hold.
std::vector<std::string> broken(const Facts& seen, const json& shown) {
  std::vector<std::string> out;
  for (const auto& one : prove(spec(), seen, shown, machine()))
    if (!one.holds) out.push_back(one.line);
  return out;
}

TEST(DockerLockdown, a_cell_that_is_as_it_was_asked_for_holds_in_every_line) {
  const auto findings = prove(spec(), facts(), inspected(create_body(spec())), machine());
  EXPECT_EQ(differences(findings), "");
  EXPECT_TRUE(all_hold(findings));
  EXPECT_EQ(findings.size(), lockdown_lines().size());
}

TEST(DockerLockdown, every_line_that_is_left_out_is_noticed_by_what_the_daemon_shows) {
  for (const auto& line : lockdown_lines()) {
    if (line == "runtime") continue;  // nothing was asked for
    const auto lines = broken(facts(), inspected(create_body(spec(), line)));
    EXPECT_NE(std::find(lines.begin(), lines.end(), line), lines.end()) << line;
  }
}

TEST(DockerLockdown, a_runtime_that_was_asked_for_and_is_not_used_is_noticed) {
  auto want = spec();
  want.runtime = "runsc";
  const auto with = inspected(create_body(want)), without = inspected(create_body(want, "runtime"));
  EXPECT_TRUE(all_hold(prove(want, facts(), with, machine())));
  EXPECT_FALSE(all_hold(prove(want, facts(), without, machine())));
}

TEST(DockerLockdown, every_line_is_noticed_by_what_the_cell_sees_where_it_can_see_it) {
  const auto gone = [](Facts& seen, std::string_view target) {
    std::erase_if(seen.mounts, [&](const auto& one) { return one.target == target; });
  };
  const auto at = [](Facts& seen, std::string_view target) -> Facts::Mount& {
    return *std::find_if(seen.mounts.begin(), seen.mounts.end(), [&](const auto& one) { return one.target == target; });
  };
  const std::vector<std::pair<std::string, std::function<void(Facts&)>>> cases = {
      {"user", [](Facts& seen) { seen.uid[1] = 0; }},
      {"user", [](Facts& seen) { seen.gid[2] = 0; }},
      {"user", [](Facts& seen) { seen.groups.push_back(0); }},
      {"capabilities", [](Facts& seen) { seen.cap_bounding = 1; }},
      {"capabilities", [](Facts& seen) { seen.cap_ambient = 1 << 21; }},
      {"no new privileges", [](Facts& seen) { seen.no_new_privs = false; }},
      {"seccomp", [](Facts& seen) { seen.seccomp_mode = 0; }},
      {"not privileged", [&](Facts& seen) { at(seen, "/sys").options = "rw"; }},
      {"process namespace", [](Facts& seen) { seen.pid = 12; }},
      {"process namespace", [](Facts& seen) { seen.namespaces[0] = "pid:[1]"; }},
      {"ipc namespace", [](Facts& seen) { seen.namespaces[1] = "ipc:[1]"; }},
      {"host name namespace", [](Facts& seen) { seen.namespaces[2] = "uts:[1]"; }},
      {"cgroup namespace", [](Facts& seen) { seen.namespaces[3] = "cgroup:[1]"; }},
      {"cgroup namespace", [](Facts& seen) { seen.namespaces.clear(); }},
      {"cgroup namespace", [](Facts& seen) { seen.cgroup_private = false; }},
      {"network", [](Facts& seen) { seen.namespaces[4] = "net:[1]"; }},
      {"network", [](Facts& seen) { seen.interfaces.push_back({"eth0", true, {"172.17.0.2"}}); }},
      {"network", [](Facts& seen) { seen.routes = 1; }},
      {"devices", [](Facts& seen) { seen.devices.push_back({"/dev/kvm", false, 10, 232}); }},
      {"devices", [](Facts& seen) { seen.devices.push_back({"/dev/null", true, 8, 0}); }},
      {"masked paths", [&](Facts& seen) { gone(seen, "/proc/timer_list"); }},
      {"read-only paths", [&](Facts& seen) { at(seen, "/proc/sys").options = "rw"; }},
      {"root file system", [&](Facts& seen) { at(seen, "/").options = "rw"; }},
      {"root file system", [&](Facts& seen) { at(seen, "/").writable = true; }},
      {"/workspace", [&](Facts& seen) { gone(seen, "/workspace"); }},
      {"/workspace", [&](Facts& seen) { at(seen, "/workspace").bytes *= 2; }},
      {"/workspace", [&](Facts& seen) { at(seen, "/workspace").options = "rw,nodev"; }},
      {"/tmp", [&](Facts& seen) { at(seen, "/tmp").type = "ext4"; }},
      {"/tmp", [&](Facts& seen) { at(seen, "/tmp").inodes = 0; }},
      {"/dev/shm", [&](Facts& seen) { at(seen, "/dev/shm").bytes = 64 << 20; }},
      {"agent", [&](Facts& seen) { at(seen, "/.hotcell/agent").options = "rw"; }},
      {"agent", [](Facts& seen) { seen.dumpable = true; }},
      {"agent", [](Facts& seen) { seen.guarded = false; }},
      {"network", [](Facts& seen) { seen.reachable = {kPublicProbe}; }},
      {"packages", [&](Facts& seen) { gone(seen, "/opt/packages"); }},
      {"packages", [&](Facts& seen) { at(seen, "/opt/packages").options = "rw"; }},
      {"packages", [&](Facts& seen) { at(seen, "/opt/packages").writable = true; }},
      {"packages", [&](Facts& seen) { at(seen, "/opt/packages").listable = true; }},
      {"other mounts", [](Facts& seen) { seen.mounts.push_back(mount("/data", "ext4", "rw", true)); }},
      {"other mounts", [&](Facts& seen) { at(seen, "/dev").writable = true; }},
      {"memory", [](Facts& seen) { seen.memory_limit = agent::kUnlimited; }},
      {"memory", [](Facts& seen) { seen.cgroup_version = 0, seen.memory_limit = agent::kUnlimited; }},
      {"swap", [](Facts& seen) { seen.memory_swap_limit *= 2; }},
      {"cpu", [](Facts& seen) { seen.cpu_quota_us = agent::kUnlimited; }},
      {"cpu", [](Facts& seen) { seen.cpu_quota_us = 100'000; }},
      {"processes", [](Facts& seen) { seen.pids_limit = agent::kUnlimited; }},
      {"ulimit nofile", [](Facts& seen) { seen.rlimits[0].hard = 1 << 20; }},
      {"ulimit core", [](Facts& seen) { seen.rlimits[1].soft = agent::kUnlimited; }},
      {"ulimit memlock", [](Facts& seen) { seen.rlimits.clear(); }},
      {"ulimit msgqueue", [](Facts& seen) { seen.rlimits[3].soft = 1; }},
  };
  const auto shown = inspected(create_body(spec()));
  for (std::size_t i = 0; i < cases.size(); ++i) {
    auto seen = facts();
    cases[i].second(seen);
    const auto lines = broken(seen, shown);
    EXPECT_NE(std::find(lines.begin(), lines.end(), cases[i].first), lines.end()) << i << " " << cases[i].first;
  }
}

TEST(DockerLockdown, packages_are_there_only_where_they_were_asked_for_and_only_the_right_ones) {
  auto without = spec();
  without.packages.clear();
  const auto holds = [](const CellSpec& want, const CellSpec& given) {
    return all_hold(prove(want, facts_of(given, machine()), inspected(create_body(given)), machine()));
  };
  EXPECT_TRUE(holds(without, without));
  EXPECT_FALSE(holds(without, spec()));
  EXPECT_FALSE(holds(spec(), without));
  auto another = spec();
  another.packages = "/var/cache/hotcell/scoped/another";
  EXPECT_FALSE(holds(spec(), another));
  EXPECT_FALSE(
      all_hold(prove(without, facts_of(without, machine()), inspected(create_body(without, "packages")), machine())));
}

TEST(DockerLockdown, a_kernel_that_does_not_count_swap_is_fine_where_there_is_none) {
  auto seen = facts();
  seen.memory_swap_limit = agent::kUnlimited;
  const auto shown = inspected(create_body(spec()));
  auto here = machine();
  EXPECT_TRUE(all_hold(prove(spec(), seen, shown, here)));
  here.has_swap = true;
  EXPECT_FALSE(all_hold(prove(spec(), seen, shown, here)));
}

TEST(DockerLockdown, under_a_kernel_of_its_own_the_daemons_word_must_do_for_what_ours_does) {
  auto want = spec();
  auto seen = facts();
  seen.kernel = "4.19.0-gvisor";
  seen.seccomp_mode = 0;
  seen.pids_limit = agent::kUnlimited;
  for (auto& mount : seen.mounts)
    if (mount.target == "/tmp") mount.inodes = 0, mount.options = "rw,nosuid";
  // Such a kernel without such a runtime having been asked for is a surprise.
  EXPECT_FALSE(all_hold(prove(want, seen, inspected(create_body(want)), machine())));
  want.runtime = "runsc";
  const auto shown = inspected(create_body(want));
  EXPECT_EQ(differences(prove(want, seen, shown, machine())), "");
  auto ours = seen;
  ours.kernel = machine().kernel;
  EXPECT_FALSE(all_hold(prove(want, ours, shown, machine())));
  for (const auto* line : {"seccomp", "processes", "masked paths"})
    EXPECT_FALSE(all_hold(prove(want, seen, inspected(create_body(want, line)), machine()))) << line;
  seen.cap_effective = 1;  // what a program gets counts under every kernel
  EXPECT_FALSE(all_hold(prove(want, seen, shown, machine())));
}

TEST(DockerLockdown, an_image_that_brings_a_volume_is_noticed) {
  auto shown = inspected(create_body(spec()));
  shown["Mounts"].push_back({{"Type", "volume"}, {"Destination", "/data"}, {"RW", true}});
  EXPECT_EQ(broken(facts(), shown), std::vector<std::string>{"other mounts"});
}

TEST(DockerLockdown, a_cell_with_a_network_has_that_one_and_no_other) {
  auto want = spec();
  want.network = "hotcell-net";
  const auto shown = inspected(create_body(want));
  auto seen = facts();
  EXPECT_FALSE(all_hold(prove(want, seen, shown, machine())));
  seen.interfaces.push_back({"eth0", true, {"172.18.0.2"}});
  seen.routes = 2;
  EXPECT_FALSE(all_hold(prove(want, seen, shown, machine())));  // no way out
  seen.reachable = {kPublicProbe, "10.0.0.1"};
  EXPECT_FALSE(all_hold(prove(want, seen, shown, machine())));  // too many ways
  seen.reachable = {kPublicProbe};
  EXPECT_TRUE(all_hold(prove(want, seen, shown, machine()))) << differences(prove(want, seen, shown, machine()));
  seen.interfaces.push_back({"eth1", true, {"172.19.0.2"}});
  EXPECT_FALSE(all_hold(prove(want, seen, shown, machine())));
}

TEST(DockerLockdown, what_differs_is_said_with_what_was_asked_for_and_what_is_there) {
  auto seen = facts();
  seen.memory_limit = agent::kUnlimited;
  const auto text = differences(prove(spec(), seen, inspected(create_body(spec())), machine()));
  EXPECT_EQ(text, "memory: asked for 64 MiB, the cell sees none, the daemon shows 64 MiB");
}

TEST(DockerLockdown, an_answer_that_shows_nothing_holds_in_nothing_and_harms_nobody) {
  for (const auto& answer : {json(), json::object(), json::array(), json("text"), json{{"HostConfig", 3}},
                             json{{"HostConfig", {{"Tmpfs", 1}, {"Ulimits", {1, "a", nullptr}}, {"SecurityOpt", {1}}}},
                                  {"Mounts", {1, nullptr}},
                                  {"Config", {{"Labels", 3}}}}}) {
    const auto findings = prove(spec(), Facts{}, answer, machine());
    EXPECT_EQ(findings.size(), lockdown_lines().size());
    EXPECT_FALSE(all_hold(findings));
  }
}

TEST(DockerLockdown, this_machine_has_namespaces_and_paths_to_compare_with) {
  const auto here = Machine::look();
  EXPECT_GE(here.namespaces.size(), 5u);
  EXPECT_TRUE(here.paths.contains("/proc/sys"));
}

}  // namespace
}  // namespace hotcell::docker
