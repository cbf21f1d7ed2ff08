//! What is done to a slice before the generator sees it, as data: saved in every weights file.

use serde::{Deserialize, Serialize};

/// A range of CT values, `low_hu < high_hu`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HuRange {
    /// Lower end in HU.
    pub low_hu: f32,
    /// Upper end in HU.
    pub high_hu: f32,
}

impl HuRange {
    /// All CT values of the paper (§1), −1000 … 3096 HU.
    pub const WHOLE: Self = Self { low_hu: -1000.0, high_hu: 3096.0 };
    /// Soft tissue, −160 … 240 HU: a tenth of the whole range, and most of what a body is.
    pub const SOFT_TISSUE: Self = Self { low_hu: -160.0, high_hu: 240.0 };

    /// Whether both ends are numbers within ±32768 HU, the lower one first.
    pub fn is_usable(self) -> bool {
        let within = |value: f32| value.abs() <= 32768.0;
        within(self.low_hu) && within(self.high_hu) && self.low_hu < self.high_hu
    }

    /// Where a value lies in the range: 0 at the lower end and below, 1 at the upper end and above.
    pub fn unit_from_hu(self, value_hu: f32) -> f32 {
        (value_hu.max(self.low_hu).min(self.high_hu) - self.low_hu) / (self.high_hu - self.low_hu)
    }
}

/// The ranges of the Sobel in range (§3.1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeRanges {
    /// Fat, −190 … −30 HU by default.
    pub fat: HuRange,
    /// Bone, 200 … 1200 HU by default.
    pub bone: HuRange,
}

impl Default for EdgeRanges {
    fn default() -> Self {
        Self { fat: HuRange { low_hu: -190.0, high_hu: -30.0 }, bone: HuRange { low_hu: 200.0, high_hu: 1200.0 } }
    }
}

/// One plane that the generator sees, signed unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputChannel {
    /// The CT value in a range: the whole one, or a window such as soft tissue.
    Hu(HuRange),
    /// The paper's `I` (§3.1): the stronger of the contours of fat and of bone, [`Recipe::edges`].
    SobelInRange,
    /// Contours of everything in one range; the whole one in the ablation of §4.3.
    Sobel(HuRange),
}

/// How the body is told from what surrounds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskMode {
    /// Otsu's threshold, then region work: the table goes, lungs and bowel gas stay.
    #[default]
    Body,
    /// Above the median of the 10 × 10 pixels in the top left corner, without region work (§4.3, "Without Both").
    CornerMedian,
}

/// The preprocessing ablation of §4.3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Ablation {
    /// Body mask and Sobel in range: nothing left out.
    #[default]
    Both,
    /// Body mask; the whole-range Sobel instead of the ranges.
    BodyMask,
    /// The whole-range Sobel, and the threshold from the top left corner.
    WithoutBoth,
}

/// Everything that makes the generator's input out of a CT slice; saved in every weights file.
///
/// The first files held only `size` and `edges`: whatever else is missing is the default's. What is unknown is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Of this description; [`Recipe::VERSION`].
    #[serde(default = "current_version")]
    pub version: u32,
    /// Width and height of the network's grid, a multiple of 256.
    pub size: usize,
    /// What the generator sees, in this order.
    #[serde(default = "default_inputs")]
    pub inputs: Vec<InputChannel>,
    /// Ranges of [`InputChannel::SobelInRange`].
    pub edges: EdgeRanges,
    /// How the body is found.
    #[serde(default)]
    pub mask: MaskMode,
    /// Side of the square around the body, in longer sides of the body.
    #[serde(default = "default_crop_margin")]
    pub crop_margin: f64,
}

fn current_version() -> u32 {
    Recipe::VERSION
}

fn default_inputs() -> Vec<InputChannel> {
    vec![InputChannel::Hu(HuRange::WHOLE), InputChannel::Hu(HuRange::SOFT_TISSUE), InputChannel::SobelInRange]
}

fn default_crop_margin() -> f64 {
    Recipe::CROP_MARGIN
}

