// The Python door: checks shapes, prepares weights, and shares the samples of a batch among threads.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "call.h"
#include "rollout.h"

namespace nb = nanobind;

namespace planaria {
#define KERNELS(ISA)                                 \
    extern const Kernel<float> kernel_##ISA##_float; \
    extern const Kernel<double> kernel_##ISA##_double;
KERNELS(plain)
#ifdef PLANARIA_X86
KERNELS(avx2)
KERNELS(avx512)
#endif
}  // namespace planaria

namespace {

using namespace planaria;

constexpr int farthest = 1 << 10;  // cells that a filter reaches at most

template <class real>
using In = nb::ndarray<const real, nb::c_contig, nb::device::cpu>;
template <class real>
using Out = nb::ndarray<real, nb::c_contig, nb::device::cpu>;

template <class real>
std::vector<const Kernel<real>*> kernels() {  // those that this processor runs, best first
    std::vector<const Kernel<real>*> found;
    const auto pick = [](const Kernel<float>& f, const Kernel<double>& d) {
        if constexpr (sizeof(real) == sizeof(float))
            return &f;
        else
            return &d;
    };
#ifdef PLANARIA_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw"))
        found.push_back(pick(kernel_avx512_float, kernel_avx512_double));
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        found.push_back(pick(kernel_avx2_float, kernel_avx2_double));
#endif
    found.push_back(pick(kernel_plain_float, kernel_plain_double));
    return found;
}

template <class real>
const Kernel<real>& kernel(const std::string& name) {
    for (const Kernel<real>* k : kernels<real>())
        if (name.empty() || name == k->name) return *k;
    throw std::invalid_argument("this processor has no instruction set " + name);
}

template <class real>
struct StageOf {
    const Kernel<real>& kernel;
    void* room;
    StageOf(const Kernel<real>& k, const Job<real>& job) : kernel(k), room(k.stage(job)) {}
    ~StageOf() { kernel.strike(room); }
    StageOf(const StageOf&) = delete;
    StageOf& operator=(const StageOf&) = delete;
};

// Weights as torch holds them, padded and turned for the kernels.
template <class real>
class Network {
  public:
    Network(const Kernel<real>& kernel, int channels, const In<real>& taps, const In<real>& first_bias,
            const std::vector<int>& reaches, const std::vector<In<real>>& weights, const std::vector<In<real>>& biases,
            Call& call)
        : taps_(taps.data(), taps.data() + taps.size()) {
        for (std::size_t f = 0; f < reaches.size(); f++)
            if (f && reaches[f] == reaches[f - 1])
                runs_.back().end++;
            else
                runs_.push_back({reaches[f], static_cast<int>(f) + 1});
        const int filters = static_cast<int>(taps.shape(0));
        const auto pad = [&](int n) { return (n + kernel.lanes - 1) / kernel.lanes * kernel.lanes; };
        for (std::size_t l = 0; l < weights.size(); l++) {
            const In<real>& w = weights[l];
            if (w.ndim() != 2) throw std::invalid_argument("a weight is (out, in)");
            const int out = static_cast<int>(w.shape(0)), in = static_cast<int>(w.shape(1));
            if (in != (l ? layers_.back().out : channels * filters))
                throw std::invalid_argument("weights do not fit each other");
            Layer<real> layer{in, out, pad(in), pad(out), nullptr, nullptr, nullptr};
            std::vector<real> across(static_cast<std::size_t>(in) * layer.out_pad),
                back(static_cast<std::size_t>(out) * layer.in_pad);
            for (int o = 0; o < out; o++)
                for (int i = 0; i < in; i++) {
                    const real v = w.data()[static_cast<std::size_t>(o) * in + (l ? i : place(i, channels, filters))];
                    across[static_cast<std::size_t>(i) * layer.out_pad + o] = v;
                    back[static_cast<std::size_t>(o) * layer.in_pad + i] = v;
                }
            const In<real>* b = l == 0 ? &first_bias : l - 1 < biases.size() ? &biases[l - 1] : nullptr;
            const std::size_t rows = l == 0 ? first_bias.shape(0) : 1;
            if (b && b->size() != rows * out) throw std::invalid_argument("a bias does not fit its layer");
            std::vector<real> bias(rows * layer.out_pad);
            for (std::size_t r = 0; b && r < rows; r++)
                std::copy_n(b->data() + r * out, out, bias.data() + r * layer.out_pad);
            kept_.push_back(std::move(across)), layer.across = kept_.back().data();
            kept_.push_back(std::move(back)), layer.back = kept_.back().data();
            kept_.push_back(std::move(bias)), layer.bias = kept_.back().data();
            layers_.push_back(layer);
            call.look(true);
        }
        if (layers_.empty() || layers_.size() > 17) throw std::invalid_argument("a network has 1 to 17 layers");
    }
    // place in torch's channel-major order of the kernels' filter-major number i
    static int place(int i, int channels, int filters) { return i % channels * filters + i / channels; }
    const std::vector<Layer<real>>& layers() const { return layers_; }
    const real* taps() const { return taps_.data(); }
    const std::vector<Run>& runs() const { return runs_; }

