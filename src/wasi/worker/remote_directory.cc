#include "wasi/worker/remote_directory.h"

namespace hotcell::wasi {

Result<HostAnswer> RemoteDirectory::ask(HostQuestion::What what, const std::string& path, Fd* file) const {
  const HostQuestion question{what, index_, path};
  if (!channel_.send(FrameType::look_host, question.encode())) return fail_with(Errno::kIo);
  auto frame = channel_.receive(Deadline::after(kAnswerTime));
  if (!frame || frame->type != FrameType::host_answer) return fail_with(Errno::kIo);
  auto answer = HostAnswer::decode(frame->payload);
  if (!answer) return fail_with(Errno::kIo);
  if (answer->error) return fail_with(static_cast<Errno>(answer->error));
  if (file) {
    if (frame->descriptors.empty()) return fail_with(Errno::kIo);
    *file = std::move(frame->descriptors.front());
  }
  return std::move(*answer);
}

Result<HostDirectory::Info> RemoteDirectory::look(const std::string& path) const {
  auto answer = ask(HostQuestion::What::look, path, nullptr);
  if (!answer) return fail_with(answer.error());
  return Info{
      static_cast<FileType>(answer->type), answer->size, answer->atim, answer->mtim, answer->ctim, answer->target};
}

Result<Fd> RemoteDirectory::open_file(const std::string& path) const {
  Fd file;
  auto answer = ask(HostQuestion::What::open, path, &file);
  if (!answer) return fail_with(answer.error());
  return file;
}

Result<std::vector<std::string>> RemoteDirectory::list(const std::string& path) const {
  auto answer = ask(HostQuestion::What::list, path, nullptr);
  if (!answer) return fail_with(answer.error());
  return std::move(answer->names);
}

}  // namespace hotcell::wasi
