/* The kernel's C interface: a rule prepared for a grid, run on states that it keeps, and differentiated.
 *
 * Numbers are float32, row by row; a state is (batch, channels, height, width). Functions that return an int give 0 or
 * a code below, and then `planaria_message` says in words what was wrong. A plan serves one thread at a time. Nothing
 * is thrown across this interface. */
#ifndef PLANARIA_H
#define PLANARIA_H
#include <stddef.h>
#include <stdint.h>

#define PLANARIA_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

enum { PLANARIA_OK = 0, PLANARIA_MISUSE = 1, PLANARIA_NO_MEMORY = 2 };
enum { PLANARIA_ZERO = 0, PLANARIA_CIRCULAR = 1, PLANARIA_REPLICATE = 2 }; /* edges */
enum { PLANARIA_RELU, PLANARIA_LEAKY_RELU, PLANARIA_ELU, PLANARIA_GELU, PLANARIA_SILU, PLANARIA_TANH };
enum { PLANARIA_BEFORE = 1, PLANARIA_AFTER = 2 }; /* bits: when life is judged; 0 for never */

/* A rule but for its weights; conditions are part of the first bias. */
typedef struct planaria_rule {
    double fire;           /* a cell fires where its hash is below this: the fire rate times 2^32 */
    double life_threshold; /* a cell is alive if one of its 3x3 block has more than this in the life channel */
    double dt;             /* length of a step */
    int32_t channels;
    int32_t own; /* channels that are written; the frozen ones follow */
    int32_t life;
    int32_t life_channel;
    int32_t edge;
    int32_t open; /* 1: no life comes from beyond the grid, whatever its edge */
    int32_t activation;
    int32_t filters;
    int32_t layers;
    int32_t blurs;
    const float* taps;       /* (filters, 9), row by row */
    const int32_t* reaches;  /* (filters): how many cells away the outer taps lie */
    const int32_t* widths;   /* (layers): what each layer puts out; the last one `own` */
    const int32_t* blurred;  /* (blurs): channels to whose change is added what they lack of their blur */
    const int32_t* sides;    /* (blurs): of each blur, in cells, odd */
    const float* blur_lines; /* of each blur its weights along rows as along columns, symmetric, one after the other */
    const int32_t* counts; /* (filters), or null: how many taps a filter has of its own, which `taps` and `reaches` then
                              don't describe; 0 for the others */
    const int32_t* places; /* of each tap of its own, filter after filter: rows down, columns to the right */
    const float* weights;  /* and its weight */
} planaria_rule;

typedef struct planaria_plan planaria_plan;

/* `weights[i]` is (out, in) and `biases[i]` (out) or null, one of each for every layer. The first layer reads the
 * perception channel by channel, all filters of each. All is copied. The state is zero. Null where it fails. */
PLANARIA_API planaria_plan* planaria_prepare(const planaria_rule* rule, const float* const* weights,
                                             const float* const* biases, int32_t batch, int32_t height, int32_t width);
PLANARIA_API void planaria_free(planaria_plan* plan);
PLANARIA_API const char* planaria_message(void);

/* Other weights; the trace is dropped. */
PLANARIA_API int planaria_set_weights(planaria_plan* plan, const float* const* weights, const float* const* biases);

/* The whole state, to read and to write until the next call; null without memory. While steps run it is kept in another
 * order: looking is cheaper, as are `planaria_read` and `planaria_write` where little is touched. */
PLANARIA_API float* planaria_state(planaria_plan* plan);
/* The whole state to read until the next call; what is written there is lost. */
PLANARIA_API const float* planaria_look(planaria_plan* plan);
/* `values` (channels, height, width) of cells that begin at (row, column) of a sample. */
PLANARIA_API int planaria_read(planaria_plan* plan, int32_t sample, int32_t row, int32_t column, int32_t height,
                               int32_t width, float* values);
PLANARIA_API int planaria_write(planaria_plan* plan, int32_t sample, int32_t row, int32_t column, int32_t height,
                                int32_t width, const float* values);

/* Advances the state by `steps` steps, of which the first is step `t`. The grid begins at (row, column) of a larger
 * one: that says which cells fire. With `keep`, records what `planaria_backward` needs, and drops what was there
 * before. The state is lost where memory runs out. */
PLANARIA_API int planaria_run(planaria_plan* plan, uint32_t seed, uint32_t t, int32_t steps, int32_t keep, uint32_t row,
                              uint32_t column);

/* (batch, channels, height, width): before `planaria_backward` the gradient of the last state, after it that of the
 * state before the recorded steps. Null without memory. */
PLANARIA_API float* planaria_gradient(planaria_plan* plan);
PLANARIA_API int planaria_backward(planaria_plan* plan);
/* After `planaria_backward`: gradients in the shapes of the parameters, of one sample or, below zero, of all, added in
 * their order from zero. Null pointers are passed over. */
PLANARIA_API int planaria_gradients(planaria_plan* plan, int32_t sample, float* const* weights, float* const* biases);

/* Bytes of the recorded steps. */
PLANARIA_API size_t planaria_traced(const planaria_plan* plan);
/* What is compared with `fire` for a cell in step `t`. */
PLANARIA_API uint32_t planaria_hash(uint32_t seed, uint32_t t, uint32_t sample, uint32_t row, uint32_t column);

#ifdef __cplusplus
}
#endif
#endif
