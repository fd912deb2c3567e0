// The way forward of one sample, alone or by a crew of threads.
#pragma once
#include "block.h"
#include "hash.h"
#include "trace.h"

namespace {

// Where a sample's walk stands. Every member of a crew holds its own copy, in step with the others.
class Walk {
  public:
    Walk(const Plan& job, int sample, Scratch& scratch, Trace* trace, const Crew& crew, int rank)
        : job_(job),
          scratch_(scratch),
          trace_(trace),
          crew_(crew),
          rank_(rank),
          sample_(sample),
          grid_(job),
          row_(static_cast<std::ptrdiff_t>(grid_.wide) * job.stride),
          watch_(crew),
          block_(job, scratch.dx[rank], watch_, false),
          first_bias_(job.layer[0].bias + static_cast<std::size_t>(sample) * job.layer[0].out_pad),
          local_((job.life & before) != 0),
          boxed_(local_ && job.threshold >= 0),
          torus_(job.edge == Edge::circular && !job.open),
          box_{1, job.height, 1, job.width} {}

    // where the state is other than zero, and how alive; called by one member
    void survey(const real* x) {
        const int w = job_.width;
        const std::size_t cells = static_cast<std::size_t>(job_.height) * w;
        Box found = nowhere;
        for (int r = 1; r <= job_.height; r++) {
            std::uint8_t* any = scratch_.occupied.data() + cell(r, 1);
            for (int c = 0; c < job_.own; c++) {
                const real* from = x + c * cells + static_cast<std::size_t>(r - 1) * w;
                for (int q = 0; q < w; q++) any[q] |= from[q] != 0;
                if (c == job_.life_channel)
                    std::memcpy(scratch_.life_value.data() + cell(r, 1), from, sizeof(real) * w);
                watch_.did(w);
            }
            const void* first = std::memchr(any, 1, w);
            if (!first) continue;
            int last = w - 1;
            while (!any[last]) last--;
            found.hold(r, static_cast<int>(static_cast<const std::uint8_t*>(first) - any) + 1, last + 1);
        }
        scratch_.boxes[0] = boxed_ ? found : whole();
    }
    // the part of the state that can be other than zero; frozen channels are everywhere
    Box held() const { return job_.own == job_.channels ? box_ : whole(); }
    Watch& watch() { return watch_; }
    void step(int t);
    // What the way back of a flow must know; the state stays as it is.
    void prepare_flow(Step& log) const {
        log.acted.reserve(static_cast<std::size_t>(job_.height) * job_.width);
        for (int r = 1; r <= job_.height; r++)
            for (int q = 1; q <= job_.width; q++) log.acted.push(static_cast<std::int32_t>(cell(r, q)));
        log.reach = whole(), log.wrapped = job_.edge != Edge::zero;
    }
    Box whole() const { return {1, job_.height, 1, job_.width}; }
    void begin() { box_ = scratch_.boxes[0]; }
    void end() { scratch_.boxes[0] = box_; }

