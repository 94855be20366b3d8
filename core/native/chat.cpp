// Chat templates, through llama.cpp's common/chat.

#include "guard.hpp"
#include "seam.h"

#include "chat.h"

using zerohop::guard;

struct zerohop_native_templates {
    common_chat_templates_ptr templates;
};

extern "C" zerohop_native_templates * zerohop_native_templates_new(const llama_model * model,
                                                                   const char * override_source, char ** error) {
    return guard<zerohop_native_templates *>(nullptr, error, [&] {
        auto templates = common_chat_templates_init(model, override_source == nullptr ? "" : override_source);
        return new zerohop_native_templates{ std::move(templates) };
    });
}

extern "C" void zerohop_native_templates_free(zerohop_native_templates * templates) {
    guard<int>(0, nullptr, [&] {
        delete templates;
        return 0;
    });
}

static common_chat_templates_inputs parse_inputs(const char * request, size_t request_len) {
    const common_json body = common_json::parse(std::string(request, request_len));

    common_chat_templates_inputs inputs;
    inputs.messages = common_chat_msgs_parse_oaicompat(body.at("messages"));
    // Without tools and reasoning markers there is nothing to learn from the
    // template but the prompt; this skips its analysis, which renders it some
    // dozens of times.
    inputs.force_pure_content = true;
    return inputs;
}

extern "C" char * zerohop_native_templates_apply(const zerohop_native_templates * templates, const char * request,
                                                 size_t request_len, char ** error) {
    return guard<char *>(nullptr, error, [&] {
        const auto params = common_chat_templates_apply(templates->templates.get(), parse_inputs(request, request_len));

        common_json reply;
        reply["prompt"] = params.prompt;
        return zerohop::duplicate(reply.dump());
    });
}
