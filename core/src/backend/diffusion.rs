//! stable-diffusion.cpp, as `diffusion/native/diffusion.h` declares it: models that make images.
//!
//! It lives in a library of its own, since its ggml is built otherwise than ours; `diffusion_library` finds it.

use std::ffi::{CString, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};
use std::slice;

use super::Pixels;
use super::diffusion_library::{self, Library};
use crate::api::error::{Error, ErrorKind, Result};

#[repr(C)]
pub(super) struct NativeLoadOptions {
    struct_size: u32,
    threads: i32,
    model: *const c_char,
    diffusion_model: *const c_char,
    clip_l: *const c_char,
    clip_g: *const c_char,
    t5xxl: *const c_char,
    llm: *const c_char,
    llm_vision: *const c_char,
    vae: *const c_char,
}

#[repr(C)]
pub(super) struct NativeImage {
    width: u32,
    height: u32,
    channels: u32,
    pixels: *const u8,
}

#[repr(C)]
pub(super) struct NativeRequest {
    struct_size: u32,
    width: i32,
    height: i32,
    steps: i32,
    seed: i64,
    prompt: *const c_char,
    negative_prompt: *const c_char,
    sampler: *const c_char,
    scheduler: *const c_char,
    cfg_scale: f32,
    strength: f32,
    init: NativeImage,
    mask: NativeImage,
    references: *const NativeImage,
    reference_count: usize,
    previews: *const i32,
    preview_count: usize,
    tiles: bool,
    user_data: *mut c_void,
    on_step: unsafe extern "C" fn(*mut c_void, i32, i32) -> bool,
    on_preview: unsafe extern "C" fn(*mut c_void, *const NativeImage),
}

/// The files of a checkpoint, by what they have.
#[derive(Debug, Clone, Default)]
pub(crate) struct CheckpointFiles {
    /// Several parts, or all.
    pub(crate) model: Option<PathBuf>,
    pub(crate) diffusion_model: Option<PathBuf>,
    pub(crate) clip_l: Option<PathBuf>,
    pub(crate) clip_g: Option<PathBuf>,
    pub(crate) t5xxl: Option<PathBuf>,
    pub(crate) llm: Option<PathBuf>,
    pub(crate) vae: Option<PathBuf>,
}

/// A model that makes images.
#[derive(Debug)]
pub(crate) struct DiffusionModel {
    inner: NonNull<c_void>,
    library: &'static Library,
}

// SAFETY: a model belongs to no thread; who has it uses it alone.
unsafe impl Send for DiffusionModel {}

/// What an image is to be.
#[derive(Debug, Clone)]
pub(crate) struct Painting {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) steps: u32,
    pub(crate) seed: u64,
    pub(crate) prompt: String,
    pub(crate) negative_prompt: String,
    pub(crate) sampler: Option<String>,
    pub(crate) scheduler: Option<String>,
    pub(crate) cfg_scale: f32,
    pub(crate) strength: f32,
    /// What it begins as, of its size.
    pub(crate) init: Option<Pixels>,
    /// A byte for each pixel: 255 where it is painted anew.
    pub(crate) mask: Option<Vec<u8>>,
    /// What the prompt speaks of.
    pub(crate) references: Vec<Pixels>,
    /// Steps after which it is shown.
    pub(crate) previews: Vec<u32>,
    pub(crate) tiles: bool,
}

/// Who watches an image come.
pub(crate) trait Watcher {
    /// After each step of so many; false ends it.
    fn step(&mut self, step: u32, steps: u32) -> bool;

    /// What a step has come to.
    fn preview(&mut self, image: Pixels);
}

impl DiffusionModel {
    /// Loads a checkpoint, whose files have passed the gate.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` with the code `unsupported` without the library; `InvalidModel` for what it refuses.
    pub(crate) fn load(files: &CheckpointFiles, threads: u32) -> Result<Self> {
        let library = diffusion_library::get()?;
        let paths =
            [&files.model, &files.diffusion_model, &files.clip_l, &files.clip_g, &files.t5xxl, &files.llm, &files.vae];
        let paths = paths.map(|path| path.as_deref().map(c_path).transpose());
        let mut texts = Vec::with_capacity(paths.len());
        for path in paths {
            texts.push(path?);
        }
        let text = |index: usize| texts[index].as_ref().map_or(ptr::null(), |path| path.as_ptr());
        let options = NativeLoadOptions {
            struct_size: struct_size::<NativeLoadOptions>(),
            threads: i32::try_from(threads).unwrap_or(1),
            model: text(0),
            diffusion_model: text(1),
            clip_l: text(2),
            clip_g: text(3),
            t5xxl: text(4),
            llm: text(5),
            llm_vision: ptr::null(),
            vae: text(6),
        };
        // SAFETY: the options and their texts live for the call.
        let (model, message) = library.with_error(|error| unsafe { (library.load)(&raw const options, error) });
        let inner = NonNull::new(model).ok_or_else(|| {
            let reason = message.unwrap_or_default();
            Error::new(ErrorKind::InvalidModel, format!("stable-diffusion.cpp could not load it: {reason}"))
        })?;
        Ok(DiffusionModel { inner, library })
    }

    /// The tokens that CLIP cuts a text into.
    pub(crate) fn count_tokens(&self, text: &str) -> Result<usize> {
        let text = c_text(text)?;
        // SAFETY: the text ends with a NUL.
        let (count, message) =
            self.library.with_error(|error| unsafe { (self.library.count_tokens)(text.as_ptr(), error) });
        usize::try_from(count).map_err(|_| failure(message))
    }

