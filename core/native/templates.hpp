// What a chat template is and what is known about it.
#pragma once

#include "chat.h"
#include "chat-auto-parser.h"

#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace zerohop {

// What llama.cpp finds out about one template.
struct template_analysis {
    // llama.cpp has code of its own for this family; otherwise `derived` holds
    // what it learnt by rendering the template some dozens of times, if it could.
    bool                                  specialized = false;
    std::optional<autoparser::autoparser> derived;
    bool                                  supports_tools    = false;
    bool                                  supports_thinking = false;
    std::string                           thinking_start;
    std::vector<std::string>              thinking_ends;
};

// A template, and its analysis on first use.
class analyzed_template {
  public:
    analyzed_template(const std::string & source, const std::string & bos, const std::string & eos);

    const template_analysis & analysis() const;

  private:
    common_chat_template      source_;
    mutable std::once_flag    once_;
    mutable template_analysis analysis_;
};

}  // namespace zerohop

struct zerohop_native_templates {
    common_chat_templates_ptr                    templates;
    std::unique_ptr<zerohop::analyzed_template>  plain;
    // The file's own variant for requests with tools, where there is one.
    std::unique_ptr<zerohop::analyzed_template>  tool_use;

    const zerohop::analyzed_template & for_tools(bool has_tools) const {
        return has_tools && tool_use != nullptr ? *tool_use : *plain;
    }
};
