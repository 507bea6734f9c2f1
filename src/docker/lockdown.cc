#include "docker/lockdown.h"

#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "docker/view.h"
#include "protocol/failures.h"

namespace hotcell::docker {
namespace {

using agent::Facts;
using agent::kUnlimited;
using nlohmann::json;
using protocol::size_text;

// Enough for multiprocessing's semaphores and arrays. Pages there count as memory too.
constexpr std::uint64_t kShmBytes = 32ull << 20;
// A file costs kernel memory even when it is empty. That is counted too, but a program that is refused one more file
// learns more than one that is killed.
constexpr std::uint64_t kInodes = 65536;

// What a kernel shows to everybody and a program has no use for.
constexpr const char* kMasked[] = {"/proc/acpi",          "/proc/interrupts", "/sys/devices/virtual/powercap",
                                   "/proc/asound",        "/proc/kcore",      "/proc/keys",
                                   "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
                                   "/proc/sched_debug",   "/proc/scsi",       "/sys/firmware",
                                   "/proc/sysrq-trigger", "/proc/pressure"};
constexpr const char* kReadOnly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"};

// The devices that every container has; nothing behind them is the machine's.
constexpr const char* kHarmlessDevices[] = {"null", "zero", "full", "random", "urandom", "tty", "ptmx"};

// No limit on file size: a sparse file costs nothing, and a full tmpfs gives "No space left on device" where this one
// would give a signal. None on processes: the kernel counts those by uid, the cgroup by cell.
struct Ulimit {
  const char* name;
  std::uint8_t resource;
  std::uint64_t value;
};
constexpr Ulimit kUlimits[] = {
    {"nofile", RLIMIT_NOFILE, 4096},
    {"core", RLIMIT_CORE, 0},
    {"memlock", RLIMIT_MEMLOCK, 64 << 10},
    {"msgqueue", RLIMIT_MSGQUEUE, 256 << 10},
};

struct Line {
  std::string name;
  std::function<std::string(const CellSpec&)> asked;
  std::function<void(const CellSpec&, json& body)> ask;
  // What a careless body would hold instead; none: nothing is said about it.
  std::function<void(const CellSpec&, json& body)> spoil;
  // How it looks from inside, and to the daemon; none: it cannot be seen from there.
  std::function<View(const CellSpec&, const Facts&, const Machine&)> inside;
  std::function<View(const CellSpec&, const json& inspected)> daemon;
  // What the machine's kernel does, and another one does not show.
  bool of_this_kernel = false;
};

std::vector<std::string> targets_of(const std::vector<Folder>& folders) {
  std::vector<std::string> out;
  for (const auto& folder : folders) out.push_back(folder.target);
  std::sort(out.begin(), out.end());
  return out;
}

std::string own(const CellSpec&) { return "own"; }

std::function<std::string(const CellSpec&)> always(const std::string& text) {
  return [text](const CellSpec&) { return text; };
}

// A field that stands in the body as the daemon shows it.
std::function<View(const CellSpec&, const json&)> shows(const std::string& pointer, const json& value,
                                                        const std::string& asked) {
  return [pointer, value, asked](const CellSpec&, const json& inspected) {
    const auto& there = at(inspected, pointer);
    return there == value ? View{asked, true} : View{shown(there), false};
  };
}

// A namespace of the cell's own: not the one that hotcell is in.
std::function<View(const CellSpec&, const Facts&, const Machine&)> own_namespace(const std::string& kind) {
  return [kind](const CellSpec&, const Facts& facts, const Machine& machine) -> View {
    for (const auto& name : facts.namespaces)
      if (name.starts_with(kind + ":"))
        return machine.namespaces.contains(name) ? View{"ours", false} : View{"own", true};
    return {"unknown", false};
  };
}

std::string user_of(const CellSpec& spec) { return std::to_string(spec.uid) + ":" + std::to_string(spec.uid); }

std::string tmpfs_options(const CellSpec& spec, const char* mode) {
  const auto uid = std::to_string(spec.uid);
  return "rw,exec,nosuid,nodev,size=" + std::to_string(spec.disk_bytes) + ",nr_inodes=" + std::to_string(kInodes) +
         ",mode=" + mode + ",uid=" + uid + ",gid=" + uid;
}

Line tmpfs(const std::string& path, const char* mode) {
  Line line;
  line.name = path;
  line.asked = [](const CellSpec& spec) {
    return size_text(spec.disk_bytes) + ", " + std::to_string(kInodes) + " files, nosuid, nodev";
  };
  line.ask = [path, mode](const CellSpec& spec, json& body) {
    body["HostConfig"]["Tmpfs"][path] = tmpfs_options(spec, mode);
  };
  line.inside = [path](const CellSpec& spec, const Facts& facts, const Machine& machine) -> View {
    const auto* mount = mount_at(facts, path);
    if (!mount) return {"no mount", false};
    // gVisor counts no files, and has no devices of ours.
    const bool own_kernel = has_own_kernel(spec, facts, machine);
    const bool nodev = has_option(mount->options, "nodev");
    const bool safe = has_option(mount->options, "nosuid") && (own_kernel || nodev);
    return {size_text(mount->bytes) + ", " + std::to_string(mount->inodes) + " files, " +
                (safe && nodev ? "nosuid, nodev" : mount->options) + (mount->writable ? "" : ", not writable"),
            mount->type == "tmpfs" && mount->bytes == spec.disk_bytes / 4096 * 4096 &&
                (own_kernel || mount->inodes == kInodes) && safe && mount->writable};
  };
  line.daemon = [path, mode](const CellSpec& spec, const json& inspected) -> View {
    const auto& there = at(at(inspected, "/HostConfig/Tmpfs"), "");
    const auto found = there.is_object() ? there.find(path) : there.end();
    if (!there.is_object() || found == there.end()) return {"none", false};
    return {*found == tmpfs_options(spec, mode) ? "as asked for" : shown(*found), *found == tmpfs_options(spec, mode)};
  };
  return line;
}

Line ulimit(const Ulimit& limit) {
  const std::string name = limit.name;
  const auto text = std::to_string(limit.value);
  Line line;
  line.name = "ulimit " + name;
  line.asked = always(text);
  line.ask = [limit](const CellSpec&, json& body) {
    body["HostConfig"]["Ulimits"].push_back({{"Name", limit.name}, {"Soft", limit.value}, {"Hard", limit.value}});
  };
  line.inside = [limit, text](const CellSpec&, const Facts& facts, const Machine&) -> View {
    for (const auto& one : facts.rlimits)
      if (one.resource == limit.resource)
        return {one.soft == one.hard ? limit_text(one.soft) : limit_text(one.soft) + " to " + limit_text(one.hard),
                one.soft == limit.value && one.hard == limit.value};
    return {"unknown", false};
  };
  line.daemon = [limit, name, text](const CellSpec&, const json& inspected) -> View {
    for (const auto& one : at(inspected, "/HostConfig/Ulimits"))
      if (at(one, "/Name") == name)
        return {at(one, "/Soft") == limit.value && at(one, "/Hard") == limit.value ? text : one.dump(),
                at(one, "/Soft") == limit.value && at(one, "/Hard") == limit.value};
    return {"none", false};
  };
  return line;
}

// Paths below /proc and /sys that the kernel has, and that must be mounted over in the cell.
Line covered_paths(std::string name, const std::string& member, const std::vector<std::string>& paths,
                   bool must_be_ro) {
  Line line;
  line.name = std::move(name);
  line.asked = [paths](const CellSpec&) { return std::to_string(paths.size()) + " paths"; };
  line.ask = [member, paths](const CellSpec&, json& body) { body["HostConfig"][member] = paths; };
  line.spoil = [member](const CellSpec&, json& body) { body["HostConfig"][member] = json::array(); };
  line.inside = [paths, must_be_ro](const CellSpec&, const Facts& facts, const Machine& machine) -> View {
    std::vector<std::string> open;
    for (const auto& path : paths) {
      if (!machine.paths.contains(path)) continue;
      const auto* mount = mount_at(facts, path);
      if (!mount || (must_be_ro && !has_option(mount->options, "ro"))) open.push_back(path);
    }
    return open.empty() ? View{"all that exist", true} : View{"open: " + joined(open), false};
  };
  line.daemon = [member, paths](const CellSpec&, const json& inspected) -> View {
    const auto& there = at(at(inspected, "/HostConfig"), "/" + member);
    std::vector<std::string> missing;
    for (const auto& path : paths)
      if (!there.is_array() || std::find(there.begin(), there.end(), path) == there.end()) missing.push_back(path);
    return missing.empty() ? View{"all", true} : View{"missing: " + joined(missing), false};
  };
  line.of_this_kernel = true;
  return line;
}

// What else is mounted below that folder on the machine stays outside.
json packages_mount(const CellSpec& spec, bool read_only) {
  return {{"Type", "bind"},
          {"Source", spec.packages},
          {"Target", kPackagesInCell},
          {"ReadOnly", read_only},
          {"BindOptions", {{"NonRecursive", true}}}};
}

std::vector<Line> make_lines() {
  std::vector<Line> lines;
  const auto add = [&](Line line) { lines.push_back(std::move(line)); };

  // ---- Who it is ----

  // A uid of its own, which no other container of ours and nobody on the machine has: the kernel counts pipes, watches,
  // keys and pending signals by uid, whatever the container.
  add({"user",
       [](const CellSpec& spec) { return user_of(spec); },
       [](const CellSpec& spec, json& body) { body["User"] = user_of(spec); },
       {},
       [](const CellSpec& spec, const Facts& facts, const Machine&) -> View {
         bool right = true;
         for (int i = 0; i < 4; ++i) right &= facts.uid[i] == spec.uid && facts.gid[i] == spec.uid;
         std::string text = std::to_string(facts.uid[1]) + ":" + std::to_string(facts.gid[1]);
         for (const auto group : facts.groups)
           if (group != spec.uid) {
             right = false;
             text += ", group " + std::to_string(group);
           }
         return {text, right};
       },
       [](const CellSpec& spec, const json& inspected) -> View {
         const auto& user = at(inspected, "/Config/User");
         const bool more = !nothing(at(inspected, "/HostConfig/GroupAdd"));
         return {user.is_string() ? user.get<std::string>() : shown(user), user == user_of(spec) && !more};
       }});
  add({"capabilities",
       always("none"),
       [](const CellSpec&, json& body) { body["HostConfig"]["CapDrop"] = {"ALL"}; },
       {},
       [](const CellSpec&, const Facts& facts, const Machine&) -> View {
         const auto any =
             facts.cap_inheritable | facts.cap_permitted | facts.cap_effective | facts.cap_bounding | facts.cap_ambient;
         char text[32];
         std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(any));
         return {any == 0 ? "none" : text, any == 0};
       },
       [](const CellSpec&, const json& inspected) -> View {
         const auto& dropped = at(inspected, "/HostConfig/CapDrop");
         const auto& added = at(inspected, "/HostConfig/CapAdd");
         const bool right = dropped == json::array({"ALL"}) && nothing(added);
         return {right ? "none" : "dropped " + shown(dropped) + ", added " + shown(added), right};
       }});
  add({"no new privileges",
       always("yes"),
       [](const CellSpec&, json& body) { body["HostConfig"]["SecurityOpt"].push_back("no-new-privileges:true"); },
       {},
       [](const CellSpec&, const Facts& facts, const Machine&) -> View {
         return {facts.no_new_privs ? "yes" : "no", facts.no_new_privs};
       },
       [](const CellSpec&, const json& inspected) -> View {
         for (const auto& option : at(inspected, "/HostConfig/SecurityOpt"))
           if (option == "no-new-privileges:true" || option == "no-new-privileges") return {"yes", true};
         return {"no", false};
       }});
  // From inside only a filter's presence shows, not which one: that is the daemon's word. What it denies is tested.
  add({"seccomp", [](const CellSpec& spec) { return "profile " + hex(sha256(spec.seccomp)).substr(0, 12); },
       [](const CellSpec& spec, json& body) { body["HostConfig"]["SecurityOpt"].push_back("seccomp=" + spec.seccomp); },
       [](const CellSpec&, json& body) { body["HostConfig"]["SecurityOpt"].push_back("seccomp=unconfined"); },
       [](const CellSpec&, const Facts& facts, const Machine&) -> View {
         return {facts.seccomp_mode == 2 ? "filtered" : "mode " + std::to_string(facts.seccomp_mode),
                 facts.seccomp_mode == 2};
       },
       [](const CellSpec& spec, const json& inspected) -> View {
         for (const auto& option : at(inspected, "/HostConfig/SecurityOpt"))
           if (option.is_string() && option.get_ref<const std::string&>().starts_with("seccomp=")) {
             const auto profile = option.get<std::string>().substr(8);
             return {profile == "unconfined" ? profile : "profile " + hex(sha256(profile)).substr(0, 12),
                     profile == spec.seccomp};
           }
         return {"the daemon's own", false};
       },
       true});
  // Everything at once that the lines here take away; stated so that nobody's default can turn it on.
  add({"not privileged", always("yes"), [](const CellSpec&, json& body) { body["HostConfig"]["Privileged"] = false; },
       [](const CellSpec&, json& body) { body["HostConfig"]["Privileged"] = true; },
       [](const CellSpec&, const Facts& facts, const Machine&) -> View {
         const auto* sys = mount_at(facts, "/sys");
         const bool right = !sys || has_option(sys->options, "ro");
         return {right ? "yes" : "/sys is writable", right};
       },
       shows("/HostConfig/Privileged", false, "yes")});

