#include "deps/standard_library.h"

#include <algorithm>

#include "base/text.h"
#include "deps/embedded.h"
#include "deps/table.h"

namespace hotcell::deps {

using protocol::Language;

bool is_standard(Language language, std::string_view module) {
  if (language == Language::python) {
    const auto first = module.substr(0, module.find('.'));
    return first == "__main__" || Table(embedded::python_standard_txt()).contains(first);
  }
  if (language != Language::javascript) return false;
  const Table table(embedded::javascript_standard_txt());
  if (!module.starts_with("node:")) return table.contains(module);
  return table.contains(module) || table.contains(module.substr(5));
}

std::optional<Lack> wasi_lacks(Language language, std::string_view dotted_name) {
  if (language != Language::python) return {};
  const Table table(embedded::python_wasi_txt());
  for (std::size_t end = 0; end != dotted_name.size();) {
    end = std::min(dotted_name.find('.', end + 1), dotted_name.size());
    const auto name = dotted_name.substr(0, end);
    auto rest = table.find(name);
    if (!rest) continue;
    const auto kind = next_part(*rest, '\t');
    Lack lack{name, Lack::Kind::missing, next_part(*rest, '\t')};
    if (kind == "broken") lack.kind = Lack::Kind::broken;
    if (kind == "absent") lack.kind = Lack::Kind::absent;
    if (kind == "fails") lack.kind = Lack::Kind::fails;
    return lack;
  }
  return {};
}

void each_wasi_lack(Language language, std::string_view first_name,
                    const std::function<void(std::string_view name)>& found) {
  if (language != Language::python) return;
  auto rest = Table(embedded::python_wasi_txt()).from(first_name);
  while (rest.starts_with(first_name)) {
    auto line = next_line(rest);
    const auto name = next_part(line, '\t');
    // "." is less than any letter, so what is below a name comes right behind it.
    if (name.size() > first_name.size() && name[first_name.size()] != '.') return;
    found(name);
  }
}

std::string Lack::sentence() const {
  std::string text(name);
  switch (kind) {
    case Kind::missing:
      return why.empty() ? "the module " + text + " is not there" : text + " needs the module " + std::string(why);
    case Kind::broken:
      return "the module " + text + " cannot be imported";
    case Kind::absent:
      return text + " is not there";
    case Kind::fails:
      return text + " " + std::string(why);
  }
  return text;
}

}  // namespace hotcell::deps
