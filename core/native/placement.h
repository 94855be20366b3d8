// Where a model's layers go, and what lies where.
#pragma once

#include "llama.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// A model that shares the devices of another, as it is to be loaded.
struct zerohop_native_companion {
    const char *                  path;
    struct llama_model_params *   model;
    struct llama_context_params * context;
};

// Finds how many layers fit into the free memory of the devices, together with the context, and writes that into
// `model`; `tensor_split` has room for llama_max_devices() numbers and `overrides` for
// llama_max_tensor_buft_overrides(), both of which `model` may point to afterwards. `margins` are the bytes that
// stay free on each device. `companion` may be NULL. Gives common_params_fit_status, or
// ZEROHOP_NATIVE_EXCEPTION. One thread at a time.
int32_t zerohop_native_fit(const char * path, struct llama_model_params * model, struct llama_context_params * context,
                           float * tensor_split, struct llama_model_tensor_buft_override * overrides,
                           size_t * margins, const struct zerohop_native_companion * companion, char ** error);

// What a device has of a model and its context.
struct zerohop_native_share {
    const char * device;   // its name, which stays; NULL for the host
    uint32_t     layers;   // the one behind the last counts as one
    uint64_t     weights;  // bytes
    uint64_t     cache;
    uint64_t     compute;
};

// Writes what lies where, the host first, at most `capacity` of them; gives how many there are. 0 on failure.
size_t zerohop_native_shares(const struct llama_context * context, struct zerohop_native_share * shares,
                             size_t capacity, char ** error);

// Loads a model. NULL on failure.
struct llama_model * zerohop_native_model_new(const char * path, struct llama_model_params params, char ** error);

#ifdef __cplusplus
}
#endif
