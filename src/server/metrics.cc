#include "server/metrics.h"

#include <array>
#include <cmath>
#include <cstdio>

namespace hotcell::server {

namespace {

std::string number(double value) {
  std::array<char, 32> text;
  const int size = std::snprintf(text.data(), text.size(), "%.15g", value);
  return std::string(text.data(), static_cast<std::size_t>(size));
}

void write_sample(std::string& out, const std::string& name, const std::string& labels, double value) {
  out += name;
  if (!labels.empty()) out += "{" + labels + "}";
  out += " " + number(value) + "\n";
}

}  // namespace

std::string label_text(std::string_view name, std::string_view value) {
  std::string out(name);
  out += "=\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  out += '"';
  return out;
}

void Histogram::observe(double seconds) {
  std::size_t bucket = 0;
  while (bucket < kBuckets && seconds > kBounds[bucket]) ++bucket;
  buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
  nanoseconds_.fetch_add(static_cast<std::uint64_t>(std::max(0.0, seconds) * 1e9), std::memory_order_relaxed);
}

std::uint64_t Histogram::count() const {
  std::uint64_t sum = 0;
  for (const auto& bucket : buckets_) sum += bucket.load(std::memory_order_relaxed);
  return sum;
}

void Histogram::write(std::string& out, const std::string& name, const std::string& labels) const {
  std::uint64_t sum = 0;
  const std::string before = labels.empty() ? "" : labels + ",";
  for (std::size_t i = 0; i <= kBuckets; ++i) {
    sum += buckets_[i].load(std::memory_order_relaxed);
    const auto bound = i < kBuckets ? number(kBounds[i]) : "+Inf";
    write_sample(out, name + "_bucket", before + label_text("le", bound), static_cast<double>(sum));
  }
  write_sample(out, name + "_sum", labels, static_cast<double>(nanoseconds_.load(std::memory_order_relaxed)) / 1e9);
  write_sample(out, name + "_count", labels, static_cast<double>(sum));
}

Family<Counter>& Metrics::counter(std::string name, std::string help, std::vector<std::string> label_names) {
  auto& entry = entries_.emplace_back(Entry{std::move(name), std::move(help), nullptr, nullptr, nullptr});
  entry.counter = std::make_unique<Family<Counter>>(std::move(label_names));
  return *entry.counter;
}

Family<Histogram>& Metrics::histogram(std::string name, std::string help, std::vector<std::string> label_names) {
  auto& entry = entries_.emplace_back(Entry{std::move(name), std::move(help), nullptr, nullptr, nullptr});
  entry.histogram = std::make_unique<Family<Histogram>>(std::move(label_names));
  return *entry.histogram;
}

void Metrics::gauge(std::string name, std::string help, std::function<Samples()> read) {
  entries_.push_back(Entry{std::move(name), std::move(help), nullptr, nullptr, std::move(read)});
}

void Metrics::total(std::string name, std::string help, std::function<Samples()> read) {
  gauge(std::move(name), std::move(help), std::move(read));
  entries_.back().counts = true;
}

void Metrics::total(std::string name, std::string help, std::function<double()> read) {
  gauge(std::move(name), std::move(help), std::move(read));
  entries_.back().counts = true;
}

void Metrics::gauge(std::string name, std::string help, std::function<double()> read) {
  gauge(std::move(name), std::move(help), [read = std::move(read)] { return Samples{{"", read()}}; });
}

std::string Metrics::text() const {
  std::string out;
  for (const auto& entry : entries_) {
    out += "# HELP " + entry.name + " " + entry.help + "\n# TYPE " + entry.name + " " +
           (entry.counter || entry.counts ? "counter"
            : entry.histogram             ? "histogram"
                                          : "gauge") +
           "\n";
    if (entry.counter) {
      const std::lock_guard lock(entry.counter->mutex_);
      // A counter without labels is there from the beginning, so that its rate can be computed.
      if (entry.counter->label_names_.empty() && entry.counter->all_.empty()) write_sample(out, entry.name, "", 0);
      for (const auto& [labels, one] : entry.counter->all_)
        write_sample(out, entry.name, labels, static_cast<double>(one->value()));
    } else if (entry.histogram) {
      const std::lock_guard lock(entry.histogram->mutex_);
      for (const auto& [labels, one] : entry.histogram->all_) one->write(out, entry.name, labels);
    } else {
      for (const auto& [labels, value] : entry.read()) write_sample(out, entry.name, labels, value);
    }
  }
  return out;
}

}  // namespace hotcell::server
