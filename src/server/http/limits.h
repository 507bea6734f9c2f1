// What a client may send, and how long it may take: nothing that comes over a connection is unbounded.
#pragma once
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace hotcell::server::http {

struct Limits {
  std::size_t head_bytes = 32u << 10;  // request line and headers
  std::size_t headers = 100;
  std::uint64_t body_bytes = 64ull << 20;
  std::uint64_t bodies_bytes = 512ull << 20;  // of all requests that are being received or answered
  std::size_t connections = 4096;

  std::chrono::milliseconds head_time{10'000};  // from the first byte of a request to the end of its headers
  std::chrono::milliseconds body_time{60'000};  // for its body, and more as it comes:
  std::uint64_t body_bytes_per_second = 64u << 10;
  std::chrono::milliseconds idle_time{75'000};   // between two requests
  std::chrono::milliseconds write_time{30'000};  // for each piece of an answer to be taken
  std::chrono::milliseconds silence{5'000};      // after which a stream shows that it is alive
};

// Memory that request bodies may take together. Each reserves before it grows.
class Budget {
 public:
  explicit Budget(std::uint64_t bytes) : most_(bytes) {}

  // What one holder has of it; given back when it goes.
  class Share {
   public:
    explicit Share(Budget& budget) : budget_(&budget) {}
    Share(Share&& other) noexcept : budget_(other.budget_), held_(other.held_) { other.held_ = 0; }
    Share& operator=(Share&&) = delete;
    ~Share() { give_back(); }
    bool grow(std::uint64_t bytes) {
      if (budget_->used_.fetch_add(bytes) + bytes > budget_->most_) {
        budget_->used_.fetch_sub(bytes);
        return false;
      }
      held_ += bytes;
      return true;
    }
    void give_back() {
      if (held_) budget_->used_.fetch_sub(held_);
      held_ = 0;
    }

   private:
    Budget* budget_;
    std::uint64_t held_ = 0;
  };

  std::uint64_t used() const { return used_.load(); }

 private:
  std::atomic<std::uint64_t> used_{0};
  const std::uint64_t most_;
};

}  // namespace hotcell::server::http
