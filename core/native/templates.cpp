// Chat templates: parsing them, and finding out what they can say.

#include "templates.hpp"

#include "guard.hpp"
#include "seam.h"
#include "template_budget.hpp"

#include "chat-auto-parser-helpers.h"
#include "common.h"

namespace zerohop {

// The smallest conversation: what a family's own code needs to say what it is.
static autoparser::generation_params probe_params() {
    autoparser::generation_params params;
    params.messages              = common_json::array({ common_json{ { "role", "user" }, { "content", "x" } } });
    params.reasoning_format      = COMMON_REASONING_FORMAT_AUTO;
    params.add_generation_prompt = true;
    params.extra_context         = common_json::object();
    return params;
}

static template_analysis analyze(const common_chat_template & source) {
    template_analysis analysis;
    auto              params = probe_params();
    if (auto result = common_chat_try_specialized_template(source, source.source(), params)) {
        analysis.specialized       = true;
        analysis.supports_tools    = true;
        analysis.supports_thinking = result->supports_thinking;
        analysis.thinking_start    = result->thinking_start_tag;
        analysis.thinking_ends     = result->thinking_end_tags;
        return analysis;
    }

    auto & derived = analysis.derived.emplace();
    derived.analyze_template(source);
    // Some templates render calls, but not which tools there are.
    analysis.supports_tools = derived.jinja_caps.supports_tools && derived.jinja_caps.supports_tool_calls &&
                              derived.tools.format.mode != autoparser::tool_format::NONE;
    analysis.supports_thinking = derived.reasoning.mode != autoparser::reasoning_mode::NONE;
    if (analysis.supports_thinking) {
        analysis.thinking_start = trim_whitespace(derived.reasoning.start);
        const auto end          = trim_whitespace(derived.reasoning.end);
        if (!end.empty()) {
            analysis.thinking_ends = { end };
        }
    }
    return analysis;
}

analyzed_template::analyzed_template(const std::string & source, const std::string & bos, const std::string & eos) :
    source_(source, bos, eos) {}

const template_analysis & analyzed_template::analysis() const {
    std::call_once(once_, [&] {
        try {
            analysis_ = analyze(source_);
        } catch (const std::exception &) {
            // A template that refuses the conversations it is probed with still
            // renders prompts; it is taken to know neither tools nor thoughts.
            analysis_ = {};
        }
    });
    return analysis_;
}

static std::string token_text(const llama_vocab * vocab, llama_token token) {
    return token == LLAMA_TOKEN_NULL ? std::string() : common_token_to_piece(vocab, token, /*special=*/true);
}

static zerohop_native_templates * parse(const llama_model * model, const std::string & override_source,
                                        std::string bos, std::string eos) {
    if (model == nullptr && override_source.empty()) {
        throw std::invalid_argument("neither a model nor a template is given");
    }
    if (model != nullptr) {
        const auto * vocab = llama_model_get_vocab(model);
        bos                = token_text(vocab, llama_vocab_bos(vocab));
        eos                = token_text(vocab, llama_vocab_eos(vocab));
    }
    if (!override_source.empty()) {
        // common_chat_templates_init would lose the parser's message.
        common_chat_template(override_source, bos, eos);
    } else if (const char * own = llama_model_chat_template(model, nullptr)) {
        common_chat_template(own, bos, eos);
    }

    auto templates       = std::make_unique<zerohop_native_templates>();
    templates->templates = common_chat_templates_init(model, override_source, bos, eos);
    // Not the sources as they were given: llama.cpp mends some known faults.
    const auto * parsed  = templates->templates.get();
    templates->plain     = std::make_unique<analyzed_template>(common_chat_templates_source(parsed), bos, eos);
    const auto tool_use  = common_chat_templates_source(parsed, "tool_use");
    if (!tool_use.empty()) {
        templates->tool_use = std::make_unique<analyzed_template>(tool_use, bos, eos);
    }
    return templates.release();
}

static common_json describe(const template_analysis & analysis) {
    common_json description;
    description["supports_tools"]    = analysis.supports_tools;
    description["supports_thinking"] = analysis.supports_thinking;
    description["thinking_start"]    = analysis.thinking_start;
    description["thinking_ends"]     = analysis.thinking_ends;
    return description;
}

}  // namespace zerohop

using zerohop::guard;

extern "C" zerohop_native_templates * zerohop_native_templates_new(const llama_model * model,
                                                                   const char * override_source, const char * bos,
                                                                   const char * eos, char ** error) {
    return guard<zerohop_native_templates *>(nullptr, error, [&] {
        const auto text = [](const char * given) { return std::string(given == nullptr ? "" : given); };
        const zerohop::template_budget budget(0);
        std::unique_ptr<zerohop_native_templates> templates(
            zerohop::parse(model, text(override_source), text(bos), text(eos)));
        // Parsing tries the template out, and takes exceptions for answers.
        budget.check();
        return templates.release();
    });
}

extern "C" void zerohop_native_templates_free(zerohop_native_templates * templates) {
    guard<int>(0, nullptr, [&] {
        delete templates;
        return 0;
    });
}

extern "C" char * zerohop_native_templates_describe(const zerohop_native_templates * templates, bool with_tools,
                                                    char ** error) {
    return guard<char *>(nullptr, error, [&] {
        const zerohop::template_budget budget(0);
        return zerohop::duplicate(zerohop::describe(templates->for_tools(with_tools).analysis()).dump_safe());
    });
}
