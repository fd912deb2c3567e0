// What one sample's roll-out works in, and what it leaves for the way back.
#pragma once
#include "blur.h"

namespace {

struct Step {  // what one step overwrote
    Buffer<std::int32_t> acted, died;
    Buffer<real> rows;          // their former content, `own` numbers each
    Buffer<std::uint8_t> life;  // of the cells in `reach`
    Box reach = nowhere;
    bool wrapped = false;
};

struct Trace {
    Buffer<Step*> steps;
    Buffer<real> last;  // the final state
    ~Trace() {
        for (std::size_t t = 0; t < steps.size(); t++) delete steps[t];
    }
    Step* next() {
        steps.push(nullptr);
        return steps[steps.size() - 1] = new Step;
    }
};

struct Scratch {  // room for one sample at work
    Buffer<real> x, planes, life_value, gradient, net, blank, blurred, spreading;
    Buffer<std::uint8_t> living, tried, near, life, occupied, fires;
    Buffer<real>* dx = nullptr;
    Buffer<std::int32_t>*acting = nullptr, *ring = nullptr;
    Box* boxes = nullptr;
    Blurring* blurring = nullptr;
    int ranks = 0;
    ~Scratch() { delete[] dx, delete[] acting, delete[] ring, delete[] boxes, delete[] blurring; }
};

}  // namespace
