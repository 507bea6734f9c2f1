#include "wasi/module_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <stdexcept>
#include <vector>

#include "base/file.h"
#include "binary_wat.h"

namespace hotcell::wasi {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;
constexpr std::size_t kHeaderBytes = 48;

class ModuleCacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "hotcell-cache-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    directory_ = root_ / "modules";
  }
  void TearDown() override { fs::remove_all(root_); }

  ModuleCache open(ModuleCacheLimits limits = {}) {
    auto cache = ModuleCache::open(directory_, limits);
    if (!cache) throw std::runtime_error(cache.error().message);
    return std::move(*cache);
  }
  fs::path file(const ModuleCache& cache, const ModuleKey& key) { return directory_ / cache.file_name(key); }
  std::size_t files() {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()));
  }

  static ModuleKey key(std::string_view module) {
    return {.wasm = sha256(module), .flags = "fuel=0", .wasmtime_version = "48.0.8", .cpu = "avx2"};
  }
  static Bytes content(std::size_t size, std::uint8_t seed) {
    Bytes out(size);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(seed + i * 7 + (i >> 8));
    return out;
  }
  static Bytes bytes_of(const fs::path& path) {
    const auto text = read_file(path, 1 << 30).value();
    return Bytes(text.begin(), text.end());
  }
  static void overwrite(const fs::path& path, std::span<const std::uint8_t> bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  static Bytes read_back(const Fd& fd) {
    struct stat st{};
    fstat(fd.get(), &st);
    Bytes out(static_cast<std::size_t>(st.st_size));
    EXPECT_EQ(pread(fd.get(), out.data(), out.size(), 0), static_cast<ssize_t>(out.size()));
    return out;
  }
  static void expect_refused(const ModuleCache& cache, const ModuleKey& wanted, std::string_view why) {
    std::string refusal;
    const auto found = cache.find(wanted, &refusal);
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_FALSE(found->has_value()) << "an entry was accepted that had to be refused: " << why;
    EXPECT_NE(refusal.find(why), std::string::npos) << refusal;
  }

  fs::path root_, directory_;
};

