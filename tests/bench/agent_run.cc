// Runs a program in a cell without Docker, with the flags of `hotcell run`: so that the parity harness can compare the
// agent's kernels with bare interpreters.
//
//   agent_run run [--env NAME=VALUE]… [--stdin FILE] [--cold | --bare | --again] PROGRAM [-- ARG…]
//                             --cold: no interpreter waits; --bare: python3, node or bash itself, without our kernels;
//                             --again: in a cell that has been used before
//   agent_run bench [RUNS]    times and memory of warm kernels, against bare interpreters in the same loop
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>

#include "agent_cell.h"

namespace {

using namespace hotcell;
using namespace hotcell::agent;
using namespace hotcell::agent::testing;
using Clock = std::chrono::steady_clock;

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void print(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd, bytes.data(), bytes.size());
    if (done <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
}

int run(const std::vector<std::string>& words) {
  CellOptions options;
  std::string program, input;
  std::vector<std::string> args;
  bool cold = false, bare = false, again = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--env") {
      // Part of the cell's own environment: the interpreter that waits has to start with it.
      const auto& entry = words[++i];
      const auto name = entry.substr(0, entry.find('=') + 1);
      std::erase_if(options.env, [&](const auto& other) { return other.starts_with(name); });
      options.env.push_back(entry);
    } else if (words[i] == "--stdin") {
      input = content_of(words[++i]);
    } else if (words[i] == "--cold") {
      cold = true;
    } else if (words[i] == "--again") {
      again = true;
    } else if (words[i] == "--bare") {
      bare = true;
    } else if (words[i] == "--") {
      args.assign(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
      break;
    } else {
      program = words[i];
    }
  }
  auto order = program.ends_with(".js") ? node() : program.ends_with(".sh") ? bash() : python();
  order.args = args;
  order.output_bytes = 64u << 20;
  Cell cell(options);
  cell.hello();
  std::vector<Cell::Given> files;
  if (bare) {
    files.push_back({order.program, content_of(program)});
    const char* interpreter = order.language == Language::node   ? "node"
                              : order.language == Language::bash ? "bash"
                                                                 : "python3";
    order.args.insert(order.args.begin(), {interpreter, order.program});
    order.program.clear();
    order.language = Language::none;
  } else if (again) {
    for (int turn = 0; turn < 2; ++turn) {
      auto before = order;
      before.args.clear();
      cell.run(before, "");
      cell.send(FrameType::reset, Reset{10'000'000'000});
      if (!cell.expect<Cleaned>(FrameType::cleaned).clean) throw std::runtime_error("the cell could not be cleaned");
    }
  } else if (!cold) {
    cell.warm(order.language);
  }
  const auto result = cell.run(order, bare ? std::string() : content_of(program), files, input);
  print(1, result.out);
  print(2, result.err);
  if (result.report.signal) return 128 + *result.report.signal;
  if (result.report.exit_code) return *result.report.exit_code;
  std::fprintf(stderr, "fate %d: %s\n", static_cast<int>(result.report.fate), result.report.reason.c_str());
  return 125;
}

double bare(const std::vector<const char*>& words) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  std::vector<char*> argv;
  for (const char* word : words) argv.push_back(const_cast<char*>(word));
  argv.push_back(nullptr);
  char path[] = "PATH=/usr/bin:/bin", locale[] = "LANG=C.UTF-8";
  char* env[] = {path, locale, nullptr};
  const auto start = Clock::now();
  pid_t pid = 0;
  if (posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), env) != 0) throw std::runtime_error("no spawn");
  close(ends[1]);
  char bytes[4096];
  while (read(ends[0], bytes, sizeof bytes) > 0) {
  }
  int status = 0;
  waitpid(pid, &status, 0);
  const auto time = Clock::now() - start;
  close(ends[0]);
  posix_spawn_file_actions_destroy(&actions);
  return std::chrono::duration<double, std::milli>(time).count();
}

