//! The file that keeps what the prefix cache has from one loading of a model to the next.
//!
//! It begins with [`MAGIC`], the key of what it was computed with, and how many sequences there are. Each of these
//! says with which one before it how many tokens are shared, which tokens follow, and what llama.cpp's cache has
//! of those. At the end is the SHA-256 digest of all before. Numbers are 64-bit, little-endian.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, Write as _};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::api::error::{Error, ErrorKind, Result};
use crate::backend::Token;

/// The format and its version.
const MAGIC: &[u8; 8] = b"zhprefx1";

/// Bytes of a digest.
const DIGEST: usize = 32;

/// Where a model's prefix cache is saved.
#[derive(Debug, Clone)]
pub(crate) struct PrefixFile {
    path: PathBuf,
    /// Of all that what is computed depends on.
    key: [u8; DIGEST],
}

/// A sequence as it is saved.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SavedSequence {
    /// The sequence, counted from the first, with which it shares its first tokens, and how many.
    pub(super) base: usize,
    pub(super) shared: usize,
    /// The tokens that follow, and what the cache has of them.
    pub(super) rest: Vec<Token>,
    pub(super) state: Vec<u8>,
}

impl PrefixFile {
    /// In this folder, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`.
    pub(crate) fn new(folder: &Path, key: [u8; DIGEST]) -> Result<Self> {
        // What is in it was said to the model: it is for nobody else.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
            let message = format!("prefix_cache_folder: '{}' cannot be made: {error}", folder.display());
            Error::new(ErrorKind::InvalidArgument, message).with_source(error)
        })?;
        let name = u128::from_be_bytes(*key.first_chunk().expect("a key is longer"));
        Ok(PrefixFile { path: folder.join(format!("{name:032x}.prefixes")), key })
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::internal(format!("{}: {error}", self.path.display())).with_source(error)
    }
}

/// Writes to a new file, which takes the place of the old one when it is complete.
pub(super) struct Writer<'a> {
    file: &'a PrefixFile,
    out: BufWriter<NamedTempFile>,
    digest: Sha256,
}

impl<'a> Writer<'a> {
    pub(super) fn create(file: &'a PrefixFile, sequences: usize) -> Result<Self> {
        let folder = file.path.parent().unwrap_or(Path::new("."));
        let new = NamedTempFile::new_in(folder).map_err(|error| file.failed(error))?;
        let mut writer = Writer { file, out: BufWriter::new(new), digest: Sha256::new() };
        writer.put(MAGIC)?;
        writer.put(&file.key)?;
        writer.number(sequences)?;
        Ok(writer)
    }

    pub(super) fn write(&mut self, sequence: &SavedSequence) -> Result<()> {
        self.number(sequence.base)?;
        self.number(sequence.shared)?;
        self.number(sequence.rest.len())?;
        let tokens: Vec<u8> = sequence.rest.iter().flat_map(|token| token.to_le_bytes()).collect();
        self.put(&tokens)?;
        self.number(sequence.state.len())?;
        self.put(&sequence.state)
    }

    pub(super) fn finish(mut self) -> Result<()> {
        let failed = |error| self.file.failed(error);
        self.out.write_all(&self.digest.finalize()).map_err(failed)?;
        let new = self.out.into_inner().map_err(|error| failed(error.into_error()))?;
        new.persist(&self.file.path).map_err(|error| failed(error.error))?;
        Ok(())
    }

    fn number(&mut self, number: usize) -> Result<()> {
        self.put(&(number as u64).to_le_bytes())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.digest.update(bytes);
        self.out.write_all(bytes).map_err(|error| self.file.failed(error))
    }
}

/// Reads a file that was found to be whole.
pub(super) struct Reader<'a> {
    file: &'a PrefixFile,
    input: io::Take<BufReader<File>>,
    sequences: usize,
}