TEST_F(ModuleCacheTest, finds_what_was_stored_and_nothing_else) {
  const auto cache = open();
  const Bytes compiled = content(200'000, 1);
  std::string refusal = "left over";
  EXPECT_FALSE(cache.find(key("a"), &refusal).value().has_value());
  EXPECT_EQ(refusal, "");
  ASSERT_TRUE(cache.store(key("a"), compiled).has_value());
  const auto found = cache.find(key("a")).value();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(read_back(*found), compiled);
  EXPECT_FALSE(cache.find(key("b")).value().has_value());
  EXPECT_EQ(read_back(*open().find(key("a")).value()), compiled) << "another process, later";
}

TEST_F(ModuleCacheTest, what_is_found_can_be_loaded_by_wasmtime_as_code) {
  const auto wasm = testing::wat("(module (func (export \"f\") (result i32) (i32.const 42)))");
  const std::unique_ptr<wasm_engine_t, void (*)(wasm_engine_t*)> engine(wasm_engine_new(), wasm_engine_delete);
  wasmtime_module_t* compiled = nullptr;
  ASSERT_EQ(wasmtime_module_new(engine.get(), wasm.data(), wasm.size(), &compiled), nullptr);
  wasm_byte_vec_t native;
  ASSERT_EQ(wasmtime_module_serialize(compiled, &native), nullptr);
  wasmtime_module_delete(compiled);
  const auto cache = open();
  ASSERT_TRUE(cache.store(key("f"), {reinterpret_cast<const std::uint8_t*>(native.data), native.size}).has_value());
  wasm_byte_vec_delete(&native);

  const auto found = cache.find(key("f")).value();
  ASSERT_TRUE(found.has_value());
  const std::string path = "/proc/self/fd/" + std::to_string(found->get());
  wasmtime_module_t* loaded = nullptr;
  ASSERT_EQ(wasmtime_module_deserialize_file(engine.get(), path.c_str(), &loaded), nullptr);
  const std::unique_ptr<wasmtime_store_t, void (*)(wasmtime_store_t*)> store(
      wasmtime_store_new(engine.get(), nullptr, nullptr), wasmtime_store_delete);
  wasmtime_context_t* context = wasmtime_store_context(store.get());
  wasmtime_instance_t instance;
  wasm_trap_t* trap = nullptr;
  ASSERT_EQ(wasmtime_instance_new(context, loaded, nullptr, 0, &instance, &trap), nullptr);
  wasmtime_extern_t function;
  ASSERT_TRUE(wasmtime_instance_export_get(context, &instance, "f", 1, &function));
  wasmtime_val_t result;
  ASSERT_EQ(wasmtime_func_call(context, &function.of.func, nullptr, 0, &result, 1, &trap), nullptr);
  EXPECT_EQ(result.of.i32, 42);
  wasmtime_module_delete(loaded);
}

TEST_F(ModuleCacheTest, an_empty_module_is_an_entry_too) {
  const auto cache = open();
  ASSERT_TRUE(cache.store(key("a"), {}).has_value());
  const auto found = cache.find(key("a")).value();
  ASSERT_TRUE(found.has_value());
  EXPECT_TRUE(read_back(*found).empty());
}

TEST_F(ModuleCacheTest, every_field_of_the_key_makes_another_entry) {
  const auto cache = open();
  const ModuleKey base = key("a");
  ASSERT_TRUE(cache.store(base, content(10, 1)).has_value());
  std::vector<ModuleKey> others(5, base);
  others[0].wasm[31] ^= 1;
  others[1].flags = "fuel=1";
  others[2].wasmtime_version = "48.0.9";
  others[3].cpu = "avx512";
  others[4].flags = "fuel=048.0.8";  // the same bytes in a row, divided otherwise
  others[4].wasmtime_version = "";
  for (const auto& other : others) {
    EXPECT_NE(cache.file_name(other), cache.file_name(base));
    EXPECT_FALSE(cache.find(other).value().has_value());
  }
}

TEST_F(ModuleCacheTest, hands_out_memory_that_nobody_can_change_any_more) {
  const auto cache = open();
  auto stored = cache.store(key("a"), content(5000, 1));
  ASSERT_TRUE(stored.has_value());
  auto found = cache.find(key("a")).value();
  ASSERT_TRUE(found.has_value());
  for (const int fd : {stored->get(), found->get()}) {
    EXPECT_EQ(fcntl(fd, F_GET_SEALS) & (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
              F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    EXPECT_EQ(pwrite(fd, "x", 1, 0), -1);
    EXPECT_EQ(ftruncate(fd, 0), -1);
    EXPECT_EQ(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 0) << "positioned at the content";
    void* code = mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    EXPECT_NE(code, MAP_FAILED) << "compiled code is there to be executed";
    if (code != MAP_FAILED) munmap(code, 4096);
  }
  // Later damage on disk does not reach what was handed out.
  overwrite(file(cache, key("a")), content(100, 9));
  EXPECT_EQ(read_back(*found), content(5000, 1));
}

TEST_F(ModuleCacheTest, an_entry_truncated_anywhere_is_refused_and_deleted) {
  const auto cache = open();
  ASSERT_TRUE(cache.store(key("a"), content(100, 1)).has_value());
  const fs::path path = file(cache, key("a"));
  const Bytes whole = bytes_of(path);
  ASSERT_EQ(whole.size(), kHeaderBytes + 100);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    overwrite(path, std::span(whole).first(size));
    expect_refused(cache, key("a"),
                   size < kHeaderBytes ? "cut off inside its header" : "its length is not what it claims");
    EXPECT_FALSE(fs::exists(path)) << size;
  }
  Bytes longer = whole;
  longer.push_back(0);
  overwrite(path, longer);
  expect_refused(cache, key("a"), "its length is not what it claims");
  overwrite(path, whole);  // the control: the same bytes untouched are accepted
  EXPECT_TRUE(cache.find(key("a")).value().has_value());
}

TEST_F(ModuleCacheTest, any_flipped_bit_is_refused) {
  const auto cache = open();
  ASSERT_TRUE(cache.store(key("a"), content(64, 1)).has_value());
  const fs::path path = file(cache, key("a"));
  const Bytes whole = bytes_of(path);
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes altered = whole;
    altered[bit / 8] = static_cast<std::uint8_t>(altered[bit / 8] ^ (1u << (bit % 8)));
    overwrite(path, altered);
    std::string refusal;
    ASSERT_FALSE(cache.find(key("a"), &refusal).value().has_value()) << "bit " << bit;
    ASSERT_NE(refusal, "");
    ASSERT_FALSE(fs::exists(path));
  }
}

TEST_F(ModuleCacheTest, content_that_is_cut_with_its_length_adjusted_is_refused) {
  const auto cache = open();
  ASSERT_TRUE(cache.store(key("a"), content(64, 1)).has_value());
  const fs::path path = file(cache, key("a"));
  Bytes shorter = bytes_of(path);
  shorter.pop_back();
  shorter[8] = 63;
  overwrite(path, shorter);
  expect_refused(cache, key("a"), "altered");
}

TEST_F(ModuleCacheTest, a_length_past_the_cap_is_refused_before_anything_is_read) {
  const auto cache = open({.max_entry_bytes = 100});
  ASSERT_TRUE(cache.store(key("a"), content(100, 1)).has_value());
  Bytes huge = bytes_of(file(cache, key("a")));
  std::fill(huge.begin() + 8, huge.begin() + 16, std::uint8_t{0xff});
  overwrite(file(cache, key("a")), huge);
  expect_refused(cache, key("a"), "larger than any entry");
  const auto refused = cache.store(key("b"), content(101, 1));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, "module_too_large");
}

