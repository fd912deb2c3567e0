// What a WebAssembly module without imports needs besides libc: memory as C++ asks for it, and failures that unwind.
#include <cstdlib>
#include <exception>

#include "fail.h"
#include "planaria.h"

namespace {

int code = PLANARIA_OK;
const char* words = "";

[[noreturn]] void leave(int why, const char* message) {
    code = why, words = message;
    __builtin_wasm_throw(0, &code);  // tag 0 is that of C++: every frame is left, and `catch (...)` takes it
}

}  // namespace

namespace planaria {

void misuse(const char* message) {
    leave(PLANARIA_MISUSE, message);
}
void exhausted() {
    leave(PLANARIA_NO_MEMORY, "there is not enough memory");
}
int failure() {
    return code;
}
const char* failure_message() {
    return words;
}

}  // namespace planaria

__asm__(
    ".globl __cpp_exception\n"
    ".tagtype __cpp_exception i32\n"
    "__cpp_exception:\n");

extern "C" {

void* __cxa_begin_catch(void* thrown) noexcept {
    return thrown;
}
void __cxa_end_catch() {}

// Room in this memory for what a caller hands over; null without memory.
PLANARIA_API void* planaria_allocate(std::size_t bytes) {
    return std::malloc(bytes);
}
PLANARIA_API void planaria_release(void* room) {
    std::free(room);
}
}

void std::terminate() noexcept {  // libc++'s brings printf
    __builtin_trap();
}

void* operator new(std::size_t bytes) {
    void* room = std::malloc(bytes ? bytes : 1);
    if (!room) planaria::exhausted();
    return room;
}
void* operator new[](std::size_t bytes) {
    return operator new(bytes);
}
void operator delete(void* room) noexcept {
    std::free(room);
}
void operator delete[](void* room) noexcept {
    std::free(room);
}
void operator delete(void* room, std::size_t) noexcept {
    std::free(room);
}
void operator delete[](void* room, std::size_t) noexcept {
    std::free(room);
}
