//! Tools for templates that know none: described in the system message, called by
//! plain JSON objects, answered in user messages.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::bare_calls::opening;
use crate::api::message::Role;
use crate::backend::{TemplateMessage, TemplateTool, TemplateToolCall};

/// The conversation with nothing in it that the template does not know.
pub(super) fn spelled_out(messages: Vec<TemplateMessage>, tools: &[TemplateTool]) -> Vec<TemplateMessage> {
    let mut names: HashMap<String, String> = HashMap::new();
    let mut spelled = vec![system_message(tools)];
    for mut message in messages {
        for call in &message.tool_calls {
            names.insert(call.id.clone(), call.name.clone());
        }
        match message.role {
            // One system message, at the beginning: many templates know no other.
            Role::System | Role::Developer if spelled.len() == 1 => {
                spelled[0].content = format!("{}\n\n{}", message.content, spelled[0].content);
            }
            Role::Tool => {
                let name = message.tool_call_id.as_ref().and_then(|id| names.get(id)).or(message.name.as_ref());
                let name = name.map_or("the tool", String::as_str);
                spelled.push(TemplateMessage {
                    role: Role::User,
                    content: format!("Result of {name}: {}", message.content),
                    tool_call_id: None,
                    name: None,
                    ..message
                });
            }
            _ => {
                let lines = message.tool_calls.drain(..).map(|call| call_line(&call));
                let text = Some(message.content).filter(|text| !text.is_empty());
                message.content = text.into_iter().chain(lines).collect::<Vec<_>>().join("\n");
                spelled.push(message);
            }
        }
    }
    spelled
}

fn system_message(tools: &[TemplateTool]) -> TemplateMessage {
    let tools: Vec<String> = tools.iter().map(|tool| description(tool).to_string()).collect();
    let content = format!(
        "You can call these tools:\n{}\nTo call a tool, answer with nothing but a line like \
         {{\"name\": \"the tool's name\", \"arguments\": {{the arguments, as its parameters say}}}}.",
        tools.join("\n")
    );
    TemplateMessage {
        role: Role::System,
        content,
        reasoning_content: None,
        tool_calls: Vec::new(),
        tool_call_id: None,
        name: None,
    }
}

fn description(tool: &TemplateTool) -> Value {
    json!({ "name": tool.name, "description": tool.description, "parameters": tool.parameters })
}

fn call_line(call: &TemplateToolCall) -> String {
    format!("{}{}}}", opening(&call.name), call.arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_answers_become_text() {
        // TL14
        let mut call = TemplateMessage::new(Role::Assistant, "Let me see.");
        let (id, name, arguments) = ("1".to_owned(), "weather".to_owned(), r#"{"city": "Oslo"}"#.to_owned());
        call.tool_calls.push(TemplateToolCall { id: id.clone(), name: name.clone(), arguments });
        let mut answer = TemplateMessage::new(Role::Tool, "sunny");
        answer.tool_call_id = Some(id);
        let messages = vec![TemplateMessage::new(Role::System, "Be brief."), call, answer];
        let tool = TemplateTool { name, description: "Tells it.".to_owned(), parameters: json!({"type": "object"}) };

        let spelled = spelled_out(messages, &[tool]);
        let roles: Vec<Role> = spelled.iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::System, Role::Assistant, Role::User]);
        assert!(spelled[0].content.starts_with("Be brief.\n\nYou can call these tools:\n{\"name\":\"weather\""));
        let line = "{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}";
        assert_eq!(spelled[1].content, format!("Let me see.\n{line}"));
        assert_eq!(spelled[2].content, "Result of weather: sunny");
    }
}
