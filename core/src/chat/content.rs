//! What messages contain, as one text for the template: images and sound are marks in it (CQ3, CQ5, CQ6).

use std::sync::Arc;

use super::prompt::context_exceeded;
use crate::api::content::{ContentPart, MessageContent};
use crate::api::error::{Error, Result};
use crate::api::message::ChatCompletionMessage;
use crate::media::Media;
use crate::model::{ControlSpellings, LoadedModel};

/// Reads the contents of a conversation's messages, in order.
#[derive(Debug)]
pub(super) struct Contents<'a> {
    model: &'a LoadedModel,
    /// The images and sound so far, in order.
    pub(super) media: Vec<Arc<Media>>,
    /// How many tokens they have.
    rows: usize,
}

impl<'a> Contents<'a> {
    pub(super) fn new(model: &'a LoadedModel) -> Self {
        Contents { model, media: Vec::new(), rows: 0 }
    }

    /// The text of the message that is `index`th in the request, with marks. Parts of text are lines of their
    /// own, and media stand where they are, as llama.cpp joins parts for templates that know only strings.
    ///
    /// # Errors
    ///
    /// A 400 for a part that the model cannot take, or whose data are no image or sound.
    pub(super) fn read(&mut self, index: usize, message: &ChatCompletionMessage) -> Result<String> {
        let spellings = &self.model.control_spellings;
        let parts = match (&message.content, &message.refusal) {
            (Some(MessageContent::Text(text)), _) => return Ok(spellings.mark(text)),
            (Some(MessageContent::Parts(parts)), _) => parts,
            (None, refusal) => return Ok(spellings.mark(refusal.as_deref().unwrap_or_default())),
        };
        let mut content = String::new();
        let mut after_text = false;
        for (part, place) in parts.iter().zip(0..) {
            let media = match part {
                ContentPart::Text { text } | ContentPart::Refusal { refusal: text } => {
                    if after_text {
                        content.push('\n');
                    }
                    content.push_str(&spellings.mark(text));
                    after_text = true;
                    continue;
                }
                part => self.media(part, &format!("messages[{index}].content[{place}]"))?,
            };
            content.push_str(&ControlSpellings::media_mark(self.media.len()));
            self.add(media)?;
            after_text = false;
        }
        Ok(content)
    }

    /// # Errors
    ///
    /// When they are too long for the context already: no more are decoded then, which are large in memory.
    fn add(&mut self, media: Arc<Media>) -> Result<()> {
        self.rows += media.rows();
        self.media.push(media);
        let context_length = self.model.info.context_length as usize;
        if self.rows > context_length {
            return Err(context_exceeded(context_length, self.rows, None));
        }
        Ok(())
    }

    fn media(&self, part: &ContentPart, path: &str) -> Result<Arc<Media>> {
        let reader = self.model.media.as_ref();
        match part {
            ContentPart::ImageUrl { image_url } => {
                let reader = reader.filter(|reader| reader.sees());
                reader.ok_or_else(|| self.unfit(path, "image_url", "sees no images"))?.image(image_url, path)
            }
            ContentPart::InputAudio { input_audio } => {
                let reader = reader.filter(|reader| reader.hears());
                reader.ok_or_else(|| self.unfit(path, "input_audio", "hears nothing"))?.sound(input_audio, path)
            }
            _ => Err(Error::internal("a part of a message has not been refused")),
        }
    }

    /// CQ5: never dropped silently.
    fn unfit(&self, path: &str, kind: &str, why: &str) -> Error {
        let message = format!(
            "The model '{}' {why}: it cannot take a part of type {kind}; load it with its projector if it has one",
            self.model.info.id
        );
        Error::unsupported_value(path.to_owned(), message)
    }
}
