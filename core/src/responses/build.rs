//! Chat chunks to the events of a response (RE5, RE7 to RE10), and to the response itself.

use std::collections::VecDeque;

use uuid::Uuid;

use crate::api::chat_chunk::{ChatCompletionChunk, ChunkDelta, ToolCallDelta, ToolCallKind};
use crate::api::chat_reply::FinishReason;
use crate::api::error::{Error, ErrorKind};
use crate::api::logprobs::TokenLogprob;
use crate::api::responses::event::{
    ArgumentsDeltaEvent, ArgumentsDoneEvent, ContentPartEvent, InputDoneEvent, OutputItemEvent, ReasoningDeltaEvent,
    ReasoningDoneEvent, ResponseEvent, ResponseStreamEvent as Event, TextDeltaEvent, TextDoneEvent,
};
use crate::api::responses::item::{
    CustomToolCall, FunctionToolCall, ItemStatus, MessageRole, OutputContent, OutputItem, OutputMessage, ReasoningItem,
    ReasoningText,
};
use crate::api::responses::reply::{IncompleteDetails, IncompleteReason, Response, ResponseError, ResponseStatus};
use crate::clock;

/// A new id with what says whose it is, such as `resp_`.
pub(crate) fn new_id(prefix: &str) -> String {
    format!("{prefix}_{}", Uuid::new_v4().simple())
}

/// A response on its way, and the events that tell of it.
#[derive(Debug)]
pub(super) struct Builder {
    /// The response; its output has the items that are finished.
    response: Response,
    /// The item that more is coming to.
    open: Option<Open>,
    finish: Option<FinishReason>,
    logprobs: bool,
    sequence: u64,
    events: VecDeque<Event>,
}

/// An item on its way.
#[derive(Debug)]
struct Open {
    id: String,
    kind: OpenKind,
    text: String,
}

#[derive(Debug)]
enum OpenKind {
    Reasoning,
    Message { logprobs: Vec<TokenLogprob> },
    Call { call_id: String, name: String, custom: bool },
}

impl Builder {
    /// Begins with a response that has no output yet.
    pub(super) fn new(response: Response, logprobs: bool) -> Self {
        let events = VecDeque::new();
        let mut builder = Builder { response, open: None, finish: None, logprobs, sequence: 0, events };
        builder.tell_response(Event::Created);
        builder.tell_response(Event::InProgress);
        builder
    }