TEST_F(ModuleCacheTest, an_entry_copied_to_the_name_of_another_is_refused) {
  const auto cache = open();
  ASSERT_TRUE(cache.store(key("harmless"), content(100, 1)).has_value());
  fs::copy_file(file(cache, key("harmless")), file(cache, key("victim")));
  expect_refused(cache, key("victim"), "another module");
  EXPECT_TRUE(cache.find(key("harmless")).value().has_value());
}

TEST_F(ModuleCacheTest, entries_of_another_installation_are_refused) {
  const ModuleCache ours = open();
  directory_ = root_ / "foreign";
  const ModuleCache foreign = open();
  ASSERT_TRUE(foreign.store(key("a"), content(100, 1)).has_value());
  fs::copy_file(file(foreign, key("a")), root_ / "modules" / ours.file_name(key("a")));
  expect_refused(ours, key("a"), "another installation");
}

TEST_F(ModuleCacheTest, after_the_key_was_replaced_no_old_entry_is_accepted) {
  std::string old_name;
  {
    const auto cache = open();
    ASSERT_TRUE(cache.store(key("a"), content(100, 1)).has_value());
    old_name = cache.file_name(key("a"));
  }
  fs::remove(directory_ / "key");
  const auto cache = open();
  EXPECT_FALSE(cache.find(key("a")).value().has_value());
  fs::rename(directory_ / old_name, file(cache, key("a")));
  expect_refused(cache, key("a"), "another installation");
}

TEST_F(ModuleCacheTest, links_and_other_kinds_of_files_in_place_of_an_entry_are_refused) {
  const auto cache = open();
  ASSERT_TRUE(cache.store(key("a"), content(100, 1)).has_value());
  fs::create_symlink(file(cache, key("a")), file(cache, key("b")));
  expect_refused(cache, key("b"), "symbolic link");
  ASSERT_EQ(mkfifo(file(cache, key("c")).c_str(), 0600), 0);
  expect_refused(cache, key("c"), "not a regular file");
}

