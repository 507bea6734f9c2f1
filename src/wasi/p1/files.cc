// The functions that work on an open descriptor.
#include <algorithm>
#include <array>

#include "wasi/p1/host.h"

namespace hotcell::wasi {
namespace {

constexpr std::uint32_t kMaxBuffers = 1024;  // IOV_MAX

}  // namespace

Host::Descriptor* Host::find(U32 fd) {
  return fd < descriptors_.size() && descriptors_[fd].kind != Kind::kFree ? &descriptors_[fd] : nullptr;
}

Result<Host::U32> Host::lowest_free() {
  for (std::size_t fd = 0; fd < descriptors_.size(); ++fd) {
    if (descriptors_[fd].kind == Kind::kFree) return static_cast<U32>(fd);
  }
  if (descriptors_.size() >= config_.max_open_files) return fail_with(Errno::kMfile);
  descriptors_.emplace_back();
  return static_cast<U32>(descriptors_.size() - 1);
}

// A regular file, for what makes no sense on a stream or a directory.
Result<Host::Descriptor*> Host::file(U32 fd) {
  Descriptor* descriptor = find(fd);
  if (!descriptor) return fail_with(Errno::kBadf);
  if (descriptor->kind == Kind::kDirectory) return fail_with(Errno::kBadf);
  if (descriptor->kind != Kind::kFile) return fail_with(Errno::kSpipe);
  return descriptor;
}

// Takes the buffers in order until `each` takes less than it was offered. The list is copied first: the guest's memory
// may change while it is being written to, the list included.
template <class Each>
Errno Host::transfer(const Memory& memory, U32 iovs, U32 count, U32 out, Each&& each) {
  if (count > kMaxBuffers) return Errno::kInval;
  if (!memory.has(iovs, U64{count} * sizeof(abi::Iovec)) || !memory.has(out, sizeof(U32))) return Errno::kFault;
  std::array<abi::Iovec, kMaxBuffers> buffers;
  std::memcpy(buffers.data(), memory.base + iovs, count * sizeof(abi::Iovec));
  const std::span list(buffers.data(), count);
  for (const auto& [buffer, length] : list) {
    if (!memory.has(buffer, length)) return Errno::kFault;
  }
  // Thousands of buffers may name the same bytes; one call moves no more than the memory holds.
  U64 left = std::min<U64>(memory.size, INT32_MAX);
  U32 total = 0;
  for (const auto& [buffer, length] : list) {
    const auto offered = static_cast<std::size_t>(std::min<U64>(length, left));
    if (offered == 0) continue;
    const Result<std::size_t> taken = each(std::span(memory.base + buffer, offered));
    if (!taken) {
      if (total == 0) return taken.error();
      break;
    }
    total += static_cast<U32>(*taken);
    left -= *taken;
    if (*taken < offered) break;
  }
  memory.store(out, total);
  return Errno::kSuccess;
}

Errno Host::read_at(const Memory& memory, Descriptor& from, U32 iovs, U32 count, U64& offset, U32 out) {
  if ((from.rights_base & abi::rights::kFdRead) == 0) return Errno::kBadf;
  Node& node = *from.node;
  return transfer(memory, iovs, count, out, [&](std::span<std::byte> buffer) {
    const auto taken = config_.fs->read(node, offset, buffer);
    if (taken) offset += *taken;
    return taken;
  });
}

Errno Host::write_at(const Memory& memory, Descriptor& to, U32 iovs, U32 count, U64& offset, U32 out) {
  if ((to.rights_base & abi::rights::kFdWrite) == 0) return Errno::kBadf;
  Node& node = *to.node;
  return transfer(memory, iovs, count, out, [&](std::span<const std::byte> buffer) {
    const auto taken = config_.fs->write(node, offset, buffer);
    if (taken) offset += *taken;
    return taken;
  });
}

Errno Host::fd_read(Memory memory, U32 fd, U32 iovs, U32 count, U32 out) {
  Descriptor* descriptor = find(fd);
  if (!descriptor) return Errno::kBadf;
  switch (descriptor->kind) {
    case Kind::kFile:
      return read_at(memory, *descriptor, iovs, count, descriptor->offset, out);
    case Kind::kDirectory:
      return Errno::kIsdir;
    case Kind::kStdin:
      break;
    default:
      return Errno::kBadf;
  }
  if ((descriptor->rights_base & abi::rights::kFdRead) == 0) return Errno::kBadf;
  bool waited = false;
  return transfer(memory, iovs, count, out, [&](std::span<std::byte> buffer) -> Result<std::size_t> {
    // Waits once at most: what is there is handed out, as a read from a pipe does.
    if (!waited && !buffer.empty() && !fill_stdin()) return fail_with(Errno::kIntr);
    waited = true;
    const std::size_t taken = std::min(buffer.size(), config_.stdin_bytes.size() - stdin_position_);
    if (taken > 0) std::memcpy(buffer.data(), config_.stdin_bytes.data() + stdin_position_, taken);
    stdin_position_ += taken;
    return taken;
  });
}

bool Host::fill_stdin() {
  if (stdin_position_ < config_.stdin_bytes.size() || !config_.more_input) return true;
  const auto more = config_.more_input->more();
  if (!more) {
    stop_ = Stop::kInterrupted;
    return false;
  }
  config_.stdin_bytes = *more;
  stdin_position_ = 0;
  if (more->empty()) config_.more_input = nullptr;  // the end is the end, however often it is asked for
  return true;
}

Errno Host::fd_write(Memory memory, U32 fd, U32 iovs, U32 count, U32 out) {
  Descriptor* descriptor = find(fd);
  if (!descriptor) return Errno::kBadf;
  if (descriptor->kind == Kind::kFile) {
    U64& offset = descriptor->offset;
    if ((descriptor->flags & abi::fdflags::kAppend) == 0)
      return write_at(memory, *descriptor, iovs, count, offset, out);
    offset = config_.fs->size(*descriptor->node);
    return write_at(memory, *descriptor, iovs, count, offset, out);
  }
  if (descriptor->kind != Kind::kOutput || (descriptor->rights_base & abi::rights::kFdWrite) == 0) return Errno::kBadf;
  const int stream = descriptor->stream;
  return transfer(memory, iovs, count, out, [&](std::span<const std::byte> buffer) -> Result<std::size_t> {
    if (!config_.output) return buffer.size();
    const Errno error = config_.output->write(stream, buffer);
    if (error != Errno::kSuccess) return fail_with(error);
    return buffer.size();
  });
}

Errno Host::fd_pread(Memory memory, U32 fd, U32 iovs, U32 count, U64 offset, U32 out) {
  Descriptor* descriptor = find(fd);
  if (descriptor && descriptor->kind == Kind::kDirectory) return Errno::kIsdir;
  const auto regular = file(fd);
  if (!regular) return regular.error();
  if (offset > static_cast<U64>(INT64_MAX)) return Errno::kInval;
  return read_at(memory, **regular, iovs, count, offset, out);
}

Errno Host::fd_pwrite(Memory memory, U32 fd, U32 iovs, U32 count, U64 offset, U32 out) {
  const auto regular = file(fd);
  if (!regular) return regular.error();
  if (offset > static_cast<U64>(INT64_MAX)) return Errno::kInval;
  return write_at(memory, **regular, iovs, count, offset, out);
}

Errno Host::fd_seek(Memory memory, U32 fd, U64 offset, U32 whence, U32 out) {
  const auto regular = file(fd);
  if (!regular) return regular.error();
  Descriptor& descriptor = **regular;
  if (!memory.has(out, sizeof(U64))) return Errno::kFault;
  std::int64_t from = 0;
  switch (whence) {
    case static_cast<U32>(abi::Whence::kSet):
      break;
    case static_cast<U32>(abi::Whence::kCurrent):
      from = static_cast<std::int64_t>(descriptor.offset);
      break;
    case static_cast<U32>(abi::Whence::kEnd):
      from = static_cast<std::int64_t>(config_.fs->size(*descriptor.node));
      break;
    default:
      return Errno::kInval;
  }
  std::int64_t position = 0;
  if (__builtin_add_overflow(from, static_cast<std::int64_t>(offset), &position)) return Errno::kOverflow;
  if (position < 0) return Errno::kInval;
  descriptor.offset = static_cast<U64>(position);
  memory.store(out, descriptor.offset);
  return Errno::kSuccess;
}

Errno Host::fd_tell(Memory memory, U32 fd, U32 out) {
  const auto regular = file(fd);
  if (!regular) return regular.error();
  return memory.store(out, (*regular)->offset) ? Errno::kSuccess : Errno::kFault;
}

Errno Host::fd_close(Memory, U32 fd) {
  Descriptor* descriptor = find(fd);
  if (!descriptor) return Errno::kBadf;
  *descriptor = {};
  return Errno::kSuccess;
}

Errno Host::fd_renumber(Memory, U32 fd, U32 to) {
  Descriptor* from = find(fd);
  Descriptor* target = find(to);
  if (!from || !target) return Errno::kBadf;
  if (from == target) return Errno::kSuccess;
  *target = std::move(*from);
  *from = {};
  return Errno::kSuccess;
}

Errno Host::sync(U32 fd) {
  const Descriptor* descriptor = find(fd);
  if (!descriptor) return Errno::kBadf;
  // As fsync(2) on a pipe. What is in memory is as safe as it will ever be.
  return descriptor->node ? Errno::kSuccess : Errno::kInval;
}

Errno Host::fd_sync(Memory, U32 fd) { return sync(fd); }
Errno Host::fd_datasync(Memory, U32 fd) { return sync(fd); }

Errno Host::fd_advise(Memory, U32 fd, U64 offset, U64 length, U32 advice) {
  const auto regular = file(fd);
  if (!regular) return regular.error();
  if (advice > abi::kLastAdvice || offset > static_cast<U64>(INT64_MAX) || length > static_cast<U64>(INT64_MAX))
    return Errno::kInval;
  return Errno::kSuccess;
}

Errno Host::fd_allocate(Memory, U32 fd, U64 offset, U64 length) {
  const auto regular = file(fd);
  if (!regular) return regular.error();
  if (((*regular)->rights_base & abi::rights::kFdAllocate) == 0) return Errno::kBadf;
  if (offset > static_cast<U64>(INT64_MAX) || length > static_cast<U64>(INT64_MAX)) return Errno::kInval;
  return config_.fs->reserve(*(*regular)->node, offset, length);
}

Errno Host::fd_fdstat_get(Memory memory, U32 fd, U32 out) {
  const Descriptor* descriptor = find(fd);
  if (!descriptor) return Errno::kBadf;
  // Streams are of unknown type, as a pipe is to WASI: a character device would make isatty() true.
  const FileType type = descriptor->node ? config_.fs->type(*descriptor->node) : FileType::kUnknown;
  const abi::Fdstat stat{.type = static_cast<std::uint8_t>(type),
                         .flags = descriptor->flags,
                         .rights_base = descriptor->rights_base,
                         .rights_inheriting = descriptor->rights_inheriting};
  return memory.store(out, stat) ? Errno::kSuccess : Errno::kFault;
}

Errno Host::fd_fdstat_set_flags(Memory, U32 fd, U32 flags) {
  Descriptor* descriptor = find(fd);
  if (!descriptor) return Errno::kBadf;
  if (flags > abi::fdflags::kAll) return Errno::kInval;
  descriptor->flags = static_cast<std::uint16_t>(flags);
  return Errno::kSuccess;
}

Errno Host::fd_fdstat_set_rights(Memory, U32 fd, U64 base, U64 inheriting) {
  Descriptor* descriptor = find(fd);
  if (!descriptor) return Errno::kBadf;
  if ((base & ~descriptor->rights_base) != 0 || (inheriting & ~descriptor->rights_inheriting) != 0)
    return Errno::kNotcapable;
  descriptor->rights_base = base;
  descriptor->rights_inheriting = inheriting;
  return Errno::kSuccess;
}

Errno Host::put_stat(const Memory& memory, const FileStat& stat, U32 out) {
  const abi::Filestat filestat{.device = stat.device,
                               .number = stat.number,
                               .type = static_cast<std::uint8_t>(stat.type),
                               .links = stat.links,
                               .size = stat.size,
                               .atim = stat.atim,
                               .mtim = stat.mtim,
                               .ctim = stat.ctim};
  return memory.store(out, filestat) ? Errno::kSuccess : Errno::kFault;
}

Errno Host::fd_filestat_get(Memory memory, U32 fd, U32 out) {
  const Descriptor* descriptor = find(fd);
  if (!descriptor) return Errno::kBadf;
  if (descriptor->node) return put_stat(memory, config_.fs->stat(*descriptor->node), out);
  return put_stat(memory, {.device = 0, .number = U64{1} + descriptor->stream}, out);
}

Errno Host::fd_filestat_set_size(Memory, U32 fd, U64 size) {
  Descriptor* descriptor = find(fd);
  if (!descriptor) return Errno::kBadf;
  // As ftruncate(2): EINVAL for what isn't a file open for writing.
  if (descriptor->kind != Kind::kFile || (descriptor->rights_base & abi::rights::kFdFilestatSetSize) == 0)
    return Errno::kInval;
  if (size > static_cast<U64>(INT64_MAX)) return Errno::kInval;
  return config_.fs->resize(*descriptor->node, size);
}

Result<FileTimes> Host::times(U64 atim, U64 mtim, U32 flags) {
  using namespace abi::fstflags;
  if (flags > kAll || (flags & (kAtim | kAtimNow)) == (kAtim | kAtimNow) ||
      (flags & (kMtim | kMtimNow)) == (kMtim | kMtimNow))
    return fail_with(Errno::kInval);
  using What = FileTimes::What;
  const auto what = [flags](U32 value, U32 now) {
    return (flags & value) != 0 ? What::kValue : (flags & now) != 0 ? What::kNow : What::kKeep;
  };
  return FileTimes{.atim_what = what(kAtim, kAtimNow), .mtim_what = what(kMtim, kMtimNow), .atim = atim, .mtim = mtim};
}

Errno Host::fd_filestat_set_times(Memory, U32 fd, U64 atim, U64 mtim, U32 flags) {
  Descriptor* descriptor = find(fd);
  if (!descriptor) return Errno::kBadf;
  const auto wanted = times(atim, mtim, flags);
  if (!wanted) return wanted.error();
  return descriptor->node ? config_.fs->set_times(*descriptor->node, *wanted) : Errno::kInval;
}

Errno Host::fd_prestat_get(Memory memory, U32 fd, U32 out) {
  const Descriptor* descriptor = find(fd);
  if (!descriptor || descriptor->preopen < 0) return Errno::kBadf;
  const auto& name = config_.preopens[static_cast<std::size_t>(descriptor->preopen)].name;
  const abi::Prestat prestat{.name_length = static_cast<U32>(name.size())};
  return memory.store(out, prestat) ? Errno::kSuccess : Errno::kFault;
}

Errno Host::fd_prestat_dir_name(Memory memory, U32 fd, U32 path, U32 length) {
  const Descriptor* descriptor = find(fd);
  if (!descriptor || descriptor->preopen < 0) return Errno::kBadf;
  const auto& name = config_.preopens[static_cast<std::size_t>(descriptor->preopen)].name;
  if (length < name.size()) return Errno::kNametoolong;
  if (!memory.has(path, name.size())) return Errno::kFault;
  std::memcpy(memory.base + path, name.data(), name.size());
  return Errno::kSuccess;
}

// Entries are packed one after another; the last one may be cut anywhere. A full buffer tells the guest to come back
// with the cookie of the last entry that it got whole.
Errno Host::fd_readdir(Memory memory, U32 fd, U32 buffer, U32 length, U64 cookie, U32 out) {
  Descriptor* descriptor = find(fd);
  if (!descriptor) return Errno::kBadf;
  if (descriptor->kind != Kind::kDirectory) return Errno::kNotdir;
  const auto bytes = memory.bytes(buffer, length);
  if (!bytes || !memory.has(out, sizeof(U32))) return Errno::kFault;
  std::span<std::byte> left = *bytes;
  const auto put = [&left](const void* data, std::size_t size) {
    size = std::min(size, left.size());
    if (size > 0) std::memcpy(left.data(), data, size);
    left = left.subspan(size);
  };
  while (!left.empty()) {
    Vfs::DirectoryEntry entry;
    const auto more = config_.fs->next_entry(*descriptor->node, cookie, entry);
    if (!more) return more.error();
    if (!*more) break;
    const abi::Dirent dirent{.next = entry.next,
                             .number = entry.number,
                             .name_length = static_cast<U32>(entry.name.size()),
                             .type = static_cast<std::uint8_t>(entry.type)};
    put(&dirent, sizeof dirent);
    put(entry.name.data(), entry.name.size());
    cookie = entry.next;
  }
  memory.store(out, length - static_cast<U32>(left.size()));
  return Errno::kSuccess;
}

}  // namespace hotcell::wasi
