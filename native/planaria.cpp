// The C interface over a roll-out.
#include "planaria.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "hash.h"
#include "network.h"

using namespace planaria;

namespace {

constexpr std::uint64_t most = 1ull << 30;  // bytes of one array

// Refuses what would not fit in memory, before sizes are multiplied in 32 bits.
void affordable(std::uint64_t bytes) {
    if (bytes > most) exhausted();
}

Job job_of(const planaria_rule& rule, int batch, int height, int width) {
    Job job{};
    job.batch = batch, job.channels = rule.channels, job.height = height, job.width = width;
    job.own = rule.own, job.life = rule.life, job.life_channel = rule.life_channel;
    job.edge = static_cast<Edge>(rule.edge), job.open = rule.open != 0;
    job.activation = static_cast<Activation>(rule.activation);
    job.life_threshold = rule.life_threshold, job.length = rule.dt;
    job.fire = static_cast<std::uint64_t>(rule.fire);
    return job;
}

std::vector<Blur<float>> blurs_of(const planaria_rule& rule, const float* line) {
    std::vector<Blur<float>> blurs;
    for (int k = 0; k < rule.blurs; line += rule.sides[k++]) blurs.push_back({rule.blurred[k], rule.sides[k], line});
    return blurs;
}

int count_of(const planaria_rule& rule, int filter) {
    return rule.counts ? rule.counts[filter] : 0;
}

std::size_t own_taps(const planaria_rule& rule) {
    std::size_t taps = 0;
    for (int f = 0; f < rule.filters; f++) taps += count_of(rule, f);
    return taps;
}

std::vector<Wide<float>> wides_of(const planaria_rule& rule, const int* place, const float* weight) {
    std::vector<Wide<float>> wides;
    for (int f = 0; f < rule.filters; f++) {
        const int taps = count_of(rule, f);
        if (taps) wides.push_back({f, taps, place, weight});
        place += 2 * static_cast<std::size_t>(taps), weight += taps;
    }
    return wides;
}

std::vector<int> reaches_of(const planaria_rule& rule) {
    std::vector<int> reaches(rule.reaches, rule.reaches + rule.filters);
    for (int f = 0; f < rule.filters; f++)
        if (count_of(rule, f)) reaches[f] = 1;
    return reaches;
}

const planaria_rule& checked(const planaria_rule& rule, int batch, int height, int width) {
    constexpr int widest = 1 << 20;
    if (batch < 1 || height < 1 || width < 1) misuse("a grid has a batch, a height and a width of 1 or more");
    if (rule.channels < 1 || rule.channels > widest || rule.filters < 1 || rule.filters > widest || rule.layers < 1 ||
        rule.layers > 17 || rule.blurs < 0 || rule.blurs > widest || rule.edge < 0 || rule.edge > 2 || rule.life < 0 ||
        rule.life > 3)
        misuse("the settings are out of their ranges");
    if (!(rule.fire >= 0 && rule.fire <= 4294967296.0)) misuse("fire is 0 to 2^32");
    std::uint64_t rim = 1, in = static_cast<std::uint64_t>(rule.channels) * rule.filters;
    std::uint64_t taps = 0, wides = 0;
    for (int f = 0; f < rule.filters; f++) {
        const int count = count_of(rule, f);
        if (count < 0 || count > widest) misuse("a filter has 0 to 2^20 taps of its own");
        taps += count, wides += count > 0;
        affordable(16 * taps);
        if (!count) rim = std::max<std::uint64_t>(rim, std::clamp(rule.reaches[f], 1, farthest));
    }
    for (std::uint64_t i = 0; i < 2 * taps; i++) {
        if (rule.places[i] < -farthest || rule.places[i] > farthest) misuse("a filter has taps within reach");
        rim = std::max<std::uint64_t>(rim, std::abs(rule.places[i]));
    }
    for (int k = 0; k < rule.blurs; k++) {
        if (rule.sides[k] < 1 || rule.sides[k] > farthest) misuse("a blur is odd and symmetric");
        rim = std::max<std::uint64_t>(rim, rule.sides[k]);
    }
    const std::uint64_t cells = (height + 2 * rim) * (width + 2 * rim), row = 4 * (rule.channels + 3ull);
    affordable(cells);
    affordable(cells * row);
    affordable(cells * row * batch);
    affordable(cells * (8 + 4ull * rule.blurs));
    if (wides) affordable(4 * rule.channels * (cells + 8));
    affordable(4ull * (std::max(rule.widths[0], 1) + 8ull) * batch);
    std::uint64_t numbers = 0;
    for (int l = 0; l < rule.layers; l++) {
        const std::uint64_t out = rule.widths[l];
        if (rule.widths[l] < 1 || rule.widths[l] > widest) misuse("a layer has 1 to 2^20 outputs");
        numbers += (in + 8) * (out + 8);
        affordable(4 * numbers);
        affordable(4 * 48 * (in + 8));
        in = out;
    }
    return rule;
}

}  // namespace

