//! Whether a slice looks like those that a generator was trained on (DESIGN.md, decision 9).
//!
//! A slice is told by a few numbers: how large the body is and of what shape, and how much of it is gas, lung, fat, soft tissue
//! and bone. For each training set their mean and covariance are kept. A slice is as far outside as its Mahalanobis distance to
//! the nearest set, where the covariance is widened by what differs from person to person: the sets hold a single body.

use serde::{Deserialize, Serialize};

use super::bits::BitPlane;
use super::components::Regions;
use super::prepared::Prepared;

/// Number of features.
const FEATURES: usize = 9;
/// What the features are called in files, in order.
const NAMES: [&str; FEATURES] = ["area", "aspect", "fill", "parts", "gas", "lung", "fat", "soft", "bone"];
/// Standard deviation of each feature between people at the same level: our estimate. Logarithms and shares.
const BETWEEN_PEOPLE: [f64; FEATURES] = [0.25, 0.12, 0.06, 0.5, 0.02, 0.02, 0.1, 0.1, 0.05];
/// How much farther than the farthest training slice counts as inside.
const LENIENCE: f64 = 1.1;
/// Least distance that is outside: 95 % of other people's slices at the same levels are nearer (χ² with nine degrees of freedom).
const LEAST_THRESHOLD: f64 = 4.11;
/// Fewest slices whose covariance says something.
const FEWEST_SLICES: usize = 2 * FEATURES;
/// Version of the file.
const VERSION: u32 = 1;

type Vector = [f64; FEATURES];
type Matrix = [Vector; FEATURES];

/// What a slice looks like, in few numbers: cheap, and the same on any grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegionFeatures(Vector);

impl RegionFeatures {
    /// Of a prepared slice.
    pub fn of(prepared: &Prepared) -> Self {
        let body = BitPlane::of(&prepared.grid_mask, prepared.size, |is_inside| is_inside);
        let [top, bottom, left, right] = body.bounds().unwrap_or([0; 4]);
        let [height, width] = [bottom - top + 1, right - left + 1].map(|length| length as f64);
        // Below −950 HU, −950 … −500, −250 … −30, −30 … 200, above; what lies between is mixed at borders, and counts nowhere.
        let mut counts = [0_usize; 5];
        let mut count = 0;
        for (&hu, _) in prepared.grid_hu.iter().zip(&prepared.grid_mask).filter(|(_, is_inside)| **is_inside) {
            count += 1;
            match hu {
                hu if hu < -950.0 => counts[0] += 1,
                hu if hu < -500.0 => counts[1] += 1,
                hu if hu < -250.0 => {}
                hu if hu < -30.0 => counts[2] += 1,
                hu if hu < 200.0 => counts[3] += 1,
                _ => counts[4] += 1,
            }
        }
        let count = f64::max(f64::from(count), 1.0);
        let parts = Regions::of_ones(&body).iter().filter(|region| region.area as f64 > 0.01 * count).count();
        let mm_per_pixel = prepared.square.side * prepared.pixel_size_mm[0] / prepared.size as f64;
        let [gas, lung, fat, soft, bone] = counts.map(|part| part as f64 / count);
        Self([
            (count * mm_per_pixel * mm_per_pixel).ln(),
            (width / height).ln(),
            count / (width * height),
            (parts.max(1) as f64).ln(),
            gas,
            lung,
            fat,
            soft,
            bone,
        ])
    }
}

/// What the slices of one training set look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingRegion {
    /// Its name, such as `head`.
    pub name: String,
    /// How many slices.
    pub slices: usize,
    mean: Vector,
    covariance: Matrix,
}

impl TrainingRegion {
    fn fit(name: &str, features: &[RegionFeatures]) -> Result<Self, RegionError> {
        if features.len() < FEWEST_SLICES {
            return Err(RegionError::TooFewSlices { name: name.to_owned(), found: features.len() });
        }
        let count = features.len() as f64;
        let mean: Vector = std::array::from_fn(|i| features.iter().map(|f| f.0[i]).sum::<f64>() / count);
        let product = |i: usize, j: usize, f: &RegionFeatures| (f.0[i] - mean[i]) * (f.0[j] - mean[j]);
        let covariance = std::array::from_fn(|i| {
            std::array::from_fn(|j| features.iter().map(|f| product(i, j, f)).sum::<f64>() / (count - 1.0))
        });
        Ok(Self { name: name.to_owned(), slices: features.len(), mean, covariance })
    }