  // ---- What it sees of the machine ----

  add({"process namespace", own, [](const CellSpec&, json& body) { body["HostConfig"]["PidMode"] = ""; },
       [](const CellSpec&, json& body) { body["HostConfig"]["PidMode"] = "host"; },
       [](const CellSpec& spec, const Facts& facts, const Machine& machine) -> View {
         auto view = own_namespace("pid")(spec, facts, machine);
         if (facts.pid != 1) view = {"the agent is process " + std::to_string(facts.pid), false};
         return view;
       },
       shows("/HostConfig/PidMode", "", "own")});
  add({"ipc namespace", own, [](const CellSpec&, json& body) { body["HostConfig"]["IpcMode"] = "private"; },
       [](const CellSpec&, json& body) { body["HostConfig"]["IpcMode"] = "host"; }, own_namespace("ipc"),
       shows("/HostConfig/IpcMode", "private", "own")});
  add({"host name namespace", own,
       [](const CellSpec&, json& body) {
         body["HostConfig"]["UTSMode"] = "";
         body["Hostname"] = "cell";
       },
       [](const CellSpec&, json& body) { body["HostConfig"]["UTSMode"] = "host"; }, own_namespace("uts"),
       shows("/HostConfig/UTSMode", "", "own")});
  add({"cgroup namespace", own, [](const CellSpec&, json& body) { body["HostConfig"]["CgroupnsMode"] = "private"; },
       [](const CellSpec&, json& body) { body["HostConfig"]["CgroupnsMode"] = "host"; },
       [](const CellSpec& spec, const Facts& facts, const Machine& machine) -> View {
         const auto view = own_namespace("cgroup")(spec, facts, machine);
         // Limits and counters are the cell's only if nobody else is in its group.
         return view.right && !facts.cgroup_private ? View{"shared with others", false} : view;
       },
       shows("/HostConfig/CgroupnsMode", "private", "own"), true});
  // NetworkDisabled is not what network "none" is: the container still gets a namespace with nothing but lo, but the
  // daemon's network code never runs, which halves the time of a start.
  add({"network",
       [](const CellSpec& spec) {
         if (spec.network.empty()) return std::string("only lo, no routes");
         return spec.network + ", public addresses" +
                (spec.openings.empty() ? " only" : " and " + joined(spec.openings) + " only");
       },
       [](const CellSpec& spec, json& body) {
         body["NetworkDisabled"] = spec.network.empty();
         body["HostConfig"]["NetworkMode"] = spec.network.empty() ? "none" : spec.network;
         if (!spec.network.empty() && !spec.nameservers.empty()) body["HostConfig"]["Dns"] = spec.nameservers;
       },
       {},
       [](const CellSpec& spec, const Facts& facts, const Machine& machine) -> View {
         if (const auto view = own_namespace("net")(spec, facts, machine); !view.right) return view;
         std::vector<std::string> names;
         for (const auto& one : facts.interfaces)
           // What a kernel module puts into every namespace (tunl0, sit0) is down and stays so.
           if (one.up || !one.addresses.empty()) names.push_back(one.name);
         if (spec.network.empty()) {
           const bool right = facts.routes == 0 && facts.reachable.empty() &&
                              (names.empty() || names == std::vector<std::string>{"lo"});
           return {right ? "only lo, no routes" : joined(names) + ", routes: " + std::to_string(facts.routes), right};
         }
         std::erase(names, "lo");
         const bool right = names.size() == 1 && facts.reachable == std::vector<std::string>{kPublicProbe};
         return {right ? names.front() + ", public addresses only"
                       : joined(names) + ", reaching " + joined(facts.reachable),
                 right};
       },
       [](const CellSpec& spec, const json& inspected) -> View {
         const auto& mode = at(inspected, "/HostConfig/NetworkMode");
         const bool disabled = at(inspected, "/Config/NetworkDisabled") == true;
         if (spec.network.empty()) return {disabled ? "disabled" : shown(mode), disabled && mode == "none"};
         return {shown(mode), mode == spec.network && !disabled};
       }});
  add({"devices", always("the harmless ones"),
       [](const CellSpec&, json& body) { body["HostConfig"]["Devices"] = json::array(); },
       [](const CellSpec&, json& body) {
         body["HostConfig"]["Devices"] = {
             {{"PathOnHost", "/dev/null"}, {"PathInContainer", "/dev/extra"}, {"CgroupPermissions", "rwm"}}};
       },
       [](const CellSpec&, const Facts& facts, const Machine&) -> View {
         std::vector<std::string> others;
         for (const auto& device : facts.devices) {
           std::string_view name = device.path;
           if (name.starts_with("/dev/")) name.remove_prefix(5);
           if (!name.starts_with("pts/") &&
               (device.block || std::find(std::begin(kHarmlessDevices), std::end(kHarmlessDevices), name) ==
                                    std::end(kHarmlessDevices)))
             others.emplace_back(name);
         }
         return {others.empty() ? "the harmless ones" : joined(others), others.empty()};
       },
       [](const CellSpec&, const json& inspected) -> View {
         const auto& host = at(inspected, "/HostConfig");
         for (const char* member : {"Devices", "DeviceRequests", "DeviceCgroupRules"})
           if (const auto& there = at(at(host, std::string("/") + member), ""); !nothing(there))
             return {there.dump(), false};
         return {"no others", true};
       },
       true});
  add(covered_paths("masked paths", "MaskedPaths", {std::begin(kMasked), std::end(kMasked)}, false));
  add(covered_paths("read-only paths", "ReadonlyPaths", {std::begin(kReadOnly), std::end(kReadOnly)}, true));

