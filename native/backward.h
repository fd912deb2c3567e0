// The way back of one sample: it undoes the steps of a trace, last first, and adds up gradients.
#pragma once
#include "block.h"
#include "trace.h"

namespace {

// Gives the gradients of flows, (n, out_pad of the last layer), to the cells that were blurred; all n lie in `reach`.
void spread_blurs(const Plan& job, const Grid& grid, const Box& reach, const Buffer<std::int32_t>& acted,
                  const real* flows, real* g, Blurring& room, Watch& watch) {
    const int n = static_cast<int>(acted.size()), out = job.layer[job.layers - 1].out_pad;
    for (int k = 0; k < (n ? job.blurs : 0); k++) {
        const Blur<real>& blur = job.blur[k];
        const int half = blur.side / 2;
        const Box whole = {reach.top - half, reach.bottom + half, reach.left - half, reach.right + half};
        real* source = room.begin(whole.bottom - whole.top + 1, whole.right - whole.left + 1, blur.side);
        std::memset(source, 0, sizeof(real) * room.rows() * room.columns());
        for (int i = 0; i < n; i++) {
            const std::size_t at = acted[i];
            const real d = flows[static_cast<std::size_t>(i) * out + blur.channel];
            source[static_cast<std::size_t>(grid.row(at) - whole.top + half) * room.columns() + grid.column(at) -
                   whole.left + half] = d;
            g[at * job.stride + blur.channel] -= d;
        }
        watch.did(static_cast<std::size_t>(room.rows()) * room.columns() + n);
        const real* result = room.result(blur.weight, watch);
        for (int r = whole.top; r <= whole.bottom; r++)
            for (int q = whole.left; q <= whole.right; q++) g[grid.cell(r, q) * job.stride + blur.channel] += *result++;
    }
}

// Whether no gradient comes from a sample: every one is zero, and the state finite, as zero times another is no number.
bool quiet(const Plan& job, const real* gy, const Buffer<real>& last) {
    const std::size_t n = static_cast<std::size_t>(job.channels) * job.height * job.width;
    for (std::size_t i = 0; i < n; i++)
        if (gy[i] != 0) return false;
    for (std::size_t i = 0; i < last.size(); i++)
        if (!(last[i] - last[i] == 0)) return false;
    return true;
}

void backward(const Plan& job, int sample, void* room, const void* log, const real* gy, real* gx,
              const Gradients<real>& sums, const Crew& alone) {
    Scratch& scratch = *static_cast<Scratch*>(room);
    const Trace& trace = *static_cast<const Trace*>(log);
    const Grid grid(job);
    const int h = job.height, w = job.width, out = job.layer[job.layers - 1].out_pad;
    const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(grid.wide) * job.stride;
    const std::size_t size = grid.cells() * job.stride;
    const real* first_bias = job.layer[0].bias + static_cast<std::size_t>(sample) * job.layer[0].out_pad;
    Watch watch(alone);
    if (quiet(job, gy, trace.last)) {
        std::memset(gx, 0, sizeof(real) * job.channels * h * w);
        return;
    }
    Block block(job, scratch.net, watch, true);
    Blurring blurring;
    Spreading wides(job, scratch.spreading);
    scratch.planes.zero(planes(job));
    scratch.x.resize(size);
    copy(grid, job.stride, trace.last.data(), scratch.x.data(), watch);
    scratch.gradient.zero(size);
    real *x = scratch.x.data(), *g = scratch.gradient.data();
    Box region = {1, h, 1, w};  // outside, the gradient of what is written is zero
    enter(job, gy, g, region, watch);
    Buffer<real>& passed = scratch.blank;
    for (std::size_t t = trace.steps.size(); t-- > 0;) {
        const Step& step = *trace.steps[t];
        const int n = static_cast<int>(step.acted.size()), dead = static_cast<int>(step.died.size());
        const real* old = step.rows.data();  // of a flow none: the state is as it was
        const auto restore = [&](std::int32_t at) {
            std::memcpy(x + static_cast<std::size_t>(at) * job.stride, old, sizeof(real) * job.own);
            old += job.own;
            watch.did(job.own);
        };
        watch.did(1 << 10);  // what a step takes where no cell acts
        for (int i = 0; i < n && !job.flow; i++) restore(step.acted[i]);
        for (int i = 0; i < dead; i++) restore(step.died[i]);
        if (step.wrapped) wrap(x, job.stride, grid, job.border, job.edge);
        if (job.life) {
            const Box& reach = step.reach;
            for (int r = region.top; r <= region.bottom; r++) {
                for (int q = region.left; q <= region.right; q++) {
                    const bool in = r >= reach.top && r <= reach.bottom && q >= reach.left && q <= reach.right;
                    if (!in || !step.life[static_cast<std::size_t>(r - reach.top) * (reach.right - reach.left + 1) + q -
                                          reach.left])
                        std::memset(g + grid.cell(r, q) * job.stride, 0, sizeof(real) * job.own);
                }
                watch.did(static_cast<std::size_t>(w) * job.own);
            }
            region = reach.grown(job.border - 1, 1, h, w);  // acting cells lie a cell within their reach
        }
        passed.resize(static_cast<std::size_t>(n) * out);  // of the flows: gathered before neighbours add to it
        for (int i = 0; i < n; i++) {
            const real* from = g + static_cast<std::size_t>(step.acted[i]) * job.stride;
            real* to = passed.data() + static_cast<std::size_t>(i) * out;
            for (int c = 0; c < job.own; c++) to[c] = job.dt * from[c];
            for (int c = job.own; c < out; c++) to[c] = 0;
            watch.did(out);
        }
        if (job.wides && n) {
            const int far = job.border;
            const Box& reach = step.reach;
            const Box seen = {reach.top - far, reach.bottom + far, reach.left - far, reach.right + far};
            part(job, x, seen, seen.top, seen.bottom, scratch.planes.data(), watch);
        }
        if (job.flow) std::memset(g, 0, sizeof(real) * size);  // it went to what the state gains, not to the state
        for (int i = 0; i < n; i += NB) {
            const int m = n - i < NB ? n - i : NB;
            block.hidden(x, scratch.planes.data(), row, step.acted.data() + i, m, first_bias);
            const real* gp = block.learn(passed.data() + static_cast<std::size_t>(i) * out, m, sums);
            for (int k = 0; k < m; k++)
                block.spread(gp + static_cast<std::size_t>(k) * block.width(0),
                             g + static_cast<std::size_t>(step.acted[i + k]) * job.stride, row);
            wides.take(step.acted.data() + i, m, gp, block.width(0));
            watch.did(static_cast<std::size_t>(m) * block.width(0));
        }
        wides.give(step.acted, g, watch);
        spread_blurs(job, grid, step.reach, step.acted, passed.data(), g, blurring, watch);
        if (step.wrapped) unwrap(g, job.stride, grid, job.edge);
    }
    leave(job, g, gx, {1, h, 1, w}, watch);
}

}  // namespace
