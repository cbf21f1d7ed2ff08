//! Finished colours, bounded in bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::units::SliceIndex;
use crate::volume::ColorSlice;

/// Finished colours of the open series.
#[derive(Debug)]
pub(super) struct ColorCache {
    slices: BTreeMap<SliceIndex, Arc<ColorSlice>>,
    bytes: usize,
    most_bytes: usize,
}

impl ColorCache {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { slices: BTreeMap::new(), bytes: 0, most_bytes }
    }

    /// Slices of this many pixels that fit, at least the one on screen.
    pub(super) fn capacity(&self, pixels: usize) -> usize {
        (self.most_bytes / (pixels * 3).max(1)).max(1)
    }

    pub(super) fn get(&self, slice: SliceIndex) -> Option<Arc<ColorSlice>> {
        self.slices.get(&slice).cloned()
    }

    pub(super) fn contains(&self, slice: SliceIndex) -> bool {
        self.slices.contains_key(&slice)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.slices.clear();
        self.bytes = 0;
    }

    /// Keeps a slice, and lets go of those furthest from `shown` until all fit; says which.
    pub(super) fn insert(&mut self, slice: SliceIndex, color: Arc<ColorSlice>, shown: SliceIndex) -> Vec<SliceIndex> {
        self.bytes += color.rgb8.len();
        if let Some(old) = self.slices.insert(slice, color) {
            self.bytes -= old.rgb8.len();
        }
        let mut dropped = Vec::new();
        while self.bytes > self.most_bytes && self.slices.len() > 1 {
            let Some(furthest) = self.furthest_from(shown) else { break };
            if let Some(old) = self.slices.remove(&furthest) {
                self.bytes -= old.rgb8.len();
            }
            dropped.push(furthest);
        }
        dropped
    }

    fn furthest_from(&self, shown: SliceIndex) -> Option<SliceIndex> {
        let ends = [self.slices.first_key_value(), self.slices.last_key_value()];
        ends.into_iter().flatten().map(|(slice, _)| *slice).max_by_key(|slice| slice.0.abs_diff(shown.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn color() -> Arc<ColorSlice> {
        Arc::new(ColorSlice {
            columns: 2,
            rows: 2,
            rgb8: vec![0; 12].into(),
            is_outside_training: false,
            elapsed_secs: 0.0,
        })
    }

    #[test]
    fn the_slices_furthest_from_the_screen_make_room() {
        let mut cache = ColorCache::new(3 * 12);
        assert_eq!(cache.capacity(4), 3, "three slices fit");
        for slice in [4, 5, 6] {
            assert!(cache.insert(SliceIndex(slice), color(), SliceIndex(5)).is_empty(), "{slice} fits");
        }
        assert_eq!(cache.insert(SliceIndex(7), color(), SliceIndex(7)), [SliceIndex(4)], "the furthest goes");
        assert!(cache.get(SliceIndex(4)).is_none() && cache.get(SliceIndex(7)).is_some(), "and only that one");
        assert!(cache.insert(SliceIndex(7), color(), SliceIndex(7)).is_empty(), "the same slice needs no more room");
    }

    #[test]
    fn a_slice_larger_than_the_cache_is_still_shown() {
        let mut cache = ColorCache::new(5);
        assert_eq!(cache.capacity(4), 1, "one");
        cache.insert(SliceIndex(0), color(), SliceIndex(0));
        assert_eq!(cache.insert(SliceIndex(1), color(), SliceIndex(1)), [SliceIndex(0)], "the other goes");
        assert!(cache.contains(SliceIndex(1)), "the one on screen stays");
    }
}
