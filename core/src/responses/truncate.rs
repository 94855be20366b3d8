//! Conversations made to fit (`truncation: auto`).

use crate::api::chat::CreateChatCompletionRequest;
use crate::api::error::Result;
use crate::api::message::Role;

/// The request without so many of its oldest turns that `fits` finds it short enough, and no more; with
/// only the last turn if it never does. A turn begins with a message of the user's. Instructions stay.
pub(super) fn shortened(
    request: &CreateChatCompletionRequest,
    fits: impl Fn(&CreateChatCompletionRequest) -> Result<bool>,
) -> Result<CreateChatCompletionRequest> {
    let messages = request.messages.iter().enumerate();
    let turns: Vec<usize> =
        messages.filter(|(_, message)| message.role == Role::User).map(|(index, _)| index).skip(1).collect();
    // The first of them from which on it fits is between these.
    let (mut low, mut high) = (0, turns.len().saturating_sub(1));
    while low < high {
        let middle = usize::midpoint(low, high);
        if fits(&from(request, turns[middle]))? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(turns.get(low).map_or_else(|| request.clone(), |turn| from(request, *turn)))
}

/// The request from a message on, with the instructions before it.
fn from(request: &CreateChatCompletionRequest, first: usize) -> CreateChatCompletionRequest {
    let mut index = 0;
    let mut shortened = request.clone();
    shortened.messages.retain(|message| {
        index += 1;
        index > first || matches!(message.role, Role::System | Role::Developer)
    });
    shortened
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::content::MessageContent;
    use crate::api::message::ChatCompletionMessage;

    /// What is left of a conversation if at most `longest` messages fit.
    fn left(longest: usize) -> String {
        let message = |text: &str| match text {
            text if text.starts_with('s') => ChatCompletionMessage::system(text),
            text if text.starts_with('u') => ChatCompletionMessage::user(text),
            text => ChatCompletionMessage::assistant(text),
        };
        let messages = ["s1", "u1", "a1", "u2", "s2", "a2", "a3", "u3"].map(message);
        let request = CreateChatCompletionRequest::new("m", messages);
        let left = shortened(&request, |request| Ok(request.messages.len() <= longest)).unwrap();
        let text = |message: &ChatCompletionMessage| match &message.content {
            Some(MessageContent::Text(text)) => text.clone(),
            other => panic!("{other:?}"),
        };
        left.messages.iter().map(text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_oldest_turns_go_first() {
        // RE1
        assert_eq!(left(7), "s1 u2 s2 a2 a3 u3");
        assert_eq!(left(6), "s1 u2 s2 a2 a3 u3");
        assert_eq!(left(5), "s1 s2 u3");
        assert_eq!(left(3), "s1 s2 u3");
        assert_eq!(left(1), "s1 s2 u3");
    }

    #[test]
    fn one_turn_stays_whole() {
        // RE1
        let request = CreateChatCompletionRequest::new("m", [ChatCompletionMessage::user("u")]);
        assert_eq!(shortened(&request, |_| Ok(false)).unwrap(), request);
    }
}