  private:
    std::vector<Layer<real>> layers_;
    std::vector<std::vector<real>> kept_;
    std::vector<real> taps_;
    std::vector<Run> runs_;
};

// One roll-out and what it overwrote.
template <class real>
class Rollout {
  public:
    Rollout(const Kernel<real>& kernel, Network<real> network, Job<real> job)
        : kernel_(kernel), network_(std::move(network)), job_(job) {
        job_.taps = network_.taps();
        job_.runs = static_cast<int>(network_.runs().size());
        job_.run = network_.runs().data();
        job_.layers = static_cast<int>(network_.layers().size());
        job_.layer = network_.layers().data();
    }
    ~Rollout() {
        for (void* t : traces_) kernel_.forget(t);
    }
    Rollout(const Rollout&) = delete;
    Rollout& operator=(const Rollout&) = delete;

    void forward(Call& call, const real* x, real* y, bool keep, int threads) {
        const std::size_t size = static_cast<std::size_t>(job_.channels) * job_.height * job_.width;
        Barrier barrier;
        if (keep) {
            traces_.reserve(job_.batch);
            for (int b = 0; b < job_.batch; b++) traces_.push_back(kernel_.trace());
        }
        const auto trace = [&](int b) { return keep ? traces_[b] : nullptr; };
        if (keep || job_.batch >= threads || !long_enough()) {  // a sample to a thread
            std::atomic<int> next{0};
            call.share(std::min(threads, job_.batch), [&](int rank, int crew) {
                Member me{call, barrier, rank, crew};
                const StageOf<real> stage(kernel_, job_);
                for (int b; (b = next.fetch_add(1)) < job_.batch; call.look(rank == 0))
                    kernel_.forward(job_, b, stage.room, x + b * size, y + b * size, trace(b), me.alone(), 0);
            });
            return;
        }
        const StageOf<real> stage(kernel_, job_);
        call.share(threads, [&](int rank, int crew) {
            Member me{call, barrier, rank, crew};
            for (int b = 0; b < job_.batch; b++)
                kernel_.forward(job_, b, stage.room, x + b * size, y + b * size, nullptr, me.together(), rank);
        });
    }

