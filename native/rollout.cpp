// A roll-out of one sample, forward and backward, on the cells that can change.
//
// Cells are rows of `stride` numbers on a grid with a border as wide as a kernel reaches. A step gathers the perception
// of the cells that fire within reach of life, block by block, and runs the network on each block while it is in cache.
// The trace keeps the overwritten rows; the way back undoes them, step by step, and computes the hidden layers again.
#include "rollout.h"

#include "tile.h"

namespace {

using planaria::Crew;
using planaria::Edge;
using planaria::Gradients;
using planaria::Layer;
using planaria::Run;
typedef planaria::Job<real> Job;

struct Box {  // rows and columns, both ends included; the grid's first cell is 1, 1
    int top, bottom, left, right;
    bool empty() const { return top > bottom; }
    void hold(int row, int first, int last) {
        if (row < top) top = row;
        if (row > bottom) bottom = row;
        if (first < left) left = first;
        if (last > right) right = last;
    }
    Box grown(int by, int least, int height, int width) const {
        if (empty()) return *this;
        return {top - by < least ? least : top - by, bottom + by > height ? height : bottom + by,
                left - by < least ? least : left - by, right + by > width ? width : right + by};
    }
};
const Box nowhere = {1 << 30, -1, 1 << 30, -1};

struct Grid {  // cells row by row with a border around them; the grid's first cell is 1, 1
    int height, width, border, wide;
    explicit Grid(const Job& job)
        : height(job.height), width(job.width), border(job.border), wide(job.width + 2 * job.border) {}
    std::size_t cell(int row, int column) const {
        return static_cast<std::size_t>(row + border - 1) * wide + (column + border - 1);
    }
    std::size_t cells() const { return static_cast<std::size_t>(height + 2 * border) * wide; }
    int row(std::size_t cell) const { return static_cast<int>(cell / wide) - border + 1; }
    int column(std::size_t cell) const { return static_cast<int>(cell % wide) - border + 1; }
};

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

struct Stage {  // room for one sample at work
    Buffer<real> x, vigour, net, blank;
    Buffer<std::uint8_t> living, tried, near, life, occupied, fires;
    Buffer<real>* dx = nullptr;
    Buffer<std::int32_t>*acting = nullptr, *ring = nullptr;
    Box* boxes = nullptr;
    int ranks = 0;
    ~Stage() { delete[] dx, delete[] acting, delete[] ring, delete[] boxes; }
};

// Counts what was done, in numbers touched or multiplied, and looks up from it about every millisecond.
class Watch {
  public:
    explicit Watch(const Crew& crew) : crew_(crew) {}
    void did(std::size_t numbers) {
        if ((done_ += numbers) < 1 << 20) return;
        done_ = 0;
        crew_.look(crew_.state);
    }

  private:
    const Crew& crew_;
    std::size_t done_ = 0;
};

inline std::uint32_t mix(std::uint32_t v) {  // lowbias32
    v = (v ^ (v >> 16)) * 0x7feb352du;
    v = (v ^ (v >> 15)) * 0x846ca68bu;
    return v ^ (v >> 16);
}
inline std::uint32_t fold(std::uint32_t key, std::uint32_t v) {
    return mix((key + 0x9e3779b9u) ^ v);
}

// The network at work on one block of at most NB cells.
class Block {
  public:
    Block(const Job& job, Buffer<real>& room, Watch& watch) : job_(job), watch_(watch), depth_(job.layers) {
        std::size_t n = 0;
        for (int l = 0; l < depth_; l++) at_[l] = n, n += static_cast<std::size_t>(NB) * width(l);
        widest_ = 0;
        for (int l = 0; l <= depth_; l++) widest_ = width(l) > widest_ ? width(l) : widest_;
        room.resize(n + 2 * static_cast<std::size_t>(NB) * widest_ + VL);
        room_ = room.data();
        spare_ = n;
    }
    // numbers in a row of what enters layer l; perception has room for a last vector that overruns
    int width(int l) const {
        if (l == depth_) return job_.layer[l - 1].out_pad;
        return l ? job_.layer[l - 1].out_pad : (job_.filters * job_.channels + VL - 1) / VL * VL + VL;
    }
    real* entering(int l) { return room_ + at_[l]; }
    real* spare(int i) { return room_ + spare_ + static_cast<std::size_t>(i) * NB * widest_; }

