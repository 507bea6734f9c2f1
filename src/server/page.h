// The page at "/": a live view, and a place to try a program. One file, page/index.html, that is a part of the binary.
#pragma once
#include "server/http/message.h"

namespace hotcell::server {

// With a Content-Security-Policy under which nothing runs, and nothing is loaded, but what the file itself holds.
http::Response page();

}  // namespace hotcell::server