struct planaria_plan {
    struct Scratches {  // one of each sample
        const Kernel<float>& kernel;
        std::vector<void*> at;
        ~Scratches() {
            for (void* scratch : at) kernel.discard(scratch);
        }
    };
    planaria_plan(const planaria_rule& rule, const float* const* weights, const float* const* biases, int batch,
                  int height, int width)
        : rule_(checked(rule, batch, height, width)),
          taps_(rule.taps, rule.taps + 9 * static_cast<std::size_t>(rule.filters)),
          reaches_(reaches_of(rule)),
          places_(rule.places, rule.places + 2 * own_taps(rule)),
          wide_taps_(rule.weights, rule.weights + own_taps(rule)),
          wides_(wides_of(rule, places_.data(), wide_taps_.data())),
          widths_(rule.widths, rule.widths + rule.layers),
          lines_(rule.blur_lines, rule.blur_lines + std::accumulate(rule.sides, rule.sides + rule.blurs, 0)),
          blurs_(blurs_of(rule, lines_.data())),
          call_(nullptr),
          rollout_(kernel_, job_of(rule, batch, height, width), with(weights, biases, batch), call_) {
        scratches_.at.reserve(batch);
        for (int b = 0; b < batch; b++) scratches_.at.push_back(kernel_.scratch());
    }
    planaria_plan(const planaria_plan&) = delete;
    planaria_plan& operator=(const planaria_plan&) = delete;

    void set_weights(const float* const* weights, const float* const* biases) {
        back_ = false, traced_ = false;
        rollout_.prepare(with(weights, biases, job().batch), call_);
    }

    float* state() {
        float* const state = look();
        in_scratch_ = false;
        return state;
    }

    float* look() {
        state_.resize(size() * job().batch);
        for (int b = 0; in_scratch_ && b < job().batch; b++)
            kernel_.leave(job(), b, scratches_.at[b], state_.data() + b * size(), alone(), 0);
        return state_.data();
    }

    void read(int sample, const Area& area, float* values) {
        inside(sample, area);
        enter();
        kernel_.read(job(), scratches_.at[sample], area, values);
    }
    void write(int sample, const Area& area, const float* values) {
        inside(sample, area);
        enter();
        kernel_.write(job(), scratches_.at[sample], area, values);
    }

    void run(std::uint32_t seed, std::uint32_t t, int steps, bool keep, std::uint32_t row, std::uint32_t column) {
        if (steps < 0) misuse("a run has 0 steps or more");
        back_ = traced_ = false;
        rollout_.forget();
        enter();
        if (keep) gradient();  // so that later looks at state and gradient move nothing
        in_scratch_ = false;   // while it is unknown how far they come
        const Undo undo{*this};
        rollout_.schedule(seed, t, row, column, steps);
        rollout_.advance(call_, scratches_.at.data(), keep);
        in_scratch_ = true, traced_ = keep;
    }