    /// The covariance, widened by what differs between people, as a lower triangle times its transpose.
    fn triangle(&self) -> Option<Matrix> {
        let mut lower = [[0.0; FEATURES]; FEATURES];
        for i in 0..FEATURES {
            for j in 0..=i {
                let between = if i == j { BETWEEN_PEOPLE[i] * BETWEEN_PEOPLE[i] } else { 0.0 };
                let rest = self.covariance[i][j] + between - (0..j).map(|k| lower[i][k] * lower[j][k]).sum::<f64>();
                if i != j {
                    lower[i][j] = rest / lower[j][j];
                } else if rest > 0.0 && rest.is_finite() {
                    lower[i][i] = rest.sqrt();
                } else {
                    return None;
                }
            }
        }
        Some(lower)
    }
}

/// Numbers from which no region can be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are named in the messages")]
pub enum RegionError {
    /// No set at all.
    #[error("no training set to tell regions by")]
    NoSets,
    /// A covariance of a handful of slices says nothing.
    #[error("training set {name} has {found} slices; at least {FEWEST_SLICES} are needed to tell its region")]
    TooFewSlices { name: String, found: usize },
    /// Made by another version.
    #[error(
        "region statistics are of version {found} with the features {features:?}; expected {VERSION} with {NAMES:?}"
    )]
    Version { found: u32, features: Vec<String> },
    /// NaN, or a matrix that is no covariance.
    #[error("region statistics of {name} are damaged: they are no covariance")]
    NoCovariance { name: String },
    /// A threshold that lets nothing in.
    #[error("region statistics have an unusable threshold; expected a number above 0")]
    Threshold,
}

/// What the training data looks like: tells how far a slice is from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredModel", into = "StoredModel")]
pub struct RegionModel {
    threshold: f64,
    regions: Vec<TrainingRegion>,
    triangles: Vec<Matrix>,
}

/// The model as it lies in a file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredModel {
    version: u32,
    features: Vec<String>,
    threshold: f64,
    regions: Vec<TrainingRegion>,
}

impl TryFrom<StoredModel> for RegionModel {
    type Error = RegionError;

    fn try_from(stored: StoredModel) -> Result<Self, RegionError> {
        if stored.version != VERSION || stored.features != NAMES {
            return Err(RegionError::Version { found: stored.version, features: stored.features });
        }
        if !(stored.threshold > 0.0 && stored.threshold.is_finite()) {
            return Err(RegionError::Threshold);
        }
        Self::new(stored.threshold, stored.regions)
    }
}

impl From<RegionModel> for StoredModel {
    fn from(model: RegionModel) -> Self {
        let features = NAMES.map(str::to_owned).to_vec();
        Self { version: VERSION, features, threshold: model.threshold, regions: model.regions }
    }
}

impl RegionModel {
    fn new(threshold: f64, regions: Vec<TrainingRegion>) -> Result<Self, RegionError> {
        if regions.is_empty() {
            return Err(RegionError::NoSets);
        }
        let damaged = |region: &TrainingRegion| RegionError::NoCovariance { name: region.name.clone() };
        let is_finite = |region: &TrainingRegion| region.mean.iter().all(|mean| mean.is_finite());
        let triangle =
            |region: &TrainingRegion| region.triangle().filter(|_| is_finite(region)).ok_or_else(|| damaged(region));
        let triangles = regions.iter().map(triangle).collect::<Result<_, _>>()?;
        Ok(Self { threshold, regions, triangles })
    }

    /// Learns from the slices of each training set, by name. The farthest of them are just inside.
    pub fn fit(sets: &[(&str, Vec<RegionFeatures>)]) -> Result<Self, RegionError> {
        let regions: Result<_, _> = sets.iter().map(|(name, features)| TrainingRegion::fit(name, features)).collect();
        let mut model = Self::new(1.0, regions?)?;
        let distances = sets.iter().flat_map(|(_, features)| features).map(|features| model.distance(features));
        model.threshold = (LENIENCE * distances.fold(0.0, f64::max)).max(LEAST_THRESHOLD);
        Ok(model)
    }

    /// The training sets.
    pub fn regions(&self) -> &[TrainingRegion] {
        &self.regions
    }

    /// Mahalanobis distance to the nearest training set.
    pub fn distance(&self, features: &RegionFeatures) -> f64 {
        let to_set = |(region, lower): (&TrainingRegion, &Matrix)| {
            let mut solved = [0.0; FEATURES];
            for i in 0..FEATURES {
                let known: f64 = (0..i).map(|k| lower[i][k] * solved[k]).sum();
                solved[i] = (features.0[i] - region.mean[i] - known) / lower[i][i];
            }
            solved.iter().map(|value| value * value).sum::<f64>().sqrt()
        };
        self.regions.iter().zip(&self.triangles).map(to_set).fold(f64::INFINITY, f64::min)
    }

