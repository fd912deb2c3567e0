// Cells on a grid with a border around them, and the parts of it that a step touches.
#pragma once
#include "rollout.h"
#include "tile.h"

namespace {

using planaria::Area;
using planaria::Crew;
using planaria::Edge;
typedef planaria::Plan<real> Plan;

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
    explicit Grid(const Plan& job)
        : height(job.height), width(job.width), border(job.border), wide(job.width + 2 * job.border) {}
    std::size_t cell(int row, int column) const {
        return static_cast<std::size_t>(row + border - 1) * wide + (column + border - 1);
    }
    std::size_t cells() const { return static_cast<std::size_t>(height + 2 * border) * wide; }
    int row(std::size_t cell) const { return static_cast<int>(cell / wide) - border + 1; }
    int column(std::size_t cell) const { return static_cast<int>(cell % wide) - border + 1; }
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

// Call visit(cell of the border, cell of the grid that it stands for) for `reach` cells before the first of n in a row
// and as many behind the last. On a torus that may lead several times around.
template <class Visit>
void around(int n, int reach, Edge edge, Visit visit) {
    for (int k = 1; k <= reach; k++) {
        const int far = edge == Edge::circular ? (k - 1) % n : n - 1;
        visit(1 - k, n - far), visit(n + k, 1 + far);
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
void enter(const Plan& job, const real* x, real* rows, const Box& box, Watch& watch) {
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
void leave(const Plan& job, const real* rows, real* x, const Box& box, Watch& watch) {  // zero outside the box
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

}  // namespace
