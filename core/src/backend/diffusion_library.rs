//! Where `libzerohop_diffusion` is: loaded when the first checkpoint is, and never unloaded.

use std::env;
use std::ffi::{CStr, OsString, c_char, c_void};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::OnceLock;

use parking_lot::Mutex;

use super::diffusion::{NativeImage, NativeLoadOptions, NativeRequest};
use crate::api::error::{Error, ErrorKind, Result};

/// The library's path, if not one of the usual.
const VARIABLE: &str = "ZEROHOP_DIFFUSION_LIB";
const FILE: &str = "libzerohop_diffusion.so";
/// `ZEROHOP_DIFFUSION_ABI` that this was written for.
const ABI: u32 = 1;

static LIBRARY: OnceLock<Library> = OnceLock::new();

type Log = unsafe extern "C" fn(level: i32, text: *const c_char);

/// The library's functions.
#[derive(Debug)]
pub(super) struct Library {
    pub(super) load: unsafe extern "C" fn(*const NativeLoadOptions, *mut *mut c_char) -> *mut c_void,
    pub(super) free: unsafe extern "C" fn(*mut c_void),
    pub(super) count_tokens: unsafe extern "C" fn(*const c_char, *mut *mut c_char) -> i64,
    pub(super) knows_sampler: unsafe extern "C" fn(*const c_char) -> bool,
    pub(super) knows_scheduler: unsafe extern "C" fn(*const c_char) -> bool,
    pub(super) generate:
        unsafe extern "C" fn(*mut c_void, *const NativeRequest, *mut NativeImage, *mut *mut c_char) -> bool,
    pub(super) image_free: unsafe extern "C" fn(*mut NativeImage),
    string_free: unsafe extern "C" fn(*mut c_char),
    set_processors: unsafe extern "C" fn(u32),
    set_log: unsafe extern "C" fn(Log),
}

/// The library. What could not be loaded is tried again the next time.
///
/// # Errors
///
/// `InvalidRequest` with the code `unsupported`, saying how to get it.
pub(super) fn get() -> Result<&'static Library> {
    static LOADING: Mutex<()> = Mutex::new(());
    if let Some(library) = LIBRARY.get() {
        return Ok(library);
    }
    let _one_at_a_time = LOADING.lock();
    if let Some(library) = LIBRARY.get() {
        return Ok(library);
    }
    let library = find()?;
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // SAFETY: the functions are the library's, and the callback lives as long as the process.
    unsafe {
        (library.set_processors)(u32::try_from(processors).unwrap_or(u32::MAX));
        (library.set_log)(log);
    }
    Ok(LIBRARY.get_or_init(|| library))
}

/// Where to look: what the environment names alone, or else beside the file that this code is in, above that,
/// and where the system has libraries.
fn places() -> Vec<OsString> {
    if let Some(path) = env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        return vec![path];
    }
    let mut places: Vec<OsString> = Vec::new();
    let own = own_file().or_else(|| env::current_exe().ok());
    for folder in own.iter().filter_map(|file| file.parent()).flat_map(|folder| folder.ancestors().take(2)) {
        // Never the folder that a program is started in.
        let file = folder.join(FILE);
        if folder.is_absolute() && file.is_file() {
            places.push(file.into());
        }
    }
    places.push(FILE.into());
    places
}

/// The file that this code was loaded from.
fn own_file() -> Option<PathBuf> {
    let mut info: libc::Dl_info = no_info();
    // SAFETY: the address is one of this code, and there is room for the answer.
    let found = unsafe { libc::dladdr(own_file as fn() -> Option<PathBuf> as *const c_void, &raw mut info) };
    if found == 0 || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: the loader keeps the name as long as the file is loaded.
    let name = unsafe { CStr::from_ptr(info.dli_fname) }.to_str().ok()?;
    Path::new(name).canonicalize().ok()
}

fn no_info() -> libc::Dl_info {
    libc::Dl_info {
        dli_fname: ptr::null(),
        dli_fbase: ptr::null_mut(),
        dli_sname: ptr::null(),
        dli_saddr: ptr::null_mut(),
    }
}

fn find() -> Result<Library> {
    let mut reasons = Vec::new();
    for place in places() {
        // SAFETY: loading runs the library's constructors, which are those of C++'s own library; who names another
        // file in the environment answers for it.
        match unsafe { libloading::Library::new(&place) } {
            // SAFETY: as below.
            Ok(library) => match unsafe { functions(&library) } {
                Ok(functions) => {
                    // Its threads sleep in its code until the process ends.
                    std::mem::forget(library);
                    return Ok(functions);
                }
                Err(reason) => reasons.push(format!("{}: {reason}", place.display())),
            },
            Err(error) => reasons.push(error.to_string()),
        }
    }
    let message = format!(
        "This installation makes no images: {FILE} is missing or unusable ({}). It is a part of the wheel and of \
         the C library's package; elsewhere build it with `cargo build --release -p zerohop-diffusion` and name it \
         in {VARIABLE}",
        reasons.join("; ")
    );
    Err(Error::new(ErrorKind::InvalidRequest, message).with_code("unsupported"))
}

/// The functions of a library.
///
/// # Safety
///
/// They must be those that `diffusion/native/diffusion.h` declares, if the number of its version is ours.
unsafe fn functions(library: &libloading::Library) -> Result<Library, String> {
    /// The function of a name.
    macro_rules! function {
        ($name:literal) => {
            // SAFETY: the caller's promise; the types are the header's.
            *unsafe { library.get(concat!("zerohop_diffusion_", $name, "\0").as_bytes()) }
                .map_err(|error| error.to_string())?
        };
    }
    let abi: unsafe extern "C" fn() -> u32 = function!("abi");
    // SAFETY: the function takes nothing.
    let abi = unsafe { abi() };
    if abi != ABI {
        return Err(format!("it is of version {abi} of its interface instead of {ABI}"));
    }
    Ok(Library {
        load: function!("load"),
        free: function!("free"),
        count_tokens: function!("count_tokens"),
        knows_sampler: function!("knows_sampler"),
        knows_scheduler: function!("knows_scheduler"),
        generate: function!("generate"),
        image_free: function!("image_free"),
        string_free: function!("string_free"),
        set_processors: function!("set_processors"),
        set_log: function!("set_log"),
    })
}

impl Library {
    /// What a call gave, and what it says went wrong.
    pub(super) fn with_error<T>(&self, call: impl FnOnce(*mut *mut c_char) -> T) -> (T, Option<String>) {
        let mut error = ptr::null_mut();
        let value = call(&raw mut error);
        if error.is_null() {
            return (value, None);
        }
        // SAFETY: the library made the text, which ends with a NUL.
        let message = unsafe { CStr::from_ptr(error) }.to_string_lossy().into_owned();
        // SAFETY: it is ours, and freed once.
        unsafe { (self.string_free)(error) };
        (value, Some(message))
    }
}

unsafe extern "C" fn log(level: i32, text: *const c_char) {
    // SAFETY: the library passes a text that ends with a NUL and lives for this call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let line = text.trim_end();
    // A host's subscriber may panic, and C++ frames lie above us.
    let _ = catch_unwind(|| match level {
        3 => tracing::error!(target: "zerohop::diffusion", "{line}"),
        2 => tracing::warn!(target: "zerohop::diffusion", "{line}"),
        1 => tracing::debug!(target: "zerohop::diffusion", "{line}"),
        _ => tracing::trace!(target: "zerohop::diffusion", "{line}"),
    });
}
