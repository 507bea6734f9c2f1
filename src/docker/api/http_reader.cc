#include "docker/api/http_reader.h"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <limits>

namespace hotcell::docker::api {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

// Beast knows the grammar; what is kept of a message is ours: two fields, and body bytes until somebody takes them.
// Nothing is reserved because a field promises so many bytes.
class HttpReader::Parser final : public http::basic_parser<false> {
 public:
  int status = 0;
  std::string api_version, content_type;
  std::string body;

  Parser() {
    header_limit(kMaxHead);
    body_limit(boost::none);  // whoever reads the body knows how much of it is sane
  }

 private:
  void on_request_impl(http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int code, string_view, int, error_code&) override { status = code; }
  void on_field_impl(http::field field, string_view name, string_view value, error_code&) override {
    if (field == http::field::content_type) content_type.assign(value.data(), value.size());
    if (boost::beast::iequals(name, "Api-Version")) api_version.assign(value.data(), value.size());
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view bytes, error_code&) override { return keep(bytes); }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, error_code&) override { return keep(bytes); }
  void on_finish_impl(error_code&) override {}

  std::size_t keep(string_view bytes) {
    body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
};

HttpReader::HttpReader() : parser_(std::make_unique<Parser>()) {}
HttpReader::~HttpReader() = default;

bool HttpReader::head_done() const { return parser_->is_header_done(); }
bool HttpReader::done() const { return parser_->is_done(); }
int HttpReader::status() const { return parser_->status; }
const std::string& HttpReader::api_version() const { return parser_->api_version; }
const std::string& HttpReader::content_type() const { return parser_->content_type; }
std::string HttpReader::take_rest() { return std::exchange(rest_, {}); }

Expected<void> HttpReader::feed(std::string_view bytes) {
  begun_ = begun_ || !bytes.empty();
  rest_.append(bytes);
  return head_done() ? Expected<void>{} : parse(true);
}

Expected<void> HttpReader::decode(std::string& out) {
  auto parsed = parse(false);
  out.append(parser_->body);
  parser_->body.clear();
  return parsed;
}

Expected<void> HttpReader::parse(bool head_only) {
  std::size_t used = 0;
  error_code error;
  // Each put() takes one element: the head, a chunk's header, bytes of a body. An empty one says nothing about the
  // rest.
  while (used < rest_.size() && !done() && !(head_only && head_done())) {
    used += parser_->put(boost::asio::const_buffer(rest_.data() + used, rest_.size() - used), error);
    if (error) break;
  }
  rest_.erase(0, used);
  if (error == http::error::need_more) error = {};
  // A chunk's header may be drawn out for ever as well.
  if (!error && !done() && rest_.size() > kMaxHead && !(head_only && head_done())) error = http::error::header_limit;
  if (!error) return {};
  return fail("docker_protocol", "what was sent is no answer of a Docker daemon: " + error.message());
}

Expected<void> HttpReader::end() {
  error_code error;
  if (begun_ && !done()) parser_->put_eof(error);
  if (begun_ && !error && done()) return {};
  return fail("docker_unreachable", "the Docker daemon closed the connection before its answer was complete",
              "is it restarting? Try again, and see its log if this goes on");
}

}  // namespace hotcell::docker::api
