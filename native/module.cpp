// The Python door: checks shapes, and hands plain numbers on.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <string>
#include <vector>

#include "network.h"

namespace nb = nanobind;

namespace {

using namespace planaria;

template <class real>
using In = nb::ndarray<const real, nb::c_contig, nb::device::cpu>;
template <class real>
using Out = nb::ndarray<real, nb::c_contig, nb::device::cpu>;

void signals() {
    const nb::gil_scoped_acquire hold;
    if (PyErr_CheckSignals()) throw nb::python_error();
}

void fit(bool fits, const char* otherwise) {
    if (!fits) misuse(otherwise);
}

template <class real>
std::unique_ptr<Rollout<real>> forward(Job job, In<real> x, Out<real> y, In<real> taps, const std::vector<int>& reaches,
                                       const std::vector<int>& wide, const std::vector<std::vector<int>>& places,
                                       const std::vector<In<real>>& wide_taps, In<real> first_bias,
                                       const std::vector<In<real>>& weights, const std::vector<In<real>>& biases,
                                       const std::vector<int>& blurred, const std::vector<In<real>>& blurs, bool keep,
                                       int threads, bool obeys, const std::string& isa) {
    fit(x.ndim() == 4 && y.size() == x.size() && taps.ndim() == 2 && taps.shape(1) == 9 && first_bias.ndim() == 2,
        "x and y are (b, c, h, w), taps (f, 9), first_bias (b, out)");
    fit(threads >= 1, "there is at least one thread");
    fit(reaches.size() == taps.shape(0), "every filter has a reach");
    fit(wide.size() == places.size() && wide.size() == wide_taps.size(), "every wide filter has places and weights");
    std::vector<Wide<real>> wides;
    for (std::size_t k = 0; k < wide.size(); k++) {
        fit(places[k].size() == 2 * wide_taps[k].size(), "every tap of a wide filter has a place, down and right");
        wides.push_back({wide[k], static_cast<int>(wide_taps[k].size()), places[k].data(), wide_taps[k].data()});
    }
    job.batch = static_cast<int>(x.shape(0)), job.channels = static_cast<int>(x.shape(1));
    job.height = static_cast<int>(x.shape(2)), job.width = static_cast<int>(x.shape(3));
    std::vector<Matrix<real>> matrices;
    for (const In<real>& w : weights) {
        fit(w.ndim() == 2, "a weight is (out, in)");
        matrices.push_back({w.data(), static_cast<int>(w.shape(0)), static_cast<int>(w.shape(1))});
    }
    fit(!weights.empty() && first_bias.shape(0) == x.shape(0) && first_bias.shape(1) == weights[0].shape(0) &&
            biases.size() < weights.size(),
        "biases do not fit the weights");
    std::vector<const real*> rows;
    for (const In<real>& b : biases) {
        fit(b.size() == weights[rows.size() + 1].shape(0), "a bias does not fit its layer");
        rows.push_back(b.data());
    }
    fit(blurred.size() == blurs.size(), "every blur has a channel");
    std::vector<Blur<real>> blur;
    for (const In<real>& b : blurs) blur.push_back({blurred[blur.size()], static_cast<int>(b.size()), b.data()});
    const Parameters<real> parameters{static_cast<int>(taps.shape(0)),
                                      taps.data(),
                                      reaches.data(),
                                      static_cast<int>(wides.size()),
                                      wides.data(),
                                      static_cast<int>(matrices.size()),
                                      matrices.data(),
                                      first_bias.data(),
                                      static_cast<int>(rows.size()),
                                      rows.data(),
                                      static_cast<int>(blur.size()),
                                      blur.data()};
    const real* from = x.data();
    real* to = y.data();
    const nb::gil_scoped_release free;
    Call call(obeys ? signals : nullptr);
    auto rollout = std::make_unique<Rollout<real>>(kernel<real>(isa), job, parameters, call);
    rollout->forward(call, from, to, keep, threads);
    if (!keep) rollout.reset();
    return rollout;
}

template <class real>
void backward(const Rollout<real>& rollout, In<real> gy, Out<real> gx, Out<real> gfirst,
              const std::vector<Out<real>>& gweights, const std::vector<Out<real>>& gbiases, int threads, bool obeys) {
    const Job& job = rollout.job();
    const std::vector<Layer<real>>& layers = rollout.layers();
    const std::size_t batch = job.batch, size = batch * job.channels * job.height * job.width;
    fit(rollout.traced() && gy.size() == size && gx.size() == size && gfirst.size() == batch * layers[0].out &&
            gweights.size() == layers.size() && gbiases.size() < layers.size(),
        "gradients do not fit the roll-out");
    std::vector<real*> weights, biases;
    for (const Out<real>& g : gweights) {
        const Layer<real>& layer = layers[weights.size()];
        fit(g.size() == static_cast<std::size_t>(layer.in) * layer.out, "a gradient does not fit its weight");
        weights.push_back(g.data());
    }
    for (const Out<real>& g : gbiases) {
        fit(g.size() == static_cast<std::size_t>(layers[biases.size() + 1].out), "a gradient does not fit its bias");
        biases.push_back(g.data());
    }
    const ParameterGradients<real> to{gfirst.data(), weights.data(), static_cast<int>(biases.size()), biases.data()};
    const real* from = gy.data();
    real* into = gx.data();
    const nb::gil_scoped_release free;
    Call call(obeys ? signals : nullptr);
    rollout.backward(call, from, into, to, threads);
}

template <class real>
void bind(nb::module_& m, const char* name) {
    nb::class_<Rollout<real>>(m, name)
        .def("backward", &backward<real>, nb::arg("gy").noconvert(), nb::arg("gx").noconvert(),
             nb::arg("gfirst").noconvert(), nb::arg("gweights"), nb::arg("gbiases"), nb::arg("threads"),
             nb::arg("obeys"))
        .def_prop_ro("bytes", &Rollout<real>::bytes);
    m.def("forward", &forward<real>, nb::arg("job"), nb::arg("x").noconvert(), nb::arg("y").noconvert(),
          nb::arg("taps").noconvert(), nb::arg("reaches"), nb::arg("wide"), nb::arg("places"), nb::arg("wide_taps"),
          nb::arg("first_bias").noconvert(), nb::arg("weights"), nb::arg("biases"), nb::arg("blurred"),
          nb::arg("blurs"), nb::kw_only(), nb::arg("keep"), nb::arg("threads"), nb::arg("obeys") = false,
          nb::arg("isa") = "");
}

}  // namespace

