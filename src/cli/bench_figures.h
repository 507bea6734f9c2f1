// What many times say together.
#pragma once
#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace hotcell::cli {

double micros_since(std::chrono::steady_clock::time_point start);
double percentile(std::vector<double> values, double share);
// "p50_us" and the like.
nlohmann::ordered_json figures(const std::vector<double>& micros);

}  // namespace hotcell::cli
