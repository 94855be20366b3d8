// Images and sound: llama.cpp's mtmd, and its rows in a model's decode.

#include "media.h"

#include "guard.hpp"
#include "seam.h"

#include "mtmd.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <vector>

using zerohop::guard;

// In mtmd.cpp as build.rs changes it: below 1 where all images have as many.
int    zerohop_image_max_tokens(const mtmd_context * projector);
size_t zerohop_output_floats(const mtmd_context * projector);

namespace {

struct bitmap_free {
    void operator()(mtmd_bitmap * bitmap) const { mtmd_bitmap_free(bitmap); }
};

struct chunks_free {
    void operator()(mtmd_input_chunks * chunks) const { mtmd_input_chunks_free(chunks); }
};

mtmd_input_chunks * cut(const mtmd_context * projector, std::unique_ptr<mtmd_bitmap, bitmap_free> bitmap) {
    std::unique_ptr<mtmd_input_chunks, chunks_free> chunks(mtmd_input_chunks_init());
    const mtmd_input_part   part  = { nullptr, bitmap.get() };
    const mtmd_input_part * parts = &part;
    const int32_t status = mtmd_tokenize_from_parts(projector, chunks.get(), &parts, 1, /*add_special=*/false);
    if (status != 0) {
        return nullptr;
    }
    for (size_t index = 0; index < mtmd_input_chunks_size(chunks.get()); ++index) {
        const mtmd_input_chunk * chunk  = mtmd_input_chunks_get(chunks.get(), index);
        size_t                   count  = 0;
        const llama_token *      tokens = mtmd_input_chunk_get_tokens_text(chunk, &count);
        // mtmd puts -1 where it looked for a token in vain.
        if (tokens != nullptr && std::any_of(tokens, tokens + count, [](llama_token token) { return token < 0; })) {
            throw std::runtime_error("the model's vocabulary lacks tokens that stand beside the projector's rows");
        }
    }
    return chunks.release();
}

// Cuts images without pixels, of which one is larger than any that is not scaled down and the others are as
// narrow as any that comes; gives back how many rows of one see each other at most.
size_t try_images(const mtmd_context * projector) {
    constexpr uint32_t sizes[][2] = {
        { 4096, 4096 },
        { 16384, 82 },
        { 82, 16384 }
    };
    size_t most = static_cast<size_t>(std::max(zerohop_image_max_tokens(projector), 0));
    for (const auto & size : sizes) {
        const std::unique_ptr<mtmd_input_chunks, chunks_free> chunks(
            cut(projector, std::unique_ptr<mtmd_bitmap, bitmap_free>(mtmd_bitmap_init(size[0], size[1], nullptr))));
        for (size_t index = 0; chunks != nullptr && index < mtmd_input_chunks_size(chunks.get()); ++index) {
            const mtmd_input_chunk * chunk = mtmd_input_chunks_get(chunks.get(), index);
            if (mtmd_input_chunk_get_type(chunk) == MTMD_INPUT_CHUNK_TYPE_IMAGE) {
                most = std::max(most, mtmd_input_chunk_get_n_tokens(chunk));
            }
        }
    }
    return mtmd_decode_use_non_causal(projector, nullptr) ? most : 0;
}

const mtmd_input_chunk * chunk_at(const mtmd_input_chunks * media, size_t index) {
    const mtmd_input_chunk * chunk = mtmd_input_chunks_get(media, index);
    if (chunk == nullptr) {
        throw std::out_of_range("there is no such part");
    }
    return chunk;
}

// Has a context compute attention to what follows too, for as long as this lives.
class attention_to_all {
  public:
    attention_to_all(llama_context * context, bool enabled) : context(enabled ? context : nullptr) {
        if (enabled) {
            llama_set_causal_attn(context, false);
        }
    }

    ~attention_to_all() {
        if (context != nullptr) {
            llama_set_causal_attn(context, true);
        }
    }

    attention_to_all(const attention_to_all &)             = delete;
    attention_to_all & operator=(const attention_to_all &) = delete;

  private:
    llama_context * context;
};

// Called before each operation of a graph, to ask whether it is to be looked at, and after those that are: false
// then leaves the others out. Products take nearly all of the time.
bool goes_on(ggml_tensor * operation, bool asks, void * data) {
    if (asks) {
        return operation->op == GGML_OP_MUL_MAT;
    }
    const zerohop_abort * should_abort = static_cast<const zerohop_abort *>(data);
    return !should_abort->ask(should_abort->data);
}

}  // namespace

extern "C" void zerohop_media_on_log(ggml_log_callback log) {
    mtmd_log_set(log, nullptr);
}

extern "C" mtmd_context * zerohop_projector_new(const char * path, const llama_model * model, int32_t threads,
                                                bool use_gpu, int32_t image_max_tokens,
                                                const zerohop_abort * should_abort,
                                                zerohop_projector_abilities * abilities, char ** error) {
    return guard<mtmd_context *>(nullptr, error, [&]() -> mtmd_context * {
        mtmd_context_params params = mtmd_context_params_default();
        params.use_gpu             = use_gpu;
        params.print_timings       = false;
        params.n_threads           = threads;
        params.image_max_tokens    = image_max_tokens;
        params.cb_eval             = goes_on;
        params.cb_eval_user_data   = const_cast<zerohop_abort *>(should_abort);
        // A pass over an image of the largest size at load would cost more than it saves.
        params.warmup = false;
        std::unique_ptr<mtmd_context, void (*)(mtmd_context *)> projector(mtmd_init_from_file(path, model, params),
                                                                          mtmd_free);
        if (projector == nullptr) {
            return nullptr;
        }
        abilities->sees        = mtmd_support_vision(projector.get());
        abilities->hears       = mtmd_support_audio(projector.get());
        abilities->sample_rate = mtmd_get_audio_sample_rate(projector.get());
        abilities->width       = static_cast<size_t>(llama_model_n_embd_inp(model));
        abilities->whole       = abilities->sees ? try_images(projector.get()) : 0;
        return projector.release();
    });
}

