// Vectors and small matrix products of one instruction set. Everything has internal linkage: the same source is
// compiled several times with different flags, and the linker must never mix them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "fail.h"

namespace {

typedef REAL real;
constexpr int VL = VBYTES / sizeof(real);
typedef real vec __attribute__((vector_size(VBYTES), aligned(sizeof(real)), may_alias));

#if VBYTES == 64
constexpr int MR = 12;  // 12 x 2 accumulators of 32 registers
#elif VBYTES == 32
constexpr int MR = 6;  // 6 x 2 of 16
#elif defined(__aarch64__)
constexpr int MR = 12;  // 32 registers too
#elif defined(__wasm__)
constexpr int MR = 4;  // an engine that knows 16 keeps some for itself: a third faster than 6
#else
constexpr int MR = 6;
#endif
constexpr int NB = 48;  // cells in a block: a multiple of every MR

inline vec load(const real* p) {
    return *reinterpret_cast<const vec*>(p);
}
inline void store(real* p, vec v) {
    *reinterpret_cast<vec*>(p) = v;
}

// A growing array without constructors.
template <class T>
class Buffer {
  public:
    Buffer() = default;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() { std::free(data_); }
    T* data() { return data_; }
    const T* data() const { return data_; }
    T& operator[](std::size_t i) { return data_[i]; }
    const T& operator[](std::size_t i) const { return data_[i]; }
    std::size_t size() const { return size_; }
    std::size_t bytes() const { return room_ * sizeof(T); }
    void clear() { size_ = 0; }
    void reserve(std::size_t n) {
        if (n <= room_) return;
        void* p = std::realloc(data_, n * sizeof(T));
        if (!p) planaria::exhausted();
        data_ = static_cast<T*>(p);
        room_ = n;
    }
    void resize(std::size_t n) { reserve(n), size_ = n; }
    void zero(std::size_t n) {  // untouched parts of a large one cost nothing
        std::free(data_);
        data_ = static_cast<T*>(std::calloc(n ? n : 1, sizeof(T)));
        size_ = room_ = data_ ? n : 0;
        if (!data_) planaria::exhausted();
    }
    void push(T v) {
        if (size_ == room_) reserve(room_ ? room_ * 2 : 64);
        data_[size_++] = v;
    }

  private:
    T* data_ = nullptr;
    std::size_t size_ = 0, room_ = 0;
};

enum Start { zero, more, bias };  // what a product is added to: nothing, the target, or a row

// target (M, N*VL) = start + a @ b, where a(i, k) = a[i * a_row + k * a_col] and b is (depth, .) row by row
template <int M, int N, Start START>
inline __attribute__((always_inline)) void tile(int depth, const real* a, int a_row, int a_col, const real* b,
                                                int b_row, real* target, int target_row, const real* row) {
    vec sum[M][N];
#pragma GCC unroll 16
    for (int i = 0; i < M; i++)
#pragma GCC unroll 4
        for (int j = 0; j < N; j++)
            sum[i][j] = START == more   ? load(target + i * target_row + j * VL)
                        : START == bias ? load(row + j * VL)
                                        : vec{};
#pragma GCC unroll 1
    for (int k = 0; k < depth; k++) {
        vec v[N];
#pragma GCC unroll 4
        for (int j = 0; j < N; j++) v[j] = load(b + static_cast<std::ptrdiff_t>(k) * b_row + j * VL);
#pragma GCC unroll 16
        for (int i = 0; i < M; i++) {
            const real s = a[static_cast<std::ptrdiff_t>(i) * a_row + static_cast<std::ptrdiff_t>(k) * a_col];
#pragma GCC unroll 4
            for (int j = 0; j < N; j++) sum[i][j] += s * v[j];
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < M; i++)
#pragma GCC unroll 4
        for (int j = 0; j < N; j++) store(target + i * target_row + j * VL, sum[i][j]);
}

template <int N, Start START>
inline void column(int rows, int depth, const real* a, int a_row, int a_col, const real* b, int b_row, real* target,
                   int target_row, const real* row) {
    int i = 0;
    for (; i + MR <= rows; i += MR)
        tile<MR, N, START>(depth, a + static_cast<std::ptrdiff_t>(i) * a_row, a_row, a_col, b, b_row,
                           target + i * target_row, target_row, row);
#define REST(M)                                                                                      \
    if (MR > M && rows - i >= M) {                                                                   \
        tile<M, N, START>(depth, a + static_cast<std::ptrdiff_t>(i) * a_row, a_row, a_col, b, b_row, \
                          target + i * target_row, target_row, row);                                 \
        i += M;                                                                                      \
    }
    REST(8) REST(4) REST(2) REST(1)
#undef REST
}

// target (rows, columns) = start + a @ b; columns a whole number of vectors
template <Start START>
__attribute__((noinline)) void product(int rows, int columns, int depth, const real* a, int a_row, int a_col,
                                       const real* b, int b_row, real* target, int target_row,
                                       const real* row = nullptr) {
    int j = 0;
    for (; j + 2 * VL <= columns; j += 2 * VL)
        column<2, START>(rows, depth, a, a_row, a_col, b + j, b_row, target + j, target_row, row ? row + j : nullptr);
    if (j < columns)
        column<1, START>(rows, depth, a, a_row, a_col, b + j, b_row, target + j, target_row, row ? row + j : nullptr);
}

}  // namespace
