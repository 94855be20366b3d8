// The C seam between zerohop and llama.cpp's mtmd: projectors, which make of images and sound what a model
// takes in place of tokens. The rules are those of seam.h; reasons of failures are also logged.
#pragma once

#include "ggml.h"
#include "llama.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mtmd_context;
struct mtmd_input_chunks;

// What a projector can do.
struct zerohop_projector_abilities {
    bool    sees;
    bool    hears;
    int32_t sample_rate;  // of sound, samples a second
    size_t  width;        // floats of one row, which takes the place of a token
    size_t  whole;        // rows of a large image that have to be computed together; 0 where none have to
};

// Whether to stop.
struct zerohop_abort {
    bool (*ask)(void * data);
    void * data;
};

// A part of an image or sound as the model reads it: tokens, or rows of floats.
struct zerohop_media_part {
    const llama_token * tokens;  // NULL for rows
    size_t              count;   // tokens or rows
    int32_t             positions;
    bool                is_causal;  // whether rows see those before them only
    bool                has_grid;   // whether rows have places in two dimensions
};

void zerohop_media_on_log(ggml_log_callback log);

// An image has at most `image_max_tokens`, where the projector can be told so; below 1, as many as it wants.
// `should_abort` is asked while something is encoded, and may be until the projector is freed.
struct mtmd_context * zerohop_projector_new(const char * path, const struct llama_model * model, int32_t threads,
                                            bool use_gpu, int32_t image_max_tokens,
                                            const struct zerohop_abort * should_abort,
                                            struct zerohop_projector_abilities * abilities, char ** error);
void                  zerohop_projector_free(struct mtmd_context * projector);

// Cuts an image of bytes, red, green and blue of each pixel, and scales it as the projector wants it. May be
// called by several threads at the same time. NULL on failure.
struct mtmd_input_chunks * zerohop_media_of_image(const struct mtmd_context * projector, uint32_t width,
                                                  uint32_t height, const uint8_t * pixels, char ** error);

// The same for sound.
struct mtmd_input_chunks * zerohop_media_of_sound(const struct mtmd_context * projector, const float * samples,
                                                  size_t count, char ** error);

void   zerohop_media_free(struct mtmd_input_chunks * media);
size_t zerohop_media_part_count(const struct mtmd_input_chunks * media);

// False on failure. Pointers stay good as long as `media`.
bool zerohop_media_part_get(const struct mtmd_context * projector, const struct mtmd_input_chunks * media,
                            size_t index, struct zerohop_media_part * part, char ** error);

// Where the rows of a part that has a grid are: for each its time, its line and its column, from 0 on.
bool zerohop_media_grid(const struct mtmd_input_chunks * media, size_t index, int32_t * places, size_t count,
                        char ** error);

// Computes the rows of a part. By one thread at a time. When it was to stop, they are anything.
bool zerohop_media_encode(struct mtmd_context * projector, const struct mtmd_input_chunks * media, size_t index,
                          float * rows, size_t floats, char ** error);

// Computes rows as a part of one sequence, none of which gives logits. `positions` has one number for each row,
// or, where the model's positions have several, all first ones before all second ones. As
// zerohop_native_decode.
int32_t zerohop_native_decode_rows(struct llama_context * context, const float * rows, int32_t count,
                                   const llama_pos * positions, llama_seq_id sequence, bool is_causal,
                                   char ** error);

// How many numbers a row's position has.
int32_t zerohop_native_position_size(const struct llama_model * model);

#ifdef __cplusplus
}
#endif