extern "C" void zerohop_projector_free(mtmd_context * projector) {
    guard<int>(0, nullptr, [&] {
        mtmd_free(projector);
        return 0;
    });
}

extern "C" mtmd_input_chunks * zerohop_media_of_image(const mtmd_context * projector, uint32_t width,
                                                      uint32_t height, const uint8_t * pixels, char ** error) {
    return guard<mtmd_input_chunks *>(nullptr, error, [&] {
        return cut(projector, std::unique_ptr<mtmd_bitmap, bitmap_free>(mtmd_bitmap_init(width, height, pixels)));
    });
}

extern "C" mtmd_input_chunks * zerohop_media_of_sound(const mtmd_context * projector, const float * samples,
                                                      size_t count, char ** error) {
    return guard<mtmd_input_chunks *>(nullptr, error, [&] {
        return cut(projector,
                   std::unique_ptr<mtmd_bitmap, bitmap_free>(mtmd_bitmap_init_from_audio(count, samples)));
    });
}

extern "C" void zerohop_media_free(mtmd_input_chunks * media) {
    guard<int>(0, nullptr, [&] {
        mtmd_input_chunks_free(media);
        return 0;
    });
}

extern "C" size_t zerohop_media_part_count(const mtmd_input_chunks * media) {
    return mtmd_input_chunks_size(media);
}

extern "C" bool zerohop_media_part_get(const mtmd_context * projector, const mtmd_input_chunks * media,
                                       size_t index, zerohop_media_part * part, char ** error) {
    return guard<bool>(false, error, [&] {
        const mtmd_input_chunk * chunk  = chunk_at(media, index);
        size_t                   tokens = 0;
        part->tokens    = mtmd_input_chunk_get_tokens_text(chunk, &tokens);
        part->count     = mtmd_input_chunk_get_n_tokens(chunk);
        part->positions = mtmd_input_chunk_get_n_pos(chunk);
        part->is_causal = part->tokens != nullptr || !mtmd_decode_use_non_causal(projector, chunk);
        part->has_grid  = mtmd_decode_use_mrope(projector) && mtmd_input_chunk_get_tokens_image(chunk) != nullptr;
        return true;
    });
}

extern "C" bool zerohop_media_grid(const mtmd_input_chunks * media, size_t index, int32_t * places, size_t count,
                                   char ** error) {
    return guard<bool>(false, error, [&] {
        const mtmd_image_tokens * image = mtmd_input_chunk_get_tokens_image(chunk_at(media, index));
        if (image == nullptr || count != 3 * mtmd_image_tokens_get_n_tokens(image)) {
            throw std::invalid_argument("the part has no such grid");
        }
        for (size_t row = 0; row < count / 3; ++row) {
            const mtmd_decoder_pos place = mtmd_image_tokens_get_decoder_pos(image, 0, row);
            places[3 * row]     = static_cast<int32_t>(place.t);
            places[3 * row + 1] = static_cast<int32_t>(place.y);
            places[3 * row + 2] = static_cast<int32_t>(place.x);
        }
        return true;
    });
}

extern "C" bool zerohop_media_encode(mtmd_context * projector, const mtmd_input_chunks * media, size_t index,
                                     float * rows, size_t floats, char ** error) {
    return guard<bool>(false, error, [&] {
        if (mtmd_encode_chunk(projector, chunk_at(media, index)) != 0) {
            return false;
        }
        if (floats != zerohop_output_floats(projector)) {
            throw std::length_error("the part has another number of floats");
        }
        std::memcpy(rows, mtmd_get_output_embd(projector), floats * sizeof(float));
        return true;
    });
}

extern "C" int32_t zerohop_native_decode_rows(llama_context * context, const float * rows, int32_t count,
                                              const llama_pos * positions, llama_seq_id sequence, bool is_causal,
                                              char ** error) {
    return guard<int32_t>(ZEROHOP_NATIVE_EXCEPTION, error, [&] {
        std::vector<int32_t>        counts(count, 1);
        std::vector<llama_seq_id *> sequences(count, &sequence);
        std::vector<int8_t>         logits(count, 0);
        llama_batch                 batch = {};
        batch.n_tokens                    = count;
        // llama.cpp only reads them.
        batch.embd     = const_cast<float *>(rows);
        batch.pos      = const_cast<llama_pos *>(positions);
        batch.n_seq_id = counts.data();
        batch.seq_id   = sequences.data();
        batch.logits   = logits.data();
        const attention_to_all all(context, !is_causal);
        const int32_t          status = llama_decode(context, batch);
        llama_synchronize(context);
        return status;
    });
}

extern "C" int32_t zerohop_native_position_size(const llama_model * model) {
    switch (llama_model_rope_type(model)) {
        case LLAMA_ROPE_TYPE_MROPE:
        case LLAMA_ROPE_TYPE_IMROPE:
            return 4;
        default:
            return 1;
    }
}
