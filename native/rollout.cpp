// The kernels of one instruction set and number type: a roll-out of one sample, forward and backward, on the cells that
// can change.
//
// Cells are rows of `stride` numbers on a grid with a border as wide as a kernel reaches. A step gathers the perception
// of the cells that fire within reach of life, block by block, and runs the network on each block while it is in cache.
// The trace keeps the overwritten rows; the way back undoes them, step by step, and computes the hidden layers again.
#include "backward.h"
#include "forward.h"

namespace {

void* new_scratch() {
    return new Scratch;
}
void drop_scratch(void* s) {
    delete static_cast<Scratch*>(s);
}
void* new_trace() {
    return new Trace;
}
void drop_trace(void* t) {
    delete static_cast<Trace*>(t);
}
std::size_t trace_bytes(const void* p) {
    const Trace& trace = *static_cast<const Trace*>(p);
    std::size_t n = trace.last.bytes();
    for (std::size_t t = 0; t < trace.steps.size(); t++) {
        const Step& s = *trace.steps[t];
        n += sizeof(Step) + s.acted.bytes() + s.died.bytes() + s.rows.bytes() + s.life.bytes();
    }
    return n;
}

}  // namespace

#define JOIN_(a, b, c) a##b##_##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)
namespace planaria {
extern const Kernel<REAL> JOIN(kernel_, ISA, REAL);
const Kernel<REAL> JOIN(kernel_, ISA, REAL) = {
    TEXT(ISA),     VL,      new_scratch,   drop_scratch, new_trace,     drop_trace, trace_bytes,
    enter_scratch, advance, leave_scratch, read_scratch, write_scratch, backward};
}  // namespace planaria
