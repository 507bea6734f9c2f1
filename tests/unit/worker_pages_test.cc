#include "wasi/worker/pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <random>
#include <set>

#include "base/bytes.h"
#include "worker_helpers.h"

namespace hotcell::wasi {
namespace {

using namespace testing;
constexpr std::size_t kPage = 4096;

std::set<std::size_t> pages(const std::vector<PageRun>& runs, const std::uint8_t* base) {
  std::set<std::size_t> out;
  std::uint8_t* end = nullptr;
  for (const auto& run : runs) {
    EXPECT_GE(run.start, end) << "runs are in order and do not overlap";
    EXPECT_EQ(run.length % kPage, 0u);
    EXPECT_GT(run.length, 0u);
    end = run.start + run.length;
    for (std::size_t at = 0; at < run.length; at += kPage)
      out.insert(static_cast<std::size_t>(run.start + at - base) / kPage);
  }
  return out;
}

struct WorkerPages : ::testing::TestWithParam<bool> {
  static constexpr std::size_t kPages = 4000;
  Fd file{memfd_create("pages", MFD_CLOEXEC)};
  std::uint8_t* base = nullptr;
  void SetUp() override {
    std::string content(kPages * kPage, 'i');
    ASSERT_EQ(ftruncate(file.get(), kPages * kPage), 0);
    ASSERT_EQ(pwrite(file.get(), content.data(), content.size() / 2, 0), static_cast<ssize_t>(content.size() / 2));
    void* at = mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.get(), 0);
    ASSERT_NE(at, MAP_FAILED);
    base = static_cast<std::uint8_t*>(at);
  }
  void TearDown() override { munmap(base, kPages * kPage); }
  std::set<std::size_t> found() {
    auto opened = PrivatePages::open(GetParam());
    EXPECT_TRUE(opened);
    auto runs = opened->find(base, kPages * kPage);
    EXPECT_TRUE(runs);
    return pages(**runs, base);
  }
};

TEST_P(WorkerPages, pages_that_were_only_read_are_not_private) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < kPages; ++i) sum += base[i * kPage];
  EXPECT_EQ(sum, kPages / 2 * 'i');
  EXPECT_EQ(found(), std::set<std::size_t>());
}

TEST_P(WorkerPages, exactly_the_written_pages_are_found) {
  std::mt19937 random(7);
  for (int round = 0; round < 5; ++round) {
    std::set<std::size_t> written;
    for (int i = 0; i < 600; ++i) {
      const std::size_t page = random() % kPages;
      base[page * kPage + random() % kPage] = 'w';
      written.insert(page);
    }
    for (std::size_t i = 0; i < kPages; i += 3) EXPECT_NE(base[i * kPage], 'x');
    EXPECT_EQ(found(), written);
    ASSERT_EQ(madvise(base, kPages * kPage, MADV_DONTNEED), 0);
    EXPECT_EQ(found(), std::set<std::size_t>());
  }
}

// More regions than one call of the ioctl returns: stopping at the first would leave pages behind.
TEST_P(WorkerPages, thousands_of_separate_pages_are_all_found) {
  std::set<std::size_t> written;
  for (std::size_t i = 1; i < kPages; i += 2) {
    base[i * kPage] = 'w';
    written.insert(i);
  }
  EXPECT_EQ(found(), written);
}

TEST_P(WorkerPages, a_page_that_got_its_old_content_back_still_counts) {
  base[5 * kPage] = 'w';
  base[5 * kPage] = 'i';
  EXPECT_EQ(found(), std::set<std::size_t>({5}));
}

TEST_P(WorkerPages, the_first_and_the_last_page_are_found) {
  base[0] = base[kPages * kPage - 1] = 'w';
  EXPECT_EQ(found(), std::set<std::size_t>({0, kPages - 1}));
}

// Between two looks of the same object, only page faults can have changed anything: see pages.h.
TEST_P(WorkerPages, a_second_look_finds_what_was_written_since_the_first) {
  auto opened = PrivatePages::open(GetParam());
  ASSERT_TRUE(opened);
  std::mt19937 random(11);
  std::set<std::size_t> written;
  for (int round = 0; round < 200; ++round) {
    for (auto count = random() % 3; count > 0; --count) {
      const std::size_t page = random() % kPages;
      if (random() % 2) {  // mapped for reading before it is written to
        EXPECT_NE(base[page * kPage], 'x');
      }
      base[page * kPage] = 'w';
      written.insert(page);
    }
    auto runs = opened->find(base, kPages * kPage);
    ASSERT_TRUE(runs);
    ASSERT_EQ(pages(**runs, base), written) << "round " << round;
  }
}

TEST_P(WorkerPages, another_range_is_looked_at_anew) {
  auto opened = PrivatePages::open(GetParam());
  ASSERT_TRUE(opened);
  base[0] = base[9 * kPage] = 'w';
  EXPECT_EQ(pages(**opened->find(base, kPages * kPage), base), std::set<std::size_t>({0, 9}));
  EXPECT_EQ(pages(**opened->find(base, kPage), base), std::set<std::size_t>({0}));
  EXPECT_EQ(pages(**opened->find(base + 5 * kPage, 10 * kPage), base), std::set<std::size_t>({9}));
}

INSTANTIATE_TEST_SUITE_P(, WorkerPages, ::testing::Bool(),
                         [](const auto& mode) { return mode.param ? "by_ioctl" : "by_pagemap_words"; });

TEST(WorkerPagesOfACell, both_ways_find_the_same_pages_and_every_page_that_differs) {
  on_guest_thread([] {
    World world;
    Host host;
    ASSERT_TRUE(host.start({}));
    RunContext run;
    run.host = &host;
    auto cell = Cell::create(world.engine, *world.image, run, *world.clock);
    ASSERT_TRUE(cell) << cell.error().message;
    for (const std::string_view code : {"x = 1", "x = [bytes(500) for _ in range(20000)]", "import json, re\n1/0"}) {
      ByteWriter request;
      for (int i = 0; i < 4; ++i) request.put<std::uint32_t>(0);  // flags, reserved, seed
      request.put_bytes(code);
      request.put<std::uint32_t>(0);
      request.put<std::uint32_t>(0);
      ASSERT_EQ((*cell)->run(request.bytes(), 256u << 20).kind, CallOutcome::Kind::returned);
      const auto memory = (*cell)->memory();
      ASSERT_FALSE((*cell)->grown());
      auto* base = const_cast<std::uint8_t*>(memory.data());
      auto with = PrivatePages::open(true), without = PrivatePages::open(false);
      ASSERT_TRUE(with && without);
      EXPECT_FALSE(without->uses_ioctl());
      const auto a = pages(**with->find(base, memory.size()), base),
                 b = pages(**without->find(base, memory.size()), base);
      EXPECT_EQ(a, b);
      EXPECT_GT(a.size(), 10u);
      const auto pristine = world.image->pristine();
      for (std::size_t at = 0; at < memory.size(); at += kPage)
        if (std::memcmp(memory.data() + at, pristine.data() + at, kPage) != 0) {
          ASSERT_TRUE(a.contains(at / kPage)) << "page " << at / kPage << " differs and was not found";
        }
      ASSERT_TRUE((*cell)->reset());
      ASSERT_EQ(difference(*world.image, **cell), "");
    }
    host.finish();
  });
}

}  // namespace
}  // namespace hotcell::wasi
