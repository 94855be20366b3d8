//! What makes a chat request a bad one (ER3): everything that does not depend on the model.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::chat::CreateChatCompletionRequest;
use super::chat_options::{Modality, PredictionContent, Stop, Verbosity};
use super::error::{Error, Result};
use super::ext::check_form;
use super::message::check_messages;
use super::tools::{check_functions, check_tools};
use crate::generate::SamplingParams;

impl CreateChatCompletionRequest {
    /// Checks everything that does not depend on the model.
    pub(crate) fn validate(&self) -> Result<()> {
        self.check_unserved()?;
        check_messages(&self.messages)?;
        self.check_sampling()?;
        self.check_token_limit()?;
        self.stop.as_ref().map_or(Ok(()), Stop::validate)?;
        self.check_output()?;
        self.check_tool_use()?;
        self.check_function_use()?;
        self.metadata.as_ref().map_or(Ok(()), check_metadata)?;
        self.ext.validate()
    }

    /// CQ9
    fn check_sampling(&self) -> Result<()> {
        check_sampling_params(&self.sampling_params())?;
        check_range("n", self.n, 1..=128)?;
        check_range("top_logprobs", self.top_logprobs, 0..=20)?;
        if self.top_logprobs.is_some() && self.logprobs != Some(true) {
            return Err(Error::invalid("top_logprobs", "'top_logprobs' is only allowed when 'logprobs' is true"));
        }
        Ok(())
    }

    /// CQ8
    fn check_token_limit(&self) -> Result<()> {
        if self.max_tokens.is_some() && self.max_completion_tokens.is_some() {
            return Err(Error::invalid(
                "max_tokens",
                "'max_tokens' and 'max_completion_tokens' are the same limit: give only one",
            ));
        }
        let limits = [("max_tokens", self.max_tokens), ("max_completion_tokens", self.max_completion_tokens)];
        for (param, limit) in limits {
            if limit == Some(0) {
                let message = format!("'{param}' must be at least 1");
                return Err(Error::invalid(param, message));
            }
        }
        Ok(())
    }

    /// CQ13, CQ15, CQ16, SO1
    fn check_output(&self) -> Result<()> {
        if matches!(self.verbosity, Some(Verbosity::Low | Verbosity::High)) {
            return Err(Error::unsupported_value("verbosity", "Only 'medium' is served as 'verbosity'"));
        }
        self.modalities.as_deref().map_or(Ok(()), check_modalities)?;
        self.prediction.as_ref().map_or(Ok(()), PredictionContent::validate)?;
        check_form(self.response_format.as_ref(), self.ext.grammar.as_deref())
    }

    /// TL1, TL2
    fn check_tool_use(&self) -> Result<()> {
        let tools = self.tools.as_deref();
        tools.map_or(Ok(()), check_tools)?;
        self.tool_choice.as_ref().map_or(Ok(()), |choice| choice.validate(tools))?;
        if self.parallel_tool_calls.is_some() && tools.is_none() {
            return Err(Error::invalid(
                "parallel_tool_calls",
                "'parallel_tool_calls' is only allowed when 'tools' are given",
            ));
        }
        Ok(())
    }

    /// CQ18
    fn check_function_use(&self) -> Result<()> {
        let functions = self.functions.as_deref();
        functions.map_or(Ok(()), check_functions)?;
        if functions.is_some() && self.tools.is_some() {
            return Err(Error::invalid("functions", "'functions' is the deprecated form of 'tools': give only one"));
        }
        self.function_call.as_ref().map_or(Ok(()), |choice| choice.validate(functions))
    }
}

/// What all kinds of completions share (CQ9).
pub(super) fn check_sampling_params(params: &SamplingParams<'_>) -> Result<()> {
    check_range("temperature", params.temperature, 0.0..=2.0)?;
    check_range("top_p", params.top_p, 0.0..=1.0)?;
    check_range("frequency_penalty", params.frequency_penalty, -2.0..=2.0)?;
    check_range("presence_penalty", params.presence_penalty, -2.0..=2.0)?;
    params.logit_bias.map_or(Ok(()), check_logit_bias)
}

