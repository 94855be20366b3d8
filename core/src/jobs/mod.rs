//! Requests that a model's threads compute turn by turn: speech in windows, images one by one.

mod feed;
mod queue;

pub(crate) use feed::{Receiver, Sender, channel};
pub(crate) use queue::{Job, Queue};
