// whisper.cpp as a part of this file, so that what it keeps to itself can be used: the times of tokens are
// computed when they are wanted, not with every window.

#include "speech.h"

#include "guard.hpp"

#include <memory>
#include <stdexcept>

// How the last window of this thread went; whisper.cpp is changed to say it (see build.rs).
static thread_local struct {
    float   temperature;
    float   avg_logprob;
    int64_t advance;
} zerohop_pass;

#include "speech_whisper.cpp"

// Windows of fewer frames (hundredths of a second) are too short for the filter that finds times.
static constexpr int64_t min_frames = 32;

struct zerohop_speech_model {
    whisper_context * context;

    ~zerohop_speech_model() { whisper_free(context); }
};

struct zerohop_speech_state {
    whisper_state * state;

    ~zerohop_speech_state() { whisper_free_state(state); }
};

// The heads of the decoder whose attention tells where in the audio a token is. They are known of the models
// that have been published, which the shape tells apart; of others, all heads of the last layer are taken.
static void choose_alignment_heads(whisper_context & context) {
    struct known_model {
        int                            audio_layers;
        int                            text_layers;
        int                            heads;
        int                            vocabulary;
        whisper_alignment_heads_preset preset;
    };
    // Those of large and large-v2 have the same shape.
    static const known_model known[] = {
        { 4,  4,  6,  51864, WHISPER_AHEADS_TINY_EN        },
        { 4,  4,  6,  51865, WHISPER_AHEADS_TINY           },
        { 6,  6,  8,  51864, WHISPER_AHEADS_BASE_EN        },
        { 6,  6,  8,  51865, WHISPER_AHEADS_BASE           },
        { 12, 12, 12, 51864, WHISPER_AHEADS_SMALL_EN       },
        { 12, 12, 12, 51865, WHISPER_AHEADS_SMALL          },
        { 24, 24, 16, 51864, WHISPER_AHEADS_MEDIUM_EN      },
        { 24, 24, 16, 51865, WHISPER_AHEADS_MEDIUM         },
        { 32, 32, 20, 51865, WHISPER_AHEADS_LARGE_V2       },
        { 32, 32, 20, 51866, WHISPER_AHEADS_LARGE_V3       },
        { 32, 4,  20, 51866, WHISPER_AHEADS_LARGE_V3_TURBO },
    };
    const auto & hparams = context.model.hparams;
    auto &       params  = context.params;

    params.dtw_aheads_preset = WHISPER_AHEADS_N_TOP_MOST;
    params.dtw_n_top         = 1;
    size_t heads             = hparams.n_text_head;
    for (const auto & model : known) {
        if (model.audio_layers == hparams.n_audio_layer && model.text_layers == hparams.n_text_layer &&
            model.heads == hparams.n_text_head && model.vocabulary == hparams.n_vocab) {
            params.dtw_aheads_preset = model.preset;
            heads                    = g_aheads.at(model.preset).n_heads;
        }
    }
    // Their attention, and four stages of what is made of it.
    params.dtw_mem_size = size_t{ 5 } * sizeof(float) * hparams.n_text_ctx * hparams.n_audio_ctx * heads + (16 << 20);
    params.dtw_token_timestamps = true;
}

// Has all that the state computes stop when `abort` says so: whisper.cpp itself asks only between graphs, and
// an encoder's takes long.
static void set_abort(whisper_state & state, ggml_abort_callback abort, void * abort_data) {
    for (ggml_backend_t backend : state.backends) {
        ggml_backend_dev_t device = ggml_backend_get_device(backend);
        ggml_backend_reg_t reg    = device != nullptr ? ggml_backend_dev_backend_reg(device) : nullptr;
        if (reg == nullptr) {
            continue;
        }
        auto * set = reinterpret_cast<ggml_backend_set_abort_callback_t>(
            ggml_backend_reg_get_proc_address(reg, "ggml_backend_set_abort_callback"));
        if (set != nullptr) {
            set(backend, abort, abort_data);
        }
    }
}

static std::unique_ptr<zerohop_speech_window> gather(whisper_context & context, whisper_state & state) {
    auto         window   = std::make_unique<zerohop_speech_window>();
    const auto & segments = state.result_all;
    size_t       tokens   = 0;
    for (const auto & segment : segments) {
        tokens += segment.tokens.size();
    }
    std::unique_ptr<zerohop_speech_segment[]> segment_list(new zerohop_speech_segment[segments.size()]);
    std::unique_ptr<zerohop_speech_token[]>   token_list(new zerohop_speech_token[tokens]);
    size_t                                    next = 0;
    for (size_t i = 0; i < segments.size(); i++) {
        const auto & segment = segments[i];
        segment_list[i]      = { segment.t0, segment.t1, segment.no_speech_prob, segment.tokens.size() };
        for (const auto & token : segment.tokens) {
            token_list[next++] = { token.id, token.plog, token.t_dtw };
        }
    }
    window->segments      = segment_list.release();
    window->segment_count = segments.size();
    window->tokens        = token_list.release();
    window->token_count   = tokens;
    window->temperature   = zerohop_pass.temperature;
    window->avg_logprob   = zerohop_pass.avg_logprob;
    window->advance       = zerohop_pass.advance;
    window->language      = whisper_is_multilingual(&context) ? state.lang_id : 0;
    return window;
}

