// A process that becomes the program: an interpreter started ahead that waits for its orders (kernels/), or, for what
// has no kernel, the program itself.
//
// It is the agent's own child and has the program's pipes from its first moment. So exit status and CPU time come
// straight from wait4(), or from itself: nothing that the program does to a parent can forge them. A kernel serves
// once.
#pragma once
#include <sys/types.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "agent/wire/wire.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"

namespace hotcell::agent {

// What the image calls each language's interpreter; empty: the image has none.
std::string find_interpreter(Language language, const std::vector<std::string>& env);
// "the image has no python3 in its PATH"
std::string missing_interpreter(Language language);

struct KernelWish {
  // Whether it can become this program: its language, for Python its main file, and nothing in the environment that
  // only counts while an interpreter starts.
  bool suits(const Order& order, const std::vector<std::string>& program_env) const;

  Language language = Language::python;
  std::string program;           // main file
  std::vector<std::string> env;  // that it starts with
  std::string cwd = "/";
  bool usual_modules = true;  // import what programs usually import
  std::vector<std::string> modules;
  bool stem = false;  // it is to be copied, and never becomes a program itself. Python only
};

class Kernel {
 public:
  // Python and Node: an interpreter that will wait for give().
  static Expected<Kernel> start(const KernelWish& wish);
  // Anything else: the program itself, at once.
  static Expected<Kernel> start_program(const std::string& path, std::vector<std::string> argv,
                                        const std::vector<std::string>& env, const std::string& cwd);

  pid_t pid() const { return pid_; }
  const std::string& interpreter() const { return interpreter_; }
  const KernelWish& wish() const { return wish_; }
  bool ready() const { return ready_; }  // has imported what it should, and waits
  const std::string& version() const { return version_; }

  // Of a stem that is ready: another kernel that is ready too, in no time. It is the agent's own child like any other.
  // Where there is none in time the stem is of no use any more: programs may stop or kill it.
  Expected<Kernel> copy(Deadline deadline);
  // The program that it is to become.
  void give(const Order& order, const std::vector<std::string>& env, const std::string& cwd);

  // The conversation with it. It may say anything, once it has become the program.
  int control() const { return control_.get(); }
  bool has_to_write() const { return written_ < to_say_.size(); }
  bool listen();  // true: there may be more
  void talk();
  std::optional<Uncaught> uncaught() const;
  // Its last word: it ends with this exit code, and has nothing more to do. Node says that.
  std::optional<int> farewell();

  // The agent's ends of its pipes; each may be taken once.
  Fd in, out, err;

 private:
  // Gives it its streams: the child's ends.
  Expected<std::array<Fd, 3>> make_streams();
  Expected<void> launch(const std::string& path, std::vector<std::string> argv, const std::vector<std::string>& env,
                        const std::string& cwd, Fd control, Fd archive);
  void say(const std::vector<std::string_view>& strings);

  KernelWish wish_;
  std::string interpreter_, version_;
  pid_t pid_ = -1;
  Fd control_;
  std::string to_say_, heard_;
  std::size_t written_ = 0;
  std::size_t passed_ = 0;  // of heard_: what it said before, if it says farewell
  bool ready_ = false;
};

}  // namespace hotcell::agent
