//! The devices that this build can compute on.

use zerohop::{Device, DeviceKind};

use crate::error::{Failure, ZEROHOP_OK, zerohop_error, zerohop_status};
use crate::growing;
use crate::guard::{guard, guard_or};
use crate::handle;
use crate::text::{Out, Owned, required, zerohop_str};

/// What a device is.
pub type zerohop_device_kind = i32;

/// The host's processor.
pub const ZEROHOP_DEVICE_KIND_CPU: zerohop_device_kind = 0;
/// A graphics card with memory of its own.
pub const ZEROHOP_DEVICE_KIND_GPU: zerohop_device_kind = 1;
/// A graphics unit that shares the host's memory.
pub const ZEROHOP_DEVICE_KIND_INTEGRATED_GPU: zerohop_device_kind = 2;
/// Another accelerator, such as a matrix library on the processor; also a kind that
/// only a later version names.
pub const ZEROHOP_DEVICE_KIND_ACCELERATOR: zerohop_device_kind = 3;

/// The devices that this build can compute on, as they were when it was made.
///
/// May be read by several threads at once. It needs no engine.
#[derive(Debug)]
pub struct zerohop_device_list {
    _private: [u8; 0],
}

/// A device. `zerohop_device_list_get` fills it.
///
/// Its texts belong to the list and are valid until that is freed; a NUL follows
/// each.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct zerohop_device {
    /// The size of this struct as the caller knows it.
    pub struct_size: usize,
    /// The backend's short name, such as `CPU` or `CUDA0`.
    pub name: zerohop_str,
    /// What the hardware calls itself.
    pub description: zerohop_str,
    /// Total memory in bytes.
    pub memory_total: u64,
    /// Free memory in bytes.
    pub memory_free: u64,
    /// The kind of device.
    pub kind: zerohop_device_kind,
}

/// What stands behind a list's handle.
#[derive(Debug)]
pub(crate) struct DeviceList(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    device: Device,
    name: Owned,
    description: Owned,
}

impl DeviceList {
    fn new(devices: Vec<Device>) -> Self {
        let entry = |device: Device| Entry {
            name: Owned::text(&device.name),
            description: Owned::text(&device.description),
            device,
        };
        DeviceList(devices.into_iter().map(entry).collect())
    }
}

impl Entry {
    fn describe(&self) -> zerohop_device {
        zerohop_device {
            struct_size: size_of::<zerohop_device>(),
            name: zerohop_str::of(&self.name),
            description: zerohop_str::of(&self.description),
            memory_total: self.device.memory_total,
            memory_free: self.device.memory_free,
            kind: match self.device.kind {
                DeviceKind::Cpu => ZEROHOP_DEVICE_KIND_CPU,
                DeviceKind::Gpu => ZEROHOP_DEVICE_KIND_GPU,
                DeviceKind::IntegratedGpu => ZEROHOP_DEVICE_KIND_INTEGRATED_GPU,
                _ => ZEROHOP_DEVICE_KIND_ACCELERATOR,
            },
        }
    }
}

/// Lists the devices that this build can compute on, the host's processor among
/// them. `*out` receives a list that `zerohop_device_list_free` frees.
///
/// Any thread.
///
/// Fails with `ZEROHOP_INVALID_ARGUMENT`: a NULL, or a processor that is too old for
/// this build.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_device_list_new(
    out: *mut *mut zerohop_device_list,
    out_err: *mut *mut zerohop_error,
) -> zerohop_status {
    // SAFETY: the C caller passes NULLs or places that are writable in the call.
    let (out, out_err) = unsafe { (Out::new(out), Out::new(out_err)) };
    guard(out_err, || {
        let out = required(out, "out")?;
        out.write(handle::give(Box::new(DeviceList::new(zerohop::devices()?))));
        Ok(ZEROHOP_OK)
    })
}

/// The number of devices; 0 for NULL.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_device_list_count(list: *const zerohop_device_list) -> usize {
    // SAFETY: the C caller passes NULL or a list that it has not freed.
    let list = unsafe { handle::borrow(list) };
    guard_or(0, || list.map_or(0, |list| list.0.len()))
}

/// Describes a device by its index. `*out` is filled as far as `struct_size`, which
/// is `sizeof(zerohop_device)`.
///
/// Any thread. The texts are valid until the list is freed.
///
/// Fails with `ZEROHOP_INVALID_ARGUMENT`: a NULL, no such index, no size of a
/// struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_device_list_get(
    list: *const zerohop_device_list,
    index: usize,
    out: *mut zerohop_device,
    struct_size: usize,
    out_err: *mut *mut zerohop_error,
) -> zerohop_status {
    // SAFETY: the C caller passes NULLs, a list that nobody frees during the call,
    // and a place that is writable in it.
    let (list, out_err) = unsafe { (handle::borrow(list), Out::new(out_err)) };
    guard(out_err, || {
        let devices = &required(list, "list")?.0;
        let device = devices.get(index).ok_or_else(|| {
            Failure::argument("index", &format!("is {index}; the number of devices is {}", devices.len()))
        })?;
        // SAFETY: the C caller passes NULL or `struct_size` writable bytes.
        unsafe { growing::fill(out, struct_size, &device.describe()) }?;
        Ok(ZEROHOP_OK)
    })
}

/// Frees a list and the texts that came from it. NULL is ignored.
///
/// Any thread, once, when no other thread uses the list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_device_list_free(list: *mut zerohop_device_list) {
    // SAFETY: the C caller passes NULL or a list of ours, and does not use it again.
    let list = unsafe { handle::take(list) };
    guard_or((), || drop(list));
}
