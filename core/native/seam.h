// The C seam between zerohop and llama.cpp's C++.
//
// Every function here catches every C++ exception, and ggml's failing assertions as
// far as they can be caught: none may unwind into Rust.
// A function that can fail takes a last `char ** error`; on failure it stores a
// message there that the caller frees with zerohop_native_string_free.
#pragma once

#include "faults.h"
#include "llama.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct zerohop_native_templates;

// Returned by zerohop_native_decode when a C++ exception was caught.
#define ZEROHOP_NATIVE_EXCEPTION INT32_MIN

void zerohop_native_string_free(char * text);

// Keeps llama.cpp's `common` library from starting its own logging thread,
// which writes to the host's stdout and stderr.
void zerohop_native_silence_common(void);

struct llama_context * zerohop_native_context_new(struct llama_model * model, struct llama_context_params params, char ** error);
void                   zerohop_native_context_free(struct llama_context * context);

// Loads a LoRA adapter for a model; NULL on failure. Both this and freeing one change what
// contexts of the model read when they are made and first used.
struct llama_adapter_lora * zerohop_native_adapter_new(struct llama_model * model, const char * path, char ** error);
void                        zerohop_native_adapter_free(struct llama_adapter_lora * adapter);

// Has a context compute with these adapters, each to its scale; false on failure.
bool zerohop_native_context_set_adapters(struct llama_context * context, struct llama_adapter_lora ** adapters,
                                         float * scales, size_t count, char ** error);

// llama_decode's result, or ZEROHOP_NATIVE_EXCEPTION.
int32_t zerohop_native_decode(struct llama_context * context, struct llama_batch batch, char ** error);

// NULL when the batch's token `index` was not asked for logits.
float * zerohop_native_logits(struct llama_context * context, int32_t index);

// Removes positions [from, end) of one sequence; `from` < 0 means the first, `end` < 0 the end.
bool zerohop_native_sequence_remove(struct llama_context * context, llama_seq_id sequence, llama_pos from,
                                    llama_pos end);

// Lets sequence `to` begin with what `from` has in the cache up to position `end`; all of it for -1.
void zerohop_native_sequence_copy(struct llama_context * context, llama_seq_id from, llama_seq_id to, llama_pos end);

// The first position that a sequence has in every part of the cache; -1 where it has none.
llama_pos zerohop_native_sequence_begin(struct llama_context * context, llama_seq_id sequence);

// The last position that a sequence has in every part of the cache; -1 where it has none.
llama_pos zerohop_native_sequence_end(struct llama_context * context, llama_seq_id sequence);

// What the cache has of a sequence, written to `buffer`, which has room for `size` bytes. Gives how many that
// are, without a buffer too; 0 when it threw.
size_t zerohop_native_sequence_state(struct llama_context * context, llama_seq_id sequence, uint8_t * buffer,
                                     size_t size, char ** error);

// Lets a sequence, of which the cache has nothing, have what was written so. False where it does not fit.
bool zerohop_native_sequence_restore(struct llama_context * context, llama_seq_id sequence, const uint8_t * state,
                                     size_t size, char ** error);

// The vector of one sequence of the last batch, in a context for embeddings; NULL if it has none.
const float * zerohop_native_embedding(struct llama_context * context, llama_seq_id sequence);

// llama_tokenize's result; INT32_MIN when it threw or overflowed.
int32_t zerohop_native_tokenize(const struct llama_vocab * vocab, const char * text, int32_t text_len,
                                llama_token * tokens, int32_t capacity, bool add_special, bool parse_special,
                                char ** error);

// llama_token_to_piece's result, or 0 when it threw.
int32_t zerohop_native_token_to_piece(const struct llama_vocab * vocab, llama_token token, char * buffer,
                                      int32_t capacity, bool special);

// The templates of a model, or of `override_source` when that is not NULL. Without
// a model, `bos` and `eos` are the texts of its tokens; with one they are ignored.
struct zerohop_native_templates * zerohop_native_templates_new(const struct llama_model * model,
                                                               const char * override_source, const char * bos,
                                                               const char * eos, char ** error);
void   zerohop_native_templates_free(struct zerohop_native_templates * templates);

// What the template for requests with or without tools can say, as JSON:
// {"supports_tools", "supports_thinking": bool, "thinking_start": str, "thinking_ends": [str]}.
// The first call takes some milliseconds. NULL on failure.
char * zerohop_native_templates_describe(const struct zerohop_native_templates * templates, bool with_tools,
                                         char ** error);

// Renders a prompt. `request` is JSON: {"messages": [...], "tools": [...], "tool_choice": str,
// "parallel_tool_calls": bool, "enable_thinking": bool, "chat_template_kwargs": {...}}.
// The reply is JSON (because a prompt may hold NUL bytes): {"prompt", "generation_prompt": str,
// "format": int, "parser": object or null, "preserved_tokens", "additional_stops": [str]}. NULL on failure.
char * zerohop_native_templates_apply(const struct zerohop_native_templates * templates, const char * request,
                                      size_t request_len, char ** error);

struct zerohop_native_output_parser;

