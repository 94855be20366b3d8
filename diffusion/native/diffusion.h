// The C interface of libzerohop_diffusion: image generation by stable-diffusion.cpp.
//
// No C++ exception leaves a function, and an assertion of ggml's that fails is an error as far as it can be
// caught. A function that can fail takes a last `char ** error`; on failure it stores a message there that the
// caller frees with zerohop_diffusion_string_free.
//
// A caller first compares zerohop_diffusion_abi with the number that it was built for. Structs begin with
// their size, so that one of another version is refused.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ZEROHOP_DIFFUSION_ABI 1

// A checkpoint in memory. One call at a time may use it.
struct zerohop_diffusion_model;

// Level: 0 debug, 1 information, 2 warning, 3 error. Called on any thread.
typedef void (*zerohop_diffusion_log_callback)(int32_t level, const char * text);

// The files of a checkpoint; NULL where there is none. Strings are read during the call alone.
struct zerohop_diffusion_load_options {
    uint32_t     struct_size;
    int32_t      threads;
    // One file with all parts.
    const char * model;
    const char * diffusion_model;
    const char * clip_l;
    const char * clip_g;
    const char * t5xxl;
    const char * llm;
    const char * llm_vision;
    const char * vae;
};

// Rows of pixels without gaps, of `channels` bytes each. An image that is not there has NULL pixels.
struct zerohop_diffusion_image {
    uint32_t        width;
    uint32_t        height;
    uint32_t        channels;
    const uint8_t * pixels;
};

struct zerohop_diffusion_request {
    uint32_t     struct_size;
    int32_t      width;
    int32_t      height;
    int32_t      steps;
    int64_t      seed;
    const char * prompt;
    const char * negative_prompt;
    // NULL: the model's.
    const char * sampler;
    const char * scheduler;
    float        cfg_scale;
    // How much of `init` is redone, from 0 to 1.
    float        strength;
    // What the image begins as, with 3 channels, and where it is redone, with 1 channel: 255 is, 0 is not.
    struct zerohop_diffusion_image init;
    struct zerohop_diffusion_image mask;
    // Images that the prompt speaks of, with 3 channels.
    const struct zerohop_diffusion_image * references;
    size_t       reference_count;
    // Steps after which `on_preview` is called, in ascending order.
    const int32_t * previews;
    size_t       preview_count;
    // Decodes in tiles, which takes less memory.
    bool         tiles;
    void *       user_data;
    // Called after each step; false ends the generation.
    bool (*on_step)(void * user_data, int32_t step, int32_t steps);
    void (*on_preview)(void * user_data, const struct zerohop_diffusion_image * image);
};

uint32_t zerohop_diffusion_abi(void);
void     zerohop_diffusion_set_log(zerohop_diffusion_log_callback log);
// How many processors computing may take, for all models together.
void     zerohop_diffusion_set_processors(uint32_t number);
void     zerohop_diffusion_string_free(char * text);

struct zerohop_diffusion_model * zerohop_diffusion_load(const struct zerohop_diffusion_load_options * options, char ** error);
void zerohop_diffusion_free(struct zerohop_diffusion_model * model);

// The tokens that CLIP cuts a text into; negative on failure.
int64_t zerohop_diffusion_count_tokens(const char * text, char ** error);
bool    zerohop_diffusion_knows_sampler(const char * name);
bool    zerohop_diffusion_knows_scheduler(const char * name);

// False on failure, and with a NULL error when `on_step` ended it. The image is freed with
// zerohop_diffusion_image_free.
bool zerohop_diffusion_generate(struct zerohop_diffusion_model * model, const struct zerohop_diffusion_request * request,
                                struct zerohop_diffusion_image * image, char ** error);
void zerohop_diffusion_image_free(struct zerohop_diffusion_image * image);

#ifdef __cplusplus
}
#endif
