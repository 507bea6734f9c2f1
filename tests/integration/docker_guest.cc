// The one program in the image that these tests import: it does what single lines on its standard input say. Static, so
// that it needs nothing else.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

// Until the kernel ends it. Through a volatile pointer, or a compiler sees that nobody reads it and leaves it out.
static void eat() {
  for (;;) {
    volatile char* const food = static_cast<char*>(std::malloc(1 << 20));
    for (int i = 0; i < 1 << 20; i += 4096) food[i] = 1;
  }
}

int main() {
  setvbuf(stdout, nullptr, _IONBF, 0);
  char line[4096];
  while (std::fgets(line, sizeof line, stdin)) {
    line[std::strcspn(line, "\n")] = 0;
    const std::string order(line);
    if (order.starts_with("say ")) std::printf("%s\n", line + 4);
    if (order.starts_with("complain ")) std::fprintf(stderr, "%s\n", line + 9);
    if (order.starts_with("flood ")) std::printf("%s\n", std::string(std::strtoul(line + 6, nullptr, 10), 'x').c_str());
    if (order.starts_with("exit ")) return std::atoi(line + 5);
    if (order == "eat") eat();
  }
  std::printf("end of input\n");
}