  // ---- What it may write, and how much ----

  add({"root file system",
       always("read-only"),
       [](const CellSpec&, json& body) { body["HostConfig"]["ReadonlyRootfs"] = true; },
       {},
       [](const CellSpec&, const Facts& facts, const Machine&) -> View {
         const auto* root = mount_at(facts, "/");
         const bool right = root && has_option(root->options, "ro") && !root->writable;
         return {right ? "read-only" : root ? root->options : "unknown", right};
       },
       shows("/HostConfig/ReadonlyRootfs", true, "read-only")});
  add(tmpfs(std::string(kWorkspace), "0755"));
  add(tmpfs("/tmp", "1777"));
  add({"/dev/shm",
       always(size_text(kShmBytes)),
       [](const CellSpec&, json& body) { body["HostConfig"]["ShmSize"] = kShmBytes; },
       {},
       [](const CellSpec&, const Facts& facts, const Machine&) -> View {
         const auto* mount = mount_at(facts, "/dev/shm");
         return mount ? equal(size_text(mount->bytes), size_text(kShmBytes)) : View{"no mount", false};
       },
       shows("/HostConfig/ShmSize", kShmBytes, size_text(kShmBytes))});
  add({"agent", always("bound read-only"),
       [](const CellSpec& spec, json& body) {
         body["HostConfig"]["Mounts"].push_back(
             {{"Type", "bind"}, {"Source", spec.agent}, {"Target", kAgentInCell}, {"ReadOnly", true}});
       },
       [](const CellSpec& spec, json& body) {
         body["HostConfig"]["Mounts"].push_back(
             {{"Type", "bind"}, {"Source", spec.agent}, {"Target", kAgentInCell}, {"ReadOnly", false}});
       },
       [](const CellSpec&, const Facts& facts, const Machine&) -> View {
         const auto* mount = mount_at(facts, kAgentInCell);
         const bool right =
             mount && has_option(mount->options, "ro") && !mount->writable && !facts.dumpable && facts.guarded;
         return {right            ? "bound read-only"
                 : !mount         ? "no mount"
                 : facts.dumpable ? "dumpable"
                 : !facts.guarded ? "not guarded"
                                  : mount->options,
                 right};
       },
       [](const CellSpec& spec, const json& inspected) -> View {
         for (const auto& mount : at(inspected, "/Mounts"))
           if (at(mount, "/Destination") == kAgentInCell) {
             const bool right = at(mount, "/RW") == false && at(mount, "/Source") == spec.agent;
             return {right ? "bound read-only" : mount.dump(), right};
           }
         return {"no mount", false};
       }});
  // Every entry of the cache is behind this one mount, so that a cell that waits can serve any program. Which entries
  // there are it cannot see: their names cannot be guessed, and the folder may be entered but not listed. The daemon
  // has no word for nosuid and nodev on such a mount; what they would add is in "no new privileges" and "devices", and
  // nothing of either kind gets into the cache.
  add({"packages", [](const CellSpec& spec) { return spec.packages.empty() ? "none" : "read-only, not to be listed"; },
       [](const CellSpec& spec, json& body) {
         if (!spec.packages.empty()) body["HostConfig"]["Mounts"].push_back(packages_mount(spec, true));
       },
       [](const CellSpec& spec, json& body) {
         auto mount = packages_mount(spec, false);
         if (spec.packages.empty()) mount["Source"] = "/var/tmp";
         body["HostConfig"]["Mounts"].push_back(std::move(mount));
       },
       [](const CellSpec& spec, const Facts& facts, const Machine&) -> View {
         const auto* mount = mount_at(facts, kPackagesInCell);
         if (spec.packages.empty() || !mount) return {mount ? "a mount" : "none", spec.packages.empty() && !mount};
         const bool read_only = has_option(mount->options, "ro") && !mount->writable;
         return {std::string(read_only ? "read-only" : mount->options) +
                     (mount->listable ? ", can be listed" : ", not to be listed"),
                 read_only && !mount->listable};
       },
       [](const CellSpec& spec, const json& inspected) -> View {
         for (const auto& mount : at(inspected, "/Mounts"))
           if (at(mount, "/Destination") == kPackagesInCell) {
             const bool right = at(mount, "/RW") == false && at(mount, "/Source") == spec.packages;
             return {right ? "bound read-only" : mount.dump(), right};
           }
         return {"none", spec.packages.empty()};
       }});
  // No other folder of the machine than those that were asked for, and no volume: an image may declare one, and its
  // size is nobody's.
  add({"other mounts", [](const CellSpec& spec) { return joined(targets_of(spec.folders)); },
       [](const CellSpec& spec, json& body) {
         body["HostConfig"]["Binds"] = json::array();
         for (const auto& folder : spec.folders)
           body["HostConfig"]["Mounts"].push_back(
               {{"Type", "bind"}, {"Source", folder.source}, {"Target", folder.target}});
       },
       [](const CellSpec&, json& body) { body["HostConfig"]["Binds"] = {"/var/tmp:/extra"}; },
       [](const CellSpec& spec, const Facts& facts, const Machine&) -> View {
         std::vector<std::string> others;
         for (const auto& mount : facts.mounts) {
           if (!mount.writable) continue;
           const auto& path = mount.target;
           if (path != kWorkspace && path != "/tmp" && path != "/dev/shm" && path != "/dev/mqueue" &&
               !mount_at(facts, path)->target.starts_with("/proc/"))  // character devices that mask files there
             others.push_back(path);
         }
         std::sort(others.begin(), others.end());
         const bool right = others == targets_of(spec.folders);
         return {others.empty() ? "none" : right ? joined(others) : "writable: " + joined(others), right};
       },
       [](const CellSpec& spec, const json& inspected) -> View {
         std::vector<std::string> others;
         bool right = true;
         for (const auto& mount : at(inspected, "/Mounts")) {
           if (at(mount, "/Destination") == kAgentInCell || at(mount, "/Destination") == kPackagesInCell ||
               at(mount, "/Type") == "tmpfs")
             continue;
           const auto& target = at(mount, "/Destination");
           others.push_back(target.is_string() ? target.get<std::string>() : shown(target));
           right &= std::any_of(spec.folders.begin(), spec.folders.end(), [&](const Folder& folder) {
             return at(mount, "/Source") == folder.source && target == folder.target;
           });
         }
         if (!nothing(at(inspected, "/HostConfig/VolumesFrom"))) others.push_back("volumes of another container");
         std::sort(others.begin(), others.end());
         return {joined(others), right && others == targets_of(spec.folders)};
       }});

