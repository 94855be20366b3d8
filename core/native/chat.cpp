// Prompts from messages, and messages from the text that a model wrote.

#include "guard.hpp"
#include "seam.h"
#include "template_budget.hpp"
#include "templates.hpp"

using zerohop::guard;

// Text that nests deeper is not parsed: the parser recurses at every level.
static constexpr int MAX_NESTING = 100;

struct zerohop_native_output_parser {
    common_chat_parser_params params;
};

static common_chat_templates_inputs parse_inputs(const common_json & body) {
    common_chat_templates_inputs inputs;
    inputs.messages            = common_chat_msgs_parse_oaicompat(body.at("messages"));
    inputs.tools               = common_chat_tools_parse_oaicompat(body.at("tools"));
    inputs.tool_choice         = common_chat_tool_choice_parse_oaicompat(body.at("tool_choice"));
    inputs.parallel_tool_calls = body.at("parallel_tool_calls").get<bool>();
    inputs.enable_thinking     = body.at("enable_thinking").get<bool>();
    inputs.reasoning_format    = COMMON_REASONING_FORMAT_DEEPSEEK;
    for (const auto & [name, value] : body.at("chat_template_kwargs").items()) {
        inputs.chat_template_kwargs[name] = value.dump();
    }
    return inputs;
}

// Builds the parser of a template that llama.cpp has no code of its own for, from
// the analysis that was made once.
static common_json derive_parser(const autoparser::autoparser & derived, const common_chat_templates_inputs & inputs,
                                 const std::string & generation_prompt) {
    autoparser::generation_params params;
    params.tools               = common_chat_tools_to_json_oaicompat(inputs.tools);
    params.tool_choice         = inputs.tool_choice;
    params.parallel_tool_calls = inputs.parallel_tool_calls;
    params.reasoning_format    = inputs.reasoning_format;
    params.enable_thinking     = inputs.enable_thinking;
    return derived.build_parser(params, generation_prompt).to_json();
}

static common_json apply(const zerohop_native_templates & templates, const common_json & body) {
    auto         inputs    = parse_inputs(body);
    const auto & analysis  = templates.for_tools(!inputs.tools.empty()).analysis();
    const bool   has_tools = !inputs.tools.empty();

    // Only a family's own code rearranges messages; for all others this skips the
    // analysis, which common_chat_templates_apply would make for every prompt.
    inputs.force_pure_content = !analysis.specialized;
    auto params               = common_chat_templates_apply(templates.templates.get(), inputs);

    common_json reply;
    reply["prompt"]            = params.prompt;
    reply["generation_prompt"] = params.generation_prompt;
    reply["format"]            = static_cast<int>(params.format);
    reply["parser"]            = nullptr;
    reply["preserved_tokens"]  = common_json::array();
    reply["additional_stops"]  = common_json::array();
    if (analysis.specialized) {
        reply["parser"]           = common_json::parse(params.parser);
        reply["preserved_tokens"] = params.preserved_tokens;
        reply["additional_stops"] = params.additional_stops;
    } else if (analysis.derived.has_value()) {
        if (has_tools || analysis.supports_thinking || analysis.derived->content.is_always_wrapped()) {
            reply["parser"] = derive_parser(*analysis.derived, inputs, params.generation_prompt);
        }
        reply["preserved_tokens"] = analysis.derived->preserved_tokens;
        reply["additional_stops"] = analysis.derived->additional_stops;
    }
    return reply;
}

extern "C" char * zerohop_native_templates_apply(const zerohop_native_templates * templates, const char * request,
                                                 size_t request_len, char ** error) {
    return guard<char *>(nullptr, error, [&] {
        const zerohop::template_budget budget(request_len);
        const auto body = common_json::parse(std::string(request, request_len));
        // A template may cut text inside a character.
        return zerohop::duplicate(apply(*templates, body).dump_safe());
    });
}

extern "C" zerohop_native_output_parser * zerohop_native_output_parser_new(const char * request, size_t request_len,
                                                                           char ** error) {
    return guard<zerohop_native_output_parser *>(nullptr, error, [&] {
        const auto body   = common_json::parse(std::string(request, request_len));
        const auto format = body.at("format").get<int>();
        if (format < 0 || format >= COMMON_CHAT_FORMAT_COUNT) {
            throw std::invalid_argument("unknown chat format");
        }
        auto parser                      = std::make_unique<zerohop_native_output_parser>();
        parser->params.format            = static_cast<common_chat_format>(format);
        parser->params.reasoning_format  = COMMON_REASONING_FORMAT_DEEPSEEK;
        parser->params.generation_prompt = body.at("generation_prompt").get<std::string>();
        parser->params.parser            = common_peg_arena::from_json(body.at("parser"));
        return parser.release();
    });
}

extern "C" void zerohop_native_output_parser_free(zerohop_native_output_parser * parser) {
    guard<int>(0, nullptr, [&] {
        delete parser;
        return 0;
    });
}

static bool nests_too_deeply(const std::string & text) {
    int depth = 0;
    for (const char character : text) {
        if (character == '{' || character == '[') {
            depth++;
        } else if ((character == '}' || character == ']') && depth > 0) {
            depth--;
        }
        if (depth > MAX_NESTING) {
            return true;
        }
    }
    return false;
}

static common_json message_json(const common_chat_msg & message) {
    auto calls = common_json::array();
    for (const auto & call : message.tool_calls) {
        calls.push_back({ { "name", call.name }, { "arguments", call.arguments }, { "id", call.id } });
    }
    common_json reply;
    reply["content"]           = message.content;
    reply["reasoning_content"] = message.reasoning_content;
    reply["tool_calls"]        = calls;
    return reply;
}

extern "C" char * zerohop_native_output_parser_parse(const zerohop_native_output_parser * parser, const char * text,
                                                     size_t text_len, bool is_partial, char ** error) {
    return guard<char *>(nullptr, error, [&] {
        const std::string output(text, text_len);
        if (nests_too_deeply(output)) {
            throw std::runtime_error("the output nests too deeply to be parsed");
        }
        return zerohop::duplicate(message_json(common_chat_parse(output, is_partial, parser->params)).dump_safe());
    });
}