// `request` is JSON: "format", "generation_prompt" and "parser" of a rendered prompt.
struct zerohop_native_output_parser * zerohop_native_output_parser_new(const char * request, size_t request_len,
                                                                       char ** error);
void zerohop_native_output_parser_free(struct zerohop_native_output_parser * parser);

// Parses what a model wrote, or the beginning of it. The reply is JSON: {"content",
// "reasoning_content": str, "tool_calls": [{"name", "arguments", "id": str}]}. NULL on failure.
char * zerohop_native_output_parser_parse(const struct zerohop_native_output_parser * parser, const char * text,
                                          size_t text_len, bool is_partial, char ** error);

// A product of a weight matrix with columns of floats, as one of several threads sees it.
struct zerohop_product {
    int32_t       type;         // ggml's
    int64_t       width;        // weights of a row
    int64_t       rows;
    const void *  weights;      // packed
    const float * activations;
    int64_t       shape[3];     // the columns' numbers along three axes
    size_t        strides[3];   // floats from one column to the next along each
    float *       results;      // a column's results one after another
    void *        work;         // as large as work_size said
    int32_t       thread;
    int32_t       threads;
    int32_t (*next)(void * pool);  // `threads`, then one more each time, whoever calls
    void *        pool;
};

// The products of a mixture of experts, of which each token takes some, as one of several threads sees them.
struct zerohop_mixture {
    int32_t         type;         // ggml's
    int64_t         width;        // weights of a row
    int64_t         rows;         // of one expert
    int64_t         experts;
    const void *    weights;      // packed, one expert after another
    const float *   activations;
    int64_t         shape[2];     // columns of a token (one, or one for each of its experts), and tokens
    size_t          strides[2];   // floats from one column to the next along each
    const int32_t * choices;
    int64_t         used;         // experts that a token takes
    size_t          choice_strides[2];  // numbers from a token's choice to its next, and to the next token's
    float *         results;      // of each token with each of its experts, one after another
    void *          work;         // as large as mixture_work_size said
    int32_t         thread;
    int32_t         threads;
    int32_t (*next)(void * pool);  // as in zerohop_product
    void *          pool;
};

// Vectors of some places (a batch's tokens, or a cache's cells) and heads.
struct zerohop_heads {
    const void * data;
    size_t       strides[2];  // numbers from one place to the next, and from one head to the next
};

// The attention of a batch's tokens to a cache, as one of several threads sees it.
struct zerohop_attention {
    size_t                tokens;
    size_t                cells;
    size_t                heads;
    size_t                kv_heads;
    size_t                key_width;
    size_t                value_width;
    float                 scale;
    float                 softcap;      // 0 for none
    float                 max_bias;     // 0 for none
    struct zerohop_heads  queries;      // floats
    struct zerohop_heads  keys;         // half-precision floats
    struct zerohop_heads  values;       // half-precision floats
    const uint16_t *      mask;         // half-precision floats
    size_t                mask_stride;  // numbers from one token to the next
    const float *         sinks;        // a head's logit that has no value, or NULL
    float *               results;      // for each token and head
    void *                work;         // as large as attention_work_size said
    int32_t               thread;
    int32_t               threads;
    int32_t (*next)(void * pool);  // as in zerohop_product
    void *                pool;
};

// GELU of floats, as one of several threads sees it.
struct zerohop_gelu {
    const float * source;
    float *       target;   // may be the source
    size_t        count;
    int32_t       thread;
    int32_t       threads;
};

// What the crate `kernels` does. None of these unwinds.
struct zerohop_kernels {
    bool (*supports)(int32_t type, int64_t width, int64_t rows);
    // Packs a matrix; false when that failed.
    bool (*pack)(int32_t type, int64_t width, int64_t rows, const void * source, void * target);
    size_t (*work_size)(const struct zerohop_product * product, int32_t threads);
    // Does this thread's part; true when all threads must have done theirs before one multiplies.
    bool (*prepare)(const struct zerohop_product * product);
    void (*multiply)(const struct zerohop_product * product);
    size_t (*mixture_work_size)(const struct zerohop_mixture * mixture, int32_t threads);
    // Does this thread's part: all threads must have done theirs before one multiplies.
    void (*mixture_prepare)(const struct zerohop_mixture * mixture);
    void (*mixture_multiply)(const struct zerohop_mixture * mixture);
    // Needs the sizes alone.
    bool (*attends)(const struct zerohop_attention * attention);
    size_t (*attention_work_size)(const struct zerohop_attention * attention, int32_t threads);
    // Does this thread's part.
    void (*attend)(const struct zerohop_attention * attention);
    // Does this thread's part.
    void (*gelu)(const struct zerohop_gelu * gelu);
};

// Offers weight matrices, attention where llama.cpp has it as one operation (flash attention) over
// half-precision floats, and GELU after products with offered weights, to these kernels from now on. The table
// must stay. Only before the first model is loaded, while no other thread uses llama.cpp.
void zerohop_native_kernels_register(const struct zerohop_kernels * table);

// Whether the weights that this thread loads are offered to the kernels. At first they are not.
void zerohop_native_kernels_offer(bool offer);

#ifdef __cplusplus
}
#endif
