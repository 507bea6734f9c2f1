#include "server/batch_api.h"

#include <utility>

#include "protocol/json_reader.h"
#include "server/batch.h"

namespace hotcell::server {

using namespace protocol;

namespace {

constexpr std::size_t kMostItems = 10'000;
constexpr unsigned kConcurrency = 8, kMostConcurrency = 256;

// Read as it came: what is wrong in one item is that item's answer, and no harm to the others.
class Programs final : public BatchItems {
 public:
  Programs(nlohmann::json&& list, const ExecuteApi& execute) {
    requests_.reserve(list.size());
    for (auto& one : list) {
      auto request = execute.read(std::move(one));
      if (request && (!request->inputs.empty() || request->detach))
        request = std::unexpected(make_problem("invalid_field", "'inputs' and 'detach' have no place in a batch"));
      requests_.push_back(std::move(request));
    }
  }
  std::size_t count() const override { return requests_.size(); }
  std::expected<Request, Problem> take(std::size_t index) override { return std::move(requests_[index]); }
  std::uint64_t memory_bytes(std::size_t index) const override {
    return requests_[index] ? requests_[index]->limits.memory_bytes.value_or(0) : 0;
  }

 private:
  std::vector<std::expected<Request, Problem>> requests_;
};

}  // namespace

void BatchApi::batch(const Call& call) {
  auto document = parse_json(call.request().body);
  if (!document) return call.refuse(std::move(document.error()));
  Complaints complaints;
  ObjectReader reader(*document, "", complaints);
  auto* items = reader.array("items", kMostItems);
  if (!items && !reader.has("items")) reader.complain("items", "must be given");
  if (items && items->empty()) reader.complain("items", "must not be empty");
  const auto concurrency = reader.integer("concurrency", 1, kMostConcurrency).value_or(kConcurrency);
  reader.finish();
  if (call.request().header("idempotency-key"))
    complaints.add("invalid_field", "", "Idempotency-Key is for single executions");
  if (!complaints.empty()) return call.refuse(complaints.to_problem());
  start_batch(call, std::make_unique<Programs>(std::move(*items), execute_), static_cast<unsigned>(concurrency), true,
              launcher_);
}

}  // namespace hotcell::server