    /// Makes an image; `None` when the watcher has ended it.
    ///
    /// # Errors
    ///
    /// `Internal`.
    pub(crate) fn paint<W: Watcher>(&mut self, painting: &Painting, watcher: &mut W) -> Result<Option<Pixels>> {
        let (prompt, negative_prompt) = (c_text(&painting.prompt)?, c_text(&painting.negative_prompt)?);
        let sampler = painting.sampler.as_deref().map(c_text).transpose()?;
        let scheduler = painting.scheduler.as_deref().map(c_text).transpose()?;
        let references: Vec<NativeImage> = painting.references.iter().map(borrowed).collect();
        let previews: Vec<i32> = painting.previews.iter().map(|step| signed(*step)).collect();
        let mask = painting.mask.as_ref().map(|mask| NativeImage {
            width: painting.width,
            height: painting.height,
            channels: 1,
            pixels: mask.as_ptr(),
        });
        let request = NativeRequest {
            struct_size: struct_size::<NativeRequest>(),
            width: signed(painting.width),
            height: signed(painting.height),
            steps: signed(painting.steps),
            seed: i64::try_from(painting.seed).unwrap_or(i64::MAX),
            prompt: prompt.as_ptr(),
            negative_prompt: negative_prompt.as_ptr(),
            sampler: sampler.as_ref().map_or(ptr::null(), |name| name.as_ptr()),
            scheduler: scheduler.as_ref().map_or(ptr::null(), |name| name.as_ptr()),
            cfg_scale: painting.cfg_scale,
            strength: painting.strength,
            init: painting.init.as_ref().map_or_else(no_image, borrowed),
            mask: mask.unwrap_or_else(no_image),
            references: references.as_ptr(),
            reference_count: references.len(),
            previews: previews.as_ptr(),
            preview_count: previews.len(),
            tiles: painting.tiles,
            user_data: ptr::from_mut(watcher).cast(),
            on_step: on_step::<W>,
            on_preview: on_preview::<W>,
        };
        let mut image = no_image();
        // SAFETY: the model is live and used by nobody else; what the request points to lives for the call, the
        // watcher too, and has the sizes that it says.
        let (is_made, message) = self.library.with_error(|error| unsafe {
            (self.library.generate)(self.inner.as_ptr(), &raw const request, &raw mut image, error)
        });
        match (is_made, message) {
            (false, None) => Ok(None),
            (false, message) => Err(failure(message)),
            (true, _) => {
                // SAFETY: the library made it, of the size that it says.
                let pixels = unsafe { copied(&image) };
                // SAFETY: it is ours, and freed once.
                unsafe { (self.library.image_free)(&raw mut image) };
                pixels.map(Some).ok_or_else(|| Error::internal("the image is none"))
            }
        }
    }
}

/// Whether there is a sampler of this name.
///
/// # Errors
///
/// As [`DiffusionModel::load`].
pub(crate) fn knows_sampler(name: &str) -> Result<bool> {
    let library = diffusion_library::get()?;
    // SAFETY: the text ends with a NUL.
    Ok(c_text(name).is_ok_and(|name| unsafe { (library.knows_sampler)(name.as_ptr()) }))
}

/// Whether there is a scheduler of this name.
///
/// # Errors
///
/// As [`DiffusionModel::load`].
pub(crate) fn knows_scheduler(name: &str) -> Result<bool> {
    let library = diffusion_library::get()?;
    // SAFETY: the text ends with a NUL.
    Ok(c_text(name).is_ok_and(|name| unsafe { (library.knows_scheduler)(name.as_ptr()) }))
}

impl Drop for DiffusionModel {
    fn drop(&mut self) {
        // SAFETY: it is freed once, and nobody uses it any more.
        unsafe { (self.library.free)(self.inner.as_ptr()) }
    }
}

unsafe extern "C" fn on_step<W: Watcher>(watcher: *mut c_void, step: i32, steps: i32) -> bool {
    // SAFETY: it is what `paint` gave, on the thread that waits in `paint`.
    let watcher = unsafe { &mut *watcher.cast::<W>() };
    let number = |number| u32::try_from(number).unwrap_or_default();
    catch_unwind(AssertUnwindSafe(|| watcher.step(number(step), number(steps)))).unwrap_or(false)
}

unsafe extern "C" fn on_preview<W: Watcher>(watcher: *mut c_void, image: *const NativeImage) {
    // SAFETY: as above; the image lives for the call.
    let (watcher, image) = unsafe { (&mut *watcher.cast::<W>(), copied(&*image)) };
    if let Some(image) = image {
        let _ = catch_unwind(AssertUnwindSafe(|| watcher.preview(image)));
    }
}

/// An image of the library's.
///
/// # Safety
///
/// It must have as many bytes as it says.
unsafe fn copied(image: &NativeImage) -> Option<Pixels> {
    let (width, height) = (image.width, image.height);
    let size = usize::try_from(u64::from(width) * u64::from(height) * 3).ok()?;
    if image.pixels.is_null() || image.channels != 3 {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(Pixels { width, height, rgb: unsafe { slice::from_raw_parts(image.pixels, size) }.to_vec() })
}

fn borrowed(image: &Pixels) -> NativeImage {
    NativeImage { width: image.width, height: image.height, channels: 3, pixels: image.rgb.as_ptr() }
}

fn no_image() -> NativeImage {
    NativeImage { width: 0, height: 0, channels: 0, pixels: ptr::null() }
}

fn struct_size<T>() -> u32 {
    u32::try_from(size_of::<T>()).unwrap_or_default()
}

fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::new(ErrorKind::InvalidArgument, "a path has a NUL in it"))
}

fn c_text(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::internal("the text has a NUL"))
}

fn failure(message: Option<String>) -> Error {
    Error::internal(format!("stable-diffusion.cpp failed: {}", message.unwrap_or_default()))
}
