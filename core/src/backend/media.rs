//! Projectors: what makes of images and sound the rows that a model reads in place of tokens.

use std::ffi::{CString, c_char, c_void};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

use llama_cpp_sys_2 as sys;
use parking_lot::Mutex;

use super::context::should_abort;
use super::{Abort, Model, Token, logs, native};
use crate::api::error::{Error, ErrorKind, Result};

#[repr(C)]
struct NativeProjector {
    _opaque: [u8; 0],
}

#[repr(C)]
struct NativeMedia {
    _opaque: [u8; 0],
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct Abilities {
    sees: bool,
    hears: bool,
    sample_rate: i32,
    width: usize,
    whole: usize,
}

#[repr(C)]
struct NativePart {
    tokens: *const Token,
    count: usize,
    positions: i32,
    is_causal: bool,
    has_grid: bool,
}

#[repr(C)]
#[derive(Debug)]
struct NativeAbort {
    ask: unsafe extern "C" fn(*mut c_void) -> bool,
    data: *mut c_void,
}

type LogCallback = unsafe extern "C" fn(sys::ggml_log_level, *const c_char, *mut c_void);

unsafe extern "C" {
    pub(super) fn zerohop_media_on_log(log: LogCallback);
    fn zerohop_projector_new(
        path: *const c_char,
        model: *const sys::llama_model,
        threads: i32,
        use_gpu: bool,
        image_max_tokens: i32,
        should_abort: *const NativeAbort,
        abilities: *mut Abilities,
        error: *mut *mut c_char,
    ) -> *mut NativeProjector;
    fn zerohop_projector_free(projector: *mut NativeProjector);
    fn zerohop_media_of_image(
        projector: *const NativeProjector,
        width: u32,
        height: u32,
        pixels: *const u8,
        error: *mut *mut c_char,
    ) -> *mut NativeMedia;
    fn zerohop_media_of_sound(
        projector: *const NativeProjector,
        samples: *const f32,
        count: usize,
        error: *mut *mut c_char,
    ) -> *mut NativeMedia;
    fn zerohop_media_free(media: *mut NativeMedia);
    fn zerohop_media_part_count(media: *const NativeMedia) -> usize;
    fn zerohop_media_part_get(
        projector: *const NativeProjector,
        media: *const NativeMedia,
        index: usize,
        part: *mut NativePart,
        error: *mut *mut c_char,
    ) -> bool;
    fn zerohop_media_grid(
        media: *const NativeMedia,
        index: usize,
        places: *mut i32,
        count: usize,
        error: *mut *mut c_char,
    ) -> bool;
    fn zerohop_media_encode(
        projector: *mut NativeProjector,
        media: *const NativeMedia,
        index: usize,
        rows: *mut f32,
        floats: usize,
        error: *mut *mut c_char,
    ) -> bool;
}

/// How a projector is loaded.
#[derive(Debug)]
pub(crate) struct ProjectorOptions {
    pub(crate) threads: u32,
    pub(crate) use_gpu: bool,
    /// The most tokens of an image, other than the projector has by itself.
    pub(crate) image_max_tokens: Option<u32>,
}

/// A projector in memory, for one model.
#[derive(Debug)]
pub(crate) struct Projector {
    raw: NonNull<NativeProjector>,
    abilities: Abilities,
    /// Held while something is encoded.
    encoding: Mutex<()>,
    /// Stops what is encoded.
    abort: Abort,
    /// The same as the native side asks for it; it goes after the projector.
    _native_abort: Box<NativeAbort>,
    // It goes after the projector, which has its vocabulary.
    model: Arc<Model>,
}

// SAFETY: what takes the projector as `const` may be called by several threads, as llama.cpp says of it; what
// does not holds `encoding`.
unsafe impl Send for Projector {}
// SAFETY: as above.
unsafe impl Sync for Projector {}

/// An image, three bytes a pixel.
#[derive(Debug, Clone)]
pub(crate) struct Pixels {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) rgb: Vec<u8>,
}

/// An image or sound, cut into parts.
#[derive(Debug)]
pub(crate) struct CutMedia {
    raw: NonNull<NativeMedia>,
    projector: Arc<Projector>,
}

// SAFETY: it is only read after it was made.
unsafe impl Send for CutMedia {}
// SAFETY: as above.
unsafe impl Sync for CutMedia {}

/// A part of an image or sound as the model reads it.
#[derive(Debug)]
pub(crate) enum MediaPart {
    /// What marks the beginning or end, say.
    Tokens(Vec<Token>),
    Rows(RowsShape),
}

