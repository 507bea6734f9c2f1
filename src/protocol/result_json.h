// The result as JSON (api.md B4): every member always there, in that order, whatever engine ran the program.
#pragma once
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"
#include "protocol/json_reader.h"
#include "protocol/result.h"

namespace hotcell::protocol {

struct ResultJsonOptions {
  bool streams = true;  // false: "stdout" and "stderr" are left out, as in the end of a stream that carried them
  bool urls = false;    // true: files can be fetched at /v1/executions/…; otherwise "url" is null
};

// stdout and stderr become text; what was not UTF-8 is replaced, and "lossy" says so. An exit code is only shown for a
// program that ended by itself, an error only for one that did not complete.
nlohmann::ordered_json to_json(const Result& result, const ResultJsonOptions& options = {});

// The parts that also travel alone, in events.
nlohmann::ordered_json to_json(const Failure& failure);
nlohmann::ordered_json to_json(const Value& value);
nlohmann::ordered_json to_json(const OutputFile& file, std::string_view url = {});

// For clients. Every member of B4 must be there with its type; unknown ones are ignored, because a newer server may
// send them. What the wire does not carry stays lost: the bytes of a lossy stream, the content of files left out.
Expected<Result> result_from_json(std::string_view text, const JsonCaps& caps = {.bytes = std::size_t{256} << 20});

// The same inside another document; complaints go to the caller's list.
Result read_result(nlohmann::json& value, std::string pointer, bool streams, Complaints& complaints);
Failure read_failure(ObjectReader& reader);
Value read_value(ObjectReader& reader);
OutputFile read_output_file(nlohmann::json& value, std::string pointer, Complaints& complaints);

}  // namespace hotcell::protocol
