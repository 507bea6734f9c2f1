#include "server/http/parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>

namespace hotcell::server::http {

namespace beast = boost::beast;
using beast::error_code;
using beast::http::error;
using beast::http::field;

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) { return std::ranges::equal(a, b, {}, lower, lower); }

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

class RequestParser::Beast final : public beast::http::basic_parser<true> {
 public:
  Beast(const Limits& limits, Budget::Share& share, Request& into) : request_(into), limits_(limits), share_(share) {
    header_limit(static_cast<std::uint32_t>(limits.head_bytes));
    body_limit(limits.body_bytes);
    request_.headers.reserve(12);
  }

  std::size_t feed(std::string_view bytes) {
    std::size_t used = 0;
    while (state_ != State::complete && state_ != State::failed) {
      if (bytes.size() > used && state_ == State::nothing) state_ = State::head;
      const bool had_head = is_header_done();
      error_code problem;
      const std::size_t taken = put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), problem);
      used += taken;
      if (problem == error::need_more) {
        // Of a chunk's header, and of what follows the last chunk, nothing is taken until all of it is here.
        if (bytes.size() - used >= limits_.head_bytes)
          refuse("malformed", "the request's headers or chunk headers are too long");
        return used;
      }
      if (problem) {
        explain(problem);
        return used;
      }
      if (is_done()) {
        state_ = State::complete;
      } else if (is_header_done() && !had_head) {
        state_ = State::body;
        return used;  // so that a request can be turned down before its body comes
      }
      if (!taken) return used;
    }
    return used;
  }

  State state_ = State::nothing;
  Request& request_;
  protocol::Problem problem_;

 private:
  void refuse(std::string code, std::string detail) {
    state_ = State::failed;
    if (problem_.code == "internal") problem_ = protocol::make_problem(std::move(code), std::move(detail));
  }

  void explain(error_code problem) {
    const auto kib = [](std::uint64_t bytes) { return std::to_string(bytes >> 10) + " KiB"; };
    if (problem == error::header_limit)
      refuse("headers_too_large", "the request line and headers have more than " + kib(limits_.head_bytes));
    else if (problem == error::body_limit)
      refuse("body_too_large", "the body is larger than " + kib(limits_.body_bytes));
    else
      refuse("malformed", "this is not a valid HTTP request: " + problem.message());
  }

  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target, int version,
                       error_code& ec) override {
    request_.method = view(method);
    request_.http_1_1 = version >= 11;
    const auto whole = view(target);
    if (!whole.starts_with('/') && whole != "*") {
      refuse("malformed", "the request's target must begin with '/'");
      ec = error::bad_target;
      return;
    }
    const auto mark = whole.find('?');
    request_.path = whole.substr(0, mark);
    if (mark != whole.npos) request_.query = whole.substr(mark + 1);
  }

  void on_response_impl(int, beast::string_view, int, error_code&) override {}  // never: these are requests

  void on_field_impl(field name, beast::string_view name_text, beast::string_view value, error_code& ec) override {
    if (request_finished_head_) return;  // a trailer
    if (request_.headers.size() >= limits_.headers) {
      refuse("headers_too_large", "the request has more than " + std::to_string(limits_.headers) + " headers");
      ec = error::header_limit;
      return;
    }
    if (name == field::transfer_encoding && !equal_ignoring_case(view(value), "chunked")) {
      refuse("malformed", "the only transfer coding that is understood is 'chunked'");
      ec = error::bad_transfer_encoding;
      return;
    }
    const bool once = name == field::host || name == field::content_length || name == field::transfer_encoding ||
                      name == field::authorization || name == field::content_type;
    std::string lower_name(name_text.size(), '\0');
    std::ranges::transform(view(name_text), lower_name.begin(), lower);
    if (once && request_.header(lower_name)) {
      refuse("malformed", "the header '" + lower_name + "' is there twice");
      ec = error::bad_field;
      return;
    }
    request_.headers.emplace_back(std::move(lower_name), std::string(view(value)));
  }

  void on_header_impl(error_code& ec) override {
    request_finished_head_ = true;
    request_.keep_alive = keep_alive();
    if (content_length()) request_.content_length = *content_length();
    request_.has_body = chunked() || request_.content_length.value_or(0) > 0;
    if (request_.http_1_1 && !request_.header("host")) {
      refuse("malformed", "the request has no Host header");
      ec = error::bad_field;
    } else if (!request_.http_1_1 && chunked()) {
      refuse("malformed", "HTTP/1.0 has no chunked bodies");
      ec = error::bad_transfer_encoding;
    }
  }

  void on_body_init_impl(boost::optional<std::uint64_t> const& size, error_code& ec) override {
    if (!size) return;
    if (!reserve(*size, ec)) return;
    reserved_ = *size;
    // The memory itself comes with the bytes: whoever only announces them gets none.
    request_.body.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*size, 1u << 20)));
  }

  std::size_t on_body_impl(beast::string_view bytes, error_code&) override {
    request_.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }

  void on_chunk_header_impl(std::uint64_t, beast::string_view, error_code&) override {}

  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view bytes, error_code& ec) override {
    constexpr std::uint64_t kStep = 64u << 10;
    while (request_.body.size() + bytes.size() > reserved_) {
      if (!reserve(kStep, ec)) return 0;
      reserved_ += kStep;
    }
    request_.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }

  void on_finish_impl(error_code&) override {}

  bool reserve(std::uint64_t bytes, error_code& ec) {
    if (share_.grow(bytes)) return true;
    refuse("at_capacity", "the server holds as many request bodies as it may");
    ec = error::body_limit;
    return false;
  }

  const Limits& limits_;
  Budget::Share& share_;
  std::uint64_t reserved_ = 0;
  bool request_finished_head_ = false;
};

RequestParser::RequestParser(const Limits& limits, Budget::Share& body, Request& into)
    : beast_(std::make_unique<Beast>(limits, body, into)) {}
RequestParser::~RequestParser() = default;

std::size_t RequestParser::feed(std::string_view bytes) { return beast_->feed(bytes); }
RequestParser::State RequestParser::state() const { return beast_->state_; }
const protocol::Problem& RequestParser::problem() const { return beast_->problem_; }

}  // namespace hotcell::server::http