TEST_F(ModuleCacheTest, the_key_and_the_entries_are_for_the_owner_alone) {
  const auto cache = open();
  ASSERT_TRUE(cache.store(key("a"), content(100, 1)).has_value());
  const auto mode = [](const fs::path& path) {
    struct stat st{};
    EXPECT_EQ(stat(path.c_str(), &st), 0);
    return st.st_mode & 07777;
  };
  EXPECT_EQ(mode(directory_), 0700u);
  EXPECT_EQ(mode(directory_ / "key"), 0600u);
  EXPECT_EQ(mode(file(cache, key("a"))), 0600u);
  EXPECT_EQ(fs::file_size(directory_ / "key"), 32u);
}

TEST_F(ModuleCacheTest, a_key_that_others_can_read_is_refused) {
  (void)open();
  for (const unsigned mode : {0604u, 0640u, 0602u, 0644u}) {
    ASSERT_EQ(chmod((directory_ / "key").c_str(), mode), 0);
    const auto refused = ModuleCache::open(directory_);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, "untrusted_path");
  }
  ASSERT_EQ(chmod((directory_ / "key").c_str(), 0600), 0);
  EXPECT_TRUE(ModuleCache::open(directory_).has_value());
}

TEST_F(ModuleCacheTest, a_key_of_a_wrong_length_or_kind_is_refused) {
  (void)open();
  for (const std::size_t size : {0u, 31u, 33u}) {
    overwrite(directory_ / "key", Bytes(size));
    EXPECT_FALSE(ModuleCache::open(directory_).has_value()) << size;
  }
  fs::rename(directory_ / "key", root_ / "elsewhere");
  fs::create_symlink(root_ / "elsewhere", directory_ / "key");
  EXPECT_FALSE(ModuleCache::open(directory_).has_value());
}

TEST_F(ModuleCacheTest, a_directory_that_others_can_write_to_is_refused) {
  (void)open();
  for (const unsigned mode : {0777u, 0770u, 0702u, 01777u}) {
    ASSERT_EQ(chmod(directory_.c_str(), mode), 0);
    const auto refused = ModuleCache::open(directory_);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, "untrusted_path");
  }
  ASSERT_EQ(chmod(directory_.c_str(), 0755), 0);
  EXPECT_TRUE(ModuleCache::open(directory_).has_value());
}

TEST_F(ModuleCacheTest, replacing_the_directory_after_it_was_opened_changes_nothing) {
  const auto cache = open();
  ASSERT_TRUE(cache.store(key("a"), content(100, 1)).has_value());
  fs::rename(directory_, root_ / "moved");
  fs::create_directory(directory_);
  EXPECT_TRUE(cache.find(key("a")).value().has_value());
  ASSERT_TRUE(cache.store(key("b"), content(100, 2)).has_value());
  EXPECT_EQ(files(), 0u);
  EXPECT_TRUE(fs::exists(root_ / "moved" / cache.file_name(key("b"))));
}

TEST_F(ModuleCacheTest, past_the_bound_the_least_recently_used_entries_go) {
  const auto cache = open({.max_total_bytes = 3 * (kHeaderBytes + 1000)});
  const auto age = [&](const char* name, long seconds_ago) {
    const timespec then = {time(nullptr) - seconds_ago, 0};
    const timespec times[] = {then, then};
    ASSERT_EQ(utimensat(AT_FDCWD, file(cache, key(name)).c_str(), times, 0), 0);
  };
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(cache.store(key(name), content(1000, 1)).has_value());
  age("a", 3000);
  age("b", 2000);
  age("c", 1000);
  EXPECT_TRUE(cache.find(key("a")).value().has_value());  // used: now the youngest
  ASSERT_TRUE(cache.store(key("d"), content(1000, 1)).has_value());
  EXPECT_TRUE(fs::exists(file(cache, key("a"))));
  EXPECT_FALSE(fs::exists(file(cache, key("b"))));
  EXPECT_TRUE(fs::exists(file(cache, key("c"))));
  EXPECT_TRUE(fs::exists(file(cache, key("d"))));
}

