// The network at work on a block of cells: perception, hidden layers, and their gradients.
#pragma once
#include "activation.h"
#include "wide.h"

namespace {

using planaria::Activation;
using planaria::Gradients;
using planaria::Layer;
using planaria::Run;

// The network at work on one block of at most NB cells.
class Block {
  public:
    // `learns`: it also does the way back
    Block(const Plan& job, Buffer<real>& room, Watch& watch, bool learns)
        : job_(job), watch_(watch), wides_(job), depth_(job.layers), steep_(learns && curved()) {
        std::size_t n = 0;
        for (int l = 0; l < depth_; l++) at_[l] = n, n += static_cast<std::size_t>(NB) * width(l);
        widest_ = 0;
        for (int l = 0; l <= depth_; l++) widest_ = width(l) > widest_ ? width(l) : widest_;
        spare_ = n;
        slopes_ = n + 2 * static_cast<std::size_t>(NB) * widest_ + VL;
        room.resize(slopes_ + (steep_ ? n : 0));
        room_ = room.data();
    }
    // numbers in a row of what enters layer l; perception has room for a last vector that overruns
    int width(int l) const {
        if (l == depth_) return job_.layer[l - 1].out_pad;
        return l ? job_.layer[l - 1].out_pad : (job_.filters * job_.channels + VL - 1) / VL * VL + VL;
    }
    real* entering(int l) { return room_ + at_[l]; }
    real* slopes(int l) { return room_ + slopes_ + at_[l]; }  // of the activations that enter layer l
    real* spare(int i) { return room_ + spare_ + static_cast<std::size_t>(i) * NB * widest_; }

