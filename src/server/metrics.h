// Counters for Prometheus, in its text format. Small because what is needed of it is small: counters, gauges that are
// read when somebody looks, histograms; labels from fixed sets.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace hotcell::server {

class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Histogram {
 public:
  // Of seconds. MCP's buckets, and two below: a small program is over in less than ten milliseconds.
  static constexpr double kBounds[] = {0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300};
  static constexpr std::size_t kBuckets = std::size(kBounds);

  void observe(double seconds);
  void write(std::string& out, const std::string& name, const std::string& labels) const;
  std::uint64_t count() const;

 private:
  std::atomic<std::uint64_t> buckets_[kBuckets + 1]{};
  std::atomic<std::uint64_t> nanoseconds_{0};
};

// One metric with all its label values. Thread-safe.
template <class T>
class Family {
 public:
  explicit Family(std::vector<std::string> label_names) : label_names_(std::move(label_names)) {}
  T& with(std::initializer_list<std::string_view> label_values);

 private:
  friend class Metrics;
  const std::vector<std::string> label_names_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<T>, std::less<>> all_;  // by label text: `engine="wasi",status="completed"`
};

class Metrics {
 public:
  Family<Counter>& counter(std::string name, std::string help, std::vector<std::string> label_names = {});
  Family<Histogram>& histogram(std::string name, std::string help, std::vector<std::string> label_names = {});
  // Asked when somebody looks. Each sample: label text and value.
  using Samples = std::vector<std::pair<std::string, double>>;
  void gauge(std::string name, std::string help, std::function<Samples()> read);
  void gauge(std::string name, std::string help, std::function<double()> read);
  // A counter that somebody else keeps.
  void total(std::string name, std::string help, std::function<Samples()> read);
  void total(std::string name, std::string help, std::function<double()> read);

  std::string text() const;

 private:
  struct Entry {
    std::string name, help;
    std::unique_ptr<Family<Counter>> counter;
    std::unique_ptr<Family<Histogram>> histogram;
    std::function<Samples()> read;
    bool counts = false;  // what is read only grows
  };
  std::vector<Entry> entries_;
};

// `name="value"`, the value escaped.
std::string label_text(std::string_view name, std::string_view value);

template <class T>
T& Family<T>::with(std::initializer_list<std::string_view> label_values) {
  constexpr std::size_t kMost = 2000;  // of combinations: whatever a mistake may do, memory stays bounded
  std::string key;
  std::size_t at = 0;
  for (const auto value : label_values) {
    if (at) key += ',';
    key += label_text(label_names_[at++], value);
  }
  const std::lock_guard lock(mutex_);
  auto found = all_.find(key);
  if (found == all_.end()) {
    if (all_.size() >= kMost) key = "other=\"true\"";
    found = all_.try_emplace(std::move(key), nullptr).first;
    if (!found->second) found->second = std::make_unique<T>();
  }
  return *found->second;
}

}  // namespace hotcell::server
