// Who a container belongs to, so that nothing is ever orphaned and nothing of anybody else's is ever touched.
//
// Two names, both random. The home stands for a state folder and outlives every process; the owner stands for one
// process. A process holds the lock of its own file `<state>/owners/<id>` for as long as it lives; the kernel gives the
// lock back however it dies. So a container whose home is ours, and whose owner's lock can be taken, is nobody's any
// more. Containers of other homes are never looked at twice: their locks are not ours to try.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace hotcell::docker {

// $HOTCELL_STATE, else ${XDG_STATE_HOME:-~/.local/state}/hotcell.
std::filesystem::path default_state_folder();

// Reads the home's name, and gives the folder one at its first use. What `hotcell ps` and `hotcell sweep` need.
class Home {
 public:
  static Expected<Home> open(std::filesystem::path state);
  const std::string& id() const { return id_; }
  const std::filesystem::path& folder() const { return state_; }
  // Does the process live that goes by this name? Anything that is not the name of an owner of ours does not.
  bool owner_lives(std::string_view owner) const;
  // Forgets owners that are dead. Only once nothing on the daemon bears their names any more.
  void forget_dead_owners() const;

 private:
  std::filesystem::path state_;
  std::string id_;
};

// This process, until it is destroyed.
class Owner {
 public:
  static Expected<Owner> claim(const Home& home);
  Owner(Owner&& other) noexcept = default;
  Owner& operator=(Owner&& other) noexcept;
  ~Owner();
  const std::string& id() const { return id_; }

 private:
  Owner(std::string id, std::filesystem::path file, Fd lock)
      : id_(std::move(id)), file_(std::move(file)), lock_(std::move(lock)) {}
  std::string id_;
  std::filesystem::path file_;
  Fd lock_;
};

}  // namespace hotcell::docker