NB_MODULE(_native, m) {
    m.doc() = "planaria's CPU kernel";
    nb::set_leak_warnings(false);  // a script may end with a graph in its hands
    nb::class_<Job>(m, "Job")
        .def(nb::init<>())
        .def_rw("own", &Job::own)
        .def_rw("life", &Job::life)
        .def_rw("life_channel", &Job::life_channel)
        .def_prop_rw(
            "edge", [](const Job& job) { return static_cast<int>(job.edge); },
            [](Job& job, int edge) { job.edge = static_cast<Edge>(edge); })
        .def_rw("open", &Job::open)
        .def_rw("flow", &Job::flow)
        .def_prop_rw(
            "activation", [](const Job& job) { return static_cast<int>(job.activation); },
            [](Job& job, int activation) { job.activation = static_cast<Activation>(activation); })
        .def_rw("life_threshold", &Job::life_threshold)
        .def_rw("length", &Job::length)
        .def_rw("seed", &Job::seed)
        .def_rw("t", &Job::t)
        .def_rw("first_row", &Job::first_row)
        .def_rw("first_column", &Job::first_column)
        .def_rw("fire", &Job::fire)
        .def_rw("steps", &Job::steps);
    bind<float>(m, "RolloutFloat");
    bind<double>(m, "RolloutDouble");
    m.def("isas", [] {
        std::vector<std::string> names;
        for (const Kernel<float>* k : kernels<float>()) names.emplace_back(k->name);
        return names;
    });
}