TEST_F(ModuleCacheTest, an_entry_larger_than_the_whole_bound_still_gives_something_to_run) {
  const auto cache = open({.max_total_bytes = 500});
  auto stored = cache.store(key("a"), content(1000, 1));
  ASSERT_TRUE(stored.has_value());
  EXPECT_EQ(read_back(*stored), content(1000, 1));
  EXPECT_FALSE(cache.find(key("a")).value().has_value());
}

TEST_F(ModuleCacheTest, sweeping_removes_abandoned_temporary_files_and_leaves_young_and_foreign_ones) {
  const auto cache = open();
  ASSERT_TRUE(cache.store(key("a"), content(10, 1)).has_value());
  const fs::path abandoned = file(cache, key("b")).string() + ".aB3xYz";
  const fs::path young = file(cache, key("c")).string() + ".aB3xYz";
  const fs::path foreign = directory_ / "README.aB3xYz";
  for (const auto& path : {abandoned, young, foreign}) overwrite(path, content(10, 1));
  const timespec old = {time(nullptr) - 3600, 0};
  const timespec times[] = {old, old};
  for (const auto& path : {abandoned, foreign, directory_ / "key", file(cache, key("a"))})
    ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  ASSERT_TRUE(cache.sweep().has_value());
  EXPECT_FALSE(fs::exists(abandoned));
  EXPECT_TRUE(fs::exists(young));
  EXPECT_TRUE(fs::exists(foreign));
  EXPECT_TRUE(fs::exists(directory_ / "key"));
  EXPECT_TRUE(fs::exists(file(cache, key("a"))));
}

TEST_F(ModuleCacheTest, processes_that_start_at_once_agree_on_one_key_and_one_entry) {
  constexpr int kProcesses = 8;
  const Bytes compiled = content(300'000, 5);
  int go[2];
  ASSERT_EQ(pipe(go), 0);
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(go[1]);
      char byte;
      (void)!read(go[0], &byte, 1);  // end of file: everybody starts
      auto cache = ModuleCache::open(directory_);
      if (!cache) _exit(1);
      for (int round = 0; round < 20; ++round) {
        if (!cache->store(key("same"), compiled)) _exit(2);
        std::string refusal;
        auto found = cache->find(key("same"), &refusal);
        if (!found || !*found || !refusal.empty()) _exit(3);
        if (read_back(**found) != compiled) _exit(4);
      }
      _exit(0);
    }
    children.push_back(child);
  }
  close(go[0]);
  close(go[1]);
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
  }
  EXPECT_EQ(files(), 2u) << "the key and the entry, and nothing temporary";
  EXPECT_TRUE(open().find(key("same")).value().has_value());
}

TEST_F(ModuleCacheTest, a_writer_killed_at_any_moment_leaves_no_half_written_entry) {
  const Bytes compiled = content(3'000'000, 5);
  (void)open();
  for (int round = 0; round < 25; ++round) {
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto cache = ModuleCache::open(directory_);
      (void)!write(ready[1], "x", 1);
      for (;;) (void)cache->store(key("a"), compiled);
    }
    char byte;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
    usleep(static_cast<useconds_t>(round) * 700);  // not waiting for anything: the moment of the kill varies
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    close(ready[0]);
    close(ready[1]);
    std::string refusal;
    const auto found = open().find(key("a"), &refusal);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(refusal, "");
    if (*found) {
      EXPECT_EQ(read_back(**found), compiled);
    }
  }
}

}  // namespace
}  // namespace hotcell::wasi
