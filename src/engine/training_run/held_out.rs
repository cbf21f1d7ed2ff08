//! The held-out slices: figures, and one of them to look at.

use std::sync::Arc;

use rayon::prelude::*;

use super::folder::RunFolder;
use crate::engine::training_messages::{HeldOutMetrics, TrainingPreview};
use crate::model::weights::write_atomically;
use crate::model::{Colorizer, DeviceChoice, FeatureNetwork, GeneratorWeights, ModelError, OpenDevice};
use crate::training::metrics::{Lpips, lattice, mean, rmse, ssim};
use crate::training::{PairSlice, Perceptual, RgbPicture, TrainingError};

/// Slices that are never trained on, with what measures them.
pub(super) struct HeldOut {
    slices: Vec<PairSlice>,
    lpips: Lpips,
    lpips_vgg: Option<Lpips>,
    device: DeviceChoice,
    before: Option<Arc<RgbPicture>>,
}

impl HeldOut {
    /// `slices` must not be empty.
    pub(super) fn new(
        slices: Vec<PairSlice>,
        perceptual: Perceptual,
        device: DeviceChoice,
    ) -> Result<Self, TrainingError> {
        let cpu = OpenDevice::open(DeviceChoice::Cpu).map_err(ModelError::from)?;
        let has_vgg = perceptual.judges().iter().any(|judge| judge.network == FeatureNetwork::Vgg16);
        Ok(Self {
            slices,
            lpips: Lpips::alex_net(cpu.device())?,
            lpips_vgg: has_vgg.then(|| Lpips::vgg_16(cpu.device())).transpose()?,
            device,
            before: None,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.slices.len()
    }

    /// Takes the picture from the start of the run, if it is there: the run is taken up again.
    pub(super) fn remember_before(&mut self, folder: &RunFolder) {
        let Ok(image::DynamicImage::ImageRgb8(picture)) = image::open(folder.before()) else { return };
        let size = self.slices[self.previewed()].prepared.size;
        if (picture.width() as usize, picture.height() as usize) == (size, size) {
            self.before = Some(Arc::new(RgbPicture::new(size, size, picture.into_raw())));
        }
    }

    /// The slice to look at: in the middle.
    fn previewed(&self) -> usize {
        self.slices.len() / 2
    }

    /// Means over all slices (step and epoch are left to the caller), and the slice to look at.
    pub(super) fn measure(
        &mut self,
        weights: &GeneratorWeights,
        folder: &RunFolder,
    ) -> Result<(HeldOutMetrics, TrainingPreview), TrainingError> {
        let colorizer = Colorizer::from_weights(weights, self.device)?;
        let paint = |slice: &PairSlice| Ok(slice.picture_of(&colorizer.generate(&slice.prepared)?));
        let painted = self.slices.iter().map(paint).collect::<Result<Vec<_>, TrainingError>>()?;
        let figures = self.slices.par_iter().zip(&painted).map(|(slice, picture)| self.figures(slice, picture));
        let figures = figures.collect::<Result<Vec<_>, _>>()?;
        let metrics = HeldOutMetrics {
            rmse: mean(figures.iter().map(|figures| figures.rmse)).unwrap_or_default(),
            ssim: mean(figures.iter().map(|figures| figures.ssim)).unwrap_or_default(),
            lpips: mean(figures.iter().map(|figures| figures.lpips)).unwrap_or_default(),
            lpips_vgg: mean(figures.iter().filter_map(|figures| figures.lpips_vgg)),
            lattice: mean(figures.iter().filter_map(|figures| figures.lattice)),
            ..HeldOutMetrics::default()
        };
        Ok((metrics, self.preview(&painted, folder)))
    }

    /// Inside the body's rectangle.
    fn figures(&self, slice: &PairSlice, picture: &RgbPicture) -> Result<Figures, TrainingError> {
        let lattice = lattice(picture, &slice.prepared.grid_mask);
        let (picture, truth) = (picture.crop(slice.body), slice.truth.crop(slice.body));
        Ok(Figures {
            rmse: rmse(&picture, &truth)?,
            ssim: ssim(&picture, &truth)?,
            lpips: self.lpips.distance(&picture, &truth)?,
            lpips_vgg: self.lpips_vgg.as_ref().map(|lpips| lpips.distance(&picture, &truth)).transpose()?,
            lattice,
        })
    }

    fn preview(&mut self, painted: &[RgbPicture], folder: &RunFolder) -> TrainingPreview {
        let index = self.previewed();
        let now = Arc::new(painted[index].clone());
        let before = self.before.get_or_insert_with(|| {
            keep_before(&now, folder);
            Arc::clone(&now)
        });
        let slice = &self.slices[index];
        TrainingPreview {
            slice: slice.row.slice.clone(),
            ct: Arc::new(grey(slice)),
            before: Arc::clone(before),
            now,
            truth: Arc::new(slice.truth.clone()),
        }
    }
}

/// Of one slice.
struct Figures {
    rmse: f64,
    ssim: f64,
    lpips: f64,
    lpips_vgg: Option<f64>,
    lattice: Option<f64>,
}

/// The first channel in grey.
fn grey(slice: &PairSlice) -> RgbPicture {
    let size = slice.prepared.size;
    let level = |value: &f32| ((value + 1.0) * 127.5).clamp(0.0, 255.0).round() as u8;
    let rgb8 = slice.prepared.channels[..size * size].iter().flat_map(|value| [level(value); 3]).collect();
    RgbPicture::new(size, size, rgb8)
}

/// Writes the picture for the time when the run is taken up again. Without it, only the preview loses something.
fn keep_before(picture: &RgbPicture, folder: &RunFolder) {
    let mut png = std::io::Cursor::new(Vec::new());
    let size = (picture.columns() as u32, picture.rows() as u32);
    let format = image::ImageFormat::Png;
    let encoded = image::write_buffer_with_format(
        &mut png,
        picture.rgb8(),
        size.0,
        size.1,
        image::ExtendedColorType::Rgb8,
        format,
    );
    let written = encoded
        .map_err(|error| error.to_string())
        .and_then(|()| write_atomically(&folder.before(), png.get_ref()).map_err(|error| error.to_string()));
    if let Err(error) = written {
        tracing::warn!(error, "the first preview could not be kept");
    }
}