    /// The next event that is there.
    pub(super) fn pop(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Takes a chunk of the one choice.
    pub(super) fn push(&mut self, chunk: ChatCompletionChunk) {
        if let Some(usage) = chunk.usage.flatten() {
            self.response.usage = Some(usage.into());
        }
        for choice in chunk.choices {
            let logprobs = choice.logprobs.and_then(|logprobs| logprobs.content).unwrap_or_default();
            self.push_delta(choice.delta, logprobs);
            self.finish = choice.finish_reason.or(self.finish);
        }
    }

    fn push_delta(&mut self, delta: ChunkDelta, logprobs: Vec<TokenLogprob>) {
        if let Some(text) = delta.reasoning_content {
            self.push_reasoning(text);
        }
        if let Some(text) = delta.content.filter(|text| !text.is_empty() || !logprobs.is_empty()) {
            self.push_text(text, logprobs);
        }
        for call in delta.tool_calls.into_iter().flatten() {
            self.push_call(call);
        }
    }

    fn push_reasoning(&mut self, delta: String) {
        if !matches!(&self.open, Some(Open { kind: OpenKind::Reasoning, .. })) {
            self.open("rs", OpenKind::Reasoning);
        }
        let Some(open) = &mut self.open else { return };
        open.text.push_str(&delta);
        let (item_id, output_index) = (open.id.clone(), self.response.output.len());
        self.tell(|sequence_number| {
            Event::ReasoningTextDelta(ReasoningDeltaEvent {
                sequence_number,
                item_id,
                output_index,
                content_index: 0,
                delta,
            })
        });
    }

    fn push_text(&mut self, delta: String, logprobs: Vec<TokenLogprob>) {
        if !matches!(&self.open, Some(Open { kind: OpenKind::Message { .. }, .. })) {
            self.open("msg", OpenKind::Message { logprobs: Vec::new() });
        }
        let Some(open) = &mut self.open else { return };
        open.text.push_str(&delta);
        if let OpenKind::Message { logprobs: all } = &mut open.kind {
            all.extend_from_slice(&logprobs);
        }
        let (item_id, output_index) = (open.id.clone(), self.response.output.len());
        self.tell(|sequence_number| {
            Event::OutputTextDelta(TextDeltaEvent {
                sequence_number,
                item_id,
                output_index,
                content_index: 0,
                delta,
                logprobs,
            })
        });
    }

    fn push_call(&mut self, call: ToolCallDelta) {
        let (name, delta) = match (call.function, call.custom) {
            (Some(function), _) => (function.name, function.arguments),
            (None, Some(custom)) => (custom.name, custom.input),
            (None, None) => return,
        };
        if let (Some(call_id), Some(name)) = (call.id, name) {
            let custom = call.kind == Some(ToolCallKind::Custom);
            self.open(if custom { "ctc" } else { "fc" }, OpenKind::Call { call_id, name, custom });
        }
        let Some(delta) = delta.filter(|delta| !delta.is_empty()) else { return };
        let Some(open) = &mut self.open else { return };
        let OpenKind::Call { custom, .. } = open.kind else { return };
        open.text.push_str(&delta);
        let (item_id, output_index) = (open.id.clone(), self.response.output.len());
        self.tell(|sequence_number| {
            let event = ArgumentsDeltaEvent { sequence_number, item_id, output_index, delta };
            if custom { Event::CustomToolCallInputDelta(event) } else { Event::FunctionCallArgumentsDelta(event) }
        });
    }

    /// Begins an item (RE8, RE9), once the one before it is finished.
    fn open(&mut self, prefix: &str, kind: OpenKind) {
        self.close(ItemStatus::Completed);
        let open = Open { id: new_id(prefix), kind, text: String::new() };
        let (item_id, output_index) = (open.id.clone(), self.response.output.len());
        let mut item = open.item(ItemStatus::InProgress, self.logprobs);
        let part = open.part(self.logprobs);
        match &mut item {
            OutputItem::Message(message) => message.content.clear(),
            OutputItem::Reasoning(reasoning) => reasoning.content = Some(Vec::new()),
            OutputItem::FunctionCall(_) | OutputItem::CustomToolCall(_) => {}
        }
        self.tell(|sequence_number| Event::OutputItemAdded(OutputItemEvent { sequence_number, output_index, item }));
        if let Some(part) = part {
            self.tell(|sequence_number| {
                Event::ContentPartAdded(ContentPartEvent {
                    sequence_number,
                    item_id,
                    output_index,
                    content_index: 0,
                    part,
                })
            });
        }
        self.open = Some(open);
    }

    /// Finishes the item that is open.
    fn close(&mut self, status: ItemStatus) {
        let Some(open) = self.open.take() else { return };
        let output_index = self.response.output.len();
        self.tell(|sequence_number| open.done(sequence_number, output_index));
        if let Some(part) = open.part(self.logprobs) {
            let item_id = open.id.clone();
            self.tell(|sequence_number| {
                Event::ContentPartDone(ContentPartEvent {
                    sequence_number,
                    item_id,
                    output_index,
                    content_index: 0,
                    part,
                })
            });
        }
        let item = open.item(status, self.logprobs);
        self.response.output.push(item.clone());
        self.tell(|sequence_number| Event::OutputItemDone(OutputItemEvent { sequence_number, output_index, item }));
    }

    /// Takes the end of the chunks; gives the whole response, which the last event has too (RE10).
    pub(super) fn finish(&mut self) -> Response {
        let reason = match self.finish {
            Some(FinishReason::Length) => Some(IncompleteReason::MaxOutputTokens),
            Some(FinishReason::ContentFilter) => Some(IncompleteReason::ContentFilter),
            _ => None,
        };
        if self.open.is_none() && self.response.output.is_empty() {
            // The model said nothing.
            self.open("msg", OpenKind::Message { logprobs: Vec::new() });
        }
        self.close(if reason.is_some() { ItemStatus::Incomplete } else { ItemStatus::Completed });
        self.response.incomplete_details = reason.map(|reason| IncompleteDetails { reason });
        if reason.is_some() {
            self.response.status = ResponseStatus::Incomplete;
            self.tell_response(Event::Incomplete);
        } else {
            self.response.status = ResponseStatus::Completed;
            self.response.completed_at = Some(clock::now());
            self.tell_response(Event::Completed);
        }
        self.response.clone()
    }

    /// Takes a fault, which ends the response (RE10).
    pub(super) fn fail(&mut self, error: &Error) {
        let code = match error.kind() {
            ErrorKind::InvalidRequest => "invalid_prompt",
            ErrorKind::RateLimit => "rate_limit_exceeded",
            _ => "server_error",
        };
        self.close(ItemStatus::Incomplete);
        self.response.status = ResponseStatus::Failed;
        self.response.error = Some(ResponseError { code: code.to_owned(), message: error.message().to_owned() });
        self.tell_response(Event::Failed);
    }

    fn tell_response(&mut self, event: fn(ResponseEvent) -> Event) {
        let response = Box::new(self.response.clone());
        self.tell(|sequence_number| event(ResponseEvent { sequence_number, response }));
    }

    fn tell(&mut self, event: impl FnOnce(u64) -> Event) {
        self.events.push_back(event(self.sequence));
        self.sequence += 1;
    }
}

impl Open {
    fn item(&self, status: ItemStatus, with_logprobs: bool) -> OutputItem {
        match &self.kind {
            OpenKind::Reasoning => OutputItem::Reasoning(ReasoningItem {
                id: self.id.clone(),
                summary: Vec::new(),
                content: Some(vec![ReasoningText { text: self.text.clone() }]),
                status: Some(status),
            }),
            OpenKind::Message { .. } => OutputItem::Message(OutputMessage {
                id: self.id.clone(),
                role: MessageRole::Assistant,
                content: self.part(with_logprobs).into_iter().collect(),
                status,
            }),
            OpenKind::Call { call_id, name, custom: false } => OutputItem::FunctionCall(FunctionToolCall {
                id: Some(self.id.clone()),
                call_id: call_id.clone(),
                name: name.clone(),
                arguments: self.text.clone(),
                status: Some(status),
            }),
            OpenKind::Call { call_id, name, custom: true } => OutputItem::CustomToolCall(CustomToolCall {
                id: Some(self.id.clone()),
                call_id: call_id.clone(),
                name: name.clone(),
                input: self.text.clone(),
                status: Some(status),
            }),
        }
    }