extern "C" struct zerohop_speech_model * zerohop_speech_model_new(const void * bytes, size_t size, bool use_gpu,
                                                                  char ** error) {
    return zerohop::guard<zerohop_speech_model *>(nullptr, error, [&]() -> zerohop_speech_model * {
        whisper_context_params params = whisper_context_default_params();
        params.use_gpu                = use_gpu;
        // The times of tokens need attention that can be looked at.
        params.flash_attn = false;
        // It only reads.
        whisper_context * context =
            whisper_init_from_buffer_with_params_no_state(const_cast<void *>(bytes), size, params);
        if (context == nullptr) {
            throw std::runtime_error("whisper.cpp refused the model");
        }
        std::unique_ptr<zerohop_speech_model> model(new zerohop_speech_model{ context });
        choose_alignment_heads(*context);
        return model.release();
    });
}

extern "C" void zerohop_speech_model_free(struct zerohop_speech_model * model) {
    zerohop::guard<int>(0, nullptr, [&] {
        delete model;
        return 0;
    });
}

extern "C" struct zerohop_speech_state * zerohop_speech_state_new(struct zerohop_speech_model * model, char ** error) {
    return zerohop::guard<zerohop_speech_state *>(nullptr, error, [&]() -> zerohop_speech_state * {
        auto & params = model->context->params;
        // Its buffers have room for the times of tokens then; computing them is our choice.
        params.dtw_token_timestamps = true;
        whisper_state * state       = whisper_init_state(model->context);
        params.dtw_token_timestamps = false;
        if (state == nullptr) {
            throw std::runtime_error("whisper.cpp could not make a state");
        }
        return new zerohop_speech_state{ state };
    });
}

extern "C" void zerohop_speech_state_free(struct zerohop_speech_state * state) {
    zerohop::guard<int>(0, nullptr, [&] {
        delete state;
        return 0;
    });
}

extern "C" bool zerohop_speech_is_multilingual(const struct zerohop_speech_model * model) {
    return whisper_is_multilingual(model->context);
}

extern "C" const char * zerohop_speech_language(const struct zerohop_speech_model * model, int32_t number, bool full) {
    return zerohop::guard<const char *>(nullptr, nullptr, [&]() -> const char * {
        const int count = whisper_is_multilingual(model->context) ? model->context->vocab.num_languages() : 1;
        if (number < 0 || number >= count || number > whisper_lang_max_id()) {
            return nullptr;
        }
        return full ? whisper_lang_str_full(number) : whisper_lang_str(number);
    });
}

extern "C" const char * zerohop_speech_token_text(const struct zerohop_speech_model * model, int32_t token,
                                                  size_t * length) {
    return zerohop::guard<const char *>(nullptr, nullptr, [&]() -> const char * {
        if (token < 0 || token >= whisper_token_eot(model->context)) {
            return nullptr;
        }
        const std::string & text = model->context->vocab.id_to_token.at(token);
        *length                  = text.size();
        return text.data();
    });
}

extern "C" int32_t zerohop_speech_tokenize(const struct zerohop_speech_model * model, const char * text,
                                           int32_t * tokens, int32_t capacity, char ** error) {
    return zerohop::guard<int32_t>(-1, error, [&] {
        const std::vector<whisper_vocab::id> found = tokenize(model->context->vocab, text);
        std::copy_n(found.begin(), std::min<size_t>(found.size(), capacity), tokens);
        return static_cast<int32_t>(found.size());
    });
}

extern "C" struct zerohop_speech_window * zerohop_speech_compute(struct zerohop_speech_model * model,
                                                                 struct zerohop_speech_state * state,
                                                                 const float * samples, int32_t count,
                                                                 const struct zerohop_speech_options * options,
                                                                 char ** error) {
    return zerohop::guard<zerohop_speech_window *>(nullptr, error, [&]() -> zerohop_speech_window * {
        whisper_context &   context = *model->context;
        whisper_state &     inner   = *state->state;
        whisper_full_params params  = whisper_full_default_params(WHISPER_SAMPLING_GREEDY);
        params.n_threads            = options->threads;
        params.translate            = options->translate;
        params.no_context           = true;
        params.prompt_tokens        = options->prompt;
        params.prompt_n_tokens      = options->prompt_length;
        params.language             = options->language;
        params.temperature          = options->temperature;
        params.temperature_inc      = options->temperature_step;
        params.print_progress       = false;
        params.print_timestamps     = false;
        params.abort_callback       = options->abort;

        params.abort_callback_user_data = options->abort_data;

        zerohop_pass = {};
        // As if the state were new: what it computed before has no say.
        inner.decoders[0].rng = std::mt19937(0);
        inner.lang_id         = 0;
        set_abort(inner, options->abort, options->abort_data);
        const int failed = whisper_full_with_state(&context, &inner, params, samples, count);
        set_abort(inner, nullptr, nullptr);
        if (failed != 0) {
            throw std::runtime_error("whisper.cpp could not compute the window");
        }
        const int64_t frames =
            std::min<int64_t>({ 100 * WHISPER_CHUNK_SIZE, zerohop_pass.advance, whisper_n_len_from_state(&inner) });
        if (options->words && !inner.result_all.empty() && frames >= min_frames) {
            params.language = whisper_lang_str(inner.lang_id);
            whisper_exp_compute_token_level_timestamps_dtw(&context, &inner, params, 0, inner.result_all.size(), 0,
                                                           static_cast<int>(frames), 7, options->threads);
        }
        return gather(context, inner).release();
    });
}

extern "C" void zerohop_speech_window_free(struct zerohop_speech_window * window) {
    delete[] window->segments;
    delete[] window->tokens;
    delete window;
}

extern "C" void zerohop_speech_on_log(zerohop_speech_log log) {
    whisper_log_set(reinterpret_cast<ggml_log_callback>(log), nullptr);
}
