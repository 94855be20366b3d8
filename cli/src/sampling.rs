//! How answers are generated: options of `chat` and `run`.

use clap::Args;
use zerohop::types::{ChatCompletionMessage, CreateChatCompletionRequest};

use crate::model::MODEL;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Answers")]
pub(crate) struct SamplingArguments {
    /// What the model should be or heed, before the conversation
    #[arg(long, short, value_name = "TEXT")]
    pub(crate) system: Option<String>,
    /// Tokens of an answer at most
    #[arg(long, short = 'n', value_name = "N")]
    max_tokens: Option<u32>,
    /// How much chance there is in an answer: 0 for none, up to 2
    #[arg(long, short, value_name = "T")]
    temperature: Option<f32>,
    /// Choose among the likeliest tokens that together have this probability
    #[arg(long, value_name = "P")]
    top_p: Option<f32>,
    /// Equal seeds give equal answers
    #[arg(long, value_name = "N")]
    seed: Option<i64>,
}

impl SamplingArguments {
    /// The request for the next answer of a conversation.
    pub(crate) fn request(&self, messages: Vec<ChatCompletionMessage>) -> CreateChatCompletionRequest {
        let mut request = CreateChatCompletionRequest::new(MODEL, messages);
        request.max_completion_tokens = self.max_tokens;
        request.temperature = self.temperature;
        request.top_p = self.top_p;
        request.seed = self.seed;
        request
    }

    /// A conversation's beginning.
    pub(crate) fn opening(&self) -> Vec<ChatCompletionMessage> {
        self.system.iter().map(|text| ChatCompletionMessage::system(text.as_str())).collect()
    }
}
