// Fuzzes the WASI host: a sequence of host calls with raw arguments over 64 KiB of guest memory that the input fills.
//
// Input: records. The first byte of a record chooses: 0xff + u16 address + u8 length + bytes writes guest memory; any
// other byte is a function (modulo 46), followed by one byte for each argument and, where that byte says so, by its raw
// value. Most raw 32-bit values would be bad pointers, so an argument byte can also name a small number, a slot of
// memory, or one of a few extremes. Every function therefore is one or two mutations away from every other state.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "wasi/p1/host.h"

namespace {

using namespace hotcell::wasi;

constexpr std::uint32_t kSize = 65536;

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
  bool empty() const { return left_ == 0; }
  std::uint8_t byte() { return raw<std::uint8_t>(); }
  template <class T>
  T raw() {
    T out{};
    const std::size_t count = left_ < sizeof out ? left_ : sizeof out;
    if (count > 0) std::memcpy(&out, data_, count);
    data_ += count;
    left_ -= count;
    return out;
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

struct Sink : OutputSink {
  std::uint64_t sum = 0;
  Errno write(int, std::span<const std::byte> bytes) override {
    for (const std::byte b : bytes) sum += static_cast<std::uint8_t>(b);  // touches every byte
    return Errno::kSuccess;
  }
};

std::uint64_t argument(Input& input, bool wide) {
  const std::uint8_t how = input.byte();
  if (how < 128) return how % 40;                   // descriptors, flags, lengths
  if (how < 224) return (how - 128u) * 256u;        // places in memory
  if (how < 240) return kSize - (how - 224u) * 4u;  // the end of memory
  constexpr std::uint64_t kExtremes[] = {0xffffffff, 0xfffffffe, 0x80000000, 0x7fffffff, kSize + 1, UINT64_MAX,
                                         INT64_MAX,  0x40000000, 4096,       4097,       100'000};
  if (how < 251) return kExtremes[how - 240];
  return wide ? input.raw<std::uint64_t>() : input.raw<std::uint32_t>();
}

std::string small_pack() {
  // usr/lib/a and usr/lib/b/c: as a program would find a standard library.
  const std::string names = "usr/lib/ausr/lib/b/c";
  std::string out("HCPACK1\n\2\0\0\0\0\0\0\0", 16);
  const auto u64 = [&out](std::uint64_t value) { out.append(reinterpret_cast<const char*>(&value), 8); };
  const std::uint64_t base = 16 + 2 * 32;
  u64(base), u64(9), u64(base), u64(5);
  u64(base + 9), u64(11), u64(base), u64(20);
  return out + names;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string pack_bytes = small_pack();
  static const Pack pack = *Pack::open(std::as_bytes(std::span(pack_bytes)));
  static const std::string stdin_text = "line one\nline two\n";
  static const std::string given(9000, 'g');
  static const std::vector<std::string> strings = {"prog", "argument", ""};
  static const Preopen preopens[] = {{.name = "/", .path = "/"}, {.name = "/work", .path = "/workspace"}};

  Input input(data, size);
  const std::uint8_t mode = input.byte();
  Vfs vfs({.max_bytes = 256 << 10, .max_nodes = 64, .max_depth = 8, .read_only = (mode & 1) != 0}, 1);
  if (!vfs.mount_pack("/", pack) || !vfs.add_file("/workspace/given", std::as_bytes(std::span(given)))) abort();
  Sink sink;
  Host host;
  HostConfig config;
  config.args = config.env = strings;
  config.stdin_bytes = std::as_bytes(std::span(stdin_text));
  config.output = &sink;
  config.fs = &vfs;
  config.preopens = preopens;
  config.max_open_files = 12;
  config.seed = 1;
  config.allow_clock = (mode & 2) == 0;
  config.virtual_time_limit_ns = 1'000'000'000'000;
  if (!host.start(config)) abort();

  // Its own allocation, exactly as large as the guest thinks: one byte too many is seen.
  const auto bytes = std::make_unique<std::byte[]>(kSize);
  const GuestMemory memory{bytes.get(), kSize};
  const char paths[] = "workspace/given\0tmp/a\0tmp/b\0tmp/a/c\0usr/lib/b/c\0..\0workspace\0a\0b\0/";
  for (std::uint32_t slot = 0; slot < 96; ++slot) std::memcpy(bytes.get() + slot * 256, paths, sizeof paths);

  const auto table = functions();
  for (int calls = 0; calls < 2000 && !input.empty(); ++calls) {
    const std::uint8_t what = input.byte();
    if (what == 0xff) {
      const std::uint32_t address = input.raw<std::uint16_t>();
      const std::uint32_t length = input.byte();
      for (std::uint32_t i = 0; i < length && address + i < kSize; ++i) bytes[address + i] = std::byte{input.byte()};
      continue;
    }
    const Function& function = table[what % table.size()];
    std::uint64_t args[10] = {};
    for (std::size_t i = 0; i < function.params.size(); ++i) args[i] = argument(input, function.params[i] == 'I');
    if (function.call(host, memory, args).stop) break;
    if (vfs.ledger().bytes > vfs.options().max_bytes || vfs.ledger().nodes > vfs.options().max_nodes) abort();
  }

  // What is collected afterwards must hold together too.
  std::byte buffer[512];
  for (const auto& [change, item] : vfs.changed("/").list) {
    if (item.node && !vfs.read(*item.node, 0, buffer)) abort();
  }
  host.finish();
  std::uint64_t links = 0;
  for (const auto& [change, item] : vfs.all().list) links += item.node != nullptr;
  // With everything closed the books must balance: each entry that isn't the file system's own was paid for.
  if (links != vfs.ledger().nodes + 2) abort();
  return 0;
}
