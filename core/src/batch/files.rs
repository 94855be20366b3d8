//! The files of a batch: requests, and what has been finished of them.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, Hash, RandomState};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::line::{BatchLineError, FinishedLine, LineUsage, RequestLine};
use crate::api::error::{Error, ErrorKind, Result};

/// Bytes of one line at most: a request with several images.
const MAX_LINE: u64 = 256 << 20;
/// Faulty lines that are reported, of however many.
const MAX_REPORTED: usize = 100;

/// Names that have been seen. Of each, 16 bytes of hash are kept: 20,000 lines take a MiB at most,
/// however long their names.
pub(super) struct Names {
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
pub(super) struct Lines<R> {
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
    pub(super) fn new(reader: R) -> Self {
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
pub(super) fn check<R: BufRead>(
    lines: &mut Lines<R>,
    endpoint: Option<&str>,
) -> io::Result<Result<u64, Vec<BatchLineError>>> {
    let mut names = Names::new();
    let (mut total, mut faults) = (0, Vec::new());
    while let Some((number, text)) = lines.next()? {
        total += 1;
        match RequestLine::read(text, number, endpoint) {
            Ok(line) if names.insert(&line.custom_id) => {}
            Ok(line) => faults.push(BatchLineError {
                code: "duplicate_custom_id",
                line: Some(number),
                message: format!("the custom_id {:?} has been used by an earlier line", line.custom_id),
                param: Some("custom_id"),
            }),
            Err(fault) => faults.push(fault),
        }
        if faults.len() == MAX_REPORTED {
            break;
        }
    }
    if total == 0 {
        let message = "the input has no requests".to_owned();
        faults.push(BatchLineError { code: "empty_file", line: None, message, param: None });
    }
    Ok(if faults.is_empty() { Ok(total) } else { Err(faults) })
}

/// A file that finished lines are added to.
pub(super) struct Results {
    file: File,
}

/// What an earlier run has finished.
pub(super) struct Finished {
    pub(super) names: Names,
    pub(super) completed: u64,
    pub(super) failed: u64,
    pub(super) usage: LineUsage,
}

impl Results {
    /// Opens or creates a file of results and locks it against other runs. What an earlier run has
    /// finished is added to `finished`; half a line at the end, left by a run that was killed, is
    /// taken away.
    pub(super) fn open(path: &Path, mut on_line: impl FnMut(FinishedLine)) -> Result<Self> {
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
        Ok(Results { file })
    }

    /// Adds a line. It is the system's when this returns: the process may be killed.
    pub(super) fn add(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line)
    }
}

impl Finished {
    /// Opens both files of results.
    pub(super) fn read(output: &Path, errors: &Path) -> Result<(Self, Results, Results)> {
        let mut finished = Finished { names: Names::new(), completed: 0, failed: 0, usage: LineUsage::default() };
        let results = Results::open(output, |line| {
            if finished.names.insert(&line.custom_id) {
                finished.completed += 1;
                finished.usage.add(line.usage());
            }
        })?;
        let failures = Results::open(errors, |line| {
            if finished.names.insert(&line.custom_id) {
                finished.failed += 1;
            }
        })?;
        Ok((finished, results, failures))
    }
}

impl LineUsage {
    pub(super) fn add(&mut self, other: LineUsage) {
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
    }
}

/// A file that cannot be used.
pub(super) fn cannot(path: &Path, what: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("{}: the file cannot {what}: {error}", path.display()))
        .with_path(path)
        .with_source(error)
}
