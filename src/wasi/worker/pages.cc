#include "wasi/worker/pages.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>

namespace hotcell::wasi {
namespace {

constexpr std::size_t kPage = 4096;

// <linux/fs.h> of Debian 12 is older than the ioctl.
struct Region {
  std::uint64_t start, end, categories;
};
struct ScanArgs {
  std::uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted, category_mask,
      category_anyof_mask, return_mask;
};
constexpr std::uint64_t kIsFile = 1u << 2, kIsPresent = 1u << 3, kIsSwapped = 1u << 4;
constexpr unsigned long kPagemapScan = _IOWR('f', 16, ScanArgs);

// Bits of a word of /proc/self/pagemap.
constexpr std::uint64_t kWordPresent = 1ull << 63, kWordSwapped = 1ull << 62, kWordFile = 1ull << 61;

// Of this process, ever: each makes at most a few pages private, and none becomes private without one.
std::uint64_t page_faults() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_minflt) + static_cast<std::uint64_t>(usage.ru_majflt);
}

}  // namespace

Expected<PrivatePages> PrivatePages::open(bool allow_ioctl) {
  PrivatePages out;
  out.pagemap_ = Fd(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  if (!out.pagemap_) return fail_errno("cannot open /proc/self/pagemap");
  out.ioctl_ = allow_ioctl;
  if (allow_ioctl) {
    ScanArgs probe{};
    probe.size = sizeof probe;
    probe.category_anyof_mask = probe.return_mask = kIsPresent;
    out.ioctl_ = ioctl(out.pagemap_.get(), kPagemapScan, &probe) >= 0;
  }
  return out;
}

Expected<const std::vector<PageRun>*> PrivatePages::find(std::uint8_t* base, std::size_t length) {
  const auto faults = page_faults();
  if (base != base_ || length != length_ || faults != faults_)
    if (auto done = look(base, length); !done) return std::unexpected(done.error());
  faults_ = faults;
  return &runs_;
}

Expected<void> PrivatePages::look(std::uint8_t* base, std::size_t length) {
  runs_.clear();
  base_ = nullptr;  // nothing is known if this fails
  if (auto done = ioctl_ ? scan(base, length) : read_words(base, length); !done) return done;
  base_ = base;
  length_ = length;
  return {};
}

Expected<void> PrivatePages::scan(std::uint8_t* base, std::size_t length) {
  std::array<Region, 256> found;
  ScanArgs args{};
  args.size = sizeof args;
  args.start = reinterpret_cast<std::uint64_t>(base);
  args.end = args.start + length;
  args.vec = reinterpret_cast<std::uint64_t>(found.data());
  args.vec_len = found.size();
  // Present or swapped, and not backed by the file any more.
  args.category_inverted = kIsFile;
  args.category_mask = kIsFile;
  args.category_anyof_mask = kIsPresent | kIsSwapped;
  args.return_mask = kIsPresent;
  while (args.start < args.end) {  // one call returns at most vec_len regions: stopping early would leave dirty pages
    const int count = ioctl(pagemap_.get(), kPagemapScan, &args);
    if (count < 0) return fail_errno("PAGEMAP_SCAN failed");
    for (int i = 0; i < count; ++i)
      runs_.push_back({reinterpret_cast<std::uint8_t*>(found[static_cast<std::size_t>(i)].start),
                       found[static_cast<std::size_t>(i)].end - found[static_cast<std::size_t>(i)].start});
    if (args.walk_end <= args.start) return fail("internal", "PAGEMAP_SCAN made no progress");
    args.start = args.walk_end;
  }
  return {};
}

Expected<void> PrivatePages::read_words(std::uint8_t* base, std::size_t length) {
  words_.resize(length / kPage);
  const auto bytes = static_cast<ssize_t>(words_.size() * sizeof(std::uint64_t));
  const auto offset = static_cast<off_t>(reinterpret_cast<std::uint64_t>(base) / kPage * sizeof(std::uint64_t));
  if (pread(pagemap_.get(), words_.data(), static_cast<std::size_t>(bytes), offset) != bytes)
    return fail_errno("cannot read /proc/self/pagemap");
  for (std::size_t i = 0; i < words_.size(); ++i) {
    if (!(words_[i] & (kWordPresent | kWordSwapped)) || (words_[i] & kWordFile)) continue;
    std::uint8_t* at = base + i * kPage;
    if (!runs_.empty() && runs_.back().start + runs_.back().length == at)
      runs_.back().length += kPage;
    else
      runs_.push_back({at, kPage});
  }
  return {};
}

}  // namespace hotcell::wasi
