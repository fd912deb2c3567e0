// A network prepared for the kernels, and a roll-out that shares the samples of a batch among threads.
//
// No door's types are known here: every pointer is to plain numbers, row by row, that outlive the call.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#ifdef __wasm__
#include "alone.h"
#else
#include "call.h"
#endif
#include "fail.h"
#include "rollout.h"

namespace planaria {

constexpr int farthest = 1 << 10;  // cells that a filter or a blur reaches at most

template <class real>
struct Matrix {  // (out, in)
    const real* data;
    int out, in;
};

// Weights as torch holds them: the first layer reads channel by channel all filters.
template <class real>
struct Parameters {
    int filters;
    const real* taps;  // (filters, 9)
    const int* reach;  // (filters): how far away the outer taps lie
    int wides;
    const Wide<real>* wide;  // filters in ascending order of which `taps` and `reach` say nothing
    int layers;
    const Matrix<real>* weight;
    const real* first_bias;  // (batch, out)
    int biases;
    const real* const* bias;  // of the second layer and those after it that have one
    int blurs;
    const Blur<real>* blur;
};

// Where gradients go, in the shapes of the parameters. Those of weights and biases are added to what is there.
template <class real>
struct ParameterGradients {
    real* first_bias;
    real* const* weight;
    int biases;
    real* const* bias;
};

#define KERNELS(ISA)                                 \
    extern const Kernel<float> kernel_##ISA##_float; \
    extern const Kernel<double> kernel_##ISA##_double;
KERNELS(plain)
#ifdef PLANARIA_X86
KERNELS(avx2)
KERNELS(avx512)
#endif

template <class real>
std::vector<const Kernel<real>*> kernels() {  // those that this processor runs, best first
    std::vector<const Kernel<real>*> found;
#define FOUND(ISA)                               \
    if constexpr (sizeof(real) == sizeof(float)) \
        found.push_back(&kernel_##ISA##_float);  \
    else                                         \
        found.push_back(&kernel_##ISA##_double);
#ifdef PLANARIA_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw")) {
        FOUND(avx512)
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        FOUND(avx2)
    }
#endif
    FOUND(plain)
#undef FOUND
    return found;
}

template <class real>
const Kernel<real>& kernel(const std::string& name) {
    for (const Kernel<real>* k : kernels<real>())
        if (name.empty() || name == k->name) return *k;
    misuse(("this processor has no instruction set " + name).c_str());
}

template <class real>
struct ScratchOf {
    const Kernel<real>& kernel;
    void* room;
    explicit ScratchOf(const Kernel<real>& k) : kernel(k), room(k.scratch()) {}
    ~ScratchOf() { kernel.discard(room); }
    ScratchOf(const ScratchOf&) = delete;
    ScratchOf& operator=(const ScratchOf&) = delete;
};

// Weights as torch holds them, padded and turned for the kernels.
template <class real>
class Network {
  public:
    Network(const Kernel<real>& kernel, const Job& job, const Parameters<real>& p, Call& call)
        : taps_(p.taps, p.taps + static_cast<std::size_t>(p.filters) * 9) {
        int wides = 0;
        for (int f = 0; f < p.filters; f++)
            if (wides < p.wides && p.wide[wides].filter == f) {
                const auto [filter, taps, place, weight] = p.wide[wides++];
                places_.emplace_back(place, place + 2 * static_cast<std::size_t>(taps));
                kept_.emplace_back(weight, weight + taps);
                wides_.push_back({filter, taps, places_.back().data(), kept_.back().data()});
            } else if (runs_.size() && runs_.back().end == f && runs_.back().reach == p.reach[f])
                runs_.back().end++;
            else
                runs_.push_back({p.reach[f], f, f + 1});
        for (int k = 0; k < p.blurs; k++) {
            const auto [channel, side, weight] = p.blur[k];
            kept_.emplace_back(weight, weight + side);
            blurs_.push_back({channel, side, kept_.back().data()});
        }
        const auto pad = [&](int n) { return (n + kernel.lanes - 1) / kernel.lanes * kernel.lanes; };
        for (int l = 0; l < p.layers; l++) {
            const auto [data, out, in] = p.weight[l];
            if (in != (l ? layers_.back().out : job.channels * p.filters)) misuse("weights do not fit each other");
            Layer<real> layer{in, out, pad(in), pad(out), nullptr, nullptr, nullptr};
            std::vector<real> across(static_cast<std::size_t>(in) * layer.out_pad),
                back(static_cast<std::size_t>(out) * layer.in_pad);
            for (int o = 0; o < out; o++)
                for (int i = 0; i < in; i++) {
                    const real v = data[static_cast<std::size_t>(o) * in + (l ? i : place(i, job.channels, p.filters))];
                    across[static_cast<std::size_t>(i) * layer.out_pad + o] = v;
                    back[static_cast<std::size_t>(o) * layer.in_pad + i] = v;
                }
            const real* b = l == 0 ? p.first_bias : l - 1 < p.biases ? p.bias[l - 1] : nullptr;
            const std::size_t rows = l == 0 ? job.batch : 1;
            std::vector<real> bias(rows * layer.out_pad);
            for (std::size_t r = 0; b && r < rows; r++) std::copy_n(b + r * out, out, bias.data() + r * layer.out_pad);
            kept_.push_back(std::move(across)), layer.across = kept_.back().data();
            kept_.push_back(std::move(back)), layer.back = kept_.back().data();
            kept_.push_back(std::move(bias)), layer.bias = kept_.back().data();
            layers_.push_back(layer);
            call.look(true);
        }
    }
    // place in torch's channel-major order of the kernels' filter-major number i
    static int place(int i, int channels, int filters) { return i % channels * filters + i / channels; }
    const std::vector<Layer<real>>& layers() const { return layers_; }
    int filters() const { return static_cast<int>(taps_.size() / 9); }
    const real* taps() const { return taps_.data(); }
    const std::vector<Run>& runs() const { return runs_; }
    const std::vector<Wide<real>>& wides() const { return wides_; }
    const std::vector<Blur<real>>& blurs() const { return blurs_; }

  private:
    std::vector<Layer<real>> layers_;
    std::vector<std::vector<real>> kept_;
    std::vector<std::vector<int>> places_;
    std::vector<real> taps_;
    std::vector<Run> runs_;
    std::vector<Wide<real>> wides_;
    std::vector<Blur<real>> blurs_;
};

// One roll-out and what it overwrote.
template <class real>
class Rollout {
  public:
    // Throws `invalid_argument` where job and parameters don't fit each other.
    Rollout(const Kernel<real>& kernel, const Job& job, const Parameters<real>& p, Call& call)
        : kernel_(kernel), network_(kernel, checked(job, p), p, call) {
        static_cast<Job&>(job_) = job;
        job_.stride = (job.channels + kernel.lanes - 1) / kernel.lanes * kernel.lanes;
        job_.border = border(p);
        job_.threshold = static_cast<real>(job.life_threshold);
        job_.dt = static_cast<real>(job.length);
        link();
    }
    ~Rollout() { forget(); }
    Rollout(const Rollout&) = delete;
    Rollout& operator=(const Rollout&) = delete;

    // Other weights of the same shapes; what was recorded with the former ones is dropped.
    void prepare(const Parameters<real>& p, Call& call) {
        forget();
        network_ = Network<real>(kernel_, checked(job_, p), p, call);
        link();
    }

    // Drops what was recorded.
    void forget() {
        while (!traces_.empty()) kernel_.forget(traces_.back()), traces_.pop_back();
    }

    // The moment at which the next steps begin, and their number.
    void schedule(std::uint32_t seed, std::uint32_t t, std::uint32_t first_row, std::uint32_t first_column, int steps) {
        job_.seed = seed, job_.t = t, job_.first_row = first_row, job_.first_column = first_column, job_.steps = steps;
    }

    void forward(Call& call, const real* x, real* y, bool keep, int threads) {
        const std::size_t size = static_cast<std::size_t>(job_.channels) * job_.height * job_.width;
        const auto walk = [&](int b, void* scratch, const Crew& crew, int rank) {
            kernel_.enter(job_, b, scratch, x + b * size, crew, rank);
            kernel_.advance(job_, b, scratch, keep ? traces_[b] : nullptr, crew, rank);
            kernel_.leave(job_, b, scratch, y + b * size, crew, rank);
        };
        Barrier barrier;
        trace(keep);
        if (keep || job_.batch >= threads || !long_enough()) {  // a sample to a thread
            std::atomic<int> next{0};
            call.share(std::min(threads, job_.batch), [&](int rank, int crew) {
                Member me{call, barrier, rank, crew};
                const ScratchOf<real> scratch(kernel_);
                for (int b; (b = next.fetch_add(1)) < job_.batch; call.look(rank == 0))
                    walk(b, scratch.room, me.alone(), 0);
            });
            return;
        }
        const ScratchOf<real> scratch(kernel_);
        call.share(threads, [&](int rank, int crew) {
            Member me{call, barrier, rank, crew};
            for (int b = 0; b < job_.batch; b++) walk(b, scratch.room, me.together(), rank);
        });
    }

    // Advances samples that lie on scratches of their own, one after the other.
    void advance(Call& call, void* const* scratches, bool keep) {
        Barrier barrier;
        Member me{call, barrier, 0, 1};
        trace(keep);
        for (int b = 0; b < job_.batch; b++)
            kernel_.advance(job_, b, scratches[b], keep ? traces_[b] : nullptr, me.alone(), 0);
    }

    // `gy` and `gx` are (batch, channels, height, width), of the last state and of the first; they may be the same.
    void backward(Call& call, const real* gy, real* gx, const ParameterGradients<real>& g, int threads) const {
        std::vector<real> sums(numbers() * job_.batch);
        backward(call, gy, gx, sums.data(), threads);
        for (int b = 0; b < job_.batch; b++) add(call, sums.data(), b, g);  // in this order, whoever computed them
    }

    // The same, with the parameters' gradients of each sample apart: `numbers()` of each, from zero, for `add`.
    void backward(Call& call, const real* gy, real* gx, real* sums, int threads) const {
        const std::size_t size = static_cast<std::size_t>(job_.channels) * job_.height * job_.width;
        const std::size_t layers = network_.layers().size(), total = numbers();
        std::atomic<int> next{0};
        Barrier barrier;
        call.share(std::min(threads, job_.batch), [&](int rank, int crew) {
            Member me{call, barrier, rank, crew};
            const ScratchOf<real> scratch(kernel_);
            std::vector<real*> weights(layers), biases(layers);
            for (int b; (b = next.fetch_add(1)) < job_.batch; call.look(rank == 0)) {
                real* at = sums + b * total;
                for (std::size_t l = 0; l < layers; at += network_.layers()[l++].out_pad) {
                    weights[l] = at;
                    biases[l] = at += rows(l) * row(l);
                }
                kernel_.backward(job_, b, scratch.room, traces_[b], gy + b * size, gx + b * size,
                                 {weights.data(), biases.data()}, me.alone());
            }
        });
    }

    // Adds one sample's part of `sums` to the gradients.
    void add(Call& call, const real* sums, int sample, const ParameterGradients<real>& g) const {
        const real* part = sums + sample * numbers();
        for (std::size_t l = 0; l < network_.layers().size(); l++) {
            const Layer<real>& layer = network_.layers()[l];
            const bool last = l + 1 == network_.layers().size();
            real* to = g.weight[l];
            for (int o = 0; o < layer.out; o++)
                for (int i = 0; i < layer.in; i++)
                    to[static_cast<std::size_t>(o) * layer.in +
                       (l ? i : Network<real>::place(i, job_.channels, job_.filters))] +=
                        part[last ? o * row(l) + i : i * row(l) + o];
            const real* bias = part + rows(l) * row(l);
            if (l == 0)
                std::copy_n(bias, layer.out, g.first_bias + static_cast<std::size_t>(sample) * layer.out);
            else if (static_cast<int>(l) - 1 < g.biases)
                for (int o = 0; o < layer.out; o++) g.bias[l - 1][o] += bias[o];
            part = bias + layer.out_pad;
            call.look(true);
        }
    }

    // of one sample's gradients of all parameters, padded
    std::size_t numbers() const {
        std::size_t n = 0;
        for (std::size_t l = 0; l < network_.layers().size(); l++) n += rows(l) * row(l) + network_.layers()[l].out_pad;
        return n;
    }

    std::size_t bytes() const {
        std::size_t n = 0;
        for (const void* t : traces_) n += kernel_.bytes(t);
        return n;
    }

    const Plan<real>& job() const { return job_; }
    const std::vector<Layer<real>>& layers() const { return network_.layers(); }
    bool traced() const { return traces_.size() == static_cast<std::size_t>(job_.batch); }

  private:
    void trace(bool keep) {  // new ones, or none
        forget();
        traces_.reserve(job_.batch);
        for (int b = 0; keep && b < job_.batch; b++) traces_.push_back(kernel_.trace());
    }
    void link() {
        job_.filters = network_.filters();
        job_.taps = network_.taps();
        job_.runs = static_cast<int>(network_.runs().size());
        job_.run = network_.runs().data();
        job_.wides = static_cast<int>(network_.wides().size());
        job_.wide = network_.wides().data();
        job_.blurs = static_cast<int>(network_.blurs().size());
        job_.blur = network_.blurs().data();
        job_.layers = static_cast<int>(network_.layers().size());
        job_.layer = network_.layers().data();
    }
    static int border(const Parameters<real>& p) {
        int far = 1;
        for (int f = 0; f < p.filters; f++) far = std::max(far, p.reach[f]);
        for (int k = 0; k < p.wides; k++)
            for (int i = 0; i < 2 * p.wide[k].taps; i++) far = std::max(far, std::abs(p.wide[k].place[i]));
        for (int k = 0; k < p.blurs; k++) far = std::max(far, p.blur[k].side / 2);
        return far;
    }
    static const Job& checked(const Job& job, const Parameters<real>& p) {
        const int edge = static_cast<int>(job.edge), activation = static_cast<int>(job.activation);
        if (job.own < 1 || job.own > job.channels || job.steps < 0 || edge < 0 || edge > 2 || activation < 0 ||
            activation > static_cast<int>(Activation::tanh) ||
            (job.life && (job.life_channel < 0 || job.life_channel >= job.own)))
            misuse("the settings do not fit the state");
        if (job.flow && (job.steps != 1 || job.life || job.fire < 1ull << 32))
            misuse("a flow is that of one step that fires everywhere, without life");
        if (p.layers < 1 || p.layers > 17) misuse("a network has 1 to 17 layers");
        if (p.weight[p.layers - 1].out != job.own) misuse("the last layer does not write the state");
        if (std::any_of(p.reach, p.reach + p.filters, [](int n) { return n < 1 || n > farthest; }))
            misuse("every filter has a reach of 1 cell or more");
        for (int k = 0; k < p.wides; k++) {
            const auto [filter, taps, place, weight] = p.wide[k];
            const int* const end = place + 2 * static_cast<std::size_t>(std::max(taps, 0));
            if (filter <= (k ? p.wide[k - 1].filter : -1) || filter >= p.filters || taps < 1 ||
                std::any_of(place, end, [](int n) { return n < -farthest || n > farthest; }))
                misuse("a wide filter has taps within reach");
        }
        for (int k = 0; k < p.blurs; k++) {
            const auto [channel, side, weight] = p.blur[k];
            bool fits = channel >= 0 && channel < job.own && side > 0 && side % 2 && side <= 2 * farthest;
            for (int i = 0; fits && i < side / 2; i++) fits = weight[i] == weight[side - 1 - i];
            if (!fits) misuse("a blur is odd and symmetric, of a channel that is written");
        }
        const std::uint64_t rim = 2 * static_cast<std::uint64_t>(border(p));
        if ((job.height + rim) * (job.width + rim) >= (1ull << 31)) misuse("the grid is too large");
        return job;
    }
    // whether one sample's walk is worth the start of threads: many steps, or many cells in each
    bool long_enough() const {
        const long long cells = static_cast<long long>(job_.height) * job_.width;
        return job_.steps >= 8 || (!(job_.life & before) && job_.steps * cells >= 1 << 14);
    }
    std::size_t rows(std::size_t l) const {
        return l + 1 == network_.layers().size() ? network_.layers()[l].out : network_.layers()[l].in;
    }
    std::size_t row(std::size_t l) const {
        return l + 1 == network_.layers().size() ? network_.layers()[l].in_pad : network_.layers()[l].out_pad;
    }

    const Kernel<real>& kernel_;
    Network<real> network_;
    Plan<real> job_{};
    std::vector<void*> traces_;
};

}  // namespace planaria