  // ---- How much of everything else ----

  add({"memory",
       [](const CellSpec& spec) { return size_text(spec.memory_bytes); },
       [](const CellSpec& spec, json& body) { body["HostConfig"]["Memory"] = spec.memory_bytes; },
       {},
       [](const CellSpec& spec, const Facts& facts, const Machine&) -> View {
         return {limit_size(facts.memory_limit), facts.memory_limit == spec.memory_bytes / 4096 * 4096};
       },
       [](const CellSpec& spec, const json& inspected) -> View {
         const auto& there = at(inspected, "/HostConfig/Memory");
         return there == spec.memory_bytes ? View{size_text(spec.memory_bytes), true} : View{shown(there), false};
       }});
  add({"swap",
       always("none"),
       [](const CellSpec& spec, json& body) {
         // A limit on both together means nothing to the daemon without one on memory.
         if (body["HostConfig"].contains("Memory")) body["HostConfig"]["MemorySwap"] = spec.memory_bytes;
       },
       {},
       [](const CellSpec& spec, const Facts& facts, const Machine& machine) -> View {
         // A kernel that does not count swap shows no limit; where there is no swap, none is needed.
         if (facts.memory_swap_limit == kUnlimited)
           return {machine.has_swap ? "unlimited" : "none there", !machine.has_swap};
         const auto memory = spec.memory_bytes / 4096 * 4096;
         const auto both = facts.memory_swap_limit;
         return {both > memory ? size_text(both - memory) : "none", both <= memory};
       },
       [](const CellSpec& spec, const json& inspected) -> View {
         const auto& there = at(inspected, "/HostConfig/MemorySwap");
         return there == spec.memory_bytes ? View{"none", true} : View{"with memory " + shown(there), false};
       }});
  // A cell without memory is killed. One whose tasks are stopped instead would wait for ever.
  add({"out of memory",
       always("killed"),
       [](const CellSpec&, json& body) { body["HostConfig"]["OomKillDisable"] = false; },
       [](const CellSpec&, json& body) { body["HostConfig"]["OomKillDisable"] = true; },
       {},
       [](const CellSpec&, const json& inspected) -> View {
         const bool right = at(inspected, "/HostConfig/OomKillDisable") != true;
         return {right ? "killed" : "stopped", right};
       }});
  add({"cpu",
       [](const CellSpec& spec) { return cpu_text(spec.cpus); },
       [](const CellSpec& spec, json& body) { body["HostConfig"]["NanoCpus"] = nano_cpus(spec); },
       {},
       [](const CellSpec& spec, const Facts& facts, const Machine&) -> View {
         if (facts.cpu_quota_us == kUnlimited || facts.cpu_period_us == 0) return {"unlimited", false};
         const auto cpus = static_cast<double>(facts.cpu_quota_us) / static_cast<double>(facts.cpu_period_us);
         return {cpu_text(cpus), std::abs(cpus - spec.cpus) <= spec.cpus * 0.01 + 1e-4};
       },
       [](const CellSpec& spec, const json& inspected) -> View {
         const auto& there = at(inspected, "/HostConfig/NanoCpus");
         return there == nano_cpus(spec) ? View{cpu_text(spec.cpus), true} : View{shown(there), false};
       }});
  add({"processes",
       [](const CellSpec& spec) { return std::to_string(spec.pids); },
       [](const CellSpec& spec, json& body) { body["HostConfig"]["PidsLimit"] = spec.pids; },
       {},
       [](const CellSpec& spec, const Facts& facts, const Machine&) -> View {
         return {limit_text(facts.pids_limit), facts.pids_limit == spec.pids};
       },
       [](const CellSpec& spec, const json& inspected) -> View {
         const auto& there = at(inspected, "/HostConfig/PidsLimit");
         return {shown(there), there == spec.pids};
       },
       true});
  for (const auto& limit : kUlimits) add(ulimit(limit));

