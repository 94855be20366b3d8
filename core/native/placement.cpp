// Where a model's layers go: llama.cpp's own fitting, and what came of it.

#include "placement.h"

#include "guard.hpp"
#include "seam.h"

#include "fit.h"
#include "../src/llama-ext.h"
#include "../src/llama-model.h"

#include <vector>

using zerohop::guard;

extern "C" int32_t zerohop_native_fit(const char * path, llama_model_params * model, llama_context_params * context,
                                      float * tensor_split, llama_model_tensor_buft_override * overrides,
                                      size_t * margins, const zerohop_native_companion * companion, char ** error) {
    return guard<int32_t>(ZEROHOP_NATIVE_EXCEPTION, error, [&] {
        common_fit_extra_model extra{};
        if (companion != nullptr) {
            extra = { companion->path, companion->model, companion->context, /*shares_model=*/false };
        }
        return static_cast<int32_t>(common_fit_params(path, model, context, tensor_split, overrides, margins,
                                                      /*n_ctx_min=*/0, companion != nullptr ? &extra : nullptr,
                                                      GGML_LOG_LEVEL_ERROR));
    });
}

// The device that computes with what lies in a buffer; the host's is NULL.
static const char * device_name(ggml_backend_dev_t device) {
    if (device == nullptr) {
        return nullptr;
    }
    const auto type = ggml_backend_dev_type(device);
    const bool is_gpu = type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU;
    return is_gpu ? ggml_backend_dev_name(device) : nullptr;
}

extern "C" size_t zerohop_native_shares(const llama_context * context, zerohop_native_share * shares, size_t capacity,
                                        char ** error) {
    return guard<size_t>(0, error, [&] {
        const llama_model & model = *llama_get_model(context);
        std::vector<zerohop_native_share> found{ zerohop_native_share{} };
        for (int i = 0; i < llama_model_n_devices(&model); i++) {
            if (const char * name = device_name(llama_model_get_device(&model, i))) {
                found.push_back(zerohop_native_share{ name, 0, 0, 0, 0 });
            }
        }
        const auto share_of = [&](const char * name) -> zerohop_native_share & {
            for (zerohop_native_share & share : found) {
                if (share.device == name) {
                    return share;
                }
            }
            return found.front();
        };
        for (const auto & [type, bytes] : llama_get_memory_breakdown(context)) {
            const bool is_host = ggml_backend_buft_is_host(type);
            zerohop_native_share & share =
                share_of(is_host ? nullptr : device_name(ggml_backend_buft_get_device(type)));
            share.weights += bytes.model;
            share.cache += bytes.context;
            share.compute += bytes.compute;
        }
        for (int32_t layer = 0; layer < llama_model_n_layer(&model); layer++) {
            share_of(device_name(model.dev_layer(layer))).layers++;
        }
        share_of(device_name(model.dev_output())).layers++;
        for (size_t i = 0; i < found.size() && i < capacity; i++) {
            shares[i] = found[i];
        }
        return found.size();
    });
}

extern "C" llama_model * zerohop_native_model_new(const char * path, llama_model_params params, char ** error) {
    return guard<llama_model *>(nullptr, error, [&] { return llama_model_load_from_file(path, params); });
}
