// Modules for the tests of wasi/binary, written as text and encoded by Wasmtime, which does not validate while
// encoding.
#pragma once
#include <gtest/gtest.h>
#include <wasmtime.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hotcell::wasi::testing {

using Bytes = std::vector<std::uint8_t>;

inline Bytes wat(std::string_view text) {
  wasm_byte_vec_t out;
  if (wasmtime_error_t* error = wasmtime_wat2wasm(text.data(), text.size(), &out)) {
    wasm_name_t message;
    wasmtime_error_message(error, &message);
    ADD_FAILURE() << std::string(message.data, message.size) << "\nin " << text;
    wasm_byte_vec_delete(&message);
    wasmtime_error_delete(error);
    return {};
  }
  Bytes bytes(out.data, out.data + out.size);
  wasm_byte_vec_delete(&out);
  return bytes;
}

// Whether Wasmtime, with the proposals that it has on by default, would run the module.
inline ::testing::AssertionResult wasmtime_accepts(std::span<const std::uint8_t> wasm) {
  const std::unique_ptr<wasm_engine_t, void (*)(wasm_engine_t*)> engine(wasm_engine_new(), wasm_engine_delete);
  wasmtime_error_t* error = wasmtime_module_validate(engine.get(), wasm.data(), wasm.size());
  if (!error) return ::testing::AssertionSuccess();
  wasm_name_t message;
  wasmtime_error_message(error, &message);
  const std::string text(message.data, message.size);
  wasm_byte_vec_delete(&message);
  wasmtime_error_delete(error);
  return ::testing::AssertionFailure() << text;
}

// A module out of raw sections, for what the text format cannot say.
class ModuleBuilder {
 public:
  ModuleBuilder& section(std::uint8_t id, const Bytes& body) {
    bytes_.push_back(id);
    for (std::size_t size = body.size(), more = 1; more != 0; size >>= 7) {
      more = size >> 7;
      bytes_.push_back(static_cast<std::uint8_t>((size & 0x7f) | (more ? 0x80 : 0)));
    }
    bytes_.insert(bytes_.end(), body.begin(), body.end());
    return *this;
  }
  const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_ = {0, 'a', 's', 'm', 1, 0, 0, 0};
};

}  // namespace hotcell::wasi::testing
