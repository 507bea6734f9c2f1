#include "cli/bench_figures.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace hotcell::cli {

double micros_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())))];
}

nlohmann::ordered_json figures(const std::vector<double>& micros) {
  const auto round = [](double value) { return std::round(value * 10) / 10; };
  return {{"p50_us", round(percentile(micros, .5))},
          {"p95_us", round(percentile(micros, .95))},
          {"p99_us", round(percentile(micros, .99))},
          {"max_us", round(percentile(micros, 1))}};
}

}  // namespace hotcell::cli