    void perceive(const real* x, std::ptrdiff_t row, real* out) const {
        const int c = job_.channels, runs = job_.runs;
        const Run* const run = job_.run;
        for (int v = job_.stride / VL - 1; v >= 0; v--) {  // last first: its overrun is overwritten by the others
            const real *p = x + v * VL, *w = job_.taps;
            real* to = out + v * VL;
            for (int r = 0, f = 0; r < runs; r++) {
                const std::ptrdiff_t down = run[r].reach * row, right = run[r].reach * job_.stride;
                const vec n[9] = {load(p - down - right), load(p - down), load(p - down + right),
                                  load(p - right),        load(p),        load(p + right),
                                  load(p + down - right), load(p + down), load(p + down + right)};
                for (const int end = run[r].end; f < end; f++, w += 9, to += c) {
                    vec sum = n[0] * w[0];
#pragma GCC unroll 8
                    for (int k = 1; k < 9; k++) sum += n[k] * w[k];
                    store(to, sum);
                }
            }
        }
    }
    // the transpose: what a perception's gradient gives to the cells that it came from
    void spread(const real* felt, real* g, std::ptrdiff_t row) const {
        const int c = job_.channels, runs = job_.runs;
        const Run* const run = job_.run;
        for (int r = 0, first = 0; r < runs; first = run[r++].end) {
            const int end = run[r].end;
            const std::ptrdiff_t down = run[r].reach * row, right = run[r].reach * job_.stride;
            const std::ptrdiff_t to[9] = {-down - right, -down,        -down + right, -right,      0,
                                          right,         down - right, down,          down + right};
            for (int v = 0; v < job_.stride / VL; v++) {
                vec sum[9] = {};
                const real *from = felt + first * c + v * VL, *w = job_.taps + 9 * first;
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
    // perception and every hidden layer of cells `at`; returns what enters the last layer
    void hidden(const real* x, std::ptrdiff_t row, const std::int32_t* at, int n, const real* first_bias) {
        for (int i = 0; i < n; i++)
            perceive(x + static_cast<std::size_t>(at[i]) * job_.stride, row,
                     entering(0) + static_cast<std::size_t>(i) * width(0));
        watch_.did(static_cast<std::size_t>(n) * width(0));
        for (int l = 0; l + 1 < depth_; l++) {
            const Layer<real>& layer = job_.layer[l];
            real* h = entering(l + 1);
            product<bias>(n, layer.out_pad, layer.in, entering(l), width(l), 1, layer.across, layer.out_pad, h,
                          layer.out_pad, l ? layer.bias : first_bias);
            const std::size_t size = static_cast<std::size_t>(n) * layer.out_pad;
            bend(h, h, size);
            watch_.did(size * layer.in);
        }
    }
    // what the cells add in this step, (n, out_pad of the last layer)
    void flow(const real* x, std::ptrdiff_t row, const std::int32_t* at, int n, const real* first_bias, real* dx) {
        hidden(x, row, at, n, first_bias);
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
                const real* h = entering(l);
                bend(h, down, static_cast<std::size_t>(n) * layer.in_pad);
            }
            watch_.did(2 * static_cast<std::size_t>(n) * layer.out_pad * layer.in_pad);
            g = down;
        }
        return g;
    }

  private:
    // scales `to` by the slope where `h` is not positive; not a number stays what it is
    void bend(const real* h, real* to, std::size_t size) const {
        const vec nil = {};
        if (job_.slope == 0)
            for (std::size_t i = 0; i < size; i += VL) store(to + i, load(h + i) <= nil ? nil : load(to + i));
        else
            for (std::size_t i = 0; i < size; i += VL)
                store(to + i, load(h + i) <= nil ? load(to + i) * job_.slope : load(to + i));
    }

    const Job& job_;
    Watch& watch_;
    int depth_, widest_;
    real* room_;
    std::size_t at_[17], spare_;
};

// Call deed(cell of the border, cell of the grid that it stands for) for `reach` cells before the first of n in a row
// and as many behind the last. On a torus that may lead several times around.
template <class Deed>
void around(int n, int reach, Edge edge, Deed deed) {
    for (int k = 1; k <= reach; k++) {
        const int far = edge == Edge::circular ? (k - 1) % n : n - 1;
        deed(1 - k, n - far), deed(n + k, 1 + far);
    }
}

template <class T>
void wrap(T* x, int stride, const Grid& grid, int reach, Edge edge) {  // `reach` of the border become what is beyond
    const auto at = [&](int row, int column) { return x + grid.cell(row, column) * stride; };
    for (int i = 1; i <= grid.height; i++)
        around(grid.width, reach, edge,
               [&](int to, int from) { std::memcpy(at(i, to), at(i, from), sizeof(T) * stride); });
    const std::size_t line = sizeof(T) * stride * (grid.width + 2 * reach);
    around(grid.height, reach, edge,
           [&](int to, int from) { std::memcpy(at(to, 1 - reach), at(from, 1 - reach), line); });
}

void unwrap(real* g, int stride, const Grid& grid, Edge edge) {  // its transpose, of the whole border, which it empties
    const auto give = [&](std::size_t from, std::size_t to, std::size_t cells) {
        real *p = g + from * stride, *q = g + to * stride;
        for (std::size_t i = 0; i < cells * stride; i++) q[i] += p[i], p[i] = 0;
    };
    const int first = 1 - grid.border;
    around(grid.height, grid.border, edge,
           [&](int from, int to) { give(grid.cell(from, first), grid.cell(to, first), grid.wide); });
    for (int i = 1; i <= grid.height; i++)
        around(grid.width, grid.border, edge, [&](int from, int to) { give(grid.cell(i, from), grid.cell(i, to), 1); });
}

// near[i] = whether one of the 3x3 block of cell i is marked, for the columns of one row
void dilate(const std::uint8_t* marked, std::uint8_t* near, const Grid& grid, int row, int first, int last) {
    const std::uint8_t* m = marked + grid.cell(row, first);
    std::uint8_t* o = near + grid.cell(row, first);
    const int n = last - first + 1, wide = grid.wide;
    for (int q = 0; q < n; q++)
        o[q] = m[q - 1] | m[q] | m[q + 1] | m[q - wide - 1] | m[q - wide] | m[q - wide + 1] | m[q + wide - 1] |
               m[q + wide] | m[q + wide + 1];
}

// (channels, height, width) <-> rows of `stride` on a bordered grid, within a box; a row at a time, to stay in cache
void enter(const Job& job, const real* x, real* rows, const Box& box, Watch& watch) {
    const Grid grid(job);
    const std::size_t cells = static_cast<std::size_t>(job.height) * job.width;
    for (int r = box.top; r <= box.bottom; r++)
        for (int c = 0; c < job.channels; c++) {
            real* to = rows + grid.cell(r, 1) * job.stride + c;
            const real* from = x + c * cells + static_cast<std::size_t>(r - 1) * job.width;
            for (int q = box.left - 1; q < box.right; q++) to[static_cast<std::size_t>(q) * job.stride] = from[q];
            watch.did(job.width);
        }
}
void leave(const Job& job, const real* rows, real* x, const Box& box, Watch& watch) {  // zero outside the box
    const Grid grid(job);
    const std::size_t cells = static_cast<std::size_t>(job.height) * job.width;
    for (int r = 1; r <= job.height; r++)
        for (int c = 0; c < job.channels; c++) {
            const real* from = rows + grid.cell(r, 1) * job.stride + c;
            real* to = x + c * cells + static_cast<std::size_t>(r - 1) * job.width;
            const bool inside = r >= box.top && r <= box.bottom;
            const int left = inside ? box.left - 1 : job.width, right = inside ? box.right : job.width;
            for (int q = 0; q < left; q++) to[q] = 0;
            for (int q = left; q < right; q++) to[q] = from[static_cast<std::size_t>(q) * job.stride];
            for (int q = right; q < job.width; q++) to[q] = 0;
            watch.did(job.width);
        }
}
void copy(const Grid& grid, int stride, const real* from, real* to, Watch& watch) {  // whole, with its border
    const std::size_t line = static_cast<std::size_t>(grid.wide) * stride;
    for (int r = 0; r < grid.height + 2 * grid.border; r++) {
        std::memcpy(to + r * line, from + r * line, sizeof(real) * line);
        watch.did(line);
    }
}

#include "backward.h"
#include "forward.h"

void* new_stage(const Job&) {
    return new Stage;
}
void drop_stage(void* s) {
    delete static_cast<Stage*>(s);
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
const Kernel<REAL> JOIN(kernel_, ISA, REAL) = {TEXT(ISA),  VL,          new_stage, drop_stage, new_trace,
                                               drop_trace, trace_bytes, forward,   backward};
}  // namespace planaria
