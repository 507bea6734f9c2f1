#include "docker/images.h"

#include <vector>

namespace hotcell::docker {
namespace {
constexpr std::size_t kMostNames = 1000;
}

Expected<std::string> Images::id_of(const std::string& name, api::Client& client, api::Until until) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = ids_.find(name); known != ids_.end()) return known->second;
  }
  auto image = client.inspect_image(name, until);
  if (!image) return std::unexpected(image.error());
  const std::lock_guard lock(mutex_);
  if (ids_.size() >= kMostNames) ids_.clear();
  ids_[name] = image->id;
  return image->id;
}

void Images::refresh(api::Client& client, api::Until until) {
  std::vector<std::string> names;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, id] : ids_) names.push_back(name);
  }
  for (const auto& name : names) {
    const auto image = client.inspect_image(name, until);
    if (!image && image.error().code != "docker_image_missing") return;  // the daemon's trouble says nothing of it
    const std::lock_guard lock(mutex_);
    if (image)
      ids_[name] = image->id;
    else
      ids_.erase(name);
  }
}

}  // namespace hotcell::docker