double at(std::vector<double>& times, double part) {
  std::ranges::sort(times);
  return times[static_cast<std::size_t>(static_cast<double>(times.size() - 1) * part)];
}

// Private memory of a process, and of it what is no copy of a file, in KiB.
std::pair<long, long> memory_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
  std::string word;
  long dirty = 0, clean = 0;
  while (file >> word) {
    if (word == "Private_Dirty:") file >> dirty;
    if (word == "Private_Clean:") file >> clean;
  }
  return {dirty + clean, dirty};
}

std::vector<pid_t> children_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
  return {std::istream_iterator<pid_t>(file), {}};
}

int bench(int runs) {
  struct Case {
    const char* name;
    Order order;
    const char* code;
    std::vector<const char*> bare_words;
  };
  const Case cases[] = {
      {"python", python(), "print(2+2)", {"/usr/bin/python3", "-c", "print(2+2)"}},
      {"node", node(), "console.log(2+2)", {"/usr/bin/node", "-e", "console.log(2+2)"}},
      {"bash", bash(), "echo $((2+2))", {"/bin/bash", "-c", "echo $((2+2))"}},
  };
  CellOptions options;
  if (Cell::can_limit()) options.pids = 256;  // control groups of its own, as a container has
  for (const auto& item : cases) {
    std::vector<double> whole, first, native, warm, setup, wall, end;
    long all = 0, dirty = 0, agent_all = 0;
    for (int i = 0; i < runs; ++i) {
      Cell cell(options);
      cell.hello();
      const auto warmed = cell.warm(item.order.language);
      warm.push_back(static_cast<double>(warmed.took_ns) / 1e6);
      if (i == 0) {
        agent_all = memory_of(cell.pid()).second;
        for (const auto child : children_of(cell.pid())) std::tie(all, dirty) = memory_of(child);
      }
      const auto start = Clock::now();
      cell.start(item.order, item.code);
      double to_first = 0, to_report = 0;
      while (const auto said = cell.receive()) {
        const auto now = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
        if (said->type == FrameType::output && to_first == 0) to_first = now;
        if (said->type == FrameType::report) {
          to_report = now;
          const auto report = Report::decode(said->payload).value();
          setup.push_back(static_cast<double>(report.setup_ns) / 1e6);
          wall.push_back(static_cast<double>(report.wall_ns) / 1e6);
          end.push_back(static_cast<double>(report.kill_ns) / 1e6);
        }
        if (said->type == FrameType::end) break;
      }
      whole.push_back(to_report);
      first.push_back(to_first);
      native.push_back(bare(item.bare_words));
    }
    std::printf(
        "%-7s report p50 %.2f ms (min %.2f, p90 %.2f), first byte p50 %.2f (min %.2f), bare p50 %.2f (min %.2f), ratio "
        "1/%.1f\n",
        item.name, at(whole, .5), at(whole, 0), at(whole, .9), at(first, .5), at(first, 0), at(native, .5),
        at(native, 0), at(native, .5) / at(whole, .5));
    std::printf("        setup p50 %.2f, wall %.2f, kill %.3f\n", at(setup, .5), at(wall, .5), at(end, .5));
    std::printf("        warm-up p50 %.1f ms; kernel private %ld KiB, of it dirty %ld KiB; agent dirty %ld KiB\n",
                at(warm, .5), all, dirty, agent_all);
  }
  std::printf("agent binary %ld KiB\n",
              static_cast<long>(std::filesystem::file_size(
                                    std::filesystem::read_symlink("/proc/self/exe").parent_path() / "hotcell-agent") /
                                1024));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  try {
    if (!words.empty() && words[0] == "run") return run({words.begin() + 1, words.end()});
    if (!words.empty() && words[0] == "bench") return bench(words.size() > 1 ? std::atoi(words[1].c_str()) : 200);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "agent_run: %s\n", error.what());
    return 125;
  }
  std::fputs("usage: agent_run run|bench …\n", stderr);
  return 125;
}
