#include "server/http/message.h"

#include <array>
#include <cstdio>
#include <ctime>

#include "protocol/json_reader.h"
#include "protocol/percent.h"

namespace hotcell::server::http {

const std::string* Request::header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers)
    if (name == lower_case_name) return &value;
  return nullptr;
}

std::optional<std::string> Request::parameter(std::string_view name) const {
  for (std::string_view rest = query; !rest.empty();) {
    const auto end = rest.find('&');
    const auto one = rest.substr(0, end);
    rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
    const auto equals = one.find('=');
    if (one.substr(0, equals) != name) continue;
    return protocol::percent_decoded(equals == one.npos ? std::string_view() : one.substr(equals + 1));
  }
  return std::nullopt;
}

Response Response::json(std::string body, int status) {
  Response response;
  response.status = status;
  response.body = std::make_shared<const std::string>(std::move(body));
  return response;
}

Response Response::text(std::string body, std::string content_type, int status) {
  Response response = json(std::move(body), status);
  response.content_type = std::move(content_type);
  return response;
}

Response Response::problem(const protocol::Problem& problem, std::optional<unsigned> retry_after) {
  Response response = json(protocol::dump(protocol::to_json(problem)), problem.http_status);
  response.content_type = "application/problem+json";
  response.code = problem.code;
  if (retry_after) response.headers.emplace_back("Retry-After", std::to_string(*retry_after));
  return response;
}

Response Response::problem(std::string code, std::string detail, std::string hint) {
  return problem(protocol::make_problem(std::move(code), std::move(detail), std::move(hint)));
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Status";
  }
}

std::string http_date(std::chrono::system_clock::time_point time) {
  // strftime would follow the locale; HTTP's date is English.
  constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                kDays[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                kMonths[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
  return text.data();
}

void write_head(std::string& out, const Response& response, const Request* request, bool keep_alive,
                std::string_view date, std::string_view more) {
  const bool http_1_1 = !request || request->http_1_1;
  char line[96];
  const auto phrase = reason_phrase(response.status);
  out.append(line, static_cast<std::size_t>(std::snprintf(line, sizeof line, "HTTP/1.1 %d ", response.status)));
  out.append(phrase);
  out += "\r\nDate: ";
  out += date;
  if (response.status != 204) {
    out += "\r\nContent-Type: ";
    out += response.content_type;
  }
  out += "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff";
  for (const auto& [name, value] : response.headers) {
    out += "\r\n";
    out += name;
    out += ": ";
    out += value;
  }
  if (response.source) {
    if (http_1_1) out += "\r\nTransfer-Encoding: chunked";
  } else if (response.status != 204) {
    const auto size = response.body ? response.body->size() : 0;
    out.append(line, static_cast<std::size_t>(std::snprintf(line, sizeof line, "\r\nContent-Length: %zu", size)));
  }
  if (!keep_alive)
    out += "\r\nConnection: close";
  else if (!http_1_1)
    out += "\r\nConnection: keep-alive";
  out += "\r\n";
  out += more;
  out += "\r\n";
}

void write_chunk(std::string& out, std::string_view bytes) {
  char line[24];
  out.append(line, static_cast<std::size_t>(std::snprintf(line, sizeof line, "%zx\r\n", bytes.size())));
  out += bytes;
  out += "\r\n";
}

}  // namespace hotcell::server::http