    void backward(In<real> gy, Out<real> gx, Out<real> gfirst, std::vector<Out<real>> gweights,
                  std::vector<Out<real>> gbiases, int threads, bool obeys) const {
        Call call(obeys);
        const std::vector<Layer<real>>& layers = network_.layers();
        const std::size_t size = static_cast<std::size_t>(job_.channels) * job_.height * job_.width;
        const std::size_t batch = job_.batch;
        if (traces_.size() != batch || gy.size() != batch * size || gx.size() != batch * size ||
            gfirst.size() != batch * layers[0].out || gweights.size() != layers.size() ||
            gbiases.size() + 1 > layers.size())
            throw std::invalid_argument("gradients do not fit the roll-out");
        std::vector<std::size_t> at;  // where each layer's weights and bias begin in one sample's sums
        std::size_t total = 0;
        for (std::size_t l = 0; l < layers.size(); l++) {
            if (gweights[l].size() != static_cast<std::size_t>(layers[l].in) * layers[l].out)
                throw std::invalid_argument("a gradient does not fit its weight");
            at.push_back(total), total += rows(l) * row(l);
            at.push_back(total), total += layers[l].out_pad;
        }
        std::vector<real> sums(total * batch);
        real* to_gx = gx.data();
        const real* from_gy = gy.data();
        {
            const nb::gil_scoped_release free;
            std::atomic<int> next{0};
            Barrier barrier;
            call.share(std::min(threads, job_.batch), [&](int rank, int crew) {
                Member me{call, barrier, rank, crew};
                const StageOf<real> stage(kernel_, job_);
                std::vector<real*> weights(layers.size()), biases(layers.size());
                for (int b; (b = next.fetch_add(1)) < job_.batch; call.look(rank == 0)) {
                    for (std::size_t l = 0; l < layers.size(); l++) {
                        weights[l] = sums.data() + b * total + at[2 * l];
                        biases[l] = sums.data() + b * total + at[2 * l + 1];
                    }
                    kernel_.backward(job_, b, stage.room, traces_[b], from_gy + b * size, to_gx + b * size,
                                     {weights.data(), biases.data()}, me.alone());
                }
            });
        }
        for (std::size_t b = 0; b < batch; b++) {  // in the order of samples, whoever computed them
            const real* part = sums.data() + b * total;
            for (std::size_t l = 0; l < layers.size(); l++) {
                const Layer<real>& layer = layers[l];
                const bool last = l + 1 == layers.size();
                real* g = gweights[l].data();
                for (int o = 0; o < layer.out; o++)
                    for (int i = 0; i < layer.in; i++)
                        g[static_cast<std::size_t>(o) * layer.in +
                          (l ? i : Network<real>::place(i, job_.channels, job_.filters))] +=
                            part[at[2 * l] + (last ? o * row(l) + i : i * row(l) + o)];
                const real* bias = part + at[2 * l + 1];
                if (l == 0)
                    std::copy_n(bias, layer.out, gfirst.data() + b * layer.out);
                else if (l - 1 < gbiases.size())
                    for (int o = 0; o < layer.out; o++) gbiases[l - 1].data()[o] += bias[o];
                call.look(true);
            }
        }
    }

    std::size_t bytes() const {
        std::size_t n = 0;
        for (const void* t : traces_) n += kernel_.bytes(t);
        return n;
    }