    void perceive(const real* x, std::ptrdiff_t row, real* out) const {
        const int c = job_.channels, runs = job_.runs;
        const Run* const run = job_.run;
        for (int v = job_.stride / VL - 1; v >= 0; v--) {  // last first: its overrun is overwritten by the others
            const real* p = x + v * VL;
            for (int r = 0; r < runs; r++) {
                const std::ptrdiff_t down = run[r].reach * row, right = run[r].reach * job_.stride;
                const vec n[9] = {load(p - down - right), load(p - down), load(p - down + right),
                                  load(p - right),        load(p),        load(p + right),
                                  load(p + down - right), load(p + down), load(p + down + right)};
                const real* w = job_.taps + 9 * run[r].first;
                real* to = out + run[r].first * c + v * VL;
                for (int f = run[r].first; f < run[r].end; f++, w += 9, to += c) {
                    vec sum = n[0] * w[0];
#pragma GCC unroll 8
                    for (int k = 1; k < 9; k++) sum += n[k] * w[k];
                    store(to, sum);
                }
            }
        }
    }
    // the transpose: what a perception's gradient gives to the cells that it came from
    void spread(const real* p, real* g, std::ptrdiff_t row) const {
        const int c = job_.channels, runs = job_.runs;
        const Run* const run = job_.run;
        for (int r = 0; r < runs; r++) {
            const int first = run[r].first, end = run[r].end;
            const std::ptrdiff_t down = run[r].reach * row, right = run[r].reach * job_.stride;
            const std::ptrdiff_t to[9] = {-down - right, -down,        -down + right, -right,      0,
                                          right,         down - right, down,          down + right};
            for (int v = 0; v < job_.stride / VL; v++) {
                vec sum[9] = {};
                const real *from = p + first * c + v * VL, *w = job_.taps + 9 * first;
                for (int f = first; f < end; f++, w += 9, from += c) {
                    const vec d = load(from);
#pragma GCC unroll 9
                    for (int k = 0; k < 9; k++) sum[k] += d * w[k];
                }
#pragma GCC unroll 9
                for (int k = 0; k < 9; k++) store(g + to[k] + v * VL, load(g + to[k] + v * VL) + sum[k]);
            }
        }
    }
    // what wide filters add to the perception of cells `at`, as many at a time as a vector holds
    void perceive_wide(const real* planes, const std::int32_t* at, int n) {
        const std::size_t cells = Grid(job_).cells(), wide = width(0);
        int vectors = 0, first[NB + 1];  // of each its first cell's number in the block
        for (int i = 0; i < n; i++)
            if (!i || at[i] < at[first[vectors - 1]] || at[i] - at[first[vectors - 1]] >= VL) first[vectors++] = i;
        first[vectors] = n;
        for (int c = 0; c < job_.channels; c++)
            for (int k = 0; k < job_.wides; k++)
                for (int v = 0; v < vectors; v++) {
                    const std::int32_t start = at[first[v]];
                    real lane[VL];
                    store(lane, wides_.perceive(k, planes + c * cells + start));
                    real* to = entering(0) + job_.wide[k].filter * job_.channels + c;
                    for (int i = first[v]; i < first[v + 1]; i++) to[i * wide] = lane[at[i] - start];
                }
        watch_.did(wides_.taps() * job_.channels * VL * vectors);
    }
    // perception and every hidden layer of cells `at`; returns what enters the last layer
    void hidden(const real* x, const real* planes, std::ptrdiff_t row, const std::int32_t* at, int n,
                const real* first_bias) {
        for (int i = 0; i < n; i++)
            perceive(x + static_cast<std::size_t>(at[i]) * job_.stride, row,
                     entering(0) + static_cast<std::size_t>(i) * width(0));
        if (job_.wides) perceive_wide(planes, at, n);
        watch_.did(static_cast<std::size_t>(n) * width(0));
        for (int l = 0; l + 1 < depth_; l++) {
            const Layer<real>& layer = job_.layer[l];
            real* h = entering(l + 1);
            product<bias>(n, layer.out_pad, layer.in, entering(l), width(l), 1, layer.across, layer.out_pad, h,
                          layer.out_pad, l ? layer.bias : first_bias);
            const std::size_t size = static_cast<std::size_t>(n) * layer.out_pad;
            activate(h, steep_ ? slopes(l + 1) : nullptr, size);
            watch_.did(size * layer.in);
        }
    }
    // what the cells add in this step, (n, out_pad of the last layer)
    void flow(const real* x, const real* planes, std::ptrdiff_t row, const std::int32_t* at, int n,
              const real* first_bias, real* dx) {
        hidden(x, planes, row, at, n, first_bias);
        const int l = depth_ - 1;
        const Layer<real>& layer = job_.layer[l];
        product<bias>(n, layer.out_pad, layer.in, entering(l), width(l), 1, layer.across, layer.out_pad, dx,
                      layer.out_pad, l ? layer.bias : first_bias);
        for (int i = 0; i < n; i++) {
            real* d = dx + static_cast<std::size_t>(i) * layer.out_pad;
            if (job_.dt != 1)
                for (int c = 0; c < layer.out_pad; c++) d[c] *= job_.dt;
            for (int c = job_.own; c < layer.out_pad; c++) d[c] = 0;  // where not a number met the padding
        }
        watch_.did(static_cast<std::size_t>(n) * layer.out_pad * layer.in);
    }
    // after `hidden`: from the gradient `g` (n, out_pad of the last) of the flow to that of the perception, returned;
    // gradients of weights and biases are added to `sums`
    const real* learn(const real* g, int n, const Gradients<real>& sums) {
        int turn = 0;
        for (int l = depth_ - 1; l >= 0; l--, turn ^= 1) {
            const Layer<real>& layer = job_.layer[l];
            const int in = width(l);
            if (l == depth_ - 1)
                product<more>(layer.out, layer.in_pad, n, g, 1, layer.out_pad, entering(l), in, sums.layer[l],
                              layer.in_pad);
            else
                product<more>(layer.in, layer.out_pad, n, entering(l), 1, in, g, layer.out_pad, sums.layer[l],
                              layer.out_pad);
            for (int i = 0; i < n; i++)
                for (int c = 0; c < layer.out_pad; c += VL)
                    store(sums.bias[l] + c,
                          load(sums.bias[l] + c) + load(g + static_cast<std::size_t>(i) * layer.out_pad + c));
            real* down = spare(turn);
            product<zero>(n, layer.in_pad, layer.out, g, layer.out_pad, 1, layer.back, layer.in_pad, down,
                          l ? layer.in_pad : in);
            if (l) {
                const std::size_t size = static_cast<std::size_t>(n) * layer.in_pad;
                if (steep_)
                    for (std::size_t i = 0; i < size; i += VL) store(down + i, load(down + i) * load(slopes(l) + i));
                else
                    straighten(entering(l), down, size);
            }
            watch_.did(2 * static_cast<std::size_t>(n) * layer.out_pad * layer.in_pad);
            g = down;
        }
        return g;
    }

  private:
    bool curved() const { return job_.activation != Activation::relu && job_.activation != Activation::leaky_relu; }
    // of what enters a layer; the slopes of a curved activation go to `slopes`, unless that is null
    void activate(real* h, real* slopes, std::size_t size) const {
        switch (job_.activation) {
            case Activation::relu:
            case Activation::leaky_relu:
                return straighten(h, h, size);
            case Activation::elu:
                return curve<elu>(h, slopes, size);
            case Activation::gelu:
                return curve<gelu>(h, slopes, size);
            case Activation::silu:
                return curve<silu>(h, slopes, size);
            case Activation::tanh:
                return curve<hyperbolic_tangent>(h, slopes, size);
        }
    }
    // scales `to` by the slope of relu or leaky_relu where `h` is not positive; not a number stays what it is
    void straighten(const real* h, real* to, std::size_t size) const {
        const vec nil = {};
        if (job_.activation == Activation::relu)
            for (std::size_t i = 0; i < size; i += VL) store(to + i, load(h + i) <= nil ? nil : load(to + i));
        else
            for (std::size_t i = 0; i < size; i += VL)
                store(to + i, load(h + i) <= nil ? load(to + i) * real(0.01) : load(to + i));
    }

    const Plan& job_;
    Watch& watch_;
    const Wides wides_;
    int depth_, widest_;
    real* room_;
    bool steep_;  // slopes are kept
    std::size_t at_[17], spare_, slopes_;
};

}  // namespace
