// The files that an order brings, written as they come, and remembered: what the program did to them is told by
// comparing them with how we left them.
#pragma once
#include <sys/stat.h>

#include <map>
#include <string>

#include "agent/wire/wire.h"
#include "base/fd.h"

namespace hotcell::agent {

// What a file was like. Two files are the same if all of it is.
struct Identity {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;  // mtime, and ctime, which nothing sets back

  static Identity of(const struct stat& about);
  bool operator==(const Identity&) const = default;
};

class FilesIn {
 public:
  // Takes one frame. The first failure is kept in problem(); what comes after it is ignored.
  void take(const FileIn& file);
  // After the last one.
  void finish();

  const std::string& problem() const { return problem_; }
  // By absolute path.
  const std::map<std::string, Identity, std::less<>>& given() const { return given_; }

 private:
  void fail(const std::string& path, int error_number);
  bool open(const FileIn& file);
  void write(const FileIn& file);

  std::map<std::string, Identity, std::less<>> given_;
  std::string problem_;
  std::string open_path_;  // the file that is being written
  Fd file_;
};

}  // namespace hotcell::agent
