// The functions that take a path, relative to an open directory.
#include <algorithm>

#include "wasi/p1/host.h"

namespace hotcell::wasi {

Result<At> Host::directory(U32 fd) {
  const Descriptor* descriptor = find(fd);
  if (!descriptor) return fail_with(Errno::kBadf);
  if (descriptor->kind != Kind::kDirectory) return fail_with(Errno::kNotdir);
  return At{descriptor->node.get(), descriptor->top};
}

// The path stays in guest memory: nothing writes there before it has been used.
Result<Host::Place> Host::place(const Memory& memory, U32 fd, U32 path, U32 length) {
  const auto at = directory(fd);
  if (!at) return fail_with(at.error());
  const auto bytes = memory.bytes(path, length);
  if (!bytes) return fail_with(bytes.error());
  return Place{*at, {reinterpret_cast<const char*>(bytes->data()), bytes->size()}};
}

Errno Host::path_open(Memory memory, U32 fd, U32 lookup, U32 path, U32 length, U32 oflags, U64 base, U64, U32 flags,
                      U32 out) {
  using namespace abi;
  const auto from = place(memory, fd, path, length);
  if (!from) return from.error();
  if (lookup > kSymlinkFollow || oflags > oflags::kAll || flags > fdflags::kAll) return Errno::kInval;
  if (!memory.has(out, sizeof(U32))) return Errno::kFault;
  const auto number = lowest_free();  // before anything is created
  if (!number) return number.error();

  const bool write = (base & rights::kFdWrite) != 0;
  auto node = config_.fs->open(from->at, from->path,
                               {.create = (oflags & oflags::kCreat) != 0,
                                .exclusive = (oflags & oflags::kExcl) != 0,
                                .truncate = (oflags & oflags::kTrunc) != 0,
                                .directory = (oflags & oflags::kDirectory) != 0,
                                .follow = (lookup & kSymlinkFollow) != 0,
                                .write = write});
  if (!node) return node.error();

  // What a descriptor may do follows from how it was opened, not from the rights asked for beyond reading and writing:
  // programs pass too many and too few of those, and other hosts don't mind.
  Descriptor& descriptor = descriptors_[*number];
  descriptor = {};
  descriptor.flags = static_cast<std::uint16_t>(flags);
  if (config_.fs->type(**node) == FileType::kDirectory) {
    descriptor.kind = Kind::kDirectory;
    descriptor.top = from->at.top;
    descriptor.rights_base = rights::kDirectory;
    descriptor.rights_inheriting = rights::kAll;
  } else {
    descriptor.kind = Kind::kFile;
    descriptor.rights_base = rights::kFile;
    if ((base & rights::kFdRead) == 0) descriptor.rights_base &= ~rights::kFdRead;
    if (!write) descriptor.rights_base &= ~(rights::kFdWrite | rights::kFdAllocate | rights::kFdFilestatSetSize);
  }
  descriptor.node = std::move(*node);
  memory.store(out, *number);
  return Errno::kSuccess;
}

Errno Host::path_create_directory(Memory memory, U32 fd, U32 path, U32 length) {
  const auto at = place(memory, fd, path, length);
  return at ? config_.fs->make_directory(at->at, at->path) : at.error();
}

Errno Host::path_remove_directory(Memory memory, U32 fd, U32 path, U32 length) {
  const auto at = place(memory, fd, path, length);
  return at ? config_.fs->remove_directory(at->at, at->path) : at.error();
}

Errno Host::path_unlink_file(Memory memory, U32 fd, U32 path, U32 length) {
  const auto at = place(memory, fd, path, length);
  return at ? config_.fs->unlink(at->at, at->path) : at.error();
}

Errno Host::path_filestat_get(Memory memory, U32 fd, U32 flags, U32 path, U32 length, U32 out) {
  const auto at = place(memory, fd, path, length);
  if (!at) return at.error();
  if (flags > abi::kSymlinkFollow) return Errno::kInval;
  const auto stat = config_.fs->stat(at->at, at->path, flags != 0);
  return stat ? put_stat(memory, *stat, out) : stat.error();
}

Errno Host::path_filestat_set_times(Memory memory, U32 fd, U32 flags, U32 path, U32 length, U64 atim, U64 mtim,
                                    U32 time_flags) {
  const auto at = place(memory, fd, path, length);
  if (!at) return at.error();
  if (flags > abi::kSymlinkFollow) return Errno::kInval;
  const auto wanted = times(atim, mtim, time_flags);
  return wanted ? config_.fs->set_times(at->at, at->path, flags != 0, *wanted) : wanted.error();
}

Errno Host::path_link(Memory memory, U32 old_fd, U32 flags, U32 old_path, U32 old_length, U32 new_fd, U32 new_path,
                      U32 new_length) {
  const auto from = place(memory, old_fd, old_path, old_length);
  if (!from) return from.error();
  const auto to = place(memory, new_fd, new_path, new_length);
  if (!to) return to.error();
  if (flags > abi::kSymlinkFollow) return Errno::kInval;
  return config_.fs->link(from->at, from->path, flags != 0, to->at, to->path);
}

Errno Host::path_rename(Memory memory, U32 fd, U32 old_path, U32 old_length, U32 new_fd, U32 new_path, U32 new_length) {
  const auto from = place(memory, fd, old_path, old_length);
  if (!from) return from.error();
  const auto to = place(memory, new_fd, new_path, new_length);
  return to ? config_.fs->rename(from->at, from->path, to->at, to->path) : to.error();
}

Errno Host::path_symlink(Memory memory, U32 old_path, U32 old_length, U32 fd, U32 new_path, U32 new_length) {
  const auto at = place(memory, fd, new_path, new_length);
  if (!at) return at.error();
  const auto target = memory.bytes(old_path, old_length);
  if (!target) return target.error();
  return config_.fs->symlink({reinterpret_cast<const char*>(target->data()), target->size()}, at->at, at->path);
}

Errno Host::path_readlink(Memory memory, U32 fd, U32 path, U32 length, U32 buffer, U32 buffer_length, U32 out) {
  const auto at = place(memory, fd, path, length);
  if (!at) return at.error();
  const auto bytes = memory.bytes(buffer, buffer_length);
  if (!bytes || !memory.has(out, sizeof(U32))) return Errno::kFault;
  const auto target = config_.fs->read_link(at->at, at->path);
  if (!target) return target.error();
  const std::size_t count = std::min(target->size(), bytes->size());  // cut off silently, as readlink(2)
  if (count > 0) std::memcpy(bytes->data(), target->data(), count);
  memory.store(out, static_cast<U32>(count));
  return Errno::kSuccess;
}

}  // namespace hotcell::wasi
