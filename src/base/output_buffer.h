// Keeps what is worth keeping of a stream that may never end: its beginning and its end.
//
// The first half of the cap is filled once; the second half is a ring that holds the latest bytes. A program that
// prints for ever costs `cap` bytes and a copy per byte, and the reader still sees how it began and how it ended, which
// is where errors stand. Simply stopping at the cap would lose the traceback; blocking the program would change its
// fate.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hotcell {

// How many bytes at the end of `text` begin a UTF-8 character that is not complete yet: 0 to 3. What is cut there, or
// held back until more has come, is never half a character.
std::size_t incomplete_utf8_tail(std::string_view text);

class OutputBuffer {
 public:
  explicit OutputBuffer(std::size_t cap = std::size_t{1} << 20);

  void write(std::string_view bytes);
  // So many more bytes were written, and only somebody else saw them. For a buffer that is full already, and only when
  // the rest of what it keeps follows with write(): what stood in its second half is of no use after this.
  void skip(std::uint64_t bytes);

  struct Kept {
    std::string bytes;        // all of it; when truncated: head, a line that says how much is missing, tail
    std::uint64_t total = 0;  // bytes that were written, kept or not
    bool truncated = false;
  };
  // What was kept, cut between characters. Leaves the buffer empty.
  Kept take();

  // Empty again, maybe under another cap. Memory is kept for the next use, up to 64 KiB.
  void clear();
  void clear(std::size_t cap);

  std::uint64_t total() const { return total_; }
  bool truncated() const { return total_ > cap_; }

 private:
  void copy_in(std::size_t at, std::string_view bytes);

  std::size_t cap_;
  std::size_t head_size_;  // of data_, what is never overwritten
  std::uint64_t total_ = 0;
  std::string data_;  // byte n of the stream: at n in the head, at (n - head) modulo the rest behind it
};

}  // namespace hotcell