/// What is known of rows before they are computed.
#[derive(Debug, Clone)]
pub(crate) struct RowsShape {
    pub(crate) count: usize,
    /// How many positions they take.
    pub(crate) positions: usize,
    /// Whether they see those before them only, so that they can be computed in slices.
    pub(crate) is_causal: bool,
    /// Time, line and column of each, where the model's positions have several numbers.
    grid: Option<Vec<[i32; 3]>>,
    /// How many numbers a position has.
    position_size: usize,
}

/// Rows to compute as a part of one sequence.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    pub(crate) floats: &'a [f32],
    pub(crate) count: usize,
    /// As llama.cpp takes them: all first numbers, all second ones, and so on.
    pub(crate) positions: Vec<sys::llama_pos>,
    pub(crate) sequence: i32,
    pub(crate) is_causal: bool,
}

impl Projector {
    /// Loads a projector that the caller has checked with our own reader.
    pub(crate) fn load(model: &Arc<Model>, path: &Path, options: &ProjectorOptions) -> Result<Self> {
        let refused = |reason: String| {
            let message = format!("{}: llama.cpp could not load this projector: {reason}", path.display());
            Error::new(ErrorKind::InvalidModel, message)
        };
        let name = CString::new(path.as_os_str().as_encoded_bytes()).map_err(|error| refused(error.to_string()))?;
        let threads = i32::try_from(options.threads).unwrap_or(i32::MAX);
        let image_max_tokens = options.image_max_tokens.and_then(|tokens| i32::try_from(tokens).ok()).unwrap_or(-1);
        let mut abilities = Abilities::default();
        let abort = Abort::default();
        let native_abort = Box::new(NativeAbort { ask: should_abort, data: abort.flag() });
        // SAFETY: the model is live and kept by the new value, and so is what tells it to stop; name and abilities live
        // for the call.
        let ((raw, error), logged) = logs::collect_errors(|| unsafe {
            native::with_error(|error| {
                let (name, abilities, abort) = (name.as_ptr(), &raw mut abilities, &raw const *native_abort);
                let model = model.raw();
                zerohop_projector_new(name, model, threads, options.use_gpu, image_max_tokens, abort, abilities, error)
            })
        });
        let raw = NonNull::new(raw)
            .ok_or_else(|| refused(error.or_else(|| logged.into_iter().next()).unwrap_or_default()))?;
        Ok(Projector {
            raw,
            abilities,
            encoding: Mutex::new(()),
            abort,
            _native_abort: native_abort,
            model: model.clone(),
        })
    }

    /// What stops encoding, for good.
    pub(crate) fn abort(&self) -> &Abort {
        &self.abort
    }

    pub(crate) fn sees(&self) -> bool {
        self.abilities.sees
    }

    /// The samples of a second that it hears, if it does.
    pub(crate) fn sample_rate(&self) -> Option<u32> {
        u32::try_from(self.abilities.sample_rate).ok().filter(|rate| self.abilities.hears && *rate > 0)
    }

    /// Floats of a row.
    pub(crate) fn width(&self) -> usize {
        self.abilities.width
    }

    /// Rows that have to be computed together, because they see each other.
    pub(crate) fn whole(&self) -> usize {
        self.abilities.whole
    }

    /// # Errors
    ///
    /// The reason why the projector cannot take the image.
    pub(crate) fn cut_image(self: &Arc<Self>, image: &Pixels) -> Result<CutMedia, String> {
        let Pixels { width, height, rgb } = image;
        if rgb.len() as u64 != u64::from(*width) * u64::from(*height) * 3 {
            return Err("its pixels are not as many as it says".to_owned());
        }
        // SAFETY: the projector is live; there are as many pixels as is said, and they are only read.
        self.cut(|error| unsafe { zerohop_media_of_image(self.raw.as_ptr(), *width, *height, rgb.as_ptr(), error) })
    }

    /// # Errors
    ///
    /// The reason why the projector cannot take the sound.
    pub(crate) fn cut_sound(self: &Arc<Self>, samples: &[f32]) -> Result<CutMedia, String> {
        if u32::try_from(samples.len()).is_err() {
            return Err("it is too long".to_owned());
        }
        // SAFETY: the projector is live; there are as many samples as is said, and they are only read.
        self.cut(|error| unsafe { zerohop_media_of_sound(self.raw.as_ptr(), samples.as_ptr(), samples.len(), error) })
    }

    fn cut(self: &Arc<Self>, call: impl FnOnce(*mut *mut c_char) -> *mut NativeMedia) -> Result<CutMedia, String> {
        // SAFETY: both callers pass the pointer on as the seam function's `error`.
        let ((media, error), logged) = logs::collect_errors(|| unsafe { native::with_error(call) });
        let raw = NonNull::new(media).ok_or_else(|| error.or_else(|| logged.into_iter().next()).unwrap_or_default())?;
        Ok(CutMedia { raw, projector: self.clone() })
    }
}

