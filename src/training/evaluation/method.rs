//! What paints slices: generators, and the baselines that need none.

use crate::model::Colorizer;
use crate::preprocess::{Prepared, Recipe};
use crate::training::TrainingError;
use crate::training::baselines::{HuColorTable, grey_as_rgb};
use crate::training::picture::RgbPicture;

#[derive(Debug)]
enum Painter {
    Grey,
    HuTable(HuColorTable),
    Generator(Box<Colorizer>),
}

/// Something that paints a slice, with its name in tables.
#[derive(Debug)]
pub struct Method {
    name: String,
    weights: Option<String>,
    recipe: Recipe,
    painter: Painter,
}

impl Method {
    /// The CT in grey.
    pub fn grey(recipe: Recipe) -> Self {
        Self { name: "grey as RGB".to_owned(), weights: None, recipe, painter: Painter::Grey }
    }

    /// One colour for each HU.
    pub fn hu_table(recipe: Recipe, table: HuColorTable) -> Self {
        Self { name: "HU to colour table".to_owned(), weights: None, recipe, painter: Painter::HuTable(table) }
    }

    /// A generator, by the recipe of its weights. `weights`: where they come from, as the user said it.
    pub fn generator(name: String, weights: String, colorizer: Colorizer) -> Self {
        let recipe = colorizer.recipe().clone();
        Self { name, weights: Some(weights), recipe, painter: Painter::Generator(Box::new(colorizer)) }
    }

    /// Its name in tables.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its weights come from, if it has any.
    pub fn weights(&self) -> Option<&str> {
        self.weights.as_deref()
    }

    /// Whether it is the CT in grey.
    pub fn is_grey(&self) -> bool {
        matches!(self.painter, Painter::Grey)
    }

    /// How a slice is prepared for it.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The generator, if it is one.
    pub fn colorizer(&self) -> Option<&Colorizer> {
        match &self.painter {
            Painter::Generator(colorizer) => Some(colorizer),
            Painter::Grey | Painter::HuTable(_) => None,
        }
    }

    /// Paints a prepared slice on the network's grid, black outside the body.
    pub fn paint(&self, prepared: &Prepared) -> Result<RgbPicture, TrainingError> {
        match &self.painter {
            Painter::Grey => Ok(grey_as_rgb(prepared)),
            Painter::HuTable(table) => Ok(table.paint(prepared)),
            Painter::Generator(colorizer) => {
                let planes = colorizer.generate(prepared)?;
                Ok(RgbPicture::from_signed_unit(&planes, &prepared.grid_mask, prepared.size))
            }
        }
    }
}