  private:
    enum { before = planaria::before, after = planaria::after };
    std::size_t cell(int row, int column) const { return grid_.cell(row, column); }
    bool inside(int row, int column) const {
        return row >= 1 && row <= job_.height && column >= 1 && column <= job_.width;
    }
    // this rank's share of the rows of a box
    void share(const Box& box, int& first, int& last) const {
        const int n = box.empty() ? 0 : box.bottom - box.top + 1;
        first = box.top + static_cast<int>(static_cast<long long>(n) * rank_ / crew_.size);
        last = box.top + static_cast<int>(static_cast<long long>(n) * (rank_ + 1) / crew_.size) - 1;
    }
    // What cells add in this step, (n, row_of_flow()).
    void flow(const std::int32_t* at, int n, real* dx) {
        block_.flow(scratch_.x.data(), scratch_.planes.data(), row_, at, n, first_bias_, dx);
        for (int k = 0; k < job_.blurs; k++) {
            const real* lacking = scratch_.blurred.data() + k * grid_.cells();
            real* to = dx + job_.blur[k].channel;
            for (int i = 0; i < n; i++) to[static_cast<std::size_t>(i) * row_of_flow()] += job_.dt * lacking[at[i]];
        }
    }
    int row_of_flow() const { return job_.layer[job_.layers - 1].out_pad; }
    void reach_out();
    void mark_living();
    void choose_acting(int t);
    void blur();
    void lay_out();
    void compute_flow();
    void decide_life();
    void add_flow(Step* log);
    Box clear_dead(Step* log);
    void note(Step& log) const;
    void join(const Box& held);
    void fires(int row, const Box& box, std::uint32_t key);
    void save_ring(const Box& reach, int first, int last);
    void keep(Step& log, std::size_t i, Buffer<std::int32_t>& list) {
        list.push(static_cast<std::int32_t>(i));
        const std::size_t n = log.rows.size();
        if (n + job_.own > log.rows.bytes() / sizeof(real))
            log.rows.reserve(n + 64 * static_cast<std::size_t>(job_.own));
        log.rows.resize(n + job_.own);
        std::memcpy(log.rows.data() + n, scratch_.x.data() + i * job_.stride, sizeof(real) * job_.own);
    }

