// What a program has left below /workspace: found by one walk after its last process is dead, then sent file by file as
// fast as the host takes it.
//
// Nothing here follows a link, opens what is not a regular file, or costs more than the caps say, whatever the program
// laid out: a sparse terabyte is a size, a million files are kMaxSeen looks, a deep tree is cut.
#pragma once
#include <sys/stat.h>

#include <string>
#include <vector>

#include "agent/files_in.h"
#include "agent/link.h"
#include "agent/wire/wire.h"
#include "base/fd.h"

namespace hotcell::agent {

class Harvest {
 public:
  // Looks around, and decides what is given back.
  Harvest(const Order& order, const FilesIn& given);

  bool incomplete() const { return incomplete_; }
  // As much as the host takes now. True: that was all.
  bool send(Link& link);

 private:
  struct Item {
    std::string path;
    Change change;
    std::uint32_t mode;
    std::uint64_t size;
  };
  void walk(const Order& order, const FilesIn& given);
  void look_at(const std::string& path, const struct stat& about, const Order& order, const FilesIn& given);
  void add_deleted(const FilesIn& given);
  bool send_content(Link& link, const Item& item);

  Fd top_;
  std::vector<Item> items_;
  std::vector<std::string> met_;  // given files that are still there, sorted at the end
  bool incomplete_ = false;
  std::uint64_t left_, inline_bytes_;
  std::size_t next_ = 0;  // of items_
  Fd file_;               // of the item that is being sent
  std::uint64_t offset_ = 0;
};

}  // namespace hotcell::agent
