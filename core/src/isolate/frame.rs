//! What goes through the pipes between an engine and its worker process.
//!
//! A frame is its kind (1 byte), the request it belongs to (8 bytes, little-endian), the length of
//! its payload (4 bytes) and the payload. Both ends are of one build, so that nothing is negotiated;
//! yet the engine's end trusts no length, since a process that is failing may write anything.

use std::io::{self, Read, Write};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::api::error::{Error, ErrorKind, ErrorObject};
use crate::call::RateLimits;
use crate::model::{ModelInfo, ModelOptions};

/// Bytes of a payload at most: more than any request or reply has.
const MAX_PAYLOAD: u32 = 1 << 30;

/// What a frame is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// To the worker: [`Load`], the first of all but [`LogLevel`](Self::LogLevel).
    Load = 1,
    /// To the worker: a [`RequestHead`] and the body.
    Request = 2,
    /// To the worker: nobody waits for the request any more.
    Cancel = 3,
    /// To the worker: stop loading.
    StopLoading = 4,
    /// To the worker: how many of the levels of logs somebody listens to.
    LogLevel = 5,

    /// From the worker, the first of all: its version.
    Hello = 15,
    /// From the worker: a model's number and the loaded fraction of it.
    Progress = 16,
    /// From the worker: [`Loaded`].
    Loaded = 17,
    /// From the worker: a [`Failure`], of the request or of loading.
    Failed = 18,
    /// From the worker: a [`ReplyHead`], and the body unless that comes in events.
    Reply = 19,
    /// From the worker: an event of the reply.
    Event = 20,
    /// From the worker: the end of the events.
    End = 21,
    /// From the worker: a [`Line`](super::logs::Line) of its logs.
    Log = 22,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        use Kind::{
            Cancel, End, Event, Failed, Hello, Load, Loaded, Log, LogLevel, Progress, Reply, Request, StopLoading,
        };
        [Load, Request, Cancel, StopLoading, LogLevel, Hello, Progress, Loaded, Failed, Reply, Event, End, Log]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// A message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) request: u64,
    pub(super) payload: Vec<u8>,
}

/// What to load.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Load {
    pub(super) settings: Settings,
}

/// What an engine is built with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) models: Vec<(String, ModelOptions)>,
    pub(crate) api_keys: Vec<String>,
    pub(crate) limits: RateLimits,
    pub(crate) timeout: Option<Duration>,
    pub(crate) memory_budget: Option<u64>,
}

/// What was loaded.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Loaded {
    pub(crate) models: Vec<ModelInfo>,
}

/// The part of an HTTP request before its body.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RequestHead {
    pub(super) method: String,
    pub(super) uri: String,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    /// Whether it comes from a caller, and not from the host itself.
    pub(super) needs_key: bool,
}

/// The part of an HTTP response before its body.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ReplyHead {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) has_events: bool,
}

/// An error that no HTTP response can express.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    /// Its number in [`ErrorKind::ALL`].
    kind: usize,
    error: ErrorObject,
}

impl Failure {
    pub(super) fn of(error: &Error) -> Self {
        let kind = ErrorKind::ALL.iter().position(|kind| *kind == error.kind()).unwrap_or_default();
        Failure { kind, error: error.to_body().error }
    }

    pub(super) fn into_error(self) -> Error {
        let kind = ErrorKind::ALL.get(self.kind).copied().unwrap_or(ErrorKind::Internal);
        Error::from_object(kind, self.error)
    }
}

impl Frame {
    pub(super) fn new(kind: Kind, request: u64, payload: Vec<u8>) -> Self {
        Frame { kind, request, payload }
    }

    /// A frame with a value as JSON.
    pub(super) fn json(kind: Kind, request: u64, value: &impl Serialize) -> io::Result<Self> {
        Ok(Frame::new(kind, request, serde_json::to_vec(value)?))
    }

    /// A frame with a value as JSON and bytes after it.
    pub(super) fn with_body(kind: Kind, request: u64, head: &impl Serialize, body: &[u8]) -> io::Result<Self> {
        let head = serde_json::to_vec(head)?;
        let length = u32::try_from(head.len()).map_err(|_| too_long())?;
        let mut payload = Vec::with_capacity(4 + head.len() + body.len());
        payload.extend_from_slice(&length.to_le_bytes());
        payload.extend_from_slice(&head);
        payload.extend_from_slice(body);
        Ok(Frame::new(kind, request, payload))
    }