/// A recipe that cannot be followed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are named in the messages")]
pub enum RecipeError {
    /// Made by a later program.
    #[error("recipe version {found} is unknown; this program follows version {expected}")]
    Version { expected: u32, found: u32 },
    /// A size that the network cannot take.
    #[error("recipe asks for a grid of {found}; expected a multiple of 256, at most 4096")]
    Size { found: usize },
    /// No channel, or too many.
    #[error("recipe makes {found} channels; expected 1 to 16")]
    Inputs { found: usize },
    /// Upside down, or not numbers.
    #[error("recipe has a range of {low_hu} … {high_hu} HU for {what}; expected two numbers, the lower one first")]
    Range { what: &'static str, low_hu: f32, high_hu: f32 },
    /// A square that would cut the body, or lose it.
    #[error("recipe has a crop margin of {found}; expected 1 to 4")]
    CropMargin { found: f64 },
    /// Not the JSON of a recipe.
    #[error("recipe cannot be read: {reason}")]
    Json { reason: String },
    /// No such name.
    #[error("no recipe is called {found:?}; there are {known}")]
    Name { found: String, known: String },
}

impl Default for Recipe {
    /// DESIGN.md's: whole HU range, soft tissue, contours of fat and bone, on 256².
    fn default() -> Self {
        Self {
            version: Self::VERSION,
            size: 256,
            inputs: default_inputs(),
            edges: EdgeRanges::default(),
            mask: MaskMode::Body,
            crop_margin: Self::CROP_MARGIN,
        }
    }
}

impl Recipe {
    /// Version of this description that the program writes and reads.
    pub const VERSION: u32 = 1;
    /// Room around the body, by default.
    pub const CROP_MARGIN: f64 = 1.06;
    /// Names that [`Self::named`] knows.
    pub const NAMES: [&str; 6] = ["default", "ct2rgb", "direct", "both", "body-mask", "without-both"];

    /// The paper's own input: CT and `I`.
    pub fn ct2rgb() -> Self {
        Self { inputs: vec![InputChannel::Hu(HuRange::WHOLE), InputChannel::SobelInRange], ..Self::default() }
    }

    /// CT alone: the paper's `direct` and `supervised`.
    pub fn direct() -> Self {
        Self { inputs: vec![InputChannel::Hu(HuRange::WHOLE)], ..Self::default() }
    }

    /// This recipe with what §4.3 leaves out.
    #[must_use]
    pub fn with_ablation(mut self, ablation: Ablation) -> Self {
        if ablation != Ablation::Both {
            for input in &mut self.inputs {
                if *input == InputChannel::SobelInRange {
                    *input = InputChannel::Sobel(HuRange::WHOLE);
                }
            }
        }
        if ablation == Ablation::WithoutBoth {
            self.mask = MaskMode::CornerMedian;
        }
        self
    }

    /// A recipe by its name in the paper (`ct2rgb`, `direct`) or in its ablation (`both`, `body-mask`, `without-both`).
    pub fn named(name: &str) -> Result<Self, RecipeError> {
        match name {
            "default" => Ok(Self::default()),
            "ct2rgb" => Ok(Self::ct2rgb()),
            "direct" => Ok(Self::direct()),
            "both" => Ok(Self::default().with_ablation(Ablation::Both)),
            "body-mask" => Ok(Self::default().with_ablation(Ablation::BodyMask)),
            "without-both" => Ok(Self::default().with_ablation(Ablation::WithoutBoth)),
            _ => Err(RecipeError::Name { found: name.to_owned(), known: Self::NAMES.join(", ") }),
        }
    }

    /// Reads a recipe and checks it.
    pub fn from_json(text: &str) -> Result<Self, RecipeError> {
        let recipe: Self =
            serde_json::from_str(text).map_err(|error| RecipeError::Json { reason: error.to_string() })?;
        recipe.validate()?;
        Ok(recipe)
    }

    /// The recipe on one line: what a picture is stamped with. Equal recipes give equal lines.
    ///
    /// # Panics
    /// Never: numbers and names always have a JSON form.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and names always have a JSON form")
    }

    /// Number of channels that the generator sees.
    pub fn channel_count(&self) -> usize {
        self.inputs.len()
    }

