#include "agent/spawn.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>

#include "agent/self.h"
#include "agent/text.h"

namespace hotcell::agent {
namespace {

constexpr int kOutOfTheWay = 16;  // above every number that a child asks for

std::vector<char*> pointers_to(const std::vector<std::string>& list) {
  std::vector<char*> out;
  out.reserve(list.size() + 2);
  for (const auto& item : list) out.push_back(const_cast<char*>(item.c_str()));
  out.push_back(nullptr);
  return out;
}

bool is_program(const std::string& path) {
  struct stat about;
  return stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) && access(path.c_str(), X_OK) == 0;
}

// What is prepared before the fork, so that the child needs no memory of its own.
struct Prepared {
  std::string path, complaint;
  std::vector<char*> argv, env, shell_argv;
  const Launch& launch;
};

[[noreturn]] void give_up(const Prepared& child, int error_number) {
  const char* why = error_number == ENOENT   ? ": not found\n"
                    : error_number == EACCES ? ": permission denied\n"
                                             : ": cannot be executed\n";
  (void)!write(2, child.complaint.c_str(), child.complaint.size());
  (void)!write(2, why, std::strlen(why));
  _exit(error_number == ENOENT ? 127 : 126);
}

[[noreturn]] void become_program(const Prepared& child) {
  setsid();
  // First out of each other's way, then to their places: any of them may be where another belongs.
  int moved[16] = {};
  const auto& descriptors = child.launch.descriptors;
  for (std::size_t i = 0; i < descriptors.size() && i < 16; ++i)
    if ((moved[i] = fcntl(descriptors[i].first, F_DUPFD_CLOEXEC, kOutOfTheWay)) < 0) _exit(126);
  for (std::size_t i = 0; i < descriptors.size() && i < 16; ++i)
    if (dup2(moved[i], descriptors[i].second) < 0) _exit(126);
  become_ordinary(child.launch.shielded);
  if (chdir(child.launch.cwd.c_str()) < 0) _exit(126);
  execve(child.path.c_str(), child.argv.data(), child.env.data());
  // A script without a first line that says what it is for: a shell's, as ever.
  if (errno == ENOEXEC) execve("/bin/sh", child.shell_argv.data(), child.env.data());
  give_up(child, errno);
}

}  // namespace

pid_t spawn(const Launch& launch) {
  auto found = find_program(launch.path, launch.env);
  Prepared child{
      found.empty() ? launch.path : found, launch.path, pointers_to(launch.argv), pointers_to(launch.env), {}, launch};
  static char shell[] = "sh";
  child.shell_argv = child.argv;
  child.shell_argv[0] = const_cast<char*>(child.path.c_str());
  child.shell_argv.insert(child.shell_argv.begin(), shell);
  const pid_t pid = fork();
  if (pid == 0) become_program(child);
  return pid;
}

const char* value_in(const std::vector<std::string>& env, std::string_view name) {
  for (const auto& entry : env)
    if (entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name))
      return entry.c_str() + name.size() + 1;
  return nullptr;
}

std::string find_program(std::string_view command, const std::vector<std::string>& env) {
  if (command.find('/') != command.npos) return std::string(command);
  const char* set = value_in(env, "PATH");
  std::string_view rest = set ? set : kDefaultPath;
  std::string not_runnable;
  while (!rest.empty() && !command.empty()) {
    const auto folder = next_part(rest, ':');
    auto path = (folder.empty() ? std::string(".") : std::string(folder)) + "/" + std::string(command);
    if (is_program(path)) return path;
    struct stat about;
    if (not_runnable.empty() && stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode)) not_runnable = path;
  }
  return not_runnable;
}

std::pair<Fd, Fd> make_pipe() {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) < 0) return {};
  return {Fd(ends[0]), Fd(ends[1])};
}

std::pair<Fd, Fd> make_socket_pair() {
  int ends[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return {};
  return {Fd(ends[0]), Fd(ends[1])};
}

}  // namespace hotcell::agent
