//! Models in a process of their own, for hosts that must not share the fate of native code.
//!
//! The engine's door is all there is between the two: a request goes through a pipe to the worker
//! process (`worker`), whose engine answers it, and the reply comes back through another (`link`).
//! When the worker ends, whatever it was working on fails with status 503, and the next request starts
//! another (`child`).

mod child;
mod frame;
mod link;
mod logs;
mod streamed;
mod worker;

use std::path::{Path, PathBuf};

pub(crate) use child::Isolated;
pub(crate) use frame::Settings;
pub(crate) use link::{RemoteEvents, RemoteReply};
pub(crate) use streamed::{Chunks, Streamed};
pub use worker::run_worker;

/// Where an engine computes; see [`EngineBuilder::isolation`](crate::EngineBuilder::isolation).
///
/// ```
/// let isolation = zerohop::Isolation::process().worker("/opt/zerohop/bin/zerohop");
/// # let _ = isolation;
/// ```
#[derive(Debug, Clone, Default)]
pub struct Isolation {
    pub(crate) worker: Option<PathBuf>,
}

impl Isolation {
    /// In a worker process.
    pub fn process() -> Self {
        Self::default()
    }

    /// The program to start: the command `zerohop`, or one that calls [`run_worker`] when its only
    /// argument is `worker`; of the same version in any case. Default: `zerohop` beside this program, or
    /// else in the folders of `PATH`.
    #[must_use]
    pub fn worker(mut self, program: impl AsRef<Path>) -> Self {
        self.worker = Some(program.as_ref().to_path_buf());
        self
    }
}
