// Adapters, contexts, decoding, and the vocabulary.

#include "guard.hpp"
#include "seam.h"

#include "log.h"

using zerohop::guard;

extern "C" void zerohop_native_string_free(char * text) {
    std::free(text);
}

extern "C" void zerohop_native_silence_common(void) {
    // Below the lowest level, the LOG macros do not even create the logger, so
    // its thread never starts. What they would have said reaches the caller as
    // the message of the exception that follows.
    common_log_set_verbosity_thold(-1);
}

extern "C" llama_adapter_lora * zerohop_native_adapter_new(llama_model * model, const char * path, char ** error) {
    return guard<llama_adapter_lora *>(nullptr, error, [&] { return llama_adapter_lora_init(model, path); });
}

extern "C" void zerohop_native_adapter_free(llama_adapter_lora * adapter) {
    guard<int>(0, nullptr, [&] {
        llama_adapter_lora_free(adapter);
        return 0;
    });
}

extern "C" bool zerohop_native_context_set_adapters(llama_context * context, llama_adapter_lora ** adapters,
                                                    float * scales, size_t count, char ** error) {
    return guard<bool>(false, error,
                       [&] { return llama_set_adapters_lora(context, adapters, count, scales) == 0; });
}

extern "C" llama_context * zerohop_native_context_new(llama_model * model, llama_context_params params, char ** error) {
    return guard<llama_context *>(nullptr, error, [&] { return llama_init_from_model(model, params); });
}

extern "C" void zerohop_native_context_free(llama_context * context) {
    guard<int>(0, nullptr, [&] {
        llama_free(context);
        return 0;
    });
}

extern "C" int32_t zerohop_native_decode(llama_context * context, llama_batch batch, char ** error) {
    return guard<int32_t>(ZEROHOP_NATIVE_EXCEPTION, error, [&] {
        const int32_t status = llama_decode(context, batch);
        // Waits for the results here, so that a fault of an asynchronous backend
        // is caught here too.
        llama_synchronize(context);
        return status;
    });
}

extern "C" float * zerohop_native_logits(llama_context * context, int32_t index) {
    return guard<float *>(nullptr, nullptr, [&] { return llama_get_logits_ith(context, index); });
}

extern "C" const float * zerohop_native_embedding(llama_context * context, llama_seq_id sequence) {
    return guard<const float *>(nullptr, nullptr, [&] { return llama_get_embeddings_seq(context, sequence); });
}

extern "C" bool zerohop_native_sequence_remove(llama_context * context, llama_seq_id sequence, llama_pos from,
                                               llama_pos end) {
    return guard<bool>(false, nullptr,
                       [&] { return llama_memory_seq_rm(llama_get_memory(context), sequence, from, end); });
}

extern "C" llama_pos zerohop_native_sequence_begin(llama_context * context, llama_seq_id sequence) {
    return guard<llama_pos>(-1, nullptr,
                            [&] { return llama_memory_seq_pos_min(llama_get_memory(context), sequence); });
}

extern "C" llama_pos zerohop_native_sequence_end(llama_context * context, llama_seq_id sequence) {
    return guard<llama_pos>(-1, nullptr,
                            [&] { return llama_memory_seq_pos_max(llama_get_memory(context), sequence); });
}

extern "C" void zerohop_native_sequence_copy(llama_context * context, llama_seq_id from, llama_seq_id to,
                                             llama_pos end) {
    guard<int>(0, nullptr, [&] {
        llama_memory_seq_cp(llama_get_memory(context), from, to, -1, end);
        return 0;
    });
}

extern "C" size_t zerohop_native_sequence_state(llama_context * context, llama_seq_id sequence, uint8_t * buffer,
                                                size_t size, char ** error) {
    return guard<size_t>(0, error, [&] {
        return buffer == nullptr ? llama_state_seq_get_size(context, sequence)
                                 : llama_state_seq_get_data(context, buffer, size, sequence);
    });
}

extern "C" bool zerohop_native_sequence_restore(llama_context * context, llama_seq_id sequence, const uint8_t * state,
                                                size_t size, char ** error) {
    return guard<bool>(false, error,
                       [&] { return llama_state_seq_set_data(context, state, size, sequence) == size; });
}

extern "C" int32_t zerohop_native_tokenize(const llama_vocab * vocab, const char * text, int32_t text_len,
                                           llama_token * tokens, int32_t capacity, bool add_special,
                                           bool parse_special, char ** error) {
    return guard<int32_t>(INT32_MIN, error, [&] {
        return llama_tokenize(vocab, text, text_len, tokens, capacity, add_special, parse_special);
    });
}

extern "C" int32_t zerohop_native_token_to_piece(const llama_vocab * vocab, llama_token token, char * buffer,
                                                 int32_t capacity, bool special) {
    return guard<int32_t>(0, nullptr, [&] {
        return llama_token_to_piece(vocab, token, buffer, capacity, /*lstrip=*/0, special);
    });
}
