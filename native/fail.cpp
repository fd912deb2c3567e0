// Failures as C++ exceptions.
#include "fail.h"

#include <cstdio>
#include <new>
#include <stdexcept>

#include "planaria.h"

namespace planaria {

namespace {
thread_local char words[160] = "";
}

void misuse(const char* message) {
    throw std::invalid_argument(message);
}
void exhausted() {
    throw std::bad_alloc();
}
int failure() {
    try {
        throw;
    } catch (const std::bad_alloc&) {
        std::snprintf(words, sizeof words, "there is not enough memory");
        return PLANARIA_NO_MEMORY;
    } catch (const std::exception& e) {
        std::snprintf(words, sizeof words, "%s", e.what());
        return PLANARIA_MISUSE;
    }
}
const char* failure_message() {
    return words;
}

}  // namespace planaria
