//! Where the body lies in a series, roughly and quickly: what the panes are filled with.

use crate::volume::CtSlice;

/// A rectangle of a slice in pixel coordinates; (0, 0) is the top left corner of the first pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PixelBox {
    /// Left and top.
    pub min: [f64; 2],
    /// Right and bottom.
    pub max: [f64; 2],
}

impl PixelBox {
    /// A whole slice.
    pub fn whole(pixels: [usize; 2]) -> Self {
        Self { min: [0.0; 2], max: pixels.map(|count| count as f64) }
    }

    /// Width and height.
    pub fn size(&self) -> [f64; 2] {
        [0, 1].map(|k| self.max[k] - self.min[k])
    }

    /// Its middle.
    pub fn center(&self) -> [f64; 2] {
        [0, 1].map(|k| self.min[k].midpoint(self.max[k]))
    }

    /// The smallest rectangle around both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self { min: [0, 1].map(|k| self.min[k].min(other.min[k])), max: [0, 1].map(|k| self.max[k].max(other.max[k])) }
    }
}

/// Grows as slices arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BodyExtent(Option<PixelBox>);

impl BodyExtent {
    /// Above this is tissue: fat reaches down to about −200 HU, lung and air lie below.
    const TISSUE_ABOVE_HU: i16 = -250;
    /// Samples along a side: coarse, for a slice costs microseconds.
    const SAMPLES: usize = 96;
    /// Samples of tissue in a row or column that count; fewer are noise or a sheet's edge.
    const FEWEST: usize = 3;
    /// Share of the slice's side that is never zoomed in further.
    const SMALLEST_SHARE: f64 = 0.2;

    /// Takes in a slice.
    pub fn add(&mut self, slice: &CtSlice) {
        if let Some(found) = extent_of(slice) {
            self.0 = Some(self.0.map_or(found, |known| known.union(&found)));
        }
    }

    /// What to fill the panes with in slices of this size; all of them while no body is known.
    pub fn fit(&self, pixels: [usize; 2]) -> PixelBox {
        let whole = PixelBox::whole(pixels);
        let Some(body) = self.0 else { return whole };
        let mut fit = whole;
        for k in 0..2 {
            let least = whole.max[k] * Self::SMALLEST_SHARE;
            let half = body.size()[k].max(least) / 2.0;
            fit.min[k] = (body.center()[k] - half).max(0.0);
            fit.max[k] = (body.center()[k] + half).min(whole.max[k]);
        }
        fit
    }
}

fn extent_of(slice: &CtSlice) -> Option<PixelBox> {
    let sides = [slice.columns(), slice.rows()];
    let strides = sides.map(|side| (side / BodyExtent::SAMPLES).max(1));
    let mut counts = sides.map(|side| vec![0_usize; side]);
    for row in (0..sides[1]).step_by(strides[1]) {
        let values_hu = &slice.values_hu()[row * sides[0]..(row + 1) * sides[0]];
        for (column, &value_hu) in values_hu.iter().enumerate().step_by(strides[0]) {
            if value_hu > BodyExtent::TISSUE_ABOVE_HU {
                counts[0][column] += 1;
                counts[1][row] += 1;
            }
        }
    }
    let reach = |k: usize| {
        let is_body = |&count: &usize| count >= BodyExtent::FEWEST;
        let first = counts[k].iter().position(is_body)?;
        let last = counts[k].iter().rposition(is_body)?;
        // A sample stands for the pixels up to its neighbours.
        Some([first.saturating_sub(strides[k] - 1), (last + strides[k]).min(sides[k])].map(|place| place as f64))
    };
    let ([left, right], [top, bottom]) = (reach(0)?, reach(1)?);
    Some(PixelBox { min: [left, top], max: [right, bottom] })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Air but for a block of muscle from (left, top) to (right, bottom).
    fn block(side: usize, [left, top, right, bottom]: [usize; 4]) -> CtSlice {
        let value = |index: usize| {
            let (column, row) = (index % side, index / side);
            if (left..right).contains(&column) && (top..bottom).contains(&row) { 50 } else { -1000 }
        };
        CtSlice::new(side, side, (0..side * side).map(value).collect())
    }

    #[test]
    fn the_body_is_found_within_a_sample_and_grows_with_the_slices() {
        let mut extent = BodyExtent::default();
        extent.add(&block(512, [100, 150, 300, 350]));
        let fit = extent.fit([512, 512]);
        for (found, expected) in fit.min.into_iter().chain(fit.max).zip([100.0, 150.0, 300.0, 350.0]) {
            assert!((found - expected).abs() <= 5.0, "{fit:?}");
        }
        extent.add(&block(512, [200, 100, 400, 300]));
        let grown = extent.fit([512, 512]);
        assert!(grown.min[1] <= 100.0 && grown.max[0] >= 400.0 && grown.max[1] >= 345.0, "{grown:?}");
    }

    #[test]
    fn a_few_bright_pixels_are_no_body_and_air_fills_the_panes_whole() {
        let mut extent = BodyExtent::default();
        extent.add(&block(64, [60, 60, 62, 62]));
        assert_eq!(extent.fit([64, 64]), PixelBox::whole([64, 64]));
    }

    #[test]
    fn a_small_thing_is_not_blown_up_without_end() {
        let mut extent = BodyExtent::default();
        extent.add(&block(100, [50, 50, 56, 56]));
        assert!(extent.fit([100, 100]).size().iter().all(|&side| side >= 20.0));
    }
}
