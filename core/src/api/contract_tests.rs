//! Bodies of chat requests and what the contract says of them: which are refused, naming what
//! parameter, and which mean the same.

use super::chat::CreateChatCompletionRequest;
use super::error::{Error, Result};
use super::message::ChatCompletionMessage;
use super::parse::{UNSERVED, parse_chat_request};
use super::tool_calls::ChatCompletionMessageToolCall;

fn parse(body: &str) -> Result<CreateChatCompletionRequest> {
    parse_chat_request(body.as_bytes())
}

fn refusal(body: &str) -> Error {
    let error = parse(body).expect_err(body);
    // ER3
    assert_eq!((error.status(), error.error_type()), (Some(400), "invalid_request_error"));
    error
}

/// A body with one good message and more keys.
fn with_keys(keys: &str) -> String {
    format!(r#"{{"model": "m", "messages": [{{"role": "user", "content": "hi"}}], {keys}}}"#)
}

/// A body with these messages.
fn with_messages(messages: &str) -> String {
    format!(r#"{{"model": "m", "messages": [{messages}]}}"#)
}

/// A body with a message of two parts, of which this is the second.
fn with_part(part: &str) -> String {
    let parts = format!(r#"{{"type": "text", "text": "a"}}, {part}"#);
    with_messages(&format!(r#"{{"role": "user", "content": [{parts}]}}"#))
}

/// A body with a function and a custom tool, and more keys.
fn with_tools(keys: &str) -> String {
    let tools = r#"{"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "c"}}"#;
    with_keys(&format!(r#""tools": [{tools}], {keys}"#))
}

/// A body whose only tool is this one.
fn with_tool(tool: &str) -> String {
    with_keys(&format!(r#""tools": [{tool}]"#))
}

/// A body with this response format.
fn with_format(format: &str) -> String {
    with_keys(&format!(r#""response_format": {format}"#))
}

/// A body with an assistant's message of this call, answered.
fn with_call(call: &str) -> String {
    let calling = format!(r#"{{"role": "assistant", "tool_calls": [{call}]}}"#);
    with_messages(&format!(r#"{calling}, {{"role": "tool", "tool_call_id": "a", "content": "b"}}"#))
}

/// A body whose messages are given by one word each: `user`, `calls:a,b` for an assistant that calls
/// tools with these ids, and `tool:a` for an answer.
fn with_turns(turns: &str) -> String {
    let message = |turn: &str| match turn.split_once(':') {
        None => format!(r#"{{"role": "{turn}", "content": "hi"}}"#),
        Some(("tool", id)) => format!(r#"{{"role": "tool", "tool_call_id": "{id}", "content": "hi"}}"#),
        Some((_, ids)) => {
            let call = |id| format!(r#"{{"id": "{id}", "type": "custom", "custom": {{"name": "f", "input": ""}}}}"#);
            let calls: Vec<String> = ids.split(',').map(call).collect();
            format!(r#"{{"role": "assistant", "content": null, "tool_calls": [{}]}}"#, calls.join(", "))
        }
    };
    let messages: Vec<String> = turns.split_whitespace().map(message).collect();
    with_messages(&messages.join(", "))
}

/// Checks lines of `fragment => param code`; no code means null.
fn assert_refused(body_of: fn(&str) -> String, table: &str) {
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (fragment, wanted) = line.rsplit_once(" => ").unwrap();
        let error = refusal(&body_of(fragment));
        let found = format!("{} {}", error.param().unwrap(), error.code().unwrap_or(""));
        assert_eq!(found.trim_end(), wanted, "{fragment}: {error}");
    }
}

#[test]
fn bad_parameters_are_named() {
    // CQ1, CQ8, CQ9, CQ10, CQ14, CQ17
    let wrong = r#"
        "model": 3 => model
        "model": null => model
        "messages": "hi" => messages
        "messages": null => messages
        "messages": [] => messages
        "temperature": "hot" => temperature
        "temperature": 2.1 => temperature
        "temperature": 1e39 => temperature
        "top_p": -0.1 => top_p
        "top_p": [1] => top_p
        "seed": 1.5 => seed
        "seed": 9223372036854775808 => seed
        "stream": "yes" => stream
        "top_k": -1 => top_k
        "min_p": 1.5 => min_p
        "max_tokens": 0 => max_tokens
        "max_completion_tokens": 0 => max_completion_tokens
        "max_completion_tokens": -1 => max_completion_tokens
        "max_completion_tokens": 4294967296 => max_completion_tokens
        "max_tokens": 1, "max_completion_tokens": 1 => max_tokens
        "stop": "" => stop
        "stop": 5 => stop
        "stop": ["a", ""] => stop
        "stop": ["a", 5] => stop[1]
        "stop": ["a", "b", "c", "d", "e"] => stop
        "stream_options": {"include_usage": true} => stream_options
        "stream": false, "stream_options": {} => stream_options
        "stream": true, "stream_options": [true] => stream_options
        "stream": true, "stream_options": {"include_usage": 1} => stream_options.include_usage
        "stream": true, "stream_options": {"us": 1} => stream_options.us unsupported_parameter
        "metadata": ["a"] => metadata
        "metadata": {"a": 1} => metadata.a
        "user": 7 => user
        "service_tier": "cheap" => service_tier
        "service_tier": 1 => service_tier
        "prompt_cache_options": {"mode": "all"} => prompt_cache_options.mode
        "prompt_cache_options": {"ttl": "1h"} => prompt_cache_options.ttl
        "prompt_cache_retention": "1h" => prompt_cache_retention"#;
    // CQ19, and what is not served
    let unknown = r#"
        "temprature": 0 => temprature unsupported_parameter
        "temprature": null => temprature unsupported_parameter
        "ext": {"top_k": 1} => ext unsupported_parameter
        "audio": {"voice": "alloy", "format": "wav"} => audio unsupported_parameter
        "web_search_options": {} => web_search_options unsupported_parameter
        "moderation": {"model": "m"} => moderation unsupported_parameter"#;
    assert_refused(with_keys, wrong);
    assert_refused(with_keys, unknown);
}

#[test]
fn bad_messages_are_named() {
    // CQ2, CQ4
    let table = r#"
        "hi" => messages[0]
        ["user", "hi"] => messages[0]
        {"content": "hi"} => messages[0].role
        {"role": "robot", "content": "hi"} => messages[0].role
        {"role": 1, "content": "hi"} => messages[0].role
        {"role": {"user": 3}, "content": "hi"} => messages[0].role
        {"role": "user", "content": "a", "nam": "b"} => messages[0].nam unsupported_parameter
        {"role": "user", "content": "hi", "name": 1} => messages[0].name
        {"role": "tool", "tool_call_id": "a"} => messages[0].content
        {"role": "tool", "content": "a"} => messages[0].tool_call_id
        {"role": "user", "content": "a", "tool_call_id": "a"} => messages[0].tool_call_id unsupported_parameter
        {"role": "user", "content": "a", "reasoning_content": "a"} => messages[0].reasoning_content unsupported_parameter
        {"role": "function", "content": "a"} => messages[0].name
        {"role": "function", "name": "f g", "content": "a"} => messages[0].name
        {"role": "function", "name": "f", "content": [{"type": "text", "text": "a"}]} => messages[0].content
        {"role": "assistant", "content": null, "tool_calls": []} => messages[0].content
        {"role": "assistant", "content": "a", "annotations": {}} => messages[0].annotations unsupported_parameter
        {"role": "assistant", "audio": {"id": "a"}} => messages[0].audio unsupported_parameter
        {"role": "user", "content": "a", "refusal": ""} => messages[0].refusal unsupported_parameter
        {"role": "assistant"} => messages[0].content
        {"role": "assistant", "content": null} => messages[0].content
        {"role": "user", "content": "a"}, {"role": "system"} => messages[1].content
        {"role": "user", "content": 5} => messages[0].content
        {"role": "user", "content": {"type": "text"}} => messages[0].content
        {"role": "user", "content": []} => messages[0].content"#;
    assert_refused(with_messages, table);
}

#[test]
fn bad_parts_are_named() {
    // CQ3, CQ5, CQ6
    let table = r#"
        "hi" => messages[0].content[1]
        ["text", "hi", null, null, null, null, null] => messages[0].content[1]
        {"text": "hi"} => messages[0].content[1].type
        {"type": "text"} => messages[0].content[1].text
        {"type": "text", "text": null} => messages[0].content[1].text
        {"type": "text", "text": 5} => messages[0].content[1].text
        {"type": "text", "text": "", "file": {}} => messages[0].content[1].file unsupported_parameter
        {"type": "text", "text": "", "more": 1} => messages[0].content[1].more unsupported_parameter
        {"type": "video", "video": "b"} => messages[0].content[1].type
        {"type": "refusal", "refusal": "b"} => messages[0].content[1]
        {"type": "image_url", "image_url": "a"} => messages[0].content[1].image_url
        {"type": "image_url", "image_url": {}} => messages[0].content[1].image_url.url
        {"type": "input_audio", "input_audio": {"data": ""}} => messages[0].content[1].input_audio.format
        {"type": "file", "file": {"file_id": "f"}} => messages[0].content[1] unsupported_value"#;
    assert_refused(with_part, table);
}

#[test]
fn missing_parameters_are_named() {
    // CQ1
    assert_eq!(refusal(r#"{"messages": []}"#).param(), Some("model"));
    let error = refusal(r#"{"model": "m"}"#);
    assert_eq!(error.param(), Some("messages"));
    assert_eq!(error.message(), "Missing required parameter: 'messages'");
}

#[test]
fn bad_sampling_is_named() {
    // CQ9, CQ11
    let table = r#"
        "frequency_penalty": 2.1 => frequency_penalty
        "frequency_penalty": "a" => frequency_penalty
        "presence_penalty": -2.1 => presence_penalty
        "logit_bias": {"7": 100.5} => logit_bias.7
        "logit_bias": {"7": -101} => logit_bias.7
        "logit_bias": {"7": "a"} => logit_bias.7
        "logit_bias": {"a": 1} => logit_bias.a
        "logit_bias": {"-1": 1} => logit_bias.-1
        "logit_bias": {"4294967296": 1} => logit_bias.4294967296
        "logit_bias": {"": 1} => logit_bias.
        "logit_bias": [1] => logit_bias
        "logprobs": 1 => logprobs
        "logprobs": true, "top_logprobs": 21 => top_logprobs
        "logprobs": true, "top_logprobs": -1 => top_logprobs
        "logprobs": false, "top_logprobs": 1 => top_logprobs
        "top_logprobs": 0 => top_logprobs
        "n": 0 => n
        "n": 129 => n
        "n": 1.5 => n
        "n": "1" => n
        "repeat_penalty": 0 => repeat_penalty
        "repeat_penalty": 2.5 => repeat_penalty
        "ignore_eos": 1 => ignore_eos"#;
    assert_refused(with_keys, table);
}

#[test]
fn bad_kinds_of_output_are_named() {
    // CQ13, CQ15, CQ16
    let table = r#"
        "reasoning_effort": "huge" => reasoning_effort
        "reasoning_effort": 1 => reasoning_effort
        "verbosity": "low" => verbosity unsupported_value
        "verbosity": "high" => verbosity unsupported_value
        "verbosity": "some" => verbosity
        "prediction": "a" => prediction
        "prediction": {"type": "text", "content": "a"} => prediction.type
        "prediction": {"type": "content"} => prediction.content
        "prediction": {"type": "content", "content": 1} => prediction.content
        "prediction": {"type": "content", "content": "a", "more": 1} => prediction.more unsupported_parameter
        "prediction": {"type": "content", "content": [{"type": "refusal", "refusal": "a"}]} => prediction.content[0]
        "modalities": [] => modalities
        "modalities": ["text", "audio"] => modalities unsupported_value
        "modalities": ["audio"] => modalities unsupported_value
        "modalities": ["video"] => modalities[0]
        "modalities": "text" => modalities
        "chat_template_kwargs": [] => chat_template_kwargs
        "grammar": "" => grammar
        "grammar": {} => grammar
        "grammar": "start: /a/", "response_format": {"type": "json_object"} => grammar"#;
    assert_refused(with_keys, table);
    let both = r#""grammar": "start: /a/", "response_format": {"type": "text"}"#;
    assert!(parse(&with_keys(both)).is_ok());
}

#[test]
fn bad_response_formats_are_named() {
    // SO1
    let table = r#"
        "json_object" => response_format
        {} => response_format.type
        {"type": "xml"} => response_format.type
        {"type": "json_object", "json_schema": {"name": "a"}} => response_format.json_schema unsupported_parameter
        {"type": "json_schema"} => response_format.json_schema
        {"type": "json_schema", "name": "a", "schema": {}} => response_format.name unsupported_parameter
        {"type": "json_schema", "json_schema": []} => response_format.json_schema
        {"type": "json_schema", "json_schema": {}} => response_format.json_schema.name
        {"type": "json_schema", "json_schema": {"name": ""}} => response_format.json_schema.name
        {"type": "json_schema", "json_schema": {"name": "a b"}} => response_format.json_schema.name
        {"type": "json_schema", "json_schema": {"name": "a", "strict": "yes"}} => response_format.json_schema.strict
        {"type": "json_schema", "json_schema": {"name": "a", "strict": true}} => response_format.json_schema.schema
        {"type": "json_schema", "json_schema": {"name": "a", "schema": []}} => response_format.json_schema.schema
        {"type": "json_schema", "json_schema": {"name": "a", "more": 1}} => response_format.json_schema.more unsupported_parameter
        {"type": "regex"} => response_format.regex
        {"type": "regex", "regex": ""} => response_format.regex
        {"type": "lark", "lark": 1} => response_format.lark
        {"type": "lark", "regex": "a"} => response_format.regex unsupported_parameter"#;
    assert_refused(with_format, table);
    for good in [
        r#"{"type": "text"}"#,
        r#"{"type": "json_object"}"#,
        r#"{"type": "json_schema", "json_schema": {"name": "a-b_C1"}}"#,
        r#"{"type": "json_schema", "json_schema": {"name": "a", "schema": {"z": 1, "a": 2}, "strict": false}}"#,
        r#"{"type": "regex", "regex": "a+"}"#,
        r#"{"type": "lark", "lark": "start:/a/"}"#,
    ] {
        let read = parse(&with_format(good)).unwrap().response_format.unwrap();
        // The order of keys in a schema is that of the answer (SO8).
        let compact = |json: &str| json.replace(' ', "");
        assert_eq!(serde_json::to_string(&read).unwrap(), compact(good));
    }
}

#[test]
fn bad_tools_are_named() {
    // TL1, TL6
    let table = r#"
        "f" => tools[0]
        {} => tools[0].type
        {"type": "web_search"} => tools[0].type
        {"type": "function"} => tools[0].function
        {"type": "function", "name": "f"} => tools[0].name unsupported_parameter
        {"type": "function", "function": {"name": "f"}, "custom": {"name": "c"}} => tools[0].custom unsupported_parameter
        {"type": "function", "function": {}} => tools[0].function.name
        {"type": "function", "function": {"name": 1}} => tools[0].function.name
        {"type": "function", "function": {"name": ""}} => tools[0].function.name
        {"type": "function", "function": {"name": "a.b"}} => tools[0].function.name
        {"type": "function", "function": {"name": "ü"}} => tools[0].function.name
        {"type": "function", "function": {"name": "f", "parameters": []}} => tools[0].function.parameters
        {"type": "function", "function": {"name": "f", "strict": 1}} => tools[0].function.strict
        {"type": "function", "function": {"name": "f", "strict": true}} => tools[0].function.parameters
        {"type": "function", "function": {"name": "f", "args": {}}} => tools[0].function.args unsupported_parameter
        {"type": "custom", "custom": {"name": "c d"}} => tools[0].custom.name
        {"type": "custom", "custom": {"name": "c", "format": "text"}} => tools[0].custom.format
        {"type": "custom", "custom": {"name": "c", "format": {"type": "grammar"}}} => tools[0].custom.format.grammar
        {"type": "custom", "custom": {"name": "c", "format": {"type": "grammar", "grammar": {"syntax": "gbnf", "definition": "a"}}}} => tools[0].custom.format.grammar.syntax
        {"type": "custom", "custom": {"name": "c", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": ""}}}} => tools[0].custom.format.grammar.definition
        {"type": "custom", "custom": {"name": "a"}}, {"type": "function", "function": {"name": "a"}} => tools[1].function.name"#;
    assert_refused(with_tool, table);
    assert_refused(
        with_keys,
        r#"
        "tools": [] => tools
        "tools": {} => tools"#,
    );
    let long =
        |length: usize| with_tool(&format!(r#"{{"type": "custom", "custom": {{"name": "{}"}}}}"#, "a".repeat(length)));
    assert!(parse(&long(64)).is_ok());
    assert_eq!(refusal(&long(65)).param(), Some("tools[0].custom.name"));
    for good in [
        r#"{"type":"function","function":{"name":"a-b_C1"}}"#,
        r#"{"type":"function","function":{"name":"f","description":"d","parameters":{"z":1,"a":2},"strict":true}}"#,
        r#"{"type":"custom","custom":{"name":"c","description":"d","format":{"type":"text"}}}"#,
        r#"{"type":"custom","custom":{"name":"c","format":{"type":"grammar","grammar":{"syntax":"regex","definition":"a+"}}}}"#,
    ] {
        let read = parse(&with_tool(good)).unwrap().tools.unwrap();
        assert_eq!(serde_json::to_string(&read[0]).unwrap(), good);
    }
}

#[test]
fn bad_tool_choices_are_named() {
    // TL2, TL4
    let table = r#"
        "tool_choice": 1 => tool_choice
        "tool_choice": "any" => tool_choice
        "tool_choice": {} => tool_choice.type
        "tool_choice": {"type": "tool"} => tool_choice.type
        "tool_choice": {"type": "function"} => tool_choice.function
        "tool_choice": {"type": "function", "name": "f"} => tool_choice.name unsupported_parameter
        "tool_choice": {"type": "function", "function": {}} => tool_choice.function.name
        "tool_choice": {"type": "function", "function": {"name": "g"}} => tool_choice
        "tool_choice": {"type": "function", "function": {"name": "c"}} => tool_choice
        "tool_choice": {"type": "custom", "custom": {"name": "f"}} => tool_choice
        "tool_choice": {"type": "allowed_tools"} => tool_choice.allowed_tools
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": []}} => tool_choice.allowed_tools.mode
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "none", "tools": []}} => tool_choice.allowed_tools.mode
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}} => tool_choice.allowed_tools.tools
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "g"}}]}} => tool_choice
        "parallel_tool_calls": 1 => parallel_tool_calls
        "functions": [{"name": "g"}] => functions"#;
    assert_refused(with_tools, table);
    let without_tools = r#"
        "tool_choice": "none" => tool_choice
        "tool_choice": "auto" => tool_choice
        "tool_choice": "required" => tool_choice
        "tool_choice": {"type": "function", "function": {"name": "f"}} => tool_choice
        "functions": [{"name": "f"}], "tool_choice": "auto" => tool_choice
        "parallel_tool_calls": true => parallel_tool_calls"#;
    assert_refused(with_keys, without_tools);
    for good in [
        r#""none""#,
        r#""auto""#,
        r#""required""#,
        r#"{"type":"function","function":{"name":"f"}}"#,
        r#"{"type":"custom","custom":{"name":"c"}}"#,
        r#"{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"custom","custom":{"name":"c"}}]}}"#,
    ] {
        let body = with_tools(&format!(r#""parallel_tool_calls": false, "tool_choice": {good}"#));
        let read = parse(&body).unwrap().tool_choice.unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), good);
    }
}

#[test]
fn bad_functions_are_named() {
    // CQ18
    let table = r#"
        "functions": [] => functions
        "functions": [1] => functions[0]
        "functions": [{}] => functions[0].name
        "functions": [{"name": "a b"}] => functions[0].name
        "functions": [{"name": "f"}, {"name": "f"}] => functions[1].name
        "functions": [{"name": "f", "parameters": true}] => functions[0].parameters
        "functions": [{"name": "f", "strict": true}] => functions[0].strict unsupported_parameter
        "function_call": "none" => function_call
        "function_call": "auto" => function_call
        "function_call": {"name": "f"} => function_call
        "functions": [{"name": "f"}], "function_call": "required" => function_call
        "functions": [{"name": "f"}], "function_call": {"name": "g"} => function_call
        "functions": [{"name": "f"}], "function_call": {"type": "f"} => function_call.type unsupported_parameter
        "functions": [{"name": "f"}], "function_call": {} => function_call.name"#;
    assert_refused(with_keys, table);
    for good in [r#""none""#, r#""auto""#, r#"{"name":"f"}"#] {
        let keys = format!(r#""functions": [{{"name": "f", "parameters": {{}}}}], "function_call": {good}"#);
        let read = parse(&with_keys(&keys)).unwrap().function_call.unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), good);
    }
}

#[test]
fn bad_calls_are_named() {
    // CQ4, CQ7
    let table = r#"
        1 => messages[0].tool_calls[0]
        {"id": "a", "function": {"name": "f", "arguments": "{}"}} => messages[0].tool_calls[0].type
        {"type": "function", "function": {"name": "f", "arguments": "{}"}} => messages[0].tool_calls[0].id
        {"id": "", "type": "function", "function": {"name": "f", "arguments": "{}"}} => messages[0].tool_calls[0].id
        {"id": "a", "type": "function"} => messages[0].tool_calls[0].function
        {"id": "a", "type": "function", "custom": {"name": "f", "input": ""}} => messages[0].tool_calls[0].custom unsupported_parameter
        {"id": "a", "type": "function", "function": {"name": "f"}} => messages[0].tool_calls[0].function.arguments
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": {}}} => messages[0].tool_calls[0].function.arguments
        {"id": "a", "type": "function", "function": {"name": "a b", "arguments": "{}"}} => messages[0].tool_calls[0].function.name
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}", "more": 1}} => messages[0].tool_calls[0].function.more unsupported_parameter
        {"id": "a", "type": "custom", "custom": {"name": "f"}} => messages[0].tool_calls[0].custom.input
        {"id": "a", "type": "custom", "custom": {"name": "", "input": ""}} => messages[0].tool_calls[0].custom.name
        {"id": "a", "type": "custom", "custom": {"name": "f", "input": ""}, "more": 1} => messages[0].tool_calls[0].more unsupported_parameter"#;
    assert_refused(with_call, table);
    let table = r#"
        {"role": "user", "content": "a", "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "f", "input": ""}}]} => messages[0].tool_calls unsupported_parameter
        {"role": "user", "content": "a", "function_call": {"name": "f", "arguments": "{}"}} => messages[0].function_call unsupported_parameter
        {"role": "assistant", "function_call": {"name": "f"}} => messages[0].function_call.arguments
        {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}, "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "f", "input": ""}}]} => messages[0].function_call
        {"role": "assistant", "tool_calls": {}} => messages[0].tool_calls"#;
    assert_refused(with_messages, table);
}

#[test]
fn each_call_has_one_answer() {
    // CQ7
    let table = "
        tool:a => messages[0].tool_call_id
        user tool:a => messages[1].tool_call_id
        calls:a tool:b => messages[1].tool_call_id
        calls:a tool:a tool:a => messages[2].tool_call_id
        calls:a tool:a user tool:a => messages[3].tool_call_id
        calls:a => messages[0].tool_calls
        user calls:a user => messages[1].tool_calls
        user calls:a,b tool:b user => messages[1].tool_calls
        user calls:a,b tool:b => messages[1].tool_calls
        user calls:a calls:b tool:a tool:b => messages[1].tool_calls
        calls:a,a tool:a => messages[0].tool_calls[1].id";
    assert_refused(with_turns, table);
    for good in [
        "user calls:a,b tool:b tool:a user",
        "user calls:a tool:a calls:b,c tool:b tool:c",
        "user calls:a tool:a assistant user calls:a tool:a",
    ] {
        assert!(parse(&with_turns(good)).is_ok(), "{good}");
    }
}

#[test]
fn tools_answer_in_text_or_parts() {
    // TL14, CQ18
    let messages = r#"
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}},
            {"id": "b", "type": "custom", "custom": {"name": "c", "input": "any"}}]},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "1"}, {"type": "text", "text": "2"}]},
        {"role": "tool", "tool_call_id": "b", "content": ""},
        {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": null}"#;
    let read = parse(&with_messages(messages)).unwrap().messages;
    let calls = [
        ChatCompletionMessageToolCall::function("a", "f", r#"{"x": 1}"#),
        ChatCompletionMessageToolCall::custom("b", "c", "any"),
    ];
    assert_eq!(read[1], ChatCompletionMessage::assistant_calls(calls));
    assert_eq!(read[3], ChatCompletionMessage::tool("b", ""));
    let written = serde_json::to_string(&read).unwrap();
    assert_eq!(serde_json::from_str::<Vec<ChatCompletionMessage>>(&written).unwrap(), read);
    assert_refused(
        with_messages,
        r#"{"role": "assistant", "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "c", "input": ""}}]}, {"role": "tool", "tool_call_id": "a", "content": [{"type": "image_url", "image_url": {"url": "a"}}]} => messages[1].content[0]"#,
    );
}

#[test]
fn null_equals_absence() {
    // T7
    let absent = parse(&with_messages(r#"{"role": "user", "content": "hi"}"#)).unwrap();
    let served = "temperature top_p frequency_penalty presence_penalty logit_bias logprobs top_logprobs n \
                  max_completion_tokens max_tokens stop seed reasoning_effort verbosity prediction modalities \
                  response_format tools tool_choice parallel_tool_calls functions function_call stream \
                  stream_options store metadata user safety_identifier prompt_cache_key prompt_cache_options \
                  prompt_cache_retention service_tier top_k min_p repeat_penalty grammar chat_template_kwargs \
                  ignore_eos";
    let unserved = UNSERVED.iter().map(|(name, _)| *name);
    for name in served.split_whitespace().chain(unserved) {
        let null = parse(&with_keys(&format!(r#""{name}": null"#)));
        assert_eq!(null.unwrap(), absent, "{name}");
    }
}

#[test]
fn every_value_of_the_api_is_read() {
    // CQ13, CQ17
    for (key, values) in [
        ("reasoning_effort", "none minimal low medium high xhigh max"),
        ("service_tier", "auto default flex scale priority fast"),
        ("prompt_cache_retention", "in_memory 24h"),
        ("verbosity", "medium"),
    ] {
        for value in values.split_whitespace() {
            let request = parse(&with_keys(&format!(r#""{key}": "{value}""#))).unwrap();
            assert_eq!(serde_json::to_value(&request).unwrap()[key], value);
        }
    }
}

#[test]
fn a_dumped_reply_is_accepted_as_history() {
    // CR16
    let messages = r#"
        {"role": "user", "content": "hello"},
        {"content": "hi", "refusal": null, "role": "assistant", "annotations": [],
         "audio": null, "function_call": null, "tool_calls": null},
        {"content": "hi", "role": "assistant", "tool_calls": [], "reasoning_content": "hm"},
        {"content": null, "refusal": "no", "role": "assistant", "reasoning_content": null},
        {"content": null, "refusal": null, "role": "assistant", "annotations": null, "audio": null,
         "function_call": null, "parsed": null, "tool_calls": [
            {"id": "a", "index": 0, "type": "function",
             "function": {"arguments": "{\"x\": 1}", "name": "f", "parsed_arguments": {"x": 1}}}]},
        {"role": "tool", "content": "1", "tool_call_id": "a"},
        {"content": "{}", "role": "assistant", "parsed": {}},
        {"content": null, "role": "assistant", "annotations": [{"type": "url_citation"}], "tool_calls": [
            {"id": "b", "type": "function", "function": {"name": "f", "arguments": "{\"cut\": \"by a lim"}},
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"role": "tool", "content": "no JSON", "tool_call_id": "b"},
        {"role": "tool", "content": "", "tool_call_id": "c"}"#;
    let read = parse(&with_messages(messages)).unwrap().messages;
    assert_eq!(read[1], ChatCompletionMessage::assistant("hi"));
    assert_eq!(read[2].tool_calls, None);
    assert_eq!(read[2].reasoning_content.as_deref(), Some("hm"));
    assert_eq!(read[3].refusal.as_deref(), Some("no"));
    let call = ChatCompletionMessageToolCall::function("a", "f", r#"{"x": 1}"#);
    assert_eq!(read[4], ChatCompletionMessage::assistant_calls([call]));
    assert_eq!(read[6], ChatCompletionMessage::assistant("{}"));
    let cut = ChatCompletionMessageToolCall::function("b", "f", r#"{"cut": "by a lim"#);
    assert_eq!(
        read[7],
        ChatCompletionMessage::assistant_calls([cut, ChatCompletionMessageToolCall::function("c", "f", "")])
    );
}

#[test]
fn another_crates_requests_are_read_alike() {
    // TL1, TL2, SO1, CQ7, CQ9, CQ18
    let turns = r#"
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "2"}]},
        {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "3"}"#;
    // That crate's custom tools differ from the API's.
    let tools = r#""tools": [{"type": "function", "function": {"name": "f", "parameters": {"b": 1, "a": 2}}}]"#;
    for body in [
        with_messages(turns),
        with_keys(&format!(r#"{tools}, "tool_choice": "required", "parallel_tool_calls": false"#)),
        with_keys(&format!(r#"{tools}, "tool_choice": {{"type": "function", "function": {{"name": "f"}}}}"#)),
        with_keys(r#""functions": [{"name": "f", "parameters": {}}], "function_call": {"name": "f"}"#),
        with_format(r#"{"type": "json_object"}"#),
        with_format(
            r#"{"type": "json_schema", "json_schema": {"name": "s", "schema": {"b": 1, "a": 2}, "strict": true}}"#,
        ),
        with_keys(r#""n": 2, "logprobs": true, "top_logprobs": 3, "logit_bias": {"7": -100}"#),
        with_keys(r#""frequency_penalty": 0.5, "presence_penalty": -0.5, "reasoning_effort": "low""#),
        with_keys(
            r#""prediction": {"type": "content", "content": "a"}, "modalities": ["text"], "verbosity": "medium""#,
        ),
    ] {
        let theirs: async_openai::types::chat::CreateChatCompletionRequest = serde_json::from_str(&body).unwrap();
        let sent = serde_json::to_string(&theirs).unwrap();
        assert_eq!(parse(&sent).unwrap(), parse(&body).unwrap(), "{sent}");
    }
}