    /// Whether this program can follow the recipe.
    pub fn validate(&self) -> Result<(), RecipeError> {
        if self.version != Self::VERSION {
            return Err(RecipeError::Version { expected: Self::VERSION, found: self.version });
        }
        if self.size == 0 || !self.size.is_multiple_of(256) || self.size > 4096 {
            return Err(RecipeError::Size { found: self.size });
        }
        if !(1..=16).contains(&self.inputs.len()) {
            return Err(RecipeError::Inputs { found: self.inputs.len() });
        }
        if !(1.0..=4.0).contains(&self.crop_margin) {
            return Err(RecipeError::CropMargin { found: self.crop_margin });
        }
        let of_inputs = self.inputs.iter().filter_map(|input| match *input {
            InputChannel::Hu(range) => Some(("CT values", range)),
            InputChannel::Sobel(range) => Some(("contours", range)),
            InputChannel::SobelInRange => None,
        });
        let of_edges = [("contours of fat", self.edges.fat), ("contours of bone", self.edges.bone)];
        match of_inputs.chain(of_edges).find(|(_, range)| !range.is_usable()) {
            Some((what, HuRange { low_hu, high_hu })) => Err(RecipeError::Range { what, low_hu, high_hu }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_recipe_is_valid_and_comes_back_from_json() {
        for name in Recipe::NAMES {
            let recipe = Recipe::named(name).unwrap();
            assert_eq!(Recipe::from_json(&recipe.to_json()), Ok(recipe), "{name}");
        }
        let error = Recipe::named("ct2grey").unwrap_err().to_string();
        assert!(error.contains("\"ct2grey\"") && error.contains("without-both"), "{error}");
    }

    #[test]
    fn named_recipes_have_the_channels_of_the_paper() {
        let count = |name| Recipe::named(name).unwrap().channel_count();
        assert_eq!([count("default"), count("ct2rgb"), count("direct")], [3, 2, 1], "channels");
        let ablated = Recipe::named("without-both").unwrap();
        assert_eq!(ablated.mask, MaskMode::CornerMedian, "threshold");
        assert_eq!(ablated.inputs[2], InputChannel::Sobel(HuRange::WHOLE), "contours");
        assert_eq!(Recipe::named("body-mask").unwrap().mask, MaskMode::Body, "threshold");
    }

    #[test]
    fn the_first_weights_files_with_size_and_edges_alone_are_the_default() {
        let edges = r#"{"fat":{"low_hu":-190.0,"high_hu":-30.0},"bone":{"low_hu":200.0,"high_hu":1200.0}}"#;
        assert_eq!(Recipe::from_json(&format!(r#"{{"size":256,"edges":{edges}}}"#)), Ok(Recipe::default()));
    }

    #[test]
    fn unknown_fields_and_versions_are_refused() {
        let text = Recipe::default().to_json();
        for (from, to, expected) in [
            ("\"size\"", "\"contrast\":2,\"size\"", "unknown field `contrast`"),
            ("\"version\":1", "\"version\":2", "version 2"),
            ("\"low_hu\":-190.0", "\"low_hu\":-190.0,\"unit\":\"HU\"", "unknown field `unit`"),
            ("sobel-in-range", "sobel-in-rage", "unknown variant `sobel-in-rage`"),
            ("\"body\"", "\"lungs\"", "unknown variant `lungs`"),
        ] {
            assert!(text.contains(from), "{from} is in {text}");
            let error = Recipe::from_json(&text.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(expected), "{to}: {error}");
        }
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        let upside_down = HuRange { low_hu: 240.0, high_hu: -160.0 };
        let none = HuRange { low_hu: f32::NAN, high_hu: 1.0 };
        let default = Recipe::default;
        let edges = EdgeRanges { bone: none, ..EdgeRanges::default() };
        for (recipe, expected) in [
            (Recipe { size: 0, ..default() }, "a grid of 0"),
            (Recipe { size: 300, ..default() }, "a grid of 300"),
            (Recipe { size: 256 << 20, ..default() }, "at most 4096"),
            (Recipe { inputs: vec![], ..default() }, "0 channels"),
            (Recipe { inputs: vec![InputChannel::SobelInRange; 17], ..default() }, "17 channels"),
            (Recipe { inputs: vec![InputChannel::Hu(upside_down)], ..default() }, "240 … -160 HU for CT values"),
            (Recipe { inputs: vec![InputChannel::Sobel(upside_down)], ..default() }, "for contours"),
            (Recipe { edges, ..default() }, "NaN … 1 HU for contours of bone"),
            (Recipe { crop_margin: 0.5, ..default() }, "margin of 0.5"),
            (Recipe { crop_margin: f64::NAN, ..default() }, "margin of NaN"),
        ] {
            let error = recipe.validate().unwrap_err().to_string();
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }
}