    float* gradient() {
        gradient_.resize(size() * job().batch);
        return gradient_.data();
    }

    void backward() {
        if (!traced_) misuse("no steps were recorded");
        back_ = false;
        affordable(4ull * rollout_.numbers() * job().batch);
        const std::uint64_t rim = job().border, wide = job().width + 2 * rim;
        const std::uint64_t plane = (job().height + 4 * rim) * wide + rim + 8;
        affordable(4 * plane * job().channels);
        affordable(4 * plane * job().channels * wides_.size());
        sums_.assign(rollout_.numbers() * job().batch, 0);
        rollout_.backward(call_, gradient(), gradient(), sums_.data(), 1);
        back_ = true;
    }

    void gradients(int sample, float* const* weights, float* const* biases) {
        if (!back_) misuse("no gradients were computed");
        if (sample >= job().batch) misuse("the batch has no such sample");
        const std::size_t layers = widths_.size();
        std::vector<std::vector<float>> spare(2 * layers);
        std::vector<float*> to(2 * layers);
        for (std::size_t l = 0; l < layers; l++) {
            const Layer<float>& layer = rollout_.layers()[l];
            const std::size_t sizes[] = {static_cast<std::size_t>(layer.in) * layer.out,
                                         static_cast<std::size_t>(layer.out)};
            float* const given[] = {weights[l], biases[l]};
            for (int k = 0; k < 2; k++) {
                if (!given[k]) spare[2 * l + k].resize(sizes[k]);
                to[k * layers + l] = given[k] ? given[k] : spare[2 * l + k].data();
                std::fill_n(to[k * layers + l], sizes[k], 0.0f);
            }
        }
        const std::size_t width = widths_[0];
        std::vector<float> first(width * job().batch);
        const ParameterGradients<float> g{first.data(), to.data(), static_cast<int>(layers) - 1,
                                          to.data() + layers + 1};
        for (int b = sample < 0 ? 0 : sample; b < (sample < 0 ? job().batch : sample + 1); b++) {
            rollout_.add(call_, sums_.data(), b, g);
            for (std::size_t o = 0; o < width; o++) to[layers][o] += first[b * width + o];
        }
    }

    std::size_t traced() const { return rollout_.bytes(); }

  private:
    struct Undo {  // drops what a run recorded that came to no end
        planaria_plan& plan;
        ~Undo() {
            if (!plan.in_scratch_) plan.rollout_.forget();
        }
    };
    const Plan<float>& job() const { return rollout_.job(); }
    std::size_t size() const { return static_cast<std::size_t>(job().channels) * job().height * job().width; }
    static Crew alone() {
        return {1, nullptr, [](void*) {}, nullptr};
    }

    void inside(int sample, const Area& a) const {
        if (sample < 0 || sample >= job().batch || a.row < 0 || a.column < 0 || a.height < 0 || a.width < 0 ||
            a.height > job().height - a.row || a.width > job().width - a.column)
            misuse("that is not within the state");
    }

    void enter() {
        if (in_scratch_) return;
        state_.resize(size() * job().batch);
        for (int b = 0; b < job().batch; b++)
            kernel_.enter(job(), b, scratches_.at[b], state_.data() + b * size(), alone(), 0);
        in_scratch_ = true;
    }

    // The parameters as the network takes them, in `matrices_`, `first_` and `rows_`, which must outlive its use.
    Parameters<float> with(const float* const* weights, const float* const* biases, int batch) {
        matrices_.clear(), rows_.clear(), first_.clear();
        int in = rule_.channels * rule_.filters;
        for (std::size_t l = 0; l < widths_.size(); in = widths_[l++]) {
            matrices_.push_back({weights[l], widths_[l], in});
            if (l) rows_.push_back(biases[l]);
        }
        for (int b = 0; b < batch; b++)
            for (int o = 0; o < widths_[0]; o++) first_.push_back(biases[0] ? biases[0][o] : 0);
        return {rule_.filters, taps_.data(),     reaches_.data(), static_cast<int>(wides_.size()), wides_.data(),
                rule_.layers,  matrices_.data(), first_.data(),   static_cast<int>(rows_.size()),  rows_.data(),
                rule_.blurs,   blurs_.data()};
    }

