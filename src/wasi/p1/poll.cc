// poll_oneoff: sleeping, and asking whether descriptors are ready. Files, stdin (all bytes are here) and output always
// are, so a call that asks about a descriptor never sleeps.
#include <algorithm>

#include "wasi/p1/host.h"

namespace hotcell::wasi {
namespace {

// select() over 1024 descriptors, for reading and writing, and a timeout is the most that a guest's libc asks for.
constexpr std::uint32_t kMaxSubscriptions = 4096;

std::uint64_t add(std::uint64_t a, std::uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

}  // namespace

// When a clock subscription is due, on the guest's monotonic clock.
Result<Host::U64> Host::due(const abi::Subscription& subscription, U64 monotonic) const {
  const auto& clock = subscription.clock;
  if (clock.flags > abi::kClockAbsolute) return fail_with(Errno::kInval);
  const bool realtime = clock.id == static_cast<U32>(abi::Clock::kRealtime);
  if (!realtime && clock.id != static_cast<U32>(abi::Clock::kMonotonic))
    return fail_with(clock.id > static_cast<U32>(abi::Clock::kThreadCpu) ? Errno::kInval : Errno::kNotsup);
  if ((clock.flags & abi::kClockAbsolute) == 0) return add(monotonic, clock.timeout);
  if (!config_.allow_clock) return fail_with(Errno::kPerm);
  if (!realtime) return clock.timeout;
  const U64 now = peek_clock(abi::Clock::kRealtime);
  return add(monotonic, clock.timeout - std::min(clock.timeout, now));
}

abi::Event Host::descriptor_event(const abi::Subscription& subscription) {
  abi::Event event{.userdata = subscription.userdata, .error = 0, .type = subscription.tag, .nbytes = 0, .flags = 0};
  const bool reading = subscription.tag == static_cast<std::uint8_t>(abi::EventType::kFdRead);
  const Descriptor* descriptor = find(subscription.fd);
  const U64 wanted = reading ? abi::rights::kFdRead : abi::rights::kFdWrite;
  if (!descriptor || (descriptor->rights_base & wanted) == 0) {
    event.error = static_cast<std::uint16_t>(Errno::kBadf);
  } else if (!reading) {
    event.nbytes = 65536;
  } else if (descriptor->kind == Kind::kStdin) {
    event.nbytes = config_.stdin_bytes.size() - stdin_position_;
    // Readable without waiting: a read would say that more is to come, or that this is the end.
    if (event.nbytes == 0 && !config_.more_input) event.flags = abi::kHangup;
  } else {
    const U64 size = config_.fs->size(*descriptor->node);
    event.nbytes = size - std::min(size, descriptor->offset);
  }
  return event;
}

Errno Host::poll_oneoff(Memory memory, U32 in, U32 out, U32 count, U32 events) {
  if (count == 0 || count > kMaxSubscriptions) return Errno::kInval;
  if (!memory.has(in, U64{count} * sizeof(abi::Subscription)) || !memory.has(out, U64{count} * sizeof(abi::Event)) ||
      !memory.has(events, sizeof(U32)))
    return Errno::kFault;
  const auto subscription_at = [&](U32 index) {
    abi::Subscription subscription;
    memory.load(in + index * U32{sizeof(abi::Subscription)}, subscription);
    return subscription;
  };

  const U64 asked_at = peek_clock(abi::Clock::kMonotonic);
  U64 earliest = UINT64_MAX;
  bool ready = false;
  for (U32 i = 0; i < count; ++i) {
    const auto subscription = subscription_at(i);
    if (subscription.tag > static_cast<std::uint8_t>(abi::EventType::kFdWrite)) return Errno::kInval;
    if (subscription.tag != static_cast<std::uint8_t>(abi::EventType::kClock)) {
      ready = true;
    } else if (const auto when = due(subscription, asked_at)) {
      earliest = std::min(earliest, *when);
    } else {
      ready = true;  // with an error
    }
  }
  if (!ready && !sleep_until_monotonic(earliest)) return Errno::kIntr;
  // A sleep never ends early; where only its waking is late, everything due by then is reported too.
  const U64 now = ready ? asked_at : std::max(earliest, peek_clock(abi::Clock::kMonotonic));

  U32 written = 0;
  const auto report = [&](const abi::Event& event) {
    memory.store(out + written * U32{sizeof(abi::Event)}, event);
    ++written;
  };
  for (U32 i = 0; i < count; ++i) {
    const auto subscription = subscription_at(i);
    if (subscription.tag != static_cast<std::uint8_t>(abi::EventType::kClock)) {
      report(descriptor_event(subscription));
      continue;
    }
    const auto when = due(subscription, asked_at);
    if (when && *when > now) continue;
    const Errno error = when ? Errno::kSuccess : when.error();
    report({.userdata = subscription.userdata,
            .error = static_cast<std::uint16_t>(error),
            .type = subscription.tag,
            .nbytes = 0,
            .flags = 0});
  }
  memory.store(events, written);
  return Errno::kSuccess;
}

}  // namespace hotcell::wasi