impl<'a> Reader<'a> {
    /// `None` where nothing was saved.
    pub(super) fn open(file: &'a PrefixFile) -> Result<Option<Self>> {
        // Asked before opening, which for a pipe would wait until somebody writes to it.
        match fs::metadata(&file.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Ok(metadata) if !metadata.is_file() => {
                return Err(file.failed(io::Error::new(io::ErrorKind::InvalidInput, "it is no file")));
            }
            _ => {}
        }
        let mut input = BufReader::new(File::open(&file.path).map_err(|error| file.failed(error))?);
        let content = check(&mut input).map_err(|error| file.failed(error))?;
        let mut reader = Reader { file, input: input.take(content), sequences: 0 };
        let mut header = [0; MAGIC.len() + DIGEST];
        reader.fill(&mut header)?;
        if header[..MAGIC.len()] != *MAGIC || header[MAGIC.len()..] != file.key {
            return Err(file.failed(io::Error::new(io::ErrorKind::InvalidData, "it is of another model or release")));
        }
        reader.sequences = reader.number()?;
        Ok(Some(reader))
    }

    /// The next sequence; `None` after the last.
    pub(super) fn read(&mut self) -> Result<Option<SavedSequence>> {
        if self.sequences == 0 {
            return Ok(None);
        }
        self.sequences -= 1;
        let (base, shared) = (self.number()?, self.number()?);
        let tokens = self.number()?;
        let tokens = self.bytes(tokens.saturating_mul(size_of::<Token>()))?;
        let rest = tokens.as_chunks().0.iter().map(|token| Token::from_le_bytes(*token)).collect();
        let size = self.number()?;
        Ok(Some(SavedSequence { base, shared, rest, state: self.bytes(size)? }))
    }

    fn number(&mut self) -> Result<usize> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes)?;
        Ok(usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX))
    }

    /// So many bytes, as far as the file has them.
    fn bytes(&mut self, count: usize) -> Result<Vec<u8>> {
        if count as u64 > self.input.limit() {
            return Err(self.file.failed(io::ErrorKind::UnexpectedEof.into()));
        }
        let mut bytes = vec![0; count];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.input.read_exact(bytes).map_err(|error| self.file.failed(error))
    }
}

/// Compares a file with its digest. Gives the number of bytes before that, and goes back to the first.
fn check(input: &mut BufReader<File>) -> io::Result<u64> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it is damaged");
    let size = input.get_ref().metadata()?.len();
    let content = size.checked_sub(DIGEST as u64).ok_or_else(damaged)?;
    let mut digest = Sha256::new();
    if io::copy(&mut input.by_ref().take(content), &mut digest)? != content {
        return Err(damaged());
    }
    let mut expected = [0; DIGEST];
    input.read_exact(&mut expected)?;
    if digest.finalize()[..] != expected {
        return Err(damaged());
    }
    input.rewind()?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences() -> Vec<SavedSequence> {
        vec![
            SavedSequence { base: 0, shared: 0, rest: vec![1, 2, 3], state: vec![7; 1000] },
            SavedSequence { base: 0, shared: 2, rest: vec![4], state: vec![8] },
        ]
    }

    fn save(file: &PrefixFile) {
        let mut writer = Writer::create(file, 2).unwrap();
        for sequence in sequences() {
            writer.write(&sequence).unwrap();
        }
        writer.finish().unwrap();
    }

    fn read(file: &PrefixFile) -> Result<Vec<SavedSequence>> {
        let mut reader = Reader::open(file)?.expect("the file is there");
        std::iter::from_fn(|| reader.read().transpose()).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = PrefixFile::new(&folder.path().join("new"), [1; 32]).unwrap();
        assert!(Reader::open(&file).unwrap().is_none());
        save(&file);
        save(&file);
        assert_eq!(read(&file).unwrap(), sequences());
        assert_eq!(fs::read_dir(folder.path().join("new")).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn what_is_damaged_or_of_another_model_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = PrefixFile::new(folder.path(), [1; 32]).unwrap();
        save(&file);
        let whole = fs::read(&file.path).unwrap();
        for index in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= 1;
            fs::write(&file.path, &damaged).unwrap();
            assert!(read(&file).is_err(), "byte {index}");
            fs::write(&file.path, &whole[..index]).unwrap();
            assert!(read(&file).is_err(), "cut at {index}");
        }
        fs::write(&file.path, &whole).unwrap();
        let other = PrefixFile { key: [2; 32], ..file.clone() };
        assert!(read(&other).unwrap_err().message().contains("another model"));
        assert_eq!(read(&file).unwrap(), sequences());
    }
}
