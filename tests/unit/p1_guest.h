// A guest for tests: 64 KiB of memory, a file system, and calls by name through the table that the engine binds.
#pragma once
#include <gtest/gtest.h>

#include <initializer_list>
#include <map>
#include <string>

#include "fs_helpers.h"
#include "wasi/p1/host.h"

namespace hotcell::wasi::testing {

struct Collector : OutputSink {
  std::map<int, std::string> text;
  Errno next = Errno::kSuccess;
  Errno write(int stream, std::span<const std::byte> bytes) override {
    if (next != Errno::kSuccess) return next;
    text[stream].append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Errno::kSuccess;
  }
};

struct GuestTest : ::testing::Test {
  static constexpr std::uint32_t kSize = 65536;
  static constexpr std::uint32_t kRoot = 3;  // the preopened directory
  static constexpr std::uint32_t kOut = 64;  // where results go
  static constexpr std::uint32_t kScratch = 4096;

  std::vector<std::byte> bytes = std::vector<std::byte>(kSize);
  GuestMemory memory{bytes.data(), bytes.size()};
  Vfs vfs;
  Collector output;
  HostConfig config;
  Host host;

  void SetUp() override {
    config.fs = &vfs;
    config.output = &output;
    restart();
  }
  void restart() {
    const auto started = host.start(config);
    ASSERT_TRUE(started) << started.error().message;
    brk = kScratch;
  }

  static const Function& function(std::string_view name) {
    for (const Function& candidate : functions()) {
      if (candidate.name == name) return candidate;
    }
    throw std::runtime_error("no such function");
  }
  CallResult result_of(std::string_view name, std::initializer_list<std::uint64_t> args) {
    const Function& called = function(name);
    if (called.params.size() != args.size()) throw std::runtime_error("wrong number of arguments");
    // As an engine would: the high half of an i32 is undefined.
    std::vector<std::uint64_t> raw;
    for (const std::uint64_t arg : args)
      raw.push_back(called.params[raw.size()] == 'i' ? (arg & 0xffffffff) | 0xdeadbeef00000000 : arg);
    return called.call(host, memory, raw.data());
  }
  Errno call(std::string_view name, std::initializer_list<std::uint64_t> args) { return result_of(name, args).error; }

  // ---- guest memory ----
  std::uint32_t brk = kScratch;
  struct Text {
    std::uint32_t at, size;
  };
  Text text(std::string_view value) {
    if (brk + value.size() > kSize) brk = kScratch;
    std::memcpy(bytes.data() + brk, value.data(), value.size());
    const Text out{brk, static_cast<std::uint32_t>(value.size())};
    brk += out.size;
    return out;
  }
  template <class T>
  T load(std::uint32_t at) {
    T out{};
    EXPECT_TRUE(memory.load(at, out));
    return out;
  }
  std::uint32_t out32() { return load<std::uint32_t>(kOut); }
  std::uint64_t out64() { return load<std::uint64_t>(kOut); }
  std::string string_at(std::uint32_t at, std::size_t size) {
    return {reinterpret_cast<const char*>(bytes.data()) + at, size};
  }
  // An iovec array with one element.
  std::uint32_t iovec(std::uint32_t buffer, std::uint32_t length) {
    memory.store(1024, abi::Iovec{buffer, length});
    return 1024;
  }

  // ---- the usual calls ----
  static constexpr std::uint64_t kReadWrite = abi::rights::kFdRead | abi::rights::kFdWrite;
  Errno open(std::string_view path, std::uint32_t oflags = 0, std::uint64_t rights = kReadWrite,
             std::uint32_t flags = 0, std::uint32_t lookup = 1, std::uint32_t fd = kRoot) {
    const Text p = text(path);
    return call("path_open", {fd, lookup, p.at, p.size, oflags, rights, abi::rights::kAll, flags, kOut});
  }
  std::uint32_t opened(std::string_view path, std::uint32_t oflags = 0, std::uint64_t rights = kReadWrite,
                       std::uint32_t flags = 0) {
    EXPECT_EQ(open(path, oflags, rights, flags), Errno::kSuccess) << path;
    return out32();
  }
  Errno write(std::uint32_t fd, std::string_view value) {
    const Text t = text(value);
    return call("fd_write", {fd, iovec(t.at, t.size), 1, kOut});
  }
  std::string read(std::uint32_t fd, std::uint32_t size = 1000) {
    const Errno error = call("fd_read", {fd, iovec(32768, size), 1, kOut});
    if (error != Errno::kSuccess) return "error " + std::to_string(static_cast<int>(error));
    return string_at(32768, out32());
  }
  Errno path_call(std::string_view name, std::string_view path, std::uint32_t fd = kRoot) {
    const Text p = text(path);
    return call(name, {fd, p.at, p.size});
  }
  abi::Filestat filestat(std::uint32_t fd) {
    EXPECT_EQ(call("fd_filestat_get", {fd, kOut}), Errno::kSuccess);
    return load<abi::Filestat>(kOut);
  }
};

}  // namespace hotcell::wasi::testing
