//! The thread that computes batches, one after another.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use super::jobs::{End, Task};
use crate::api::batches::BatchError;
use crate::api::error::{Error, ErrorKind, Result};
use crate::api::files::{FileObject, FilePurpose};
use crate::batch::{Finished, Lines, Run, check, fault};
use crate::engine::Engine;
use crate::files::GrowingFile;

/// Has a thread take up what waits. It ends when nothing does.
pub(super) fn start(engine: &Engine) -> Result<()> {
    engine.batch_jobs().serve(|| {
        let engine = engine.clone();
        let work = move || {
            while let Some(task) = engine.batch_jobs().next() {
                let result = catch_unwind(AssertUnwindSafe(|| compute(&engine, &task)));
                let result = result.unwrap_or_else(|_| Err(Error::internal("the thread of batches met a fault")));
                engine.batch_jobs().end(&task.id, result.unwrap_or_else(|error| refused(&error)));
            }
        };
        thread::Builder::new().name("zerohop-batches".to_owned()).spawn(work).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "a thread that computes batches cannot start").with_source(error)
        })
    })
}

fn compute(engine: &Engine, task: &Task) -> Result<End> {
    let (jobs, store) = (engine.batch_jobs(), engine.open_files()?);
    let content = store.content(&task.input_file_id)?;
    let endpoint = Some(task.endpoint.as_str());
    let checked = check(&mut Lines::new(&content[..]), endpoint)
        .map_err(|error| Error::invalid("input_file_id", error.to_string()).with_source(error))?;
    let total = match checked {
        Ok(total) => total,
        Err(faults) => return Ok(End::Refused(faults)),
    };
    jobs.begin(&task.id, total);
    let (mut output, mut errors) = (GrowingFile::new(store), GrowingFile::new(store));
    let run = Run::new(engine, Lines::new(&content[..]), endpoint, total, Finished::none(), (&mut output, &mut errors));
    // An engine that only this thread holds cannot be asked for results.
    let result = run.all(None, |counts| jobs.progress(&task.id, counts) && !engine.is_last());
    drop(run);
    jobs.finalize(&task.id);
    let keep = |file: GrowingFile<'_>, kind: &str| {
        let name = format!("{}_{kind}.jsonl", task.id);
        file.finish(name, FilePurpose::BatchOutput, task.output_expires_after)
    };
    let (output, errors) = (keep(output, "output"), keep(errors, "error"));
    let failure = [result.err(), output.as_ref().err().cloned(), errors.as_ref().err().cloned()];
    let failure = failure.into_iter().flatten().next().map(|error| batch_error(&error));
    let id = |file: Result<Option<FileObject>>| file.ok().flatten().map(|file| file.id);
    Ok(End::Ran { output_file_id: id(output), error_file_id: id(errors), failure })
}

fn refused(error: &Error) -> End {
    End::Refused(vec![batch_error(error)])
}

fn batch_error(error: &Error) -> BatchError {
    fault(error.code().unwrap_or("batch_failed"), None, error.message(), None)
}
