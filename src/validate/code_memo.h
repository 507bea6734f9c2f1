// What was found out about a program, kept for when the same program comes again: agents and graders send the same code
// many times, and reading it costs more than running it.
//
// Keyed by SHA-256, not by a faster hash: a verdict must not be inherited by another program that was made to collide.
// Bounded in entries and in bytes, the least recently used goes first. Safe for many threads.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/hash.h"

namespace hotcell::validate {

template <class Value>
class CodeMemo {
 public:
  CodeMemo(std::size_t most_entries, std::size_t most_bytes) : most_entries_(most_entries), most_bytes_(most_bytes) {}

  // `kind` is everything but the code that the value depends on: language, policy, versions, other files.
  static Digest key(std::string_view kind, std::string_view code) {
    // Hashed apart, so that no kind and code can be read as another kind and code.
    std::array<std::uint8_t, 64> both;
    const auto first = sha256(kind), second = sha256(code);
    std::copy(first.begin(), first.end(), both.begin());
    std::copy(second.begin(), second.end(), both.begin() + 32);
    return sha256(both);
  }

  // nullptr: not known.
  std::shared_ptr<const Value> find(const Digest& key) {
    const std::scoped_lock lock(mutex_);
    const auto at = index_.find(key);
    if (at == index_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, at->second);
    return at->second->value;
  }

  // `bytes`: what the value takes, about. One that is larger than the whole memo is not kept.
  void put(const Digest& key, std::shared_ptr<const Value> value, std::size_t bytes) {
    if (bytes > most_bytes_ || most_entries_ == 0) return;
    const std::scoped_lock lock(mutex_);
    if (const auto at = index_.find(key); at != index_.end()) remove(at->second);
    entries_.push_front({key, std::move(value), bytes});
    index_.emplace(key, entries_.begin());
    bytes_ += bytes;
    while (entries_.size() > most_entries_ || bytes_ > most_bytes_) remove(std::prev(entries_.end()));
  }

  std::size_t size() const {
    const std::scoped_lock lock(mutex_);
    return entries_.size();
  }
  std::size_t bytes() const {
    const std::scoped_lock lock(mutex_);
    return bytes_;
  }
  // With what keeping them takes, about: the entry, its place in the index, and a dozen links.
  std::size_t footprint() const {
    const std::scoped_lock lock(mutex_);
    return bytes_ + entries_.size() * (sizeof(Entry) + sizeof(Digest) + 12 * sizeof(void*));
  }

 private:
  struct Entry {
    Digest key;
    std::shared_ptr<const Value> value;
    std::size_t bytes = 0;
  };
  struct FirstBytes {  // of a good hash any bytes are a good hash
    std::size_t operator()(const Digest& key) const {
      std::size_t value = 0;
      for (std::size_t i = 0; i < sizeof value; ++i) value = value << 8 | key[i];
      return value;
    }
  };

  void remove(typename std::list<Entry>::iterator entry) {
    bytes_ -= entry->bytes;
    index_.erase(entry->key);
    entries_.erase(entry);
  }

  const std::size_t most_entries_, most_bytes_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // the last used first
  std::unordered_map<Digest, typename std::list<Entry>::iterator, FirstBytes> index_;
  std::size_t bytes_ = 0;
};

}  // namespace hotcell::validate
