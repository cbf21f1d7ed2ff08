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
}

/// Grows as slices arrive.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BodyExtent {
    of_slices: Vec<PixelBox>,
}

impl BodyExtent {
    /// Above this is tissue: fat reaches down to about −200 HU, lung and air lie below.
    const TISSUE_ABOVE_HU: i16 = -250;
    /// Samples along a side: coarse, for a slice costs microseconds.
    const SAMPLES: usize = 96;
    /// Samples of tissue in a row or column that count; fewer are noise or a sheet's edge.
    const FEWEST: usize = 3;
    /// Share of the slices that may reach further at each side: shoulders below a head must not make the head small.
    const REACHING_FURTHER: f64 = 0.2;

    /// Takes in a slice.
    pub fn add(&mut self, slice: &CtSlice) {
        self.of_slices.extend(extent_of(slice));
    }

    /// What holds the body on nearly all slices; `None` while no body is known.
    pub fn typical(&self) -> Option<PixelBox> {
        let outermost = |side: fn(&PixelBox) -> f64, is_last: bool| {
            let mut places: Vec<f64> = self.of_slices.iter().map(side).collect();
            places.sort_by(f64::total_cmp);
            let further = (places.len() as f64 * Self::REACHING_FURTHER) as usize;
            places.get(if is_last { places.len().checked_sub(further + 1)? } else { further }).copied()
        };
        Some(PixelBox {
            min: [outermost(|body| body.min[0], false)?, outermost(|body| body.min[1], false)?],
            max: [outermost(|body| body.max[0], true)?, outermost(|body| body.max[1], true)?],
        })
    }

    /// What holds the body on one slice; `None` when there is none.
    pub fn of_slice(slice: &CtSlice) -> Option<PixelBox> {
        extent_of(slice)
    }
}

impl PixelBox {
    /// Share of the slice's side that is never zoomed in further.
    const SMALLEST_SHARE: f64 = 0.2;

    /// What to fill a pane with so that this is seen, in a slice of so many pixels.
    #[must_use]
    pub fn to_fit(self, pixels: [usize; 2]) -> Self {
        let whole = Self::whole(pixels);
        let mut fit = whole;
        for k in 0..2 {
            let least = whole.max[k] * Self::SMALLEST_SHARE;
            let half = self.size()[k].max(least) / 2.0;
            fit.min[k] = (self.center()[k] - half).max(0.0);
            fit.max[k] = (self.center()[k] + half).min(whole.max[k]);
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
    fn the_body_is_found_within_a_sample() {
        let mut extent = BodyExtent::default();
        extent.add(&block(512, [100, 150, 300, 350]));
        let body = extent.typical().unwrap();
        for (found, expected) in body.min.into_iter().chain(body.max).zip([100.0, 150.0, 300.0, 350.0]) {
            assert!((found - expected).abs() <= 5.0, "{body:?}");
        }
    }

    #[test]
    fn a_few_slices_of_shoulders_do_not_make_the_head_small_and_many_do() {
        let (head, shoulders) = (block(512, [200, 150, 300, 300]), block(512, [20, 200, 500, 330]));
        let typical = |slices: [(&CtSlice, usize); 2]| {
            let mut extent = BodyExtent::default();
            for (slice, count) in slices {
                (0..count).for_each(|_| extent.add(slice));
            }
            extent.typical().unwrap().size()[0]
        };
        assert!(typical([(&head, 90), (&shoulders, 10)]) < 120.0, "a tenth");
        assert!(typical([(&head, 70), (&shoulders, 30)]) > 460.0, "a third");
        assert!(typical([(&head, 1), (&shoulders, 1)]) > 460.0, "one of two");
    }

    #[test]
    fn a_few_bright_pixels_are_no_body() {
        let mut extent = BodyExtent::default();
        extent.add(&block(64, [60, 60, 62, 62]));
        assert_eq!(extent.typical(), None);
    }

    #[test]
    fn a_small_thing_is_not_blown_up_without_end() {
        let body = BodyExtent::of_slice(&block(100, [50, 50, 56, 56])).unwrap();
        assert!(body.to_fit([100, 100]).size().iter().all(|&side| side >= 20.0));
    }
}