    const Plan& job_;
    Scratch& scratch_;
    Trace* trace_;
    const Crew& crew_;
    const int rank_, sample_;
    const Grid grid_;
    const std::ptrdiff_t row_;
    Watch watch_;
    Block block_;
    const real* first_bias_;
    const bool local_;  // whether only cells near life can act
    const bool boxed_;  // whether box_ follows life: below zero, an empty cell is alive
    const bool torus_;  // of life: else none comes from beyond; a copy of a cell is beside none that the cell isn't
    Box box_;           // holds every cell that may be other than zero
    // of the step at hand: cells that may act, whether copies lie beyond the grid, and this rank's rows of them
    Box reach_ = nowhere;
    bool wrapped_ = false;
    int first_ = 0, last_ = -1;
};

void Walk::fires(int row, const Box& box, std::uint32_t key) {
    std::uint8_t* f = scratch_.fires.data() + cell(row, 0);
    const std::size_t n = box.right - box.left + 1;
    if (job_.fire == 0 || job_.fire >= (1ull << 32)) {
        std::memset(f + box.left, job_.fire != 0, n);
        return;
    }
    const std::uint32_t below = static_cast<std::uint32_t>(job_.fire),
                        line = fold(key, job_.first_row + static_cast<std::uint32_t>(row - 1));
    const std::uint32_t column = job_.first_column - 1;
    for (int q = box.left; q <= box.right; q++) f[q] = fold(line, column + static_cast<std::uint32_t>(q)) < below;
}

// A firing cell beyond the living can carry a neighbour over the test after the step.
void Walk::save_ring(const Box& reach, int first, int last) {
    Buffer<std::int32_t>& ring = scratch_.ring[rank_];
    ring.clear();
    const int h = job_.height, w = job_.width;
    // the k-th of the 3x3 block around a cell, on the torus; false beyond another edge, where no cell is that the block
    // lacks
    const auto beside = [&](std::size_t at, int k, int& r, int& q) {
        r = grid_.row(at) + k / 3 - 1, q = grid_.column(at) + k % 3 - 1;
        if (torus_) r = r < 1 ? h : r > h ? 1 : r, q = q < 1 ? w : q > w ? 1 : q;
        return r >= 1 && r <= h && q >= 1 && q <= w;
    };
    const auto doomed = [&](int r, int q) { return scratch_.near[cell(r, q)] && !scratch_.life[cell(r, q)]; };
    for (int r = first; r <= last; r++) {
        for (int q = reach.left; q <= reach.right; q++)
            if (doomed(r, q))
                for (int k = 0, i, j; k < 9; k++)
                    if (beside(cell(r, q), k, i, j) && scratch_.fires[cell(i, j)] && !scratch_.near[cell(i, j)])
                        ring.push(static_cast<std::int32_t>(cell(i, j)));
        watch_.did(job_.width);
    }
    const int n = static_cast<int>(ring.size()), out = job_.layer[job_.layers - 1].out_pad;
    real* dx = block_.spare(0);
    int kept = 0;  // cells that would come alive
    for (int i = 0; i < n; i += NB) {
        const int m = n - i < NB ? n - i : NB;
        flow(ring.data() + i, m, dx);
        for (int k = 0; k < m; k++) {
            const std::int32_t at = ring[i + k];
            if (scratch_.life_value[at] + dx[k * out + job_.life_channel] > job_.threshold) ring[kept++] = at;
        }
    }
    for (int i = 0; i < kept; i++)
        for (int k = 0, r, q; k < 9; k++)
            if (beside(ring[i], k, r, q) && r >= first && r <= last && doomed(r, q)) scratch_.life[cell(r, q)] = 1;
}

// Where the cells lie that can act in this step; copies of them beyond the grid are brought up to date.
void Walk::reach_out() {
    const int h = job_.height, w = job_.width;
    reach_ = box_, wrapped_ = false;
    if (!box_.empty()) {
        const int near = 2 + job_.border;  // acting cells lie at most two beyond the box, and see what is beside them
        wrapped_ = job_.edge != Edge::zero &&
                   (box_.top <= near || box_.bottom > h - near || box_.left <= near || box_.right > w - near);
        reach_ = wrapped_ && job_.edge == Edge::circular ? whole() : box_.grown(2, 1, h, w);
    }
    if (wrapped_ && rank_ == 0) {
        wrap(scratch_.x.data(), job_.stride, grid_, job_.border, job_.edge);
        if (job_.life && torus_) wrap(scratch_.life_value.data(), 1, grid_, 1, job_.edge);
    }
    if (wrapped_) crew_.meet();
    share(reach_, first_, last_);
}

// Which cells are alive before the step.
void Walk::mark_living() {
    const Box seen = reach_.grown(1, 0, job_.height + 1, job_.width + 1);
    int from, to;
    share(seen, from, to);
    for (int r = from; r <= to; r++) {
        for (int q = seen.left; q <= seen.right; q++)
            scratch_.living[cell(r, q)] = scratch_.tried[cell(r, q)] = scratch_.life_value[cell(r, q)] > job_.threshold;
        for (int q = seen.left; !boxed_ && !torus_ && q <= seen.right; q++)
            if (!inside(r, q))  // no life, even if zero is above the threshold
                scratch_.living[cell(r, q)] = scratch_.tried[cell(r, q)] = 0;
        watch_.did(job_.width);
    }
    crew_.meet();
}

// The cells of this rank's rows that fire, near life where only such act.
void Walk::choose_acting(int t) {
    const Box reach = reach_;
    const bool local = local_;
    const std::uint32_t key =
        fold(fold(fold(0, job_.seed), job_.t + static_cast<std::uint32_t>(t)), static_cast<std::uint32_t>(sample_));
    Buffer<std::int32_t>& acting = scratch_.acting[rank_];
    acting.clear();
    acting.reserve(static_cast<std::size_t>(last_ >= first_ ? last_ - first_ + 1 : 0) *
                   (reach.empty() ? 0 : reach.right - reach.left + 1));
    for (int r = first_, last = last_; r <= last; r++) {
        fires(r, reach, key);
        const std::uint8_t* f = scratch_.fires.data() + cell(r, 0);
        if (local) dilate(scratch_.living.data(), scratch_.near.data(), grid_, r, reach.left, reach.right);
        const std::uint8_t* near = local ? scratch_.near.data() + cell(r, 0) : f;
        std::int32_t* to = acting.data();
        std::size_t n = acting.size();
        for (int q = reach.left; q <= reach.right; q++) {
            to[n] = static_cast<std::int32_t>(cell(r, q));
            n += f[q] & near[q];
        }
        acting.resize(n);
        watch_.did(2 * static_cast<std::size_t>(job_.width));
    }
}

// What each blurred channel lacks of its blur, in this rank's rows.
void Walk::blur() {
    const int high = last_ - first_ + 1, wide = reach_.right - reach_.left + 1;
    for (int k = 0; k < job_.blurs && high > 0; k++) {
        const Blur<real>& blur = job_.blur[k];
        const real* x = scratch_.x.data() + blur.channel;
        Blurring& room = scratch_.blurring[rank_];
        real* to = room.begin(high, wide, blur.side);
        for (int r = 0; r < room.rows(); r++) {
            const real* from = x + cell(first_ + r - blur.side / 2, reach_.left - blur.side / 2) * job_.stride;
            for (int q = 0; q < room.columns(); q++) *to++ = from[static_cast<std::size_t>(q) * job_.stride];
            watch_.did(room.columns());
        }
        const real* result = room.result(blur.weight, watch_);
        real* lacking = scratch_.blurred.data() + k * grid_.cells();
        for (int r = first_; r <= last_; r++)
            for (std::size_t at = cell(r, reach_.left), end = at + wide; at < end; at++)
                lacking[at] = *result++ - x[at * job_.stride];
    }
}

// What wide filters read, as planes.
void Walk::lay_out() {
    if (!job_.wides) return;
    const Box seen = reach_.empty() ? reach_
                                    : Box{reach_.top - job_.border, reach_.bottom + job_.border,
                                          reach_.left - job_.border, reach_.right + job_.border};
    int from, to;
    share(seen, from, to);
    part(job_, scratch_.x.data(), seen, from, to, scratch_.planes.data(), watch_);
    crew_.meet();
}

// What the acting cells will add, and which of them would be alive then.
void Walk::compute_flow() {
    const Buffer<std::int32_t>& acting = scratch_.acting[rank_];
    const int n = static_cast<int>(acting.size()), out = row_of_flow(), lc = job_.life_channel;
    Buffer<real>& flows = scratch_.dx[crew_.size + rank_];
    flows.resize(static_cast<std::size_t>(n) * out);
    for (int i = 0; i < n; i += NB)
        flow(acting.data() + i, n - i < NB ? n - i : NB, flows.data() + static_cast<std::size_t>(i) * out);
    if (job_.life & after)
        for (int i = 0; i < n; i++)
            scratch_.tried[acting[i]] =
                scratch_.life_value[acting[i]] + flows[static_cast<std::size_t>(i) * out + lc] > job_.threshold;
    crew_.meet();
}

// Which cells live on after the step.
void Walk::decide_life() {
    const Box reach = reach_;
    if (wrapped_ && torus_ && (job_.life & after)) {
        if (rank_ == 0) wrap(scratch_.tried.data(), 1, grid_, 1, job_.edge);
        crew_.meet();
    }
    bool doomed = false;
    for (int r = first_, last = last_; r <= last; r++) {
        std::uint8_t* alive = scratch_.life.data() + cell(r, 0);
        const std::uint8_t* near = scratch_.near.data() + cell(r, 0);
        watch_.did(job_.width);
        if (!(job_.life & after)) {
            std::memcpy(alive + reach.left, near + reach.left, reach.right - reach.left + 1);
            continue;
        }
        dilate(scratch_.tried.data(), scratch_.life.data(), grid_, r, reach.left, reach.right);
        if (!local_) continue;
        std::uint8_t lost = 0;
        for (int q = reach.left; q <= reach.right; q++) lost |= near[q] & (alive[q] ^ 1), alive[q] &= near[q];
        doomed |= lost != 0;
    }
    if (doomed) save_ring(reach, first_, last_);
    crew_.meet();
}

// The step itself: cells that acted and live become what they were and their flow.
void Walk::add_flow(Step* log) {
    const Buffer<std::int32_t>& acting = scratch_.acting[rank_];
    const Buffer<real>& flows = scratch_.dx[crew_.size + rank_];
    const int n = static_cast<int>(acting.size()), out = row_of_flow(), life = job_.life, lc = job_.life_channel;
    real* x = scratch_.x.data();
    if (log) log->acted.reserve(n), log->rows.reserve(static_cast<std::size_t>(n) * job_.own);
    for (int i = 0; i < n; i++) {
        const std::int32_t at = acting[i];
        if (life && !scratch_.life[at]) continue;
        watch_.did(job_.stride);
        if (log) keep(*log, at, log->acted);
        real* p = x + static_cast<std::size_t>(at) * job_.stride;
        const real* d = flows.data() + static_cast<std::size_t>(i) * out;
        if (job_.flow)
            std::memcpy(p, d, sizeof(real) * job_.own);
        else
            for (int c = 0; c < out; c += VL) store(p + c, load(p + c) + load(d + c));
        if (life) scratch_.life_value[at] = p[lc];
    }
}

// Empties the cells that died; gives the box of those of this rank's rows that live.
Box Walk::clear_dead(Step* log) {
    const Box reach = reach_;
    Box held = nowhere;
    real* x = scratch_.x.data();
    for (int r = first_, last = last_; r <= last; r++) {
        std::uint8_t *alive = scratch_.life.data() + cell(r, 0), *was = scratch_.occupied.data() + cell(r, 0);
        int left = 1 << 30, right = -1;
        watch_.did(job_.width);
        for (int q = reach.left; q <= reach.right; q++) {
            if (was[q] && !alive[q]) {
                if (log) keep(*log, cell(r, q), log->died);
                std::memset(x + cell(r, q) * job_.stride, 0, sizeof(real) * job_.own);
                scratch_.life_value[cell(r, q)] = 0;
            }
            was[q] = alive[q];
            if (alive[q]) left = q < left ? q : left, right = q;
        }
        if (right >= 0) held.hold(r, left, right);
    }
    return held;
}

// What the way back must know of the step besides the rows that it overwrote.
void Walk::note(Step& log) const {
    const Box reach = reach_;
    log.reach = reach, log.wrapped = wrapped_;
    if (!job_.life || reach.empty()) return;
    const std::size_t wide = reach.right - reach.left + 1;
    log.life.resize(wide * (reach.bottom - reach.top + 1));
    for (int r = reach.top; r <= reach.bottom; r++)
        std::memcpy(log.life.data() + (r - reach.top) * wide, scratch_.life.data() + cell(r, reach.left), wide);
}

// One box around what all ranks hold.
void Walk::join(const Box& held) {
    scratch_.boxes[1 + rank_] = held;
    crew_.meet();
    box_ = nowhere;
    for (int k = 0; k < crew_.size; k++) {
        const Box& b = scratch_.boxes[1 + k];
        if (!b.empty()) box_.hold(b.top, b.left, b.right), box_.hold(b.bottom, b.left, b.right);
    }
}

void Walk::step(int t) {
    watch_.did(1 << 10);  // what a step takes where no cell acts
    Step* log = trace_ ? trace_->next() : nullptr;
    reach_out();
    if (job_.life) mark_living();
    choose_acting(t);
    blur();
    lay_out();
    compute_flow();
    if (job_.life) decide_life();
    add_flow(log);
    const Box held = job_.life ? clear_dead(log) : nowhere;
    if (log) note(*log);
    if (boxed_) join(held);
    crew_.meet();
}

// Lays a state `x` (channels, height, width) out in the scratch room.
void enter_scratch(const Plan& job, int sample, void* room, const real* x, const Crew& crew, int rank) {
    Scratch& scratch = *static_cast<Scratch*>(room);
    const std::size_t cells = Grid(job).cells();
    if (rank == 0) {
        if (scratch.ranks != crew.size) {
            delete[] scratch.dx, delete[] scratch.acting, delete[] scratch.ring, delete[] scratch.boxes,
                delete[] scratch.blurring;
            scratch.dx = nullptr, scratch.acting = scratch.ring = nullptr, scratch.boxes = nullptr,
            scratch.blurring = nullptr;
            scratch.ranks = 0;
            scratch.dx = new Buffer<real>[2 * crew.size];
            scratch.acting = new Buffer<std::int32_t>[crew.size], scratch.ring = new Buffer<std::int32_t>[crew.size];
            scratch.boxes = new Box[1 + crew.size];
            scratch.blurring = new Blurring[crew.size];
            scratch.ranks = crew.size;
        }
        scratch.x.zero(cells * job.stride);
        scratch.planes.zero(planes(job));
        if (job.life) {
            scratch.life_value.zero(cells);
            Buffer<std::uint8_t>* masks[] = {&scratch.living, &scratch.tried, &scratch.near, &scratch.life,
                                             &scratch.occupied};
            for (Buffer<std::uint8_t>* m : masks) m->zero(cells);
        }
        scratch.fires.zero(cells);
        scratch.blurred.resize(job.blurs * cells);
    }
    crew.meet();
    Walk walk(job, sample, scratch, nullptr, crew, rank);
    if (rank == 0) {
        scratch.boxes[0] = walk.whole();
        if (job.life) walk.survey(x);
    }
    crew.meet();
    walk.begin();
    if (rank == 0) enter(job, x, scratch.x.data(), walk.held(), walk.watch());
    crew.meet();
}

// Advances what is in the scratch room by the job's steps.
void advance(const Plan& job, int sample, void* room, void* log, const Crew& crew, int rank) {
    Scratch& scratch = *static_cast<Scratch*>(room);
    Trace* trace = static_cast<Trace*>(log);
    Walk walk(job, sample, scratch, trace, crew, rank);
    walk.begin();
    if (job.flow && trace)
        walk.prepare_flow(*trace->next());
    else
        for (int t = 0; t < job.steps; t++) walk.step(t);
    crew.meet();
    if (rank == 0) {
        walk.end();
        if (trace) {
            trace->last.resize(Grid(job).cells() * job.stride);
            copy(Grid(job), job.stride, scratch.x.data(), trace->last.data(), walk.watch());
        }
    }
    crew.meet();
}

// The state in the scratch room, as `y` (channels, height, width).
void leave_scratch(const Plan& job, int sample, void* room, real* y, const Crew& crew, int rank) {
    Walk walk(job, sample, *static_cast<Scratch*>(room), nullptr, crew, rank);
    walk.begin();
    if (rank == 0) leave(job, static_cast<Scratch*>(room)->x.data(), y, walk.held(), walk.watch());
    crew.meet();
}

Box rectangle(const Area& a) {
    return {1 + a.row, a.row + a.height, 1 + a.column, a.column + a.width};
}

// Numbers of an area in the scratch room, `out` (channels, height, width).
void read_scratch(const Plan& job, const void* room, const Area& area, real* out) {
    const Box box = rectangle(area);
    const Grid grid(job);
    const real* x = static_cast<const Scratch*>(room)->x.data();
    const std::size_t cells = static_cast<std::size_t>(area.height) * area.width;
    for (int r = 0; r < area.height; r++, out += area.width)  // a row at a time, to stay in cache
        for (int c = 0; c < job.channels; c++) {
            const real* from = x + grid.cell(box.top + r, box.left) * job.stride + c;
            for (int q = 0; q < area.width; q++) out[c * cells + q] = from[static_cast<std::size_t>(q) * job.stride];
        }
}

// Other numbers (channels, height, width) for an area in the scratch room.
void write_scratch(const Plan& job, void* room, const Area& area, const real* values) {
    const Box box = rectangle(area);
    Scratch& scratch = *static_cast<Scratch*>(room);
    const Grid grid(job);
    const std::size_t cells = static_cast<std::size_t>(area.height) * area.width;
    Box& held = scratch.boxes[0];
    for (int r = box.top; r <= box.bottom; r++)
        for (int q = box.left; q <= box.right; q++, values++) {
            const std::size_t at = grid.cell(r, q);
            real* x = scratch.x.data() + at * job.stride;
            for (int c = 0; c < job.channels; c++) x[c] = values[c * cells];
            if (!job.life) continue;
            bool any = false;
            for (int c = 0; c < job.own; c++) any |= x[c] != 0;
            scratch.occupied[at] = any;
            scratch.life_value[at] = x[job.life_channel];
            if (any) held.hold(r, q, q);
        }
}

}  // namespace