  // ---- How it ends, and whose it is ----

  // The agent ends when its input does; with this, its input ends when our connection does, however we die.
  add({"ends with us",
       always("yes"),
       [](const CellSpec&, json& body) { body["StdinOnce"] = true; },
       {},
       {},
       shows("/Config/StdinOnce", true, "yes")});
  add({"removes itself",
       always("yes"),
       [](const CellSpec&, json& body) { body["HostConfig"]["AutoRemove"] = true; },
       {},
       {},
       shows("/HostConfig/AutoRemove", true, "yes")});
  // What a program writes would fill the machine's disk a second time.
  add({"logs",
       always("none"),
       [](const CellSpec&, json& body) {
         body["HostConfig"]["LogConfig"] = {{"Type", "none"}, {"Config", json::object()}};
       },
       {},
       {},
       shows("/HostConfig/LogConfig/Type", "none", "none")});
  // An image's own would start a process in the cell every few seconds, during a run as well.
  add({"health checks",
       always("none"),
       [](const CellSpec&, json& body) { body["Healthcheck"] = {{"Test", {"NONE"}}}; },
       {},
       {},
       shows("/Config/Healthcheck/Test", json::array({"NONE"}), "none")});
  add({"runtime",
       [](const CellSpec& spec) { return spec.runtime.empty() ? "the default" : spec.runtime; },
       [](const CellSpec& spec, json& body) {
         if (!spec.runtime.empty()) body["HostConfig"]["Runtime"] = spec.runtime;
       },
       {},
       {},
       [](const CellSpec& spec, const json& inspected) -> View {
         const auto& there = at(inspected, "/HostConfig/Runtime");
         return {there.is_string() ? there.get<std::string>() : shown(there),
                 spec.runtime.empty() || there == spec.runtime};
       }});
  add({"labels",
       [](const CellSpec& spec) { return std::to_string(spec.labels.size()) + " of ours"; },
       [](const CellSpec& spec, json& body) { body["Labels"] = spec.labels; },
       {},
       {},
       [](const CellSpec& spec, const json& inspected) -> View {
         std::size_t right = 0;
         for (const auto& [name, value] : spec.labels) {
           const auto& labels = at(inspected, "/Config/Labels");
           const auto found = labels.is_object() ? labels.find(name) : labels.end();
           if (labels.is_object() && found != labels.end() && *found == value) ++right;
         }
         return {std::to_string(right) + " of ours", right == spec.labels.size()};
       }});
  return lines;
}

const std::vector<Line>& lines() {
  static const std::vector<Line> all = make_lines();
  return all;
}

}  // namespace

