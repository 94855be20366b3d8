// In place of stable-diffusion.cpp's own: the vocabularies of the models that are served. Those of the others
// are 200 MB of source, and 50 MB of the library.

#include "vocab.h"

#include <stdexcept>

#include "clip_merges.hpp"
#include "qwen_merges.hpp"
#include "t5.hpp"

namespace {

template <typename Bytes> std::string text(const Bytes & bytes) {
    return std::string(reinterpret_cast<const char *>(bytes), sizeof bytes);
}

[[noreturn]] std::string missing(const char * name) {
    throw std::runtime_error(std::string("this build has no vocabulary of ") + name);
}

}  // namespace

std::string load_clip_merges() { return text(clip_merges_utf8_c_str); }
std::string load_qwen2_merges() { return text(qwen2_merges_utf8_c_str); }
std::string load_t5_tokenizer_json() { return text(t5_tokenizer_json_str); }
std::string load_umt5_tokenizer_json() { missing("UMT5"); }
std::string load_mistral_merges() { missing("Mistral"); }
std::string load_mistral_vocab_json() { missing("Mistral"); }
std::string load_gemma_merges() { missing("Gemma"); }
std::string load_gemma_vocab_json() { missing("Gemma"); }
std::string load_gemma2_merges() { missing("Gemma"); }
std::string load_gemma2_vocab_json() { missing("Gemma"); }
std::string load_gpt_oss_merges() { missing("gpt-oss"); }
std::string load_gpt_oss_vocab_json() { missing("gpt-oss"); }
