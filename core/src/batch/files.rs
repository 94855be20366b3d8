//! The files of a batch: requests, and what has been finished of them.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, Hash, RandomState};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::BatchCounts;
use super::line::{FinishedLine, RequestLine, fault};
use crate::api::batches::BatchError;
use crate::api::error::{Error, ErrorKind, Result};

/// Bytes of one line at most: a request with several images.
const MAX_LINE: u64 = 256 << 20;
/// Faulty lines that are reported, of however many.
const MAX_REPORTED: usize = 100;

/// Names that have been seen. Of each, 16 bytes of hash are kept: 20,000 lines take a MiB at most,
/// however long their names.
pub(crate) struct Names {
    seen: HashSet<(u64, u64)>,
    hashers: (RandomState, RandomState),
}

impl Names {
    pub(super) fn new() -> Self {
        Names { seen: HashSet::new(), hashers: (RandomState::new(), RandomState::new()) }
    }

    /// Whether the name is new.
    fn insert(&mut self, name: &str) -> bool {
        self.seen.insert(self.key(name))
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.seen.contains(&self.key(name))
    }

    fn key(&self, name: impl Hash + Copy) -> (u64, u64) {
        (self.hashers.0.hash_one(name), self.hashers.1.hash_one(name))
    }
}

/// The lines of a file, one at a time.
pub(crate) struct Lines<R> {
    reader: R,
    number: u64,
    buffer: Vec<u8>,
}

impl Lines<BufReader<File>> {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| cannot(path, "be read", error))?;
        Ok(Lines::new(BufReader::with_capacity(1 << 16, file)))
    }
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Lines { reader, number: 0, buffer: Vec::new() }
    }

    /// The next line that is not blank, with its number from 1; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        loop {
            self.buffer.clear();
            if self.reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.buffer)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.buffer.len() as u64 == MAX_LINE {
                let message = format!("line {} is longer than {} MiB", self.number, MAX_LINE >> 20);
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            if !self.buffer.trim_ascii().is_empty() {
                // Borrowed anew, since the borrow checker cannot follow one out of a loop.
                return Ok(Some((self.number, self.buffer.trim_ascii())));
            }
        }
    }
}

/// Checks all lines of a batch, and counts them.
///
/// # Errors
///
/// The faults of the first faulty lines.
pub(crate) fn check<R: BufRead>(
    lines: &mut Lines<R>,
    endpoint: Option<&str>,
) -> io::Result<Result<u64, Vec<BatchError>>> {
    let mut names = Names::new();
    let (mut total, mut faults) = (0, Vec::new());
    while let Some((number, text)) = lines.next()? {
        total += 1;
        match RequestLine::read(text, number, endpoint) {
            Ok(line) if names.insert(&line.custom_id) => {}
            Ok(line) => {
                let message = format!("the custom_id {:?} has been used by an earlier line", line.custom_id);
                faults.push(fault("duplicate_custom_id", Some(number), message, Some("custom_id")));
            }
            Err(fault) => faults.push(fault),
        }
        if faults.len() == MAX_REPORTED {
            break;
        }
    }
    if total == 0 {
        faults.push(fault("empty_file", None, "the input has no requests", None));
    }
    Ok(if faults.is_empty() { Ok(total) } else { Err(faults) })
}

/// What an earlier run has finished.
pub(crate) struct Finished {
    pub(super) names: Names,
    pub(super) counts: BatchCounts,
}

impl Finished {
    /// Nothing.
    pub(crate) fn none() -> Self {
        Finished { names: Names::new(), counts: BatchCounts::default() }
    }

    /// Opens both files of results, which come behind what they say.
    pub(super) fn read(output: &Path, errors: &Path) -> Result<(Self, File, File)> {
        let Finished { mut names, mut counts } = Finished::none();
        let results = open_results(output, |line| {
            if names.insert(&line.custom_id) {
                counts.completed += 1;
                line.usage().add_to(&mut counts);
            }
        })?;
        let failures = open_results(errors, |line| {
            if names.insert(&line.custom_id) {
                counts.failed += 1;
            }
        })?;
        counts.resumed = counts.completed + counts.failed;
        Ok((Finished { names, counts }, results, failures))
    }
}

/// Opens or creates a file of results, to go on behind its last line, and locks it against other runs.
/// `on_line` is told what an earlier run has finished; half a line at the end, left by a run that was
/// killed, is taken away.
fn open_results(path: &Path, mut on_line: impl FnMut(FinishedLine)) -> Result<File> {
    let write_failed = |error| cannot(path, "be written", error);
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(write_failed)?;
    file.try_lock().map_err(|_| {
        let message = format!("{}: another batch is writing this file", path.display());
        Error::new(ErrorKind::InvalidArgument, message).with_path(path)
    })?;
    let mut end = 0;
    let mut reader = BufReader::new(&mut file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(write_failed)?;
        if !line.ends_with(b"\n") {
            break;
        }
        let finished = serde_json::from_slice(&line).map_err(|error| {
            let message = format!(
                "{}: this file exists and is no output of a batch; give another path or remove it",
                path.display()
            );
            Error::new(ErrorKind::InvalidArgument, message).with_path(path).with_source(error)
        })?;
        on_line(finished);
        end += length as u64;
    }
    // Not every file can be cut or searched; a device such as /dev/null is empty anyway.
    if file.metadata().map_err(write_failed)?.is_file() {
        file.set_len(end).map_err(write_failed)?;
        file.seek(SeekFrom::Start(end)).map_err(write_failed)?;
    }
    Ok(file)
}

/// A file that cannot be used.
pub(super) fn cannot(path: &Path, what: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("{}: the file cannot {what}: {error}", path.display()))
        .with_path(path)
        .with_source(error)
}
