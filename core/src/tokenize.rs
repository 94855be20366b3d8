//! Text to tokens and back, for callers who count or cut their texts.

use crate::api::chat::CreateChatCompletionRequest;
use crate::api::error::{Error, Result};
use crate::api::message::ChatCompletionMessage;
use crate::api::tokenize::{DetokenizeRequest, DetokenizeResponse, TokenizeRequest, TokenizeResponse};
use crate::backend::{Span, Token};
use crate::chat;
use crate::engine::Engine;
use crate::media::is_row;
use crate::model::{LoadedModel, ModelKind};

/// The longest text, in bytes: tokenising takes a stack of a thousand times as much address space.
const MAX_TEXT: usize = 1 << 20;

impl Engine {
    /// The tokens of a text or a conversation: those that a completion, or a vector, of it is computed
    /// from. Nothing is computed, so that it takes little time, also while the model is busy.
    ///
    /// # Errors
    ///
    /// The API's errors: `InvalidRequest`, also for a text of more than a MiB; `NotFound` for an unknown
    /// model.
    ///
    /// ```no_run
    /// use zerohop::types::TokenizeRequest;
    ///
    /// let engine = zerohop::Engine::builder().model("chat", "qwen.gguf").build()?;
    /// let reply = engine.tokenize(&TokenizeRequest::new("chat", "How long is this?"))?;
    /// println!("{} of {} tokens", reply.count, reply.max_model_len);
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn tokenize(&self, request: &TokenizeRequest) -> Result<TokenizeResponse> {
        request.validate()?;
        if let Some(reply) = self.remote("/tokenize", request) {
            return reply;
        }
        let served = self.served(&request.model)?;
        let model = served.model()?;
        let tokens = match (&request.prompt, &request.messages) {
            (Some(prompt), _) => text_tokens(model, prompt, request.add_special_tokens.unwrap_or(true))?,
            (None, messages) => chat_tokens(model, request, messages.as_deref().unwrap_or_default())?,
        };
        let vocab = model.backend.vocab();
        let name = |token: &Token| String::from_utf8_lossy(vocab.spelling(*token)).into_owned();
        Ok(TokenizeResponse {
            count: u32::try_from(tokens.len()).unwrap_or(u32::MAX),
            max_model_len: model.info.context_length,
            token_strs: (request.return_token_strs == Some(true)).then(|| tokens.iter().map(name).collect()),
            tokens: tokens.into_iter().map(i32::cast_unsigned).collect(),
        })
    }

    /// The text of tokens, the spellings of control tokens included.
    ///
    /// # Errors
    ///
    /// The API's errors: `InvalidRequest` for a token that the model does not have; `NotFound` for an
    /// unknown model.
    ///
    /// ```no_run
    /// use zerohop::types::DetokenizeRequest;
    ///
    /// let engine = zerohop::Engine::builder().model("chat", "qwen.gguf").build()?;
    /// assert_eq!(engine.detokenize(&DetokenizeRequest::new("chat", [9707, 498]))?.prompt, "Hello you");
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn detokenize(&self, request: &DetokenizeRequest) -> Result<DetokenizeResponse> {
        if let Some(reply) = self.remote("/detokenize", request) {
            return reply;
        }
        let served = self.served(&request.model)?;
        let vocab = served.model()?.backend.vocab();
        let mut bytes = Vec::new();
        for (index, &token) in request.tokens.iter().enumerate() {
            bytes.extend_from_slice(vocab.spelling(vocab.known(token, || format!("tokens[{index}]"))?));
        }
        Ok(DetokenizeResponse { prompt: String::from_utf8_lossy(&bytes).into_owned() })
    }
}

fn text_tokens(model: &LoadedModel, prompt: &str, add_special: bool) -> Result<Vec<Token>> {
    if prompt.len() > MAX_TEXT {
        let message = format!("'prompt' has {} bytes; at most {MAX_TEXT} are tokenised at once", prompt.len());
        return Err(Error::invalid("prompt", message));
    }
    let vocab = model.backend.vocab();
    let is_generative = model.kind == ModelKind::Generative;
    if add_special && !is_generative {
        let documents = vocab.tokenize_documents(&[prompt.to_owned()]);
        return documents.map(|documents| documents.into_iter().flatten().collect());
    }
    let mut tokens = vocab.tokenize(&[Span { text: prompt, parse_special: is_generative }])?;
    if add_special && let Some(bos) = vocab.bos().filter(|bos| tokens.first() != Some(bos)) {
        tokens.insert(0, bos);
    }
    Ok(tokens)
}

fn chat_tokens(
    model: &LoadedModel,
    request: &TokenizeRequest,
    messages: &[ChatCompletionMessage],
) -> Result<Vec<Token>> {
    let mut chat = CreateChatCompletionRequest::new(&request.model, messages.iter().cloned());
    chat.tools.clone_from(&request.tools);
    chat.ext.chat_template_kwargs.clone_from(&request.chat_template_kwargs);
    chat.validate()?;
    let prompt = chat::prompt(model, &chat)?;
    if prompt.tokens.iter().any(|token| is_row(*token)) {
        return Err(Error::invalid(
            "messages",
            "Images and audio are no tokens: /v1/responses/input_tokens counts them",
        ));
    }
    Ok(prompt.tokens)
}
