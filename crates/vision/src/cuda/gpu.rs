//! Which GPUs there are, and how they are named.

use super::{
    driver::{Driver, driver},
    error::{GpuFailure, gpu_error},
};
use crate::Result;
use cudarc::driver::sys::{CUdevice, CUdevice_attribute, CUuuid};
use std::ffi::{CStr, c_char, c_int};

/// What a GPU says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuInfo {
    /// Its number among the GPUs that this process may use: `CUDA_VISIBLE_DEVICES` leaves some out and changes the order, so
    /// number 0 is the first one in that list, not always the first one in `nvidia-smi`.
    pub ordinal: u32,
    /// "NVIDIA L4"
    pub name: String,
    /// `GPU-6e2b…` or, for a part of a card, `MIG-3f1c…`, as `nvidia-smi -L` writes it. The same after a reboot and whatever
    /// `CUDA_VISIBLE_DEVICES` says.
    pub uuid: String,
    /// Compute capability, (8, 9).
    pub compute: (u32, u32),
    /// Bytes of memory, all of it.
    pub memory: u64,
    /// The newest CUDA that the driver can run, (12, 4).
    pub driver: (u32, u32),
}

/// All GPUs that this process may use, by their numbers.
///
/// # Errors
/// [`GpuFailure::Driver`] without a usable driver, [`GpuFailure::NoDevice`] without a GPU.
pub fn devices() -> Result<Vec<GpuInfo>> {
    let driver = driver()?;
    (0..count(driver)?).map(|ordinal| describe(driver, device(driver, ordinal)?, ordinal)).collect()
}

/// The number of the one GPU whose UUID starts with `prefix` (`GPU-6e2b`, `MIG-3f1c`; upper or lower case).
///
/// # Errors
/// As [`devices`], and if none or more than one answers to it.
pub fn ordinal_of(prefix: &str) -> Result<u32> {
    let wanted = prefix.trim().to_ascii_lowercase();
    let all = devices()?;
    let matching: Vec<&GpuInfo> =
        all.iter().filter(|gpu| gpu.uuid.to_ascii_lowercase().starts_with(&wanted)).collect();
    match matching.as_slice() {
        [one] => Ok(one.ordinal),
        found => {
            let how_many = if found.is_empty() { "no GPU" } else { "more than one GPU" };
            let known: Vec<&str> = all.iter().map(|gpu| gpu.uuid.as_str()).collect();
            Err(gpu_error(
                GpuFailure::NoDevice,
                format!("{how_many} here has a UUID that starts with {prefix}"),
                format!("there are {}; CUDA_VISIBLE_DEVICES hides the others", known.join(", ")),
            ))
        }
    }
}

fn count(driver: &Driver) -> Result<u32> {
    let mut count = 0;
    // SAFETY: a place for the answer; the driver is started.
    driver.check(unsafe { (driver.device_count)(&mut count) }, "counting the GPUs")?;
    match u32::try_from(count).unwrap_or(0) {
        0 => Err(driver.error(super::error::code::NO_DEVICE, "counting the GPUs")),
        count => Ok(count),
    }
}

/// The driver's handle of a GPU.
pub(super) fn device(driver: &Driver, ordinal: u32) -> Result<CUdevice> {
    let count = count(driver)?;
    if ordinal >= count {
        return Err(gpu_error(
            GpuFailure::NoDevice,
            format!("there is no GPU number {ordinal}"),
            format!(
                "numbers 0 to {} can be used; CUDA_VISIBLE_DEVICES hides the others",
                count.saturating_sub(1)
            ),
        ));
    }
    let mut device = 0;
    let number = c_int::try_from(ordinal).unwrap_or(c_int::MAX);
    // SAFETY: a place for the answer, and a number below the count.
    driver.check(unsafe { (driver.device)(&mut device, number) }, &format!("opening GPU {ordinal}"))?;
    Ok(device)
}

/// The number of a device handle that somebody else's context has.
pub(super) fn ordinal(driver: &Driver, device: CUdevice) -> Result<u32> {
    for number in 0..count(driver)? {
        if self::device(driver, number)? == device {
            return Ok(number);
        }
    }
    // A handle that is no longer listed: handles are the ordinals in every driver so far.
    Ok(u32::try_from(device).unwrap_or(0))
}

pub(super) fn describe(driver: &Driver, device: CUdevice, ordinal: u32) -> Result<GpuInfo> {
    let doing = "asking a GPU what it is";
    let mut name = [0 as c_char; 256];
    let mut memory = 0;
    // SAFETY: room for as many bytes as are named, and a device that is there.
    driver.check(unsafe { (driver.device_name)(name.as_mut_ptr(), 255, device) }, doing)?;
    // SAFETY: a place for the answer.
    driver.check(unsafe { (driver.device_memory)(&mut memory, device) }, doing)?;
    // SAFETY: the driver wrote at most 255 bytes into 256 zeros.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned();
    let compute = (
        attribute(driver, device, CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
        attribute(driver, device, CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
    );
    let uuid = uuid(driver, device, &name)?;
    let memory = u64::try_from(memory).unwrap_or(u64::MAX);
    Ok(GpuInfo { ordinal, name, uuid, compute, memory, driver: driver.version })
}

pub(super) fn attribute(driver: &Driver, device: CUdevice, which: CUdevice_attribute) -> Result<u32> {
    let mut value = 0;
    // SAFETY: a place for the answer, and a device that is there.
    let asked = unsafe { (driver.device_attribute)(&mut value, which, device) };
    driver.check(asked, "asking a GPU what it can do")?;
    Ok(u32::try_from(value).unwrap_or(0))
}

/// The UUID that stands for what this process sees: a MIG instance where the card is divided.
fn uuid(driver: &Driver, device: CUdevice, name: &str) -> Result<String> {
    let mut own = CUuuid { bytes: [0; 16] };
    // SAFETY: a place for the answer.
    driver.check(unsafe { (driver.device_uuid)(&mut own, device) }, "asking a GPU for its UUID")?;
    let mut card = own;
    if let Some(ask) = driver.device_uuid_of_card {
        // SAFETY: as above. An answer that fails leaves the first one.
        if unsafe { ask(&mut card, device) } != super::error::code::SUCCESS {
            card = own;
        }
    }
    // The name of an instance ends in "MIG 1g.10gb".
    let part = card.bytes != own.bytes || name.contains(" MIG ");
    Ok(uuid_text(&own.bytes.map(|byte| byte.cast_unsigned()), part))
}

fn uuid_text(bytes: &[u8; 16], part: bool) -> String {
    let mut text = String::from(if part { "MIG" } else { "GPU" });
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 0 | 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_reads_as_nvidia_smi_writes_it() {
        let bytes: [u8; 16] = std::array::from_fn(|i| u8::try_from(i * 17).unwrap());
        assert_eq!(uuid_text(&bytes, false), "GPU-00112233-4455-6677-8899-aabbccddeeff");
        assert_eq!(uuid_text(&bytes, true), "MIG-00112233-4455-6677-8899-aabbccddeeff");
    }
}
