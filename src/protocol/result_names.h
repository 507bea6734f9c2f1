// The words of the result's enumerations on the wire (api.md B4).
#pragma once
#include "protocol/result.h"
#include "protocol/wire_words.h"

namespace hotcell::protocol {

inline constexpr std::pair<std::string_view, Status> kStatuses[] = {
    {"completed", Status::completed},           {"failed", Status::failed},     {"timeout", Status::timeout},
    {"limit_exceeded", Status::limit_exceeded}, {"rejected", Status::rejected}, {"cancelled", Status::cancelled},
    {"sandbox_error", Status::sandbox_error}};
inline constexpr std::pair<std::string_view, Change> kChanges[] = {
    {"created", Change::created}, {"modified", Change::modified}, {"deleted", Change::deleted}};

}  // namespace hotcell::protocol
