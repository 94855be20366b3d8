// stable-diffusion.cpp behind the interface of diffusion.h.
//
// The functions are those of the header with `_impl` added: Rust, which links the library, exports only
// functions of its own (src/lib.rs).

#include "diffusion.h"
#include "hooks.hpp"

#include "faults.h"
#include "guard.hpp"
#include "openmp.hpp"

#include "stable-diffusion.h"
#include "tokenizers/clip_tokenizer.h"

#include "ggml.h"

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

struct zerohop_diffusion_model {
    sd_ctx_t * context = nullptr;
};

namespace {

std::atomic<zerohop_diffusion_log_callback> log_callback{ nullptr };

// The last error that this thread logged, while somebody asks for it.
thread_local std::string * last_error = nullptr;

void log_line(int32_t level, const char * text) {
    if (const auto callback = log_callback.load()) {
        callback(level, text);
    }
}

void on_log(sd_log_level_t level, const char * text, void *) {
    if (level == SD_LOG_ERROR && last_error != nullptr) {
        *last_error = text;
    }
    log_line(level, text);
}

void on_ggml_log(ggml_log_level level, const char * text, void *) {
    switch (level) {
        case GGML_LOG_LEVEL_ERROR: return log_line(SD_LOG_ERROR, text);
        case GGML_LOG_LEVEL_WARN: return log_line(SD_LOG_WARN, text);
        default: return log_line(SD_LOG_DEBUG, text);
    }
}

void on_fault(const char * message, bool is_fatal) {
    log_line(SD_LOG_ERROR, is_fatal ? "ggml is aborting" : "an assertion failed, and the call with it");
    log_line(SD_LOG_ERROR, message);
}

// Without one, stable-diffusion.cpp prints how far it is.
void on_progress(int, int, float, void *) {}

// Once for the process.
void set_up() {
    static std::once_flag once;
    std::call_once(once, [] {
        zerohop_native_on_fault(on_fault);
        ggml_log_set(on_ggml_log, nullptr);
        sd_set_log_callback(on_log, nullptr);
        sd_set_progress_callback(on_progress, nullptr);
    });
}

// Collects this thread's errors.
class errors {
  public:
    errors() { last_error = &text; }
    ~errors() { last_error = nullptr; }
    errors(const errors &) = delete;
    errors & operator=(const errors &) = delete;

    // The last one, without the place in the source that it begins with.
    [[noreturn]] void raise(const char * otherwise) const {
        const size_t start = text.find(" - ");
        std::string message = start == std::string::npos ? text : text.substr(start + 3);
        while (!message.empty() && message.back() == '\n') {
            message.pop_back();
        }
        throw std::runtime_error(message.empty() ? otherwise : message);
    }

  private:
    std::string text;
};

// What leaves the sampler when the caller wants no more.
struct cancelled {};

// The request that this thread computes.
struct running {
    const zerohop_diffusion_request & request;
    size_t previews = 0;
};
thread_local running * current = nullptr;

// Has the next step show its preview, or not: making one takes as long as decoding the image.
void expect_preview(int step) {
    const auto & request = current->request;
    auto & next = current->previews;
    while (next < request.preview_count && request.previews[next] < step) {
        ++next;
    }
    zerohop::preview_wanted = next < request.preview_count && request.previews[next] == step;
}

void on_preview(int, int frames, sd_image_t * images, bool, void *) {
    zerohop::preview_wanted = false;
    if (frames > 0 && images->data != nullptr) {
        const zerohop_diffusion_image image{ images->width, images->height, images->channel, images->data };
        current->request.on_preview(current->request.user_data, &image);
    }
}

class computing {
  public:
    explicit computing(running & run) {
        current = &run;
        if (run.request.preview_count > 0) {
            sd_set_preview_callback(on_preview, PREVIEW_VAE, 1, true, false, nullptr);
            expect_preview(1);
        }
    }
    ~computing() {
        sd_set_preview_callback(nullptr, PREVIEW_NONE, 1, true, false, nullptr);
        zerohop::preview_wanted = false;
        current = nullptr;
    }
    computing(const computing &) = delete;
    computing & operator=(const computing &) = delete;
};

template <typename Struct> void check_size(const Struct * value) {
    if (value == nullptr || value->struct_size != sizeof(Struct)) {
        throw std::invalid_argument("a struct is of another version");
    }
}

sd_image_t borrowed(const zerohop_diffusion_image & image) {
    // stable-diffusion.cpp only reads it.
    return { image.width, image.height, image.channels, const_cast<uint8_t *>(image.pixels) };
}

struct images_freed {
    void operator()(sd_image_t * images) const { free_sd_images(images, 1); }
};

sd_img_gen_params_t parameters(const zerohop_diffusion_request & request, std::vector<sd_image_t> & references) {
    sd_img_gen_params_t params;
    sd_img_gen_params_init(&params);
    params.prompt = request.prompt;
    params.negative_prompt = request.negative_prompt;
    params.width = request.width;
    params.height = request.height;
    params.seed = request.seed;
    params.strength = request.strength;
    params.init_image = borrowed(request.init);
    params.mask_image = borrowed(request.mask);
    for (size_t i = 0; i < request.reference_count; ++i) {
        references.push_back(borrowed(request.references[i]));
    }
    params.ref_images = references.data();
    params.ref_images_count = static_cast<int>(references.size());
    params.auto_resize_ref_image = true;
    params.vae_tiling_params.enabled = request.tiles;
    auto & sampling = params.sample_params;
    sampling.sample_steps = request.steps;
    sampling.guidance.txt_cfg = request.cfg_scale;
    if (request.sampler != nullptr) {
        sampling.sample_method = str_to_sample_method(request.sampler);
    }
    if (request.scheduler != nullptr) {
        sampling.scheduler = str_to_scheduler(request.scheduler);
    }
    return params;
}

}  // namespace