    /// How unlike the training data a slice is: 0 in the middle of a training set, 0.5 at its border, 1 far outside.
    pub fn unlikeness(&self, features: &RegionFeatures) -> f32 {
        (self.distance(features) / (2.0 * self.threshold)).min(1.0) as f32
    }

    /// Whether a slice looks like none of the training data: the colour pane says "Region not in the training data".
    pub fn is_outside(&self, features: &RegionFeatures) -> bool {
        self.distance(features) > self.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocess::Recipe;
    use crate::volume::CtSlice;

    /// An ellipse of soft tissue under fat, with an ellipse of lung in it; sizes in mm.
    fn body(width_mm: f64, height_mm: f64, lung_mm: f64, pixel_mm: f64) -> RegionFeatures {
        let size = (500.0 / pixel_mm) as usize;
        let hu = (0..size * size).map(|index| {
            let [x, y] = [index % size, index / size].map(|place| (place as f64 + 0.5) * pixel_mm - 250.0);
            let within = |margin: f64| (x / (width_mm / 2.0 - margin)).hypot(y / (height_mm / 2.0 - margin)) < 1.0;
            if x.hypot(y) < lung_mm / 2.0 {
                -850
            } else if within(15.0) {
                40
            } else if within(0.0) {
                -100
            } else {
                -1000
            }
        });
        let slice = CtSlice::new(size, size, hu.collect::<Vec<i16>>().into());
        RegionFeatures::of(&Recipe::default().prepare(&slice, [pixel_mm; 2]).unwrap())
    }

    fn model() -> RegionModel {
        let set = |width: f64| (0..24).map(|i| body(width + f64::from(i), 0.7 * width, 0.0, 2.0)).collect();
        RegionModel::fit(&[("small", set(150.0)), ("large", set(350.0))]).unwrap()
    }

    #[test]
    fn bodies_like_those_of_the_training_are_inside_and_lungs_are_not() {
        let model = model();
        for width in [150.0, 165.0, 360.0, 370.0] {
            let features = body(width, 0.7 * width, 0.0, 2.0);
            let unlikeness = model.unlikeness(&features);
            assert!(!model.is_outside(&features) && unlikeness <= 0.5, "{width} mm: {unlikeness}");
        }
        let chest = body(350.0, 250.0, 150.0, 2.0);
        assert!(model.is_outside(&chest) && model.unlikeness(&chest) > 0.5, "{}", model.unlikeness(&chest));
    }

    #[test]
    fn the_more_lung_the_more_unlike() {
        let model = model();
        let unlike: Vec<f32> =
            [0.0, 30.0, 60.0, 90.0, 120.0].map(|lung| model.unlikeness(&body(350.0, 245.0, lung, 2.0))).to_vec();
        assert!(unlike.windows(2).all(|pair| pair[0] < pair[1] || pair[0] >= 1.0), "{unlike:?}");
    }

    #[test]
    fn features_do_not_depend_on_the_size_of_a_pixel() {
        let (fine, coarse) = (body(300.0, 200.0, 60.0, 0.7), body(300.0, 200.0, 60.0, 2.0));
        for ((fine, coarse), (name, between)) in fine.0.iter().zip(coarse.0).zip(NAMES.iter().zip(BETWEEN_PEOPLE)) {
            assert!((fine - coarse).abs() < between / 2.0, "{name}: {fine} and {coarse}");
        }
    }

    #[test]
    fn a_model_comes_back_from_its_file_and_damaged_ones_are_refused() {
        let model = model();
        let text = serde_json::to_string(&model).unwrap();
        let read: RegionModel = serde_json::from_str(&text).unwrap();
        let features = body(200.0, 100.0, 40.0, 2.0);
        // The last digit of a number may change on the way.
        assert!((read.distance(&features) - model.distance(&features)).abs() < 1e-9, "the same");
        let damage = |path: &str, value: serde_json::Value| {
            let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
            *json.pointer_mut(path).unwrap() = value;
            serde_json::from_value::<RegionModel>(json).unwrap_err().to_string()
        };
        assert!(damage("/version", 2.into()).contains("version 2"), "version");
        assert!(damage("/features/3", "hair".into()).contains("hair"), "features");
        assert!(damage("/threshold", 0.into()).contains("threshold"), "threshold");
        assert!(damage("/regions", serde_json::json!([])).contains("no training set"), "no sets");
        assert!(damage("/regions/1/covariance/0/0", (-9.0).into()).contains("large are damaged"), "covariance");
        let error = RegionModel::fit(&[("few", vec![body(300.0, 200.0, 0.0, 2.0); 3])]).unwrap_err().to_string();
        assert_eq!(error, "training set few has 3 slices; at least 18 are needed to tell its region");
    }
}