/// Refuses a number outside of `range`; NaN is outside of every range (CQ9).
pub(super) fn check_range<T>(param: &'static str, value: Option<T>, range: RangeInclusive<T>) -> Result<()>
where
    T: PartialOrd + std::fmt::Display,
{
    match value {
        Some(value) if !range.contains(&value) => {
            let (low, high) = range.into_inner();
            let message = format!("'{param}' must be from {low} to {high}, but is {value}");
            Err(Error::invalid(param, message))
        }
        _ => Ok(()),
    }
}

/// Whether the tokens exist is known only where the model is.
fn check_logit_bias(biases: &BTreeMap<u32, f32>) -> Result<()> {
    match biases.iter().find(|(_, bias)| !(-100.0..=100.0).contains(*bias)) {
        Some((token, bias)) => {
            let param = format!("logit_bias.{token}");
            let message = format!("'{param}' must be from -100 to 100, but is {bias}");
            Err(Error::invalid(param, message))
        }
        None => Ok(()),
    }
}

/// CQ16
fn check_modalities(modalities: &[Modality]) -> Result<()> {
    if modalities.is_empty() {
        return Err(Error::invalid("modalities", "'modalities' must have at least one entry"));
    }
    if modalities.contains(&Modality::Audio) {
        return Err(Error::unsupported_value("modalities", "This model writes text only: it cannot answer in audio"));
    }
    Ok(())
}

/// CQ17
pub(crate) fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<()> {
    if metadata.len() > 16 {
        let count = metadata.len();
        let message = format!("'metadata' has {count} pairs; at most 16 are allowed");
        return Err(Error::invalid("metadata", message));
    }
    for (key, value) in metadata {
        if key.chars().count() > 64 {
            let message = "A key of 'metadata' has more than 64 characters";
            return Err(Error::invalid("metadata", message));
        }
        if value.chars().count() > 512 {
            let message = format!("The value of 'metadata.{key}' has more than 512 characters");
            return Err(Error::invalid(format!("metadata.{key}"), message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::message::ChatCompletionMessage;

    fn request() -> CreateChatCompletionRequest {
        CreateChatCompletionRequest::new("m", [ChatCompletionMessage::user("hi")])
    }

    #[test]
    fn typed_requests_are_checked_too() {
        // CQ9: values that JSON cannot even write
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for (request, param) in [
                (request().temperature(bad), "temperature"),
                (request().top_p(bad), "top_p"),
                (request().frequency_penalty(bad), "frequency_penalty"),
                (request().presence_penalty(bad), "presence_penalty"),
                (request().logit_bias([(1, bad)]), "logit_bias.1"),
                (request().repeat_penalty(bad), "repeat_penalty"),
                (request().min_p(bad), "min_p"),
            ] {
                assert_eq!(request.validate().unwrap_err().param(), Some(param));
            }
        }
        let ends = request().temperature(2.0).top_p(0.0).stop(["a", "b", "c", "d"]).n(128).logprobs(true);
        let ends = ends.frequency_penalty(-2.0).presence_penalty(2.0).top_logprobs(20);
        assert!(ends.logit_bias([(0, -100.0), (u32::MAX, 100.0)]).validate().is_ok());
    }

    #[test]
    fn typed_messages_are_checked_too() {
        // CQ4: an empty list, which JSON's reader takes for none (CR16)
        let mut silent = ChatCompletionMessage::assistant_calls([]);
        let check = |message: &ChatCompletionMessage| {
            CreateChatCompletionRequest::new("m", [message.clone()])
                .validate()
                .map_err(|e| e.param().map(str::to_owned))
        };
        assert_eq!(check(&silent), Err(Some("messages[0].tool_calls".to_owned())));
        silent.tool_calls = None;
        assert_eq!(check(&silent), Err(Some("messages[0].content".to_owned())));
        silent.refusal = Some("no".to_owned());
        assert_eq!(check(&silent), Ok(()));
    }

    #[test]
    fn metadata_is_counted_in_characters() {
        // CQ17
        let pairs = |count: usize| (0..count).map(|i| (i.to_string(), ""));
        assert!(request().metadata(pairs(16)).validate().is_ok());
        assert!(request().metadata([("ü".repeat(64), "ü".repeat(512))]).validate().is_ok());
        for (request, param) in [
            (request().metadata(pairs(17)), "metadata"),
            (request().metadata([("ü".repeat(65), "")]), "metadata"),
            (request().metadata([("k", "ü".repeat(513))]), "metadata.k"),
        ] {
            assert_eq!(request.validate().unwrap_err().param(), Some(param));
        }
    }
}