namespace zerohop {

thread_local bool preview_wanted = false;

void step_done(int step, int steps) {
    if (current == nullptr) {
        return;
    }
    const auto & request = current->request;
    if (!request.on_step(request.user_data, step, steps)) {
        throw cancelled();
    }
    expect_preview(step + 1);
}

}  // namespace zerohop

extern "C" {

void zerohop_diffusion_set_log_impl(zerohop_diffusion_log_callback log) {
    log_callback = log;
}

void zerohop_diffusion_set_processors_impl(uint32_t number) {
    zerohop_native_set_processors(number);
}

void zerohop_diffusion_string_free_impl(char * text) {
    std::free(text);
}

zerohop_diffusion_model * zerohop_diffusion_load_impl(const zerohop_diffusion_load_options * options, char ** error) {
    return zerohop::guard<zerohop_diffusion_model *>(nullptr, error, [&] {
        check_size(options);
        set_up();
        const errors errors;
        sd_ctx_params_t params;
        sd_ctx_params_init(&params);
        params.model_path = options->model;
        params.diffusion_model_path = options->diffusion_model;
        params.clip_l_path = options->clip_l;
        params.clip_g_path = options->clip_g;
        params.t5xxl_path = options->t5xxl;
        params.llm_path = options->llm;
        params.llm_vision_path = options->llm_vision;
        params.vae_path = options->vae;
        params.n_threads = options->threads;
        // A large image's attention does not fit into memory otherwise.
        params.diffusion_flash_attn = true;
        auto model = std::make_unique<zerohop_diffusion_model>();
        model->context = new_sd_ctx(&params);
        if (model->context == nullptr) {
            errors.raise("the checkpoint could not be loaded");
        }
        if (!sd_ctx_supports_image_generation(model->context)) {
            free_sd_ctx(model->context);
            throw std::runtime_error("the checkpoint is of a model that makes no images");
        }
        return model.release();
    });
}

void zerohop_diffusion_free_impl(zerohop_diffusion_model * model) {
    if (model != nullptr) {
        zerohop::guard<bool>(false, nullptr, [&] {
            free_sd_ctx(model->context);
            return true;
        });
        delete model;
    }
}

int64_t zerohop_diffusion_count_tokens_impl(const char * text, char ** error) {
    return zerohop::guard<int64_t>(-1, error, [&] {
        set_up();
        static CLIPTokenizer tokenizer;
        static std::mutex mutex;
        const std::lock_guard<std::mutex> lock(mutex);
        return static_cast<int64_t>(tokenizer.encode(text).size());
    });
}

bool zerohop_diffusion_knows_sampler_impl(const char * name) {
    return str_to_sample_method(name) != SAMPLE_METHOD_COUNT;
}

bool zerohop_diffusion_knows_scheduler_impl(const char * name) {
    return str_to_scheduler(name) != SCHEDULER_COUNT;
}

bool zerohop_diffusion_generate_impl(zerohop_diffusion_model * model, const zerohop_diffusion_request * request,
                                     zerohop_diffusion_image * image, char ** error) {
    return zerohop::guard<bool>(false, error, [&] {
        check_size(request);
        const errors errors;
        running run{ *request };
        const computing computing(run);
        std::vector<sd_image_t> references;
        const sd_img_gen_params_t params = parameters(*request, references);
        std::unique_ptr<sd_image_t, images_freed> made;
        try {
            made.reset(generate_image(model->context, &params));
        } catch (const cancelled &) {
            return false;
        }
        if (made == nullptr || made->data == nullptr) {
            errors.raise("no image came of it");
        }
        *image = { made->width, made->height, made->channel, made->data };
        made->data = nullptr;
        return true;
    });
}

void zerohop_diffusion_image_free_impl(zerohop_diffusion_image * image) {
    std::free(const_cast<uint8_t *>(image->pixels));
    image->pixels = nullptr;
}

}  // extern "C"
