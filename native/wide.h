// Filters that are wider than three by three. They read and give planes, one number a cell, so that a vector holds
// cells and not channels: the price of a tap is the same for one channel as for many.
#pragma once
#include "grid.h"

namespace {

using planaria::Wide;

// The filters of a plan on its grid, or on one of as many columns.
class Wides {
  public:
    explicit Wides(const Plan& job) : job_(job) {
        const Grid grid(job);
        for (int k = 0; k < job.wides; k++) {
            const Wide<real>& wide = job.wide[k];
            first_.push(offsets_.size());
            for (int t = 0; t < wide.taps; t++)
                offsets_.push(static_cast<std::ptrdiff_t>(wide.place[2 * t]) * grid.wide + wide.place[2 * t + 1]);
        }
    }
    std::size_t taps() const { return offsets_.size(); }  // of all filters

    // What the k-th filter perceives of a plane by the cells at `p` and behind it.
    vec perceive(int k, const real* p) const { return sum<1>(k, p); }
    // The transpose: what the gradients of that, a plane too, give to the cells at `p` and behind it.
    vec spread(int k, const real* p) const { return sum<-1>(k, p); }

  private:
    // four sums at a time, as each has to wait for its last
    template <int SIGN>
    vec sum(int k, const real* p) const {
        const int n = job_.wide[k].taps;
        const std::ptrdiff_t* at = offsets_.data() + first_[k];
        const real* w = job_.wide[k].weight;
        vec part[4] = {};
        int t = 0;
        for (; t + 4 <= n; t += 4)
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) part[i] += load(p + SIGN * at[t + i]) * w[t + i];
        for (; t < n; t++) part[0] += load(p + SIGN * at[t]) * w[t];
        return (part[0] + part[1]) + (part[2] + part[3]);
    }

    const Plan& job_;
    Buffer<std::ptrdiff_t> offsets_;  // of every tap, in cells
    Buffer<std::size_t> first_;       // of each filter, in `offsets_`
};

// Numbers of the channels as planes, with room for a vector that overruns the last.
std::size_t planes(const Plan& job) {
    return job.wides ? job.channels * Grid(job).cells() + VL : 0;
}

// Copies the cells of some rows of a box to the planes.
void part(const Plan& job, const real* x, const Box& box, int first, int last, real* planes, Watch& watch) {
    const Grid grid(job);
    for (int r = first; r <= last; r++)
        for (int c = 0; c < job.channels; c++) {
            const real* from = x + grid.cell(r, box.left) * job.stride + c;
            real* to = planes + c * grid.cells() + grid.cell(r, box.left);
            for (int q = 0; q <= box.right - box.left; q++) to[q] = from[static_cast<std::size_t>(q) * job.stride];
            watch.did(box.right - box.left + 1);
        }
}

// The gradients of what wide filters perceive, a plane for every filter and channel: taken in from acting cells, and
// given to all that those saw. Around the grid and its border the planes are empty as far as a filter reaches.
class Spreading {
  public:
    Spreading(const Plan& job, Buffer<real>& room)
        : job_(job),
          grid_(job),
          wides_(job),
          size_(grid_.cells() + 2 * static_cast<std::size_t>(job.border) * grid_.wide + job.border + VL) {
        if (!job.wides) return;
        room.zero(job.border + size_ * job.channels * job.wides);
        planes_ = room.data() + job.border;
    }
    // The gradients `p` of the perception of cells `at`, in rows of `wide` numbers.
    void take(const std::int32_t* at, int n, const real* p, int wide) {
        for (int k = 0; k < job_.wides; k++)
            for (int c = 0; c < job_.channels; c++) {
                const real* from = p + job_.wide[k].filter * job_.channels + c;
                real* to = plane(k, c);
                for (int i = 0; i < n; i++) to[at[i]] = from[static_cast<std::size_t>(i) * wide];
            }
        for (int i = 0; job_.wides && i < n; i++) box_.hold(grid_.row(at[i]), grid_.column(at[i]), grid_.column(at[i]));
    }
    // Gives those of all cells `at` that were taken, and forgets them.
    void give(const Buffer<std::int32_t>& at, real* g, Watch& watch) {
        if (box_.empty()) return;
        const int far = job_.border, left = box_.left - far, right = box_.right + far;
        for (int r = box_.top - far; r <= box_.bottom + far; r++)
            for (int c = 0; c < job_.channels; c++) {  // a row at a time, to stay in cache
                for (int q = left; q <= right; q += VL) {
                    const std::size_t cell = grid_.cell(r, q);
                    vec total = {};
                    for (int k = 0; k < job_.wides; k++) total += wides_.spread(k, plane(k, c) + cell);
                    real lane[VL];
                    store(lane, total);
                    for (int i = 0; i < VL && q + i <= right; i++) g[(cell + i) * job_.stride + c] += lane[i];
                }
                watch.did(wides_.taps() * (right - left + 1));
            }
        for (int k = 0; k < job_.wides; k++)
            for (int c = 0; c < job_.channels; c++) {
                real* to = plane(k, c);
                for (std::size_t i = 0; i < at.size(); i++) to[at[i]] = 0;
            }
        box_ = nowhere;
    }

  private:
    real* plane(int k, int c) const {  // from the first cell of the border on
        return planes_ + (static_cast<std::size_t>(k) * job_.channels + c) * size_ +
               static_cast<std::size_t>(job_.border) * grid_.wide;
    }

    const Plan& job_;
    const Grid grid_;
    const Wides wides_;
    const std::size_t size_;
    real* planes_ = nullptr;
    Box box_ = nowhere;
};

}  // namespace