std::int64_t nano_cpus(const CellSpec& spec) { return std::llround(spec.cpus * 1e9); }

Machine Machine::look() {
  Machine out;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/ns", ignored))
    if (const auto name = std::filesystem::read_symlink(entry.path(), ignored).string(); !name.empty())
      out.namespaces.insert(name);
  for (const char* path : kMasked)
    if (std::filesystem::exists(path, ignored)) out.paths.insert(path);
  for (const char* path : kReadOnly)
    if (std::filesystem::exists(path, ignored)) out.paths.insert(path);
  struct sysinfo info{};
  if (utsname name{}; uname(&name) == 0) out.kernel = name.release;
  out.has_swap = sysinfo(&info) != 0 || info.totalswap != 0;
  return out;
}

std::vector<std::string> lockdown_lines() {
  std::vector<std::string> out;
  for (const auto& line : lines()) out.push_back(line.name);
  return out;
}

json create_body(const CellSpec& spec, std::string_view without) {
  json body = {
      {"Image", spec.image}, {"Entrypoint", {kAgentInCell}}, {"Cmd", json::array()}, {"WorkingDir", kWorkspace},
      {"OpenStdin", true},   {"AttachStdin", true},          {"AttachStdout", true}, {"AttachStderr", true},
      {"Tty", false},        {"HostConfig", json::object()}};
  for (const auto& line : lines()) {
    if (line.name != without)
      line.ask(spec, body);
    else if (line.spoil)
      line.spoil(spec, body);
  }
  return body;
}

