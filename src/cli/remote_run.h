// A run by the service that is there already, instead of by an engine of one's own: the same request, the same output,
// the same result.
#pragma once
#include <optional>
#include <string>

#include "protocol/engine.h"
#include "protocol/request.h"
#include "protocol/result.h"

namespace hotcell::cli {

// nullopt: not to be had from a service. There is none, it is ending, it does not let us in; or the run needs what only
// this process can give: a standard input that has not come to its end, files that do not fit a request. With `url` set
// all that is an error instead. What it has read of the standard input is in the request afterwards.
std::optional<Expected<protocol::Result>> run_remotely(protocol::Request& request, const std::string& url,
                                                       protocol::OutputSink& sink, const protocol::StopToken& stop);

// What a descriptor has to give, if that is known to be all and is not much: of /dev/null, a file from its beginning, a
// pipe whose writer is gone. nullopt: it has to be read as the program reads, or not at all.
std::optional<std::string> finished_input(int fd);

}  // namespace hotcell::cli