impl Drop for Projector {
    fn drop(&mut self) {
        // SAFETY: we own it; media that was cut for it keeps it, so there is none.
        unsafe { zerohop_projector_free(self.raw.as_ptr()) };
    }
}

impl CutMedia {
    /// The parts in order.
    pub(crate) fn parts(&self) -> Result<Vec<MediaPart>> {
        // SAFETY: the media is live.
        let count = unsafe { zerohop_media_part_count(self.raw.as_ptr()) };
        (0..count).map(|index| self.part(index)).collect()
    }

    fn part(&self, index: usize) -> Result<MediaPart> {
        let mut part = NativePart { tokens: ptr::null(), count: 0, positions: 0, is_causal: true, has_grid: false };
        // SAFETY: projector and media are live, and so is the place for the answer.
        let (found, error) = unsafe {
            native::with_error(|error| {
                let projector = self.projector.raw.as_ptr();
                zerohop_media_part_get(projector, self.raw.as_ptr(), index, &raw mut part, error)
            })
        };
        if !found {
            return Err(failure("cut media", error));
        }
        if !part.tokens.is_null() {
            // SAFETY: there are so many tokens there for as long as the media lives.
            return Ok(MediaPart::Tokens(unsafe { slice::from_raw_parts(part.tokens, part.count) }.to_vec()));
        }
        // SAFETY: the model is live, as the projector keeps it.
        let position_size = unsafe { native::zerohop_native_position_size(self.projector.model.raw()) };
        Ok(MediaPart::Rows(RowsShape {
            count: part.count,
            positions: usize::try_from(part.positions).map_err(|_| failure("cut media", None))?,
            is_causal: part.is_causal,
            grid: part.has_grid.then(|| self.grid(index, part.count)).transpose()?,
            position_size: usize::try_from(position_size).unwrap_or(1),
        }))
    }

    fn grid(&self, index: usize, count: usize) -> Result<Vec<[i32; 3]>> {
        let mut places = vec![[0_i32; 3]; count];
        // SAFETY: the media is live, and there is room for so many numbers.
        let (found, error) = unsafe {
            native::with_error(|error| {
                zerohop_media_grid(self.raw.as_ptr(), index, places.as_mut_ptr().cast(), 3 * count, error)
            })
        };
        found.then_some(places).ok_or_else(|| failure("cut media", error))
    }

    /// Computes the rows of a part, so many. Others wait until this is done.
    ///
    /// # Errors
    ///
    /// `Internal` when llama.cpp fails, `Closed` when the projector is aborted.
    pub(crate) fn encode(&self, index: usize, count: usize) -> Result<Vec<f32>> {
        let mut rows = vec![0.0; count * self.projector.width()];
        let _alone = self.projector.encoding.lock();
        // SAFETY: projector and media are live, nobody else encodes, and there is room for so many floats.
        let ((done, error), logged) = logs::collect_errors(|| unsafe {
            native::with_error(|error| {
                let projector = self.projector.raw.as_ptr();
                zerohop_media_encode(projector, self.raw.as_ptr(), index, rows.as_mut_ptr(), rows.len(), error)
            })
        });
        if self.projector.abort.is_aborted() {
            return Err(Error::closed());
        }
        if !done {
            return Err(failure("encode media", error.or_else(|| logged.into_iter().next())));
        }
        if rows.iter().all(|number| number.is_finite()) {
            Ok(rows)
        } else {
            Err(failure("encode media", Some("the projector's numbers are not finite".to_owned())))
        }
    }
}

impl Drop for CutMedia {
    fn drop(&mut self) {
        // SAFETY: we own it, and this runs once.
        unsafe { zerohop_media_free(self.raw.as_ptr()) };
    }
}

impl RowsShape {
    /// The positions of some rows, of which the first of all is at `start`, as [`Rows`] has them.
    pub(crate) fn positions(&self, start: usize, rows: std::ops::Range<usize>) -> Vec<sys::llama_pos> {
        let at = |offset: usize| i32::try_from(start + offset).expect("positions are bounded by the context");
        let number = |axis: usize, row: usize| match &self.grid {
            None => at(row),
            // The fourth is of no use to any model.
            Some(_) if axis == 3 => 0,
            Some(places) => at(0) + places[row][axis],
        };
        (0..self.position_size)
            .flat_map(|axis| rows.clone().map(move |row| (axis, row)))
            .map(|(axis, row)| number(axis, row))
            .collect()
    }
}

fn failure(what: &str, reason: Option<String>) -> Error {
    Error::internal(format!("llama.cpp could not {what}: {}", reason.unwrap_or_default()))
}
