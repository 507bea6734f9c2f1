// What a name means on this machine, by whatever ways this machine has (/etc/hosts, DNS, others).
#pragma once
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"

namespace hotcell::install {

// IPv4 addresses, as text; an address means itself. Empty: the name is not known here.
Expected<std::vector<std::string>> addresses_of(const std::string& host, Deadline deadline);

}  // namespace hotcell::install
