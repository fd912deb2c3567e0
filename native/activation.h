// The activations that are curved, with their slopes: a vector at a time, without branches and without a call of the
// system's mathematics, so that machines differ by rounding only. Errors are a few units of the last place.
#pragma once
#include "tile.h"

namespace {

template <class number>
struct Format;
template <>
struct Format<float> {
    typedef std::uint32_t word;
    static constexpr int fraction = 23, exponent = 8;  // bits
    static constexpr float most = 88, least = -87;     // e to these is finite and normal
    static constexpr float ln2_high = 0.693359375f,
                           ln2_low = -2.12194440e-4f;  // small multiples of the first are exact
    static constexpr int terms = 7;                    // of the exponential series, up to ln(2) / 2
    static constexpr float tail[] = {0.188821282f,   0.151974149f,    0.0967843899f,  0.0466310461f,  0.0150988284f,
                                     0.00188031388f, -8.69049115e-4f, -3.9393802e-4f, 3.23350308e-5f, 4.06540789e-5f};
};
template <>
struct Format<double> {
    typedef std::uint64_t word;
    static constexpr int fraction = 52, exponent = 11;
    static constexpr double most = 709, least = -708;
    static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    static constexpr int terms = 13;
    static constexpr double tail[] = {
        0.18882128260393787,   0.15197416049297328,    0.09678435018555413,    0.046630464489891801,
        0.0150991437226906,    0.0018850472422843282,  -8.6992309072258895e-4, -4.077046219705911e-4,
        3.3336064725932096e-5, 5.7773787696921856e-5,  -4.7697687209841886e-7, -8.7864111464559616e-6,
        1.7881843773272038e-7, 1.4807449569186902e-6,  -1.5655171917398998e-7, -2.5677372017785852e-7,
        6.655819747208906e-8,  4.0579794201183911e-8,  -1.997462688140565e-8,  -4.9020847852348788e-9,
        4.1340111938766009e-9, 3.2114547174813171e-10, -4.4343512609872771e-10};
};
typedef Format<real> Number;
typedef Number::word word;
typedef word words __attribute__((vector_size(VBYTES), aligned(sizeof(real)), may_alias));

struct Series {  // of (e^r - 1 - r) / r^2
    real of[Number::terms - 1] = {};
    constexpr Series() {
        real factorial = 1;
        for (int k = 2; k <= Number::terms; k++) of[k - 2] = 1 / (factorial *= k);
    }
};

inline vec all(real v) {
    return vec{} + v;
}

template <int n>
inline vec polynomial(const real (&of)[n], vec v) {
    vec sum = all(of[n - 1]);
#pragma GCC unroll 24
    for (int k = n - 2; k >= 0; k--) sum = sum * v + of[k];
    return sum;
}

struct Power {  // e^v = scale + scale * rest, where v lies between `least` and `most`
    vec scale, rest;
};

inline Power power(vec v) {
    static constexpr Series series;
    constexpr word one = 1, bias = (one << (Number::exponent - 1)) - 1;
    constexpr real rounder = real(1.5) * (one << Number::fraction);  // beside it no fraction has room
    const vec shifted = v * real(1.4426950408889634) + rounder, n = shifted - rounder;
    const vec r = v - n * Number::ln2_high - n * Number::ln2_low;
    const words scale = (reinterpret_cast<words>(shifted) + bias) << Number::fraction;
    return {reinterpret_cast<vec>(scale), r + r * r * polynomial(series.of, r)};
}

inline vec exponential(vec v) {
    const Power p = power(v);
    const vec e = p.scale + p.scale * p.rest;
    return v > all(Number::most) ? all(real(__builtin_inf())) : v < all(Number::least) ? vec{} : e;
}

// e^v - 1 of v that is not positive, to the last places near zero
inline vec exponential_less_one(vec v, const Power& p) {
    return v < all(Number::least) ? all(-1) : p.scale * p.rest + (p.scale - 1);
}

inline vec elu(vec v, vec& slope) {
    const vec nil = {};
    const Power p = power(v);
    slope = v > nil ? all(1) : v < all(Number::least) ? nil : p.scale + p.scale * p.rest;
    return v > nil ? v : exponential_less_one(v, p);
}

// v times the normal distribution's integral. Of that, the tail beyond |v| is t e^(-v*v/2), where
// t = 1 / (1 + |v|/4), times a smooth function: `tail` interpolates it in 2 t - 1, between Chebyshev's points.
inline vec gelu(vec v, vec& slope) {
    const vec nil = {}, bell = exponential(v * v * real(-0.5)), t = 1 / ((v < nil ? -v : v) * real(0.25) + 1);
    const vec beyond = bell * t * polynomial(Number::tail, t + t - 1), share = v < nil ? beyond : 1 - beyond;
    slope = share + v * bell * real(0.3989422804014327);
    return v * share;
}

inline vec silu(vec v, vec& slope) {
    const vec share = 1 / (1 + exponential(-v)), y = v * share;
    slope = share + y * (1 - share);
    return y;
}

inline vec hyperbolic_tangent(vec v, vec& slope) {
    const vec nil = {}, twice = v < nil ? v + v : -v - v, e = exponential_less_one(twice, power(twice)),
              y = e / (e + 2);
    slope = 1 - y * y;
    return v < nil ? y : -y;
}

// Replaces `h` by its activation; the slopes there go to `slopes`, unless that is null.
template <vec (*activation)(vec, vec&)>
void curve(real* h, real* slopes, std::size_t size) {
    vec slope;
    for (std::size_t i = 0; i < size; i += VL) {
        store(h + i, activation(load(h + i), slope));
        if (slopes) store(slopes + i, slope);
    }
}

}  // namespace