    /// The item's one part; a call has none.
    fn part(&self, with_logprobs: bool) -> Option<OutputContent> {
        let text = self.text.clone();
        match &self.kind {
            OpenKind::Reasoning => Some(OutputContent::ReasoningText { text }),
            OpenKind::Message { logprobs } => Some(OutputContent::OutputText {
                text,
                annotations: Vec::new(),
                logprobs: with_logprobs.then(|| logprobs.clone()),
            }),
            OpenKind::Call { .. } => None,
        }
    }

    fn done(&self, sequence_number: u64, output_index: usize) -> Event {
        let (item_id, text) = (self.id.clone(), self.text.clone());
        match &self.kind {
            OpenKind::Reasoning => Event::ReasoningTextDone(ReasoningDoneEvent {
                sequence_number,
                item_id,
                output_index,
                content_index: 0,
                text,
            }),
            OpenKind::Message { logprobs } => Event::OutputTextDone(TextDoneEvent {
                sequence_number,
                item_id,
                output_index,
                content_index: 0,
                text,
                logprobs: logprobs.clone(),
            }),
            OpenKind::Call { custom: true, .. } => {
                Event::CustomToolCallInputDone(InputDoneEvent { sequence_number, item_id, output_index, input: text })
            }
            OpenKind::Call { name, .. } => Event::FunctionCallArgumentsDone(ArgumentsDoneEvent {
                sequence_number,
                item_id,
                output_index,
                name: name.clone(),
                arguments: text,
            }),
        }
    }
}
