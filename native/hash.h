// The hash that says which cells fire, as planaria.core.noise has it.
#pragma once
#include <cstdint>

namespace {

inline std::uint32_t mix(std::uint32_t v) {  // lowbias32
    v = (v ^ (v >> 16)) * 0x7feb352du;
    v = (v ^ (v >> 15)) * 0x846ca68bu;
    return v ^ (v >> 16);
}
inline std::uint32_t fold(std::uint32_t key, std::uint32_t v) {
    return mix((key + 0x9e3779b9u) ^ v);
}

}  // namespace
