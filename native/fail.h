// What ends a call: the caller's mistake, or memory that runs out. How a call unwinds is the build's business.
#pragma once

namespace planaria {

// Throws `std::invalid_argument`; in a build without a C++ library, leaves the message for `failure`.
[[noreturn]] void misuse(const char* message);

// Throws `std::bad_alloc`.
[[noreturn]] void exhausted();

// In a `catch (...)`: what ended the call, as one of the C interface's codes; `failure_message` says it in words.
int failure();
const char* failure_message();

}  // namespace planaria
