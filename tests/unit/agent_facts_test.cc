// The proof: what the agent sees of a locked-down cell, and that it sees the differences.
#include <sys/resource.h>

#include <algorithm>

#include "agent/cgroup.h"
#include "agent/mounts.h"
#include "agent_fixture.h"

namespace hotcell::agent::testing {
namespace {

using AgentFacts = AgentTest;

const Facts::Mount* mount_at(const Facts& facts, std::string_view target) {
  const Facts::Mount* out = nullptr;
  for (const auto& mount : facts.mounts)
    if (mount.target == target) out = &mount;
  return out;
}

TEST_F(AgentFacts, show_who_the_agent_is_and_what_it_may) {
  EXPECT_EQ(facts.pid, 1u);
  for (const auto id : facts.uid) EXPECT_EQ(id, facts.uid[0]);
  EXPECT_NE(facts.uid[0], 0u);
  EXPECT_EQ(facts.groups.size(), 0u);
  EXPECT_EQ(facts.cap_effective | facts.cap_permitted | facts.cap_inheritable | facts.cap_ambient, 0u);
  EXPECT_EQ(facts.cap_bounding, 0u);
  EXPECT_TRUE(facts.no_new_privs);
  EXPECT_FALSE(facts.dumpable);
  EXPECT_TRUE(facts.guarded);
  EXPECT_EQ(facts.processes, 0u);
}

TEST_F(AgentFacts, show_the_mounts_and_which_of_them_can_be_written_to) {
  ASSERT_TRUE(mount_at(facts, "/"));
  EXPECT_FALSE(mount_at(facts, "/")->writable);
  EXPECT_TRUE(mount_at(facts, "/")->options.starts_with("ro")) << mount_at(facts, "/")->options;
  const auto* workspace = mount_at(facts, "/workspace");
  ASSERT_TRUE(workspace);
  EXPECT_EQ(workspace->type, "tmpfs");
  EXPECT_TRUE(workspace->writable);
  EXPECT_EQ(workspace->bytes, 32u << 20);
  EXPECT_NE(workspace->options.find("nosuid"), std::string::npos);
  EXPECT_NE(workspace->options.find("nodev"), std::string::npos);
  for (const auto& mount : facts.mounts) {
    const bool expected = mount.target == "/workspace" || mount.target == "/tmp" || mount.target == "/dev/shm" ||
                          mount.target == "/dev/mqueue" || mount.target.starts_with("/dev/");
    EXPECT_TRUE(!mount.writable || expected) << mount.target;
  }
}

TEST_F(AgentFacts, show_a_network_that_leads_nowhere) {
  for (const auto& interface : facts.interfaces) EXPECT_TRUE(interface.name == "lo" || !interface.up) << interface.name;
  EXPECT_EQ(facts.routes, 0u);
}

TEST_F(AgentFacts, show_devices_limits_names_and_descriptors) {
  EXPECT_TRUE(std::ranges::any_of(facts.devices, [](const auto& d) { return d.path == "/dev/null" && !d.block; }));
  EXPECT_TRUE(std::ranges::none_of(facts.devices, [](const auto& d) { return d.block; }));
  const auto core = std::ranges::find(facts.rlimits, RLIMIT_CORE, &Facts::Rlimit::resource);
  ASSERT_NE(core, facts.rlimits.end());
  EXPECT_EQ(core->hard, 0u);
  for (const char* name : {"PATH", "HOME", "LANG", "PYTHONDONTWRITEBYTECODE"})
    EXPECT_TRUE(std::ranges::find(facts.env_names, name) != facts.env_names.end()) << name;
  EXPECT_LE(facts.env_names.size(), 5u) << "nothing of this process's own environment";
  ASSERT_GE(facts.descriptors.size(), 3u);
  EXPECT_TRUE(facts.descriptors[0].starts_with("0 pipe:")) << facts.descriptors[0];
  EXPECT_TRUE(facts.descriptors[1].starts_with("1 pipe:")) << facts.descriptors[1];
  EXPECT_GE(facts.namespaces.size(), 6u);
  EXPECT_TRUE(std::ranges::any_of(facts.namespaces, [](const auto& n) { return n.starts_with("pid:["); }));
}

TEST_F(AgentFacts, are_looked_at_again_on_demand) {
  cell().warm(Language::python);
  cell().send(FrameType::prove);
  EXPECT_EQ(cell().expect<Facts>(FrameType::ready).processes, 1u) << "the interpreter that waits";
}

class AgentFactsLimited : public AgentTestWithLimits {};

TEST_F(AgentFactsLimited, show_the_control_group_s_limits) {
  EXPECT_EQ(facts.cgroup_version, 1);
  EXPECT_TRUE(facts.cgroup_private);
  EXPECT_EQ(facts.memory_limit, 64u << 20);
  EXPECT_EQ(facts.pids_limit, 40u);
}

TEST(AgentMounts, lines_with_escapes_and_optional_fields) {
  const auto mounts = mounts_in(
      "36 35 98:0 /root /tar\\040get\\134 rw,noatime shared:1 master:2 - ext4 /dev/\\011x rw,errors=continue\n"
      "37 36 0:5 / /plain ro - tmpfs tmpfs ro,size=10k\n"
      "garbage\n");
  ASSERT_EQ(mounts.size(), 2u);
  EXPECT_EQ(mounts[0].target, "/tar get\\");
  EXPECT_EQ(mounts[0].root, "/root");
  EXPECT_EQ(mounts[0].type, "ext4");
  EXPECT_EQ(mounts[0].source, "/dev/\tx");
  EXPECT_TRUE(mounts[0].has_option("noatime"));
  EXPECT_FALSE(mounts[0].has_option("noatim"));
  EXPECT_TRUE(mounts[1].has_super_option("size=10k"));
  EXPECT_EQ(mounts[1].type, "tmpfs");
}

TEST(AgentCgroup, is_found_in_both_versions_and_not_where_there_is_none) {
  EXPECT_EQ(Cgroup::find("30 20 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "0::/\n").version(), 2);
  EXPECT_EQ(Cgroup::find("31 20 0:27 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
                         "4:memory:/docker/ab\n0::/x\n")
                .version(),
            1);
  EXPECT_EQ(Cgroup::find("37 36 0:5 / /tmp rw - tmpfs tmpfs rw\n", "4:memory:/\n").version(), 0);
  EXPECT_FALSE(Cgroup::find("37 36 0:5 / /tmp rw - tmpfs tmpfs rw\n", "4:memory:/\n").is_private());
}

}  // namespace
}  // namespace hotcell::agent::testing
