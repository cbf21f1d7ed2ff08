//! Where the networks run, honestly named (DESIGN.md, decision 7).

use std::fmt;
use std::str::FromStr;

use candle_core::Device;
use serde::{Deserialize, Serialize};

/// Where the generator runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// CUDA, Metal, CPU, in this order, whichever is usable first.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA GPU; only in a build with the feature `cuda`.
    Cuda,
    /// An Apple GPU; only in a build with the feature `metal`.
    Metal,
}

impl DeviceChoice {
    /// All choices, as `--device` spells them.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Cpu, Self::Cuda, Self::Metal];

    /// As `--device` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Metal => "metal",
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        Self::ALL
            .into_iter()
            .find(|choice| choice.name() == text.to_ascii_lowercase())
            .ok_or_else(|| DeviceError::Unknown { found: text.to_owned() })
    }
}

/// Why a device cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The build lacks the feature.
    #[error(
        "this build cannot use {device}; install a build made with `cargo build --release --features {feature}`, or choose the device auto or cpu"
    )]
    NotInThisBuild {
        /// Name for people.
        device: &'static str,
        /// Cargo feature.
        feature: &'static str,
    },
    /// The libraries are there and no usable device is.
    #[error("no usable {device} device; check its driver, or choose the device auto or cpu")]
    Unusable {
        /// Name for people.
        device: &'static str,
        /// What the driver said.
        source: Box<candle_core::Error>,
    },
    /// Not a device.
    #[error("expected a device of auto, cpu, cuda or metal, found {found:?}")]
    Unknown {
        /// What was given.
        found: String,
    },
}

/// A device that has been opened.
#[derive(Clone, Debug)]
pub struct OpenDevice {
    device: Device,
    name: String,
    note: Option<String>,
}

impl OpenDevice {
    /// Opens a device. `Auto` never fails: it falls back to the CPU and says why.
    pub fn open(choice: DeviceChoice) -> Result<Self, DeviceError> {
        match choice {
            DeviceChoice::Cpu => Ok(Self::cpu(None)),
            DeviceChoice::Cuda => open_cuda(),
            DeviceChoice::Metal => open_metal(),
            DeviceChoice::Auto => Ok(Self::first_usable([open_cuda, open_metal])),
        }
    }

    /// The device as candle knows it.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// `CPU`, or the GPU's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why `Auto` fell back to the CPU, in words, if it did.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    fn cpu(note: Option<String>) -> Self {
        Self { device: Device::Cpu, name: "CPU".to_owned(), note }
    }

    /// A GPU that the build does not know is no news; one that it knows and cannot use is.
    fn first_usable(gpus: [fn() -> Result<Self, DeviceError>; 2]) -> Self {
        let mut notes = Vec::new();
        for open in gpus {
            match open() {
                Ok(opened) => return opened,
                Err(DeviceError::NotInThisBuild { .. }) => {}
                Err(DeviceError::Unusable { device, source }) => {
                    notes.push(format!("no usable {device} device ({source})"));
                }
                Err(error @ DeviceError::Unknown { .. }) => notes.push(error.to_string()),
            }
        }
        Self::cpu((!notes.is_empty()).then(|| format!("{}; running on the CPU", notes.join(", "))))
    }
}

#[cfg(feature = "cuda")]
fn open_cuda() -> Result<OpenDevice, DeviceError> {
    // cudarc panics where it cannot find a library of the toolkit at run time.
    let opened = std::panic::catch_unwind(|| Device::new_cuda(0))
        .unwrap_or_else(|_panic| Err(candle_core::Error::Msg("the CUDA libraries cannot be loaded".to_owned())));
    let device = opened.map_err(|source| DeviceError::Unusable { device: "CUDA", source: Box::new(source) })?;
    let name = match &device {
        Device::Cuda(cuda) => cuda.cuda_stream().context().name().unwrap_or_else(|_| "CUDA device 0".to_owned()),
        Device::Cpu | Device::Metal(_) => "CUDA device 0".to_owned(),
    };
    Ok(OpenDevice { device, name, note: None })
}

#[cfg(not(feature = "cuda"))]
fn open_cuda() -> Result<OpenDevice, DeviceError> {
    Err(DeviceError::NotInThisBuild { device: "CUDA", feature: "cuda" })
}

#[cfg(feature = "metal")]
fn open_metal() -> Result<OpenDevice, DeviceError> {
    // The Metal bindings panic where there is no device at all.
    let opened = std::panic::catch_unwind(|| Device::new_metal(0))
        .unwrap_or_else(|_panic| Err(candle_core::Error::Msg("no Metal device was found".to_owned())));
    let device = opened.map_err(|source| DeviceError::Unusable { device: "Metal", source: Box::new(source) })?;
    let name = match &device {
        Device::Metal(metal) => format!("Apple GPU ({})", metal.device().architecture_name()),
        Device::Cpu | Device::Cuda(_) => "Metal device 0".to_owned(),
    };
    Ok(OpenDevice { device, name, note: None })
}

#[cfg(not(feature = "metal"))]
fn open_metal() -> Result<OpenDevice, DeviceError> {
    Err(DeviceError::NotInThisBuild { device: "Metal", feature: "metal" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse() -> Result<OpenDevice, DeviceError> {
        let source = Box::new(candle_core::Error::Msg("driver too old".to_owned()));
        Err(DeviceError::Unusable { device: "CUDA", source })
    }

    fn absent() -> Result<OpenDevice, DeviceError> {
        Err(DeviceError::NotInThisBuild { device: "Metal", feature: "metal" })
    }

    #[test]
    fn auto_falls_back_to_the_cpu_and_says_why() {
        let opened = OpenDevice::first_usable([refuse, absent]);
        assert_eq!(opened.name(), "CPU", "fallback");
        let note = opened.note().unwrap();
        assert_eq!(note, "no usable CUDA device (driver too old); running on the CPU", "the reason");
    }

    #[test]
    fn auto_says_nothing_about_gpus_that_the_build_does_not_know() {
        assert_eq!(OpenDevice::first_usable([absent, absent]).note(), None, "no note");
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn cuda_in_a_build_without_it_names_the_build_that_is_needed() {
        let error = OpenDevice::open(DeviceChoice::Cuda).unwrap_err();
        assert!(error.to_string().contains("--features cuda"), "{error}");
    }

    #[test]
    fn a_misspelt_device_lists_the_right_ones() {
        let error = "gpu".parse::<DeviceChoice>().unwrap_err();
        assert_eq!(error.to_string(), "expected a device of auto, cpu, cuda or metal, found \"gpu\"", "message");
    }
}
