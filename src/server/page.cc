#include "server/page.h"

#include "base/hash.h"
#include "protocol/base64.h"

namespace hotcell::embedded {
std::string_view page_index_html();
}

namespace hotcell::server {

namespace {

// What is between the tags, as browsers hash it.
std::string source_of(std::string_view html, std::string_view open, std::string_view close) {
  const auto begin = html.find(open) + open.size();
  const auto digest = sha256(html.substr(begin, html.find(close, begin) - begin));
  const std::string_view bytes(reinterpret_cast<const char*>(digest.data()), digest.size());
  return "'sha256-" + protocol::base64_encode(bytes) + "'";
}

// Images that programs make are shown from data: URLs; the page speaks to nobody but its own service.
std::string policy_of(std::string_view html) {
  return "default-src 'none'; script-src " + source_of(html, "<script>", "</script>") + "; style-src " +
         source_of(html, "<style>", "</style>") +
         "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
}

}  // namespace

http::Response page() {
  static const auto html = std::make_shared<const std::string>(embedded::page_index_html());
  static const std::string policy = policy_of(*html);
  http::Response response;
  response.content_type = "text/html; charset=utf-8";
  response.headers = {{"Content-Security-Policy", policy},
                      {"Referrer-Policy", "no-referrer"},
                      {"Cross-Origin-Opener-Policy", "same-origin"}};
  response.body = html;
  return response;
}

}  // namespace hotcell::server