    const planaria_rule rule_;  // what it points to is the caller's
    const std::vector<float> taps_;
    const std::vector<int> reaches_, places_;
    const std::vector<float> wide_taps_;
    const std::vector<Wide<float>> wides_;
    const std::vector<int> widths_;
    const std::vector<float> lines_;
    const std::vector<Blur<float>> blurs_;
    std::vector<Matrix<float>> matrices_;
    std::vector<float> first_;
    std::vector<const float*> rows_;
    const Kernel<float>& kernel_ = *kernels<float>().front();
    Call call_;
    Rollout<float> rollout_;
    Scratches scratches_{kernel_, {}};
    std::vector<float> state_, gradient_, sums_;
    bool in_scratch_ = false;  // whether the scratches hold the state, else `state_`
    bool traced_ = false, back_ = false;
};

namespace {

template <class Act>
int guarded(Act act) {
    try {
        act();
        return PLANARIA_OK;
    } catch (...) {
        return failure();
    }
}

}  // namespace

planaria_plan* planaria_prepare(const planaria_rule* rule, const float* const* weights, const float* const* biases,
                                int32_t batch, int32_t height, int32_t width) {
    planaria_plan* plan = nullptr;
    guarded([&] { plan = new planaria_plan(*rule, weights, biases, batch, height, width); });
    return plan;
}

void planaria_free(planaria_plan* plan) {
    delete plan;
}

const char* planaria_message() {
    return failure_message();
}

int planaria_set_weights(planaria_plan* plan, const float* const* weights, const float* const* biases) {
    return guarded([&] { plan->set_weights(weights, biases); });
}

float* planaria_state(planaria_plan* plan) {
    float* state = nullptr;
    guarded([&] { state = plan->state(); });
    return state;
}

const float* planaria_look(planaria_plan* plan) {
    const float* state = nullptr;
    guarded([&] { state = plan->look(); });
    return state;
}

int planaria_read(planaria_plan* plan, int32_t sample, int32_t row, int32_t column, int32_t height, int32_t width,
                  float* values) {
    return guarded([&] { plan->read(sample, {row, column, height, width}, values); });
}

int planaria_write(planaria_plan* plan, int32_t sample, int32_t row, int32_t column, int32_t height, int32_t width,
                   const float* values) {
    return guarded([&] { plan->write(sample, {row, column, height, width}, values); });
}

int planaria_run(planaria_plan* plan, uint32_t seed, uint32_t t, int32_t steps, int32_t keep, uint32_t row,
                 uint32_t column) {
    return guarded([&] { plan->run(seed, t, steps, keep != 0, row, column); });
}

float* planaria_gradient(planaria_plan* plan) {
    float* gradient = nullptr;
    guarded([&] { gradient = plan->gradient(); });
    return gradient;
}

int planaria_backward(planaria_plan* plan) {
    return guarded([&] { plan->backward(); });
}

int planaria_gradients(planaria_plan* plan, int32_t sample, float* const* weights, float* const* biases) {
    return guarded([&] { plan->gradients(sample, weights, biases); });
}

size_t planaria_traced(const planaria_plan* plan) {
    return plan->traced();
}

uint32_t planaria_hash(uint32_t seed, uint32_t t, uint32_t sample, uint32_t row, uint32_t column) {
    uint32_t key = 0;
    for (const uint32_t part : {seed, t, sample, row, column}) key = fold(key, part);
    return key;
}
