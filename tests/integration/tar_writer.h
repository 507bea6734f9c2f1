// A tar in memory, as small as the daemon takes it.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "base/file.h"

namespace hotcell::testing {

class TarWriter {
 public:
  void file(const std::string& name, std::string_view content, unsigned mode = 0644) {
    std::string header(512, '\0');
    const auto put = [&](std::size_t at, const std::string& text) { header.replace(at, text.size(), text); };
    const auto octal = [](unsigned long value, int digits) {
      char text[32];
      std::snprintf(text, sizeof text, "%0*lo", digits, value);
      return std::string(text);
    };
    put(0, name);
    put(100, octal(mode, 7));
    put(108, octal(0, 7));
    put(116, octal(0, 7));
    put(124, octal(content.size(), 11));
    put(136, octal(0, 11));
    put(148, std::string(8, ' '));
    put(156, "0");
    put(257, std::string("ustar\00000", 8));
    unsigned sum = 0;
    for (const unsigned char c : header) sum += c;
    put(148, octal(sum, 6) + std::string("\0 ", 2));
    bytes_ += header;
    bytes_ += content;
    bytes_.resize((bytes_.size() + 511) / 512 * 512);
  }
  std::string bytes() const { return bytes_ + std::string(1024, '\0'); }
  // A file to read it from.
  Fd open() const {
    Fd fd(memfd_create("tar", MFD_CLOEXEC));
    const auto all = bytes();
    if (!write_all(fd.get(), {reinterpret_cast<const std::uint8_t*>(all.data()), all.size()})) return {};
    lseek(fd.get(), 0, SEEK_SET);
    return fd;
  }

 private:
  std::string bytes_;
};

}  // namespace hotcell::testing
