#include "install/netrc.h"

#include <algorithm>

#include "base/text.h"

namespace hotcell::install {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

// The next word, and whether a comment hides the rest of its line.
std::string_view next_word(std::string_view& rest) {
  for (;;) {
    rest.remove_prefix(std::min(rest.find_first_not_of(kSpace), rest.size()));
    if (!rest.starts_with('#')) break;
    next_line(rest);
  }
  const auto word = rest.substr(0, rest.find_first_of(kSpace));
  rest.remove_prefix(word.size());
  return word;
}

}  // namespace

std::expected<std::vector<Login>, std::string> parse_netrc(std::string_view text) {
  std::vector<Login> out;
  Login* current = nullptr;
  while (true) {
    const auto word = next_word(text);
    if (word.empty()) return out;
    if (word == "default") {
      current = nullptr;
    } else if (word == "macdef") {  // until an empty line
      const auto end = text.find("\n\n");
      text.remove_prefix(std::min(end, text.size()));
    } else if (word == "machine" || word == "login" || word == "password" || word == "account") {
      // A password may begin with "#": the word that must follow is no comment.
      text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
      const auto value = text.substr(0, text.find_first_of(kSpace));
      text.remove_prefix(value.size());
      if (value.empty()) return std::unexpected("ends after \"" + std::string(word) + "\"");
      if (word == "machine") {
        current = &out.emplace_back();
        current->host = value;
      } else if (current && word == "login") {
        current->login = value;
      } else if (current && word == "password") {
        current->password = value;
      }
    } else {  // never quoted: it may be a part of a password
      return std::unexpected("has something else in it than machine, login, password, account, default and macdef");
    }
  }
}

}  // namespace hotcell::install
