#include "deps/file_hash.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "deps/errors.h"

namespace hotcell::deps {

Expected<FileHash> hash_file(int fd, std::uint64_t cap) {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1)
    return fail("internal", "cannot start a hash");
  FileHash out;
  std::vector<std::uint8_t> chunk(std::size_t{256} << 10);
  for (;;) {
    const ssize_t n = ::read(fd, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return cache_error("cannot read a file of the dependency cache");
    if (n == 0) break;
    out.bytes += static_cast<std::uint64_t>(n);
    if (out.bytes > cap) return fail("file_too_large", "a file has more than " + std::to_string(cap) + " bytes");
    EVP_DigestUpdate(context.get(), chunk.data(), static_cast<std::size_t>(n));
  }
  unsigned size = 0;
  EVP_DigestFinal_ex(context.get(), out.digest.data(), &size);
  return out;
}

}  // namespace hotcell::deps