  private:
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
    Job<real> job_;
    std::vector<void*> traces_;
};

template <class real>
std::unique_ptr<Rollout<real>> forward(In<real> x, Out<real> y, In<real> taps, In<real> first_bias,
                                       std::vector<In<real>> weights, std::vector<In<real>> biases, int own,
                                       double slope, int life, int life_channel, double threshold, int edge, bool open,
                                       double dt, std::uint32_t seed, std::uint32_t t, std::uint32_t row,
                                       std::uint32_t column, int steps, std::uint64_t fire, bool keep, int threads,
                                       bool obeys, const std::string& isa, std::vector<int> reaches) {
    if (x.ndim() != 4 || y.size() != x.size() || taps.ndim() != 2 || taps.shape(1) != 9 || first_bias.ndim() != 2)
        throw std::invalid_argument("x and y are (b, c, h, w), taps (f, 9), first_bias (b, out)");
    if (x.shape(0) != first_bias.shape(0) || own < 1 || static_cast<std::size_t>(own) > x.shape(1) || steps < 0 ||
        threads < 1 || edge < 0 || edge > 2 || (life && (life_channel < 0 || life_channel >= own || threshold < 0)))
        throw std::invalid_argument("the settings do not fit the state");
    if (weights.empty() || weights.back().shape(0) != static_cast<std::size_t>(own))
        throw std::invalid_argument("the last layer does not write the state");
    if (reaches.empty()) reaches.assign(taps.shape(0), 1);
    if (reaches.size() != taps.shape(0) ||
        std::any_of(reaches.begin(), reaches.end(), [](int n) { return n < 1 || n > farthest; }))
        throw std::invalid_argument("every filter has a reach of 1 cell or more");
    const int border = reaches.empty() ? 1 : *std::max_element(reaches.begin(), reaches.end());
    if ((x.shape(2) + 2 * border) * (x.shape(3) + 2 * border) >= (1ull << 31))
        throw std::invalid_argument("the grid is too large");
    const Kernel<real>& k = kernel<real>(isa);
    const int channels = static_cast<int>(x.shape(1));
    Job<real> job{};
    job.batch = static_cast<int>(x.shape(0)), job.channels = channels;
    job.height = static_cast<int>(x.shape(2)), job.width = static_cast<int>(x.shape(3));
    job.own = own, job.stride = (channels + k.lanes - 1) / k.lanes * k.lanes,
    job.filters = static_cast<int>(taps.shape(0)), job.border = border;
    job.slope = static_cast<real>(slope), job.life = life, job.life_channel = life_channel;
    job.threshold = static_cast<real>(threshold), job.edge = static_cast<Edge>(edge), job.open = open;
    job.dt = static_cast<real>(dt);
    job.seed = seed, job.t = t, job.first_row = row, job.first_column = column;
    job.steps = steps, job.fire = fire;
    Call call(obeys);
    auto rollout = std::make_unique<Rollout<real>>(
        k, Network<real>(k, channels, taps, first_bias, reaches, weights, biases, call), job);
    {
        const real* from = x.data();
        real* to = y.data();
        const nb::gil_scoped_release free;
        rollout->forward(call, from, to, keep, threads);
    }
    if (!keep) rollout.reset();
    return rollout;
}

template <class real>
void bind(nb::module_& m, const char* name) {
    nb::class_<Rollout<real>>(m, name)
        .def("backward", &Rollout<real>::backward, nb::arg("gy").noconvert(), nb::arg("gx").noconvert(),
             nb::arg("gfirst").noconvert(), nb::arg("gweights"), nb::arg("gbiases"), nb::arg("threads"),
             nb::arg("obeys"))
        .def_prop_ro("bytes", &Rollout<real>::bytes);
    m.def("forward", &forward<real>, nb::arg("x").noconvert(), nb::arg("y").noconvert(), nb::arg("taps").noconvert(),
          nb::arg("first_bias").noconvert(), nb::arg("weights"), nb::arg("biases"), nb::kw_only(), nb::arg("own"),
          nb::arg("slope"), nb::arg("life"), nb::arg("life_channel"), nb::arg("threshold"), nb::arg("edge"),
          nb::arg("open"), nb::arg("dt"), nb::arg("seed"), nb::arg("t"), nb::arg("row"), nb::arg("column"),
          nb::arg("steps"), nb::arg("fire"), nb::arg("keep"), nb::arg("threads"), nb::arg("obeys") = false,
          nb::arg("isa") = "", nb::arg("reaches") = std::vector<int>());
}

}  // namespace

NB_MODULE(_native, m) {
    m.doc() = "planaria's CPU kernel";
    nb::set_leak_warnings(false);  // a script may end with a graph in its hands
    bind<float>(m, "RolloutFloat");
    bind<double>(m, "RolloutDouble");
    m.def("isas", [] {
        std::vector<std::string> names;
        for (const Kernel<float>* k : kernels<float>()) names.emplace_back(k->name);
        return names;
    });
}
