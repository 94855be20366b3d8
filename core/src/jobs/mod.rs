//! Requests that a model's threads compute turn by turn: speech in windows, images one by one.

mod feed;
mod queue;
mod threads;
mod ticket;

pub(crate) use feed::Receiver;
pub(crate) use queue::{Job, Queue};
pub(crate) use threads::Threads;
pub(crate) use ticket::Ticket;