std::vector<Finding> prove(const CellSpec& spec, const Facts& facts, const json& inspected, const Machine& machine) {
  std::vector<Finding> out;
  for (const auto& line : lines()) {
    Finding found;
    found.line = line.name;
    found.asked = line.asked(spec);
    found.holds = true;
    if (line.inside) {
      auto view = line.inside(spec, facts, machine);
      const bool elsewhere = !view.right && line.of_this_kernel && has_own_kernel(spec, facts, machine);
      found.inside = elsewhere ? "another kernel" : std::move(view.text);
      found.holds &= view.right || elsewhere;
    }
    if (line.daemon) {
      auto view = line.daemon(spec, inspected);
      found.daemon = std::move(view.text);
      found.holds &= view.right;
    }
    out.push_back(std::move(found));
  }
  return out;
}

bool all_hold(const std::vector<Finding>& findings) {
  return std::all_of(findings.begin(), findings.end(), [](const Finding& one) { return one.holds; });
}

std::string differences(const std::vector<Finding>& findings) {
  std::string out;
  for (const auto& one : findings) {
    if (one.holds) continue;
    out += (out.empty() ? "" : "; ") + one.line + ": asked for " + one.asked;
    if (!one.inside.empty()) out += ", the cell sees " + one.inside;
    if (!one.daemon.empty()) out += ", the daemon shows " + one.daemon;
  }
  return out;
}

}  // namespace hotcell::docker
