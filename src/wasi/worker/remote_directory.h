// A directory of the host as a jailed worker sees it: through its engine.
#pragma once
#include "wasi/fs/host_dir.h"
#include "wasi/wire.h"

namespace hotcell::wasi {

// How long an engine may take to answer a worker's question.
inline constexpr std::chrono::seconds kAnswerTime{10};

class RemoteDirectory final : public HostDirectory {
 public:
  // `index`: which of the order's host_dirs. The channel must outlive this.
  RemoteDirectory(Channel& channel, std::uint8_t index) : channel_(channel), index_(index) {}
  Result<Info> look(const std::string& path) const override;
  Result<Fd> open_file(const std::string& path) const override;
  Result<std::vector<std::string>> list(const std::string& path) const override;

 private:
  Result<HostAnswer> ask(HostQuestion::What what, const std::string& path, Fd* file) const;
  Channel& channel_;
  std::uint8_t index_;
};

}  // namespace hotcell::wasi
