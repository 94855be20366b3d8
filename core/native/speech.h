// The C seam between zerohop and whisper.cpp, by the rules of seam.h.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

// A model, and what one thread computes with it. Several threads may use one model.
struct zerohop_speech_model;
struct zerohop_speech_state;

// How to compute one window. `language` is a code that zerohop_speech_language gave, or NULL to find it out.
struct zerohop_speech_options {
    const char *    language;
    bool            translate;
    bool            words;             // whether tokens get their times
    float           temperature;
    float           temperature_step;  // added after each pass that failed, up to 1; 0: one pass
    const int32_t * prompt;            // tokens that come before the window's
    int32_t         prompt_length;
    int32_t         threads;
    bool (*abort)(void * abort_data);  // whether to stop; called often
    void * abort_data;
};

// A token; `end` is in hundredths of a second from the window's beginning, or negative when it was not computed.
struct zerohop_speech_token {
    int32_t id;
    float   logprob;
    int64_t end;
};

// A stretch of speech, in hundredths of a second from the window's beginning, with its tokens.
struct zerohop_speech_segment {
    int64_t start;
    int64_t end;
    float   no_speech;
    size_t  token_count;
};

// What a window gave; free with zerohop_speech_window_free.
struct zerohop_speech_window {
    struct zerohop_speech_segment * segments;
    size_t                          segment_count;
    struct zerohop_speech_token *   tokens;
    size_t                          token_count;
    float                           temperature;
    float                           avg_logprob;
    int64_t                         advance;   // where the next window begins
    int32_t                         language;  // its number
};

// Reads a model from the bytes of a file that has passed the gate. NULL on failure.
struct zerohop_speech_model * zerohop_speech_model_new(const void * bytes, size_t size, bool use_gpu, char ** error);
void                          zerohop_speech_model_free(struct zerohop_speech_model * model);

// NULL on failure. Only before the first window is computed with any state of the model.
struct zerohop_speech_state * zerohop_speech_state_new(struct zerohop_speech_model * model, char ** error);
void                          zerohop_speech_state_free(struct zerohop_speech_state * state);

bool zerohop_speech_is_multilingual(const struct zerohop_speech_model * model);

// The code of a language, such as "en", or with `full` its name, such as "english"; NULL when there is none of
// this number.
const char * zerohop_speech_language(const struct zerohop_speech_model * model, int32_t number, bool full);

// The bytes of a token's text, which live as long as the model; NULL for one that stands for no text, such as
// a time. They may be a part of a character.
const char * zerohop_speech_token_text(const struct zerohop_speech_model * model, int32_t token, size_t * length);

// The number of tokens of a text, of which `capacity` at most are written; negative on failure.
int32_t zerohop_speech_tokenize(const struct zerohop_speech_model * model, const char * text, int32_t * tokens,
                                int32_t capacity, char ** error);

// Computes one window of at most 30 seconds of samples (16 kHz, mono). NULL on failure and when it was aborted.
struct zerohop_speech_window * zerohop_speech_compute(struct zerohop_speech_model * model,
                                                      struct zerohop_speech_state * state, const float * samples,
                                                      int32_t count, const struct zerohop_speech_options * options,
                                                      char ** error);
void zerohop_speech_window_free(struct zerohop_speech_window * window);

// Where whisper.cpp writes what it has to say; ggml too, from then on.
typedef void (*zerohop_speech_log)(int level, const char * text, void * user_data);
void zerohop_speech_on_log(zerohop_speech_log log);

#ifdef __cplusplus
}
#endif