    /// The value that [`json`](Self::json) wrote.
    pub(super) fn read_json<T: DeserializeOwned>(&self) -> io::Result<T> {
        Ok(serde_json::from_slice(&self.payload)?)
    }

    /// What [`with_body`](Self::with_body) wrote.
    pub(super) fn read_with_body<T: DeserializeOwned>(&self) -> io::Result<(T, &[u8])> {
        let (length, rest) = self.payload.split_first_chunk().ok_or_else(damaged)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| damaged())?;
        let (head, body) = rest.split_at_checked(length).ok_or_else(damaged)?;
        Ok((serde_json::from_slice(head)?, body))
    }

    /// Writes the frame in one piece.
    pub(super) fn write(&self, mut writer: impl Write) -> io::Result<()> {
        let length = u32::try_from(self.payload.len()).ok().filter(|length| *length <= MAX_PAYLOAD);
        let mut bytes = Vec::with_capacity(13 + self.payload.len());
        bytes.push(self.kind as u8);
        bytes.extend_from_slice(&self.request.to_le_bytes());
        bytes.extend_from_slice(&length.ok_or_else(too_long)?.to_le_bytes());
        bytes.extend_from_slice(&self.payload);
        writer.write_all(&bytes)?;
        writer.flush()
    }

    /// Reads a frame; `None` at the end.
    pub(super) fn read(mut reader: impl Read) -> io::Result<Option<Self>> {
        let mut kind = [0];
        if reader.read(&mut kind)? == 0 {
            return Ok(None);
        }
        let kind = Kind::from_byte(kind[0]).ok_or_else(damaged)?;
        let (mut request, mut length) = ([0; 8], [0; 4]);
        reader.read_exact(&mut request)?;
        reader.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        if length > MAX_PAYLOAD {
            return Err(damaged());
        }
        // Grows as bytes come, so that a wrong length takes no memory.
        let mut payload = Vec::new();
        reader.take(u64::from(length)).read_to_end(&mut payload)?;
        if payload.len() as u64 != u64::from(length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some(Frame::new(kind, u64::from_le_bytes(request), payload)))
    }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the message is longer than a GiB")
}

pub(super) fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the worker process wrote something that is no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_as_they_were_written() {
        let frames = [
            Frame::new(Kind::Cancel, u64::MAX, Vec::new()),
            Frame::new(Kind::Event, 7, b"data: {}\n\n".to_vec()),
            Frame::json(Kind::Hello, 0, &"1.0").unwrap(),
        ];
        let mut bytes = Vec::new();
        for frame in &frames {
            frame.write(&mut bytes).unwrap();
        }
        let mut reader = &bytes[..];
        for frame in frames {
            assert_eq!(Frame::read(&mut reader).unwrap(), Some(frame));
        }
        assert_eq!(Frame::read(&mut reader).unwrap(), None);
    }

    #[test]
    fn what_is_no_frame_is_an_error() {
        let mut good = Vec::new();
        Frame::new(Kind::Event, 7, b"abc".to_vec()).write(&mut good).unwrap();
        for end in 1..good.len() {
            assert!(Frame::read(&good[..end]).is_err(), "{end}");
        }
        let mut long = good.clone();
        long[12] = 0xff;
        assert!(Frame::read(&long[..]).is_err());
        let mut kind = good;
        kind[0] = 99;
        assert!(Frame::read(&kind[..]).is_err());
        assert!(Frame::new(Kind::Reply, 1, vec![9, 0, 0, 0, b'{']).read_with_body::<ReplyHead>().is_err());
    }

    #[test]
    fn errors_cross_the_pipe() {
        for kind in ErrorKind::ALL {
            let error = Error::new(kind, "m").with_param("p").with_code("c");
            let back = Failure::of(&error).into_error();
            assert_eq!((back.kind(), back.message(), back.param(), back.code()), (kind, "m", Some("p"), Some("c")));
        }
    }
}
