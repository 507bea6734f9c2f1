// Which pages of a private mapping has somebody written to?
//
// A cell's memory maps its image MAP_PRIVATE, so a page that was written to is one that is present (or swapped) and no
// longer backed by the file. Linux 6.7 answers that with one ioctl over a range (PAGEMAP_SCAN); before, every page's
// word in /proc/self/pagemap has to be read, which takes about twice as long for a 40 MiB image.
//
// Either way each mapped page is looked at, which takes longer than many a program runs. But a page becomes private
// only by a page fault, and the kernel counts those: where there was none since the last look, nothing has changed. A
// cell that runs programs much like those before them is soon there.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace hotcell::wasi {

struct PageRun {
  std::uint8_t* start;
  std::size_t length;
};

class PrivatePages {
 public:
  // Opens this process's pagemap. The descriptor names the address space of the process that opened it: open it after
  // the fork, and before the jail closes /proc.
  static Expected<PrivatePages> open(bool allow_ioctl = true);

  // The runs of private pages in [base, base + length), in order. The vector is reused by the next call. An error means
  // that nothing is known: the caller must throw the memory away.
  Expected<const std::vector<PageRun>*> find(std::uint8_t* base, std::size_t length);

  bool uses_ioctl() const { return ioctl_; }
  int fd() const { return pagemap_.get(); }

 private:
  PrivatePages() = default;
  Expected<void> look(std::uint8_t* base, std::size_t length);
  Expected<void> scan(std::uint8_t* base, std::size_t length);
  Expected<void> read_words(std::uint8_t* base, std::size_t length);

  Fd pagemap_;
  bool ioctl_ = true;
  std::vector<PageRun> runs_;  // what the last look found, ...
  const std::uint8_t* base_ = nullptr;
  std::size_t length_ = 0;
  std::uint64_t faults_ = 0;  // ... and how many faults there had been before it
  std::vector<std::uint64_t> words_;
};

}  // namespace hotcell::wasi
