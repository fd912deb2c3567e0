// What the module and the kernels agree on: a job, the prepared network, and one table of functions per instruction
// set.
#pragma once
#include <cstddef>
#include <cstdint>

namespace planaria {

enum Life { never = 0, before = 1, after = 2 };  // bits: when the living are judged

enum class Edge : std::int32_t {
    zero,
    circular,
    replicate
};  // beyond the grid: nothing, its other side, its nearest cell

enum class Activation : std::int32_t { relu, leaky_relu, elu, gelu, silu, tanh };  // as torch defines them

// One linear layer, twice: `across` (in, out_pad) for the way forward, `back` (out, in_pad) for the way back.
// Both are padded with zeros to whole vectors.
template <class real>
struct Layer {
    int in, out, in_pad, out_pad;
    const real *across, *back, *bias;  // bias (out_pad); that of the first layer is per sample, (batch, out_pad)
};

struct Run {  // filters of nine taps one after the other, the outer ones of which lie `reach` cells away
    int reach, first, end;
};

// A filter of other taps: rows down and columns to the right of each, and its weight.
template <class real>
struct Wide {
    int filter, taps;
    const int* place;  // (taps, 2)
    const real* weight;
};

// A channel that is blurred: its flow gains the blur, by the same weights along rows and columns, less the channel.
template <class real>
struct Blur {
    int channel, side;   // cells, odd
    const real* weight;  // (side), symmetric
};

// What a door asks for: plain numbers, alike for every door, number type and instruction set.
struct Job {
    std::int32_t batch, channels, height, width;  // of the state
    std::int32_t own;                             // channels that are written; the frozen ones follow
    std::int32_t life, life_channel;              // when life is judged, by which channel
    Edge edge;
    bool open;  // no life comes from beyond the grid, whatever its edge
    // Of one step that fires everywhere, without life: what it adds is given in place of the state. With a trace
    // nothing is computed but what the way back needs.
    bool flow;
    Activation activation;
    double life_threshold;
    double length;                          // of a step
    std::uint32_t seed, t;                  // of the first step
    std::uint32_t first_row, first_column;  // of the grid in a larger one: which cells act there
    std::uint64_t fire;                     // a cell acts where its hash is below this, of 2^32
    std::int32_t steps;
};

// A job with its network, prepared for one number type and instruction set: what a kernel works from.
template <class real>
struct Plan : Job {
    int stride;  // channels, padded to whole vectors
    int filters;
    const real* taps;  // (filters, 9), row by row
    int runs;
    const Run* run;
    int wides;
    const Wide<real>* wide;
    int blurs;
    const Blur<real>* blur;
    int border;  // as far as a filter or a blur reaches: cells kept around the grid
    int layers;
    const Layer<real>* layer;
    real threshold, dt;  // the job's, as the kernel computes with them
};

struct Area {  // cells of the grid, from 0, 0
    int row, column, height, width;
};

// Threads that walk through one sample together, a band of rows each. Both calls throw where the work is called off.
struct Crew {
    int size;
    void (*wait)(void*);  // returns once all have called it
    void (*look)(void*);  // whether to go on; to be called every few milliseconds
    void* state;          // of this member
    void meet() const {
        if (size > 1) wait(state);
    }
};

// Gradients of one sample: `layer[i]` is (out, in_pad) for the last layer, (in, out_pad) for the others.
template <class real>
struct Gradients {
    real* const* layer;
    real* const* bias;  // (out_pad)
};

template <class real>
struct Kernel {
    const char* name;
    int lanes;           // numbers in a vector
    void* (*scratch)();  // room for one sample at work
    void (*discard)(void* scratch);
    void* (*trace)();  // a log of what a roll-out overwrote
    void (*forget)(void* trace);
    std::size_t (*bytes)(const void* trace);
    // x, y (channels, height, width): a state goes into the scratch room, some steps on, and out. `trace` may be null,
    // and must be where the crew has several members. A scratch keeps its state, and serves crews of one size.
    void (*enter)(const Plan<real>&, int sample, void* scratch, const real* x, const Crew&, int rank);
    void (*advance)(const Plan<real>&, int sample, void* scratch, void* trace, const Crew&, int rank);
    void (*leave)(const Plan<real>&, int sample, void* scratch, real* y, const Crew&, int rank);
    // numbers (channels, height, width) of an area in the scratch room
    void (*read)(const Plan<real>&, const void* scratch, const Area&, real* values);
    void (*write)(const Plan<real>&, void* scratch, const Area&, const real* values);
    void (*backward)(const Plan<real>&, int sample, void* scratch, const void* trace, const real* gy, real* gx,
                     const Gradients<real>&, const Crew& alone);
};

}  // namespace planaria
