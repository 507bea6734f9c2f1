# Writes a C++ file that holds another file's bytes: cmake -D input=FILE -D output=FILE.cc -D function=NAME -P embed.cmake
file(READ "${input}" bytes HEX)
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE "${output}" "#include <string_view>

namespace hotcell::embedded {
namespace {
constexpr unsigned char kBytes[] = {
${bytes}0};
}  // namespace

std::string_view ${function}();
std::string_view ${function}() { return {reinterpret_cast<const char*>(kBytes), sizeof kBytes - 1}; }

}  // namespace hotcell::embedded
")
